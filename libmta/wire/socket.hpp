// A program's end of a connection to the job controller: a Unix-domain stream socket that never blocks except
// where a deadline is given.
//
// Thread safety: receive() and send() may be used by one thread each at the same time; shut_down() by any.
#pragma once

#include "base/error.hpp"

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace mta::wire {

class unix_socket {
 public:
  using deadline = std::chrono::steady_clock::time_point;

  unix_socket() = default;
  ~unix_socket();
  unix_socket(unix_socket&& other) noexcept;
  unix_socket& operator=(unix_socket&& other) noexcept;

  /// errc::disconnected: nobody listens there, or too many wait to be accepted; out_of_range: the path does
  /// not fit into an address (107 bytes); the system's.
  static result<unix_socket> connect(const std::string& path);

  explicit operator bool() const noexcept { return fd_ >= 0; }
  int fd() const noexcept { return fd_; }

  /// Writes as much as there is room for at once; how many bytes that was.
  result<std::size_t> send_some(std::string_view data);
  /// Writes all, waiting for room. errc::timed_out: some of it may have been written. errc::disconnected.
  /// `calls` grows by the number of system calls that moved bytes.
  result<> send_all(std::string_view data, deadline until, std::size_t& calls);
  /// Reads what is there; 0: nothing at present. errc::disconnected: the peer has closed.
  result<std::size_t> receive(std::span<char> buffer);
  /// Ends the connection in both directions; whoever waits on it is woken.
  void shut_down() noexcept;

 private:
  explicit unix_socket(int fd) : fd_(fd) {}
  int fd_ = -1;
};

/// Milliseconds from now to `until` for poll(2) and the like: rounded up, 0 when it is past, at most an hour.
int milliseconds_until(std::chrono::steady_clock::time_point until) noexcept;

}  // namespace mta::wire
