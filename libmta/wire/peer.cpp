#include "wire/peer.hpp"

#include <sys/socket.h>

namespace mta::wire {

result<peer> peer_of(int socket) {
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) {
    return os_error("ask who is at the other end of a socket");
  }
  return peer{credentials.pid, credentials.uid, credentials.gid};
}

}  // namespace mta::wire
