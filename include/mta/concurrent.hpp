// Programs that work on many messages at once: what mta::channel (mta/channel.hpp) is made of, for event
// loops other than Asio's.
//
// Thread safety and lifetime: as each declaration says.
#pragma once

#include <mta/dequeue.hpp>
#include <mta/error.hpp>
#include <mta/export.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

namespace mta {

/// How a channel is worked by coroutines. Of the members of dequeue_options, max_threads, messages_per_thread
/// and stack_size have no meaning here; wait_timeout is how long, after a request to stop, messages in hand
/// may go on before they are cancelled.
struct channel_options : dequeue_options {
  unsigned threads = 1;          ///< worker threads, each with one event loop
  std::uint32_t in_hand = 1000;  ///< messages worked on at the same time, by all threads; 1 to 8192
  std::uint32_t per_host = 0;    ///< of these, to the same destination host; 0: no limit of its own
  /// How long one message may take before it is cancelled; 0: for ever.
  std::chrono::milliseconds deadline{0};
  /// How long what was cancelled at a stop may take to end.
  std::chrono::milliseconds cancel_timeout{10'000};
  /// Called on each worker thread: before its loop runs, and after its last message (the process_done of the
  /// coroutine world).
  std::function<void()> thread_begin = {};
  std::function<void()> thread_done = {};
};

namespace dequeueing {  // the engine; not public
struct held;
}

/// The engine's view of a program that works on many messages at once. mta::channel is easier to use; this is
/// for event loops other than Asio's.
class MTA_API concurrent_program {
 public:
  virtual ~concurrent_program();
  /// Which of its threads the next message will be on, from 1: the message's thread_id().
  virtual int next_thread() noexcept = 0;
  /// Starts the work on a message and returns; on a thread of the engine. Message and handle are good until
  /// done() or defer() is called with the handle, which is due exactly once, from any thread. An exception
  /// hands it back.
  virtual void begin(dequeueing::held& handle, message&) = 0;
  /// The time to finish is over: done() or defer() is expected now for all that is in hand.
  virtual void cancel() noexcept = 0;
  /// It was not enough: returns when nothing uses a message any more; done() and defer() are not called after
  /// that.
  virtual void abandon() noexcept = 0;
};

/// Works the channel with it. See mta::channel::run().
MTA_API result<> work(const channel_options&, concurrent_program&);
/// Ends a message with what was noted by message::dispose(), and this for all other recipients (nothing: they
/// are deferred). Written, and its sender notified, soon, by another thread.
MTA_API void done(dequeueing::held&, std::optional<disposition>) noexcept;
/// Ends a message: all its recipients are tried again later, whatever was noted.
MTA_API void defer(dequeueing::held&, std::string_view reason) noexcept;

}  // namespace mta
