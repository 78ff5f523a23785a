// Where a session's threads wait in the kernel: for something on the connection, or for a call from another
// thread.
//
// There are two waiting places, each an epoll set with the socket and an event counter in it. The socket is
// in both, edge-triggered and exclusive: the kernel wakes one waiting thread, in the place to which the
// socket was added first if somebody waits there, otherwise in the other. So a parked thread that wants
// messages is woken by a lease without disturbing the sleeping primal thread, and the latter keeps watch
// while nobody else waits.
//
// Because it is edge-triggered, whoever returns from wait() must read the socket until it is empty. An edge
// that comes while nobody waits is kept, and ends the next wait at once; so returning from wait() is a hint,
// never a promise.
//
// Thread safety: all members from any thread; call() from a signal handler.
#pragma once

#include "base/error.hpp"

#include <chrono>

namespace mta::wire {

class waiting_place {
 public:
  /// Throws mta::exception when the system has no more descriptors.
  waiting_place();
  ~waiting_place();
  waiting_place(const waiting_place&) = delete;
  waiting_place& operator=(const waiting_place&) = delete;

  /// Adds the connection; closing its descriptor removes it.
  result<> watch(int socket);
  /// Waits for the connection, a call, a signal or the time. true: woken by something other than the time.
  bool wait(std::chrono::steady_clock::time_point until);
  /// Wakes one thread that waits here, or the next that will.
  void call() noexcept;

 private:
  int epoll_ = -1, event_ = -1;
};

/// A descriptor that becomes readable once and for all.
class alarm_bell {
 public:
  alarm_bell();
  ~alarm_bell();
  alarm_bell(const alarm_bell&) = delete;
  alarm_bell& operator=(const alarm_bell&) = delete;
  void ring() noexcept;  ///< async-signal-safe
  int fd() const noexcept { return event_; }

 private:
  int event_ = -1;
};

}  // namespace mta::wire
