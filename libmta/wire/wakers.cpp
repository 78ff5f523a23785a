#include "wire/wakers.hpp"

#include "wire/socket.hpp"

#include <cerrno>
#include <cstdint>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace mta::wire {
namespace {

int make_event() {
  const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) throw exception(os_error("make an event descriptor for a session with the job controller"));
  return fd;
}

void add_one(int event) noexcept {
  const int saved = errno;  // may run in a signal handler
  const std::uint64_t one = 1;
  // Nobody reads the counter: each write is an edge. It cannot overflow within the life of a process.
  [[maybe_unused]] const ssize_t n = ::write(event, &one, sizeof one);
  errno = saved;
}

}  // namespace

waiting_place::waiting_place() {
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) throw exception(os_error("make an epoll set for a session with the job controller"));
  event_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  epoll_event e{};
  e.events = EPOLLIN | EPOLLET;
  if (event_ < 0 || ::epoll_ctl(epoll_, EPOLL_CTL_ADD, event_, &e) != 0) {
    error why = os_error("make an event descriptor for a session with the job controller");
    if (event_ >= 0) ::close(event_);
    ::close(epoll_);
    throw exception(std::move(why));
  }
}

waiting_place::~waiting_place() {
  ::close(event_);
  ::close(epoll_);
}

result<> waiting_place::watch(int socket) {
  epoll_event e{};
  e.events = EPOLLIN | EPOLLET | EPOLLEXCLUSIVE;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &e) != 0)
    return os_error("watch the job controller's socket");
  return {};
}

bool waiting_place::wait(std::chrono::steady_clock::time_point until) {
  epoll_event events[2];
  const int n = ::epoll_wait(epoll_, events, 2, milliseconds_until(until));
  return n != 0;
}

void waiting_place::call() noexcept { add_one(event_); }

alarm_bell::alarm_bell() : event_(make_event()) {}
alarm_bell::~alarm_bell() { ::close(event_); }
void alarm_bell::ring() noexcept { add_one(event_); }

}  // namespace mta::wire
