// An enqueuer's side of the wire: tells the job controller about messages that have just been committed. An
// announcement only makes delivery sooner: the message is safe in its file, and the controller finds it there
// by itself if nobody says anything. So announcing never fails and never holds up a commit for more than a
// few milliseconds; what cannot be sent within that is dropped and counted, and its file is named to the
// controller on the next connection or announcement that succeeds.
//
// Announcements go out at once, written by the announcing thread itself; while one thread writes, others'
// announcements collect and go out with its next write.
//
// Thread safety: every member from any thread. Lifetime: no call may be in progress when it is destroyed.
#pragma once

#include "base/error.hpp"
#include "wire/messages.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace mta::wire {

struct announcer_options {
  std::string socket_path;              ///< <root>/run/jobctl.sock
  std::chrono::milliseconds effort{3};  ///< longest that one announcement waits for room in the socket
  std::chrono::milliseconds retry_interval{500};  ///< after a controller that does not read, or refuses us
  std::size_t most_buffered =
      256 * 1024;  ///< bytes collected while another thread writes; beyond it announcements are dropped
};

struct announcer_counters {
  std::uint64_t announced = 0;  ///< messages written to the socket
  std::uint64_t dropped = 0;    ///< messages that the controller has to find by itself
  std::uint64_t sends = 0;      ///< system calls that moved bytes
  std::uint64_t connections = 0;
};

class announcer {
 public:
  /// Connects with the first announcement, not here.
  explicit announcer(announcer_options);
  ~announcer();
  announcer(const announcer&) = delete;
  announcer& operator=(const announcer&) = delete;

  /// The message is durable in `file` of `channel`. `complete`: no writer will add more to this generation of
  /// the file.
  void announce(std::string_view channel, file_key file, std::uint32_t capacity, bool complete,
                const new_message&);
  /// Waits until the controller has taken in everything announced before, at most `timeout`. For programs
  /// that want to be sure before they exit; not needed for delivery. Errors: timed_out, disconnected,
  /// rejected.
  result<> sync(std::chrono::milliseconds timeout);

  announcer_counters counters() const;

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace mta::wire
