// A channel program's side of the wire: one connection to the job controller that any number of threads
// share.
//
// There is no thread of its own. Threads that wait (for a message, for an answer, or in sleep_until) wait in
// the kernel on the socket; the kernel wakes one of them when something arrives, a thread in take() rather
// than one that sleeps. It reads and dispatches everything for all. Results and credit are collected and sent
// together: when a batch is full, when the last send is more than `linger` ago, when a thread is about to
// wait, or on flush().
//
// When the connection is lost, threads go on with the messages in hand and in the buffer, and those that wait
// reconnect with growing delay, saying HELLO with everything that is still held. Results that were not
// completely written are reported on the new connection. Results that were written, but that the old
// controller may not have read, are not repeated: the message file already says how the message stands, and
// should it be leased once more, whoever takes it finds that out under the message's lock. After `patience`
// without a connection the session has failed for good.
//
// Stopping (STOP from the controller, request_stop(), close()): buffered messages that nobody took are handed
// back as `released`, take() says errc::cancelled, results can still be reported.
//
// Thread safety: every member may be called from any thread; request_stop() and interrupt() from a signal
// handler too. Lifetime: no call may be in progress when it is destroyed.
#pragma once

#include "base/error.hpp"
#include "wire/messages.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace mta::wire {

using steady_time = std::chrono::steady_clock::time_point;

struct session_options {
  std::string socket_path;  ///< <root>/run/jobctl.sock
  std::string channel;
  std::uint64_t job = 0;          ///< JOBCTL_JOB, or 0
  std::uint32_t max_threads = 1;  ///< MTA_THREAD_MAX_THREADS
  std::chrono::milliseconds reply_timeout{
      30'000};  ///< MTA_JBC_TIMEOUT: for WELCOME, and for a send to make progress
  std::chrono::milliseconds patience{
      50'000};  ///< MTA_JBC_RETRY_INTERVAL × MTA_JBC_MAX_ATTEMPTS: without a connection
  std::chrono::milliseconds first_backoff{50}, last_backoff{1000};  ///< between attempts to reconnect
  std::uint32_t batch = 64;  ///< results sent together, at most this many wait
  std::chrono::microseconds linger{
      2000};  ///< a result reported later than this after the last send goes out at once
};

/// Answer to poll().
struct backlog {
  std::uint64_t pending = 0;  ///< due messages that nobody has in hand
  std::uint32_t threads = 0;  ///< threads that this program should run
};

struct session_counters {
  std::uint64_t frames_received = 0, frames_sent = 0;
  std::uint64_t sends = 0, receives = 0;  ///< system calls that moved bytes
  std::uint64_t wake_ups = 0;             ///< returns from waiting in the kernel
  std::uint64_t reconnects = 0;
};

class session {
 public:
  /// Connects and says HELLO; waits for WELCOME at most reply_timeout. Errors: disconnected (nobody listens
  /// there), timed_out, rejected or wrong_version (with the controller's words), protocol, the system's.
  static result<std::unique_ptr<session>> connect(session_options);
  /// close(), if not done yet.
  ~session();
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  // --- messages ---
  /// More messages may be sent to us: `more` beyond what was allowed so far. Sent with the next batch, or
  /// before waiting. What is allowed and held together is bounded by max_in_hand; the excess is ignored.
  void give_credit(std::uint32_t more);
  /// The next message, from the buffer or by waiting until `deadline` (a deadline in the past: do not wait,
  /// but look whether something has arrived). The caller has it in hand until it reports a result for it.
  /// Errors: timed_out; cancelled (stop requested or interrupted); disconnected (patience is over; context
  /// says why); rejected, wrong_version (a restarted controller refused us).
  result<leased_message> take(steady_time deadline);
  /// What became of a message that was taken. Does not wait, except to send when a batch is full. Every
  /// message taken is to be reported exactly once; a report about anything else is ignored.
  void report(const message_result&);
  /// Sends results and credit that have been collected. Errors: disconnected (they are kept for the next
  /// connection).
  result<> flush();

  // --- questions ---
  /// How much is there to do? `running`: threads that run at present. Waits at most `timeout`, and through a
  /// reconnection within it. Errors: timed_out, disconnected, cancelled (stop requested or interrupted), as
  /// take().
  result<backlog> poll(std::uint32_t running, std::chrono::milliseconds timeout);
  /// Halves of poll().
  result<std::uint64_t> pending(std::chrono::milliseconds timeout);
  result<std::uint32_t> threads_needed(std::uint32_t running, std::chrono::milliseconds timeout);

  /// Tells the controller that the channel's target is overloaded; `why` is for people. At once, and at most
  /// once a second: what is said more often has been said. Errors: disconnected (it is not told later).
  result<> report_stress(std::string_view why);

  // --- waiting ---
  enum class woken : std::uint8_t {
    deadline,
    stop,         ///< a stop was requested
    lease,        ///< a message is in the buffer and no thread waits in take()
    interrupted,  ///< interrupt()
    failed,       ///< the session has failed for good: why()
  };
  /// The primal thread's sleep: dispatches what arrives meanwhile. `for_leases`: return early when a message
  /// is in the buffer and no thread waits for one.
  woken sleep_until(steady_time deadline, bool for_leases);

  /// Asks for a stop: every wait ends, nothing more is taken. Async-signal-safe.
  void request_stop() noexcept;
  bool stop_requested() const noexcept;
  /// The controller's words, if the stop came from there.
  std::string stop_reason() const;
  /// Ends every wait that is in progress now, once (errc::cancelled, woken::interrupted).
  void interrupt();

  /// Stops, hands back what nobody took, sends results, says BYE. Waits at most reply_timeout. What is still
  /// in hand goes back to the controller with the connection.
  void close();

  // --- answers without waiting ---
  bool connected() const;
  /// Set once the session has failed for good; success otherwise.
  error why() const;
  std::uint32_t buffered() const;  ///< messages leased to us that nobody took yet
  std::uint32_t in_hand() const;   ///< taken and not reported
  std::uint32_t credit() const;    ///< allowed and not yet leased
  session_counters counters() const;

 private:
  struct impl;
  explicit session(std::unique_ptr<impl>);
  std::unique_ptr<impl> impl_;
};

}  // namespace mta::wire
