#include "wire/socket.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace mta::wire {
namespace {

error lost(const char* doing) {
  return {errc::disconnected,
          std::string(doing) + " the job controller's socket: the controller has closed it"};
}

}  // namespace

unix_socket::~unix_socket() {
  if (fd_ >= 0) ::close(fd_);
}

unix_socket::unix_socket(unix_socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

unix_socket& unix_socket::operator=(unix_socket&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

result<unix_socket> unix_socket::connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return error(errc::out_of_range, "connect to the job controller at \"" + path +
                                         "\": the path must have 1 to " +
                                         std::to_string(sizeof address.sun_path - 1) +
                                         " bytes; use a root directory with a shorter name");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  unix_socket s(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!s) return os_error("make a socket to the job controller");
  // Room for some hundreds of small frames while the controller is busy; what the system does not grant is no
  // error.
  const int room = 1 << 20;
  (void)::setsockopt(s.fd_, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  if (::connect(s.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return s;
  // EAGAIN: its queue of connections is full, so it is not taking any.
  if (errno == ENOENT || errno == ECONNREFUSED || errno == EAGAIN) {
    return error(errc::disconnected, "connect to " + path + " (is \"jobctl serve\" running?)");
  }
  return os_error("connect to the job controller at " + path);
}

result<std::size_t> unix_socket::send_some(std::string_view data) {
  for (;;) {
    const ssize_t n = ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno == EINTR) continue;
    if (errno == EAGAIN) return std::size_t{0};
    if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN) return lost("write to");
    return os_error("write to the job controller's socket");
  }
}

result<> unix_socket::send_all(std::string_view data, deadline until, std::size_t& calls) {
  while (!data.empty()) {
    auto sent = send_some(data);
    if (!sent) return sent.error();
    if (*sent != 0) {
      ++calls;
      data.remove_prefix(*sent);
      continue;
    }
    const int wait = milliseconds_until(until);
    if (wait == 0) return error(errc::timed_out, "write to the job controller's socket: it does not read");
    pollfd p{fd_, POLLOUT, 0};
    if (::poll(&p, 1, wait) < 0 && errno != EINTR) return os_error("wait for the job controller's socket");
  }
  return {};
}

result<std::size_t> unix_socket::receive(std::span<char> buffer) {
  for (;;) {
    const ssize_t n = ::recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n > 0) return static_cast<std::size_t>(n);
    if (n == 0 || errno == ECONNRESET || errno == ENOTCONN) return lost("read from");
    if (errno == EINTR) continue;
    if (errno == EAGAIN) return std::size_t{0};
    return os_error("read from the job controller's socket");
  }
}

void unix_socket::shut_down() noexcept {
  if (fd_ >= 0) ::shutdown(fd_, SHUT_RDWR);
}

int milliseconds_until(std::chrono::steady_clock::time_point until) noexcept {
  const auto now = std::chrono::steady_clock::now();
  if (until <= now) return 0;
  constexpr auto most = std::chrono::hours(1);
  if (until - now >= most) return static_cast<int>(std::chrono::milliseconds(most).count());
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(until - now).count());
}

}  // namespace mta::wire
