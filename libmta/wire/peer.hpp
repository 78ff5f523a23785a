// Who is at the other end of a Unix-domain socket, as the kernel saw it when the connection was made.
// Thread safety: any thread.
#pragma once

#include "base/error.hpp"

#include <sys/types.h>

namespace mta::wire {

struct peer {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};

/// SO_PEERCRED. Errors: the system's.
result<peer> peer_of(int socket);

}  // namespace mta::wire
