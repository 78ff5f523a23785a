// Taking messages from a channel's queue: the C++ face of the dequeue loop (libmta/dequeue), which is also
// what mtaDequeueStart() runs.
//
//   int main() {
//     auto done = mta::dequeue({}, [](mta::message& m) {
//       for (const mta::recipient& to : m.recipients()) deliver(to.address, m.lines());
//       (void)m.finish(mta::disposition::delivered);
//     });
//     if (!done) { mta::log_line(done.error().message()); return 75; }
//   }
//
// A message that is not finished is deferred: nothing is lost by returning, throwing or dying.
//
// Thread safety: the process function is called from several threads at once, for different messages (set
// max_threads to 1 for a function that cannot bear it). A message and everything obtained from it belong to
// the thread that was given it, until the process function returns.
#pragma once

#include <mta/error.hpp>
#include <mta/export.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace mta {

namespace dequeueing {  // the engine; not public
class context;
}

/// What became of a recipient; the numbers are those of mtasdk.h.
enum class disposition : std::uint8_t {
  deferred = 0,   ///< temporary failure: try again later, on the channel's schedule
  delivered = 1,  ///< final delivery was made
  failed = 2,     ///< permanent failure
  relayed = 3,    ///< handed on to something that honours notification requests; for intermediate channels
  relayed_foreign = 4,  ///< handed on to something that cannot honour them
  returned = 5,         ///< to be returned to its sender
  timed_out = 6,        ///< to be returned to its sender: too long in the queue
};
// What the sender is told of it, as his NOTIFY, RET, ORCPT and ENVID ask (RFC 3461), is decided and committed
// by finish(): failed, returned and timed_out make a failure report, delivered and relayed_foreign a success
// report, relayed nothing.

/// Delivery notification requests (RFC 3461); the bits are those of MTA_NOTIFY_*.
enum class notify_flags : std::uint32_t {
  content_full = 0x01,
  content_header = 0x02,
  content_none = 0x04,
  delay = 0x08,
  failure = 0x10,
  success = 0x20,
};
constexpr notify_flags operator|(notify_flags a, notify_flags b) noexcept {
  return static_cast<notify_flags>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}
constexpr bool has(notify_flags set, notify_flags bit) noexcept {
  return (static_cast<std::uint32_t>(set) & static_cast<std::uint32_t>(bit)) != 0;
}

/// One envelope recipient of a message in hand. Strings live as long as the message.
struct recipient {
  std::string_view address;       ///< as it is in the envelope
  std::string_view original;      ///< ORCPT, bare address; empty: none given
  std::string_view intermediate;  ///< the address itself unless the enqueuer noted another form
  std::uint32_t delivery_flags = 0;
  notify_flags notify{};
  std::uint16_t index = 0;  ///< its place in the envelope
};

/// Facts about the content noted when it was enqueued, for senders that stream it untouched.
struct content_facts {
  bool eight_bit = false;          ///< a byte over 127 somewhere
  bool long_line = false;          ///< a line of over 998 bytes
  bool leading_dot = false;        ///< a line begins with a dot (SMTP must double it)
  bool non_ascii_header = false;   ///< the header or an address needs SMTPUTF8
  std::uint32_t longest_line = 0;  ///< bytes, without CRLF
};

enum class message_priority : std::uint8_t { urgent = 0, normal = 1, nonurgent = 2 };

/// A message in hand: a dequeue context. Made by the engine; valid until the process function returns.
class MTA_API message {
 public:
  class line_range;

  explicit message(dequeueing::context& c) noexcept : context_(&c) {}
  message(const message&) = delete;
  message& operator=(const message&) = delete;

  // --- envelope
  // ---------------------------------------------------------------------------------------------------
  std::string_view id() const noexcept;  ///< names the message for ever; at most 40 characters
  std::string_view channel() const noexcept;
  std::string_view sender() const noexcept;  ///< envelope From:; empty: none. NUL-terminated
  /// Those that have no final disposition from an earlier attempt. Never empty.
  std::span<const recipient> recipients() const noexcept;
  std::string_view source_channel() const noexcept;  ///< who enqueued it; may be empty
  std::string_view envelope_id() const noexcept;     ///< ENVID (RFC 3461); may be empty
  std::string_view header_id() const noexcept;       ///< Message-ID of the header; may be empty
  std::string_view host() const noexcept;            ///< destination host, lower case; may be empty
  std::uint32_t delivery_flags() const noexcept;
  notify_flags notify() const noexcept;
  message_priority priority() const noexcept;
  /// Attempts made before this one.
  unsigned attempts() const noexcept;
  std::chrono::sys_time<std::chrono::milliseconds> committed() const noexcept;  ///< when it was enqueued
  /// A small number of the processing thread, for log lines.
  int thread_id() const noexcept;

  // --- content: header, blank line, body, in wire form (lines end in CRLF, nothing is dot-stuffed)
  // -------------------
  std::uint64_t size() const noexcept;  ///< bytes in wire form
  content_facts facts() const noexcept;
  /// The whole content, checked. Meant for messages of moderate size; lines() and read() need little memory.
  /// Errors: errc::damaged (the message will be set aside), the system's.
  result<std::string_view> content();
  /// Bytes from `offset` on, up to buffer.size(); fewer only at the end. The content is checked as a whole
  /// before the first byte is handed out. Errors: as content().
  result<std::size_t> read(std::uint64_t offset, std::span<std::byte> buffer);
  /// The next line without its terminator, valid until the next call; nullopt at the end. Errors: as
  /// content().
  result<std::optional<std::string_view>> next_line();
  void rewind() noexcept;  ///< next_line() begins again with the first line
  /// All lines from the first, without terminators; each valid until the next. An input range; it shares its
  /// place with next_line(). Advancing throws mta::exception where next_line() would return an error; the
  /// engine then defers.
  line_range lines();

  // --- outcome
  // ----------------------------------------------------------------------------------------------------
  /// Notes what became of one recipient; the last call counts; takes effect in finish(). `reason` goes to the
  /// history.
  void dispose(const recipient&, disposition, std::string_view reason = {});
  /// Notes the same for all.
  void dispose(disposition, std::string_view reason = {});
  /// Ends the processing: the sender is notified where that is due, then the dispositions are written to the
  /// queue. Recipients without one are deferred. After an error the message is deferred for all. Errors: the
  /// system's; errc::no_space (for a notification); errc::gone (finished already).
  result<> finish();
  result<> finish(disposition d, std::string_view reason = {}) {
    dispose(d, reason);
    return finish();
  }
  /// Ends the processing: all recipients are tried again later, whatever was noted for them.
  result<> defer(std::string_view reason);
  bool finished() const noexcept;

  dequeueing::context& internal() const noexcept { return *context_; }

 private:
  dequeueing::context* context_;
};

/// An input range over the lines of a message.
class message::line_range {
 public:
  class iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = std::string_view;
    using difference_type = std::ptrdiff_t;

    iterator() = default;
    explicit iterator(message& m) : message_(&m) { ++*this; }
    std::string_view operator*() const noexcept { return line_; }
    iterator& operator++() {
      auto next = message_->next_line();
      if (!next) throw exception(std::move(next).error());
      if (*next)
        line_ = **next;
      else
        message_ = nullptr;
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& i, std::default_sentinel_t) noexcept {
      return i.message_ == nullptr;
    }

   private:
    message* message_ = nullptr;
    std::string_view line_;
  };

  explicit line_range(message& m) noexcept : message_(&m) {}
  iterator begin() const {
    message_->rewind();
    return iterator(*message_);
  }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  message* message_;
};

inline message::line_range message::lines() { return line_range(*this); }

/// How a channel is worked. What is not given comes from the site's configuration, section [dequeue], whose
/// own defaults stand in brackets.
struct dequeue_options {
  std::string channel;  ///< empty: PMDF_CHANNEL
  /// Sleeps, in a row, after the job controller had nothing for us, before dequeue() returns [5].
  std::optional<std::uint32_t> max_attempts;
  std::optional<std::chrono::milliseconds> retry_interval;  ///< each sleep [10 s]
  std::optional<std::chrono::milliseconds>
      controller_timeout;  ///< for an answer of the job controller [30 s]
  /// Waiting messages that deserve a thread [20]: a hint. The job controller decides, by `threaddepth`.
  std::optional<std::uint32_t> messages_per_thread;
  std::optional<std::uint32_t> max_threads;  ///< simultaneous processing threads, at least 1 [20]
  std::optional<std::size_t> stack_size;     ///< of each thread, bytes; raised to the system's least [1 MiB]
  std::optional<std::chrono::milliseconds> wait_timeout;  ///< for threads to end, at the end [30 min]
};

/// What the process function says about its thread.
enum class next_step : std::uint8_t {
  go_on,       ///< next message
  end_thread,  ///< end this processing thread (MTA_ABORT); another may be begun while there is work
};

/// The engine's view of a program: what mtaDequeueStart's two callbacks are. The templates below are easier
/// to use.
class MTA_API dequeue_handler {
 public:
  virtual ~dequeue_handler();
  /// `thread_state` is null in a thread's first call and is then the thread's own. An exception defers the
  /// message and ends the thread.
  virtual next_step process(void*& thread_state, message&) = 0;
  /// Called once when a processing thread ends, with its last state.
  virtual void thread_done(void* thread_state) noexcept = 0;
};

/// Works the channel; returns when there has been nothing to do for max_attempts * retry_interval, or after a
/// request to stop (SIGTERM, the job controller, request_stop()). Errors: errc::disconnected (no job
/// controller), errc::not_configured (no channel given, or unknown), errc::timed_out (threads still ran after
/// wait_timeout), the system's. After errc::timed_out those threads still use the handler: a reference must
/// stay good for ever, a shared handler is kept until the last of them has ended.
MTA_API result<> dequeue(const dequeue_options&, std::shared_ptr<dequeue_handler>);
MTA_API result<> dequeue(const dequeue_options&, dequeue_handler&);

/// Tells the job controller that the channel's target (a message store, a server) is overloaded: there will
/// be fewer programs and threads for the channel, until nothing of the kind has been said for a while
/// (docs/configuration.md, "Stress"). To be called whenever that is noticed; twenty threads that say so at
/// once are one report. `why` is shown to operators, up to 200 bytes of it. The message in hand is not
/// concerned: defer it, if it cannot be delivered. Errors: errc::disconnected (no connection at present;
/// nothing to be done about it), std::errc::operation_not_permitted (no dequeue() runs in this process), the
/// system's.
MTA_API result<> report_stress(std::string_view why = {});

namespace detail {
template <class F, class... Args>
next_step step(F& f, Args&... args) {
  if constexpr (std::same_as<std::invoke_result_t<F&, Args&...>, next_step>) {
    return f(args...);
  } else {
    f(args...);
    return next_step::go_on;
  }
}
}  // namespace detail

/// Works the channel with a function `next_step(message&)` or `void(message&)`.
template <class Process>
requires std::invocable<Process&, message&> result<> dequeue(const dequeue_options& options,
                                                             Process process) {
  class handler final : public dequeue_handler {
   public:
    explicit handler(Process p) : process_(std::move(p)) {}
    next_step process(void*&, message& m) override { return detail::step(process_, m); }
    void thread_done(void*) noexcept override {}

   private:
    Process process_;
  };
  return dequeue(options, std::shared_ptr<dequeue_handler>(std::make_shared<handler>(std::move(process))));
}

/// Works the channel with a state per processing thread: `make_state()` is called at a thread's first
/// message, and what it returns is destroyed when the thread ends. The function is `next_step(state&,
/// message&)` or void.
template <class MakeState, class Process>
requires std::invocable<MakeState&> && std::invocable < Process&, std::invoke_result_t<MakeState&>
&, message& > result<> dequeue(const dequeue_options& options, MakeState make_state, Process process) {
  using state = std::invoke_result_t<MakeState&>;
  class handler final : public dequeue_handler {
   public:
    handler(MakeState make, Process p) : make_(std::move(make)), process_(std::move(p)) {}
    next_step process(void*& thread_state, message& m) override {
      if (!thread_state) thread_state = new state(make_());
      return detail::step(process_, *static_cast<state*>(thread_state), m);
    }
    void thread_done(void* thread_state) noexcept override { delete static_cast<state*>(thread_state); }

   private:
    MakeState make_;
    Process process_;
  };
  return dequeue(options, std::shared_ptr<dequeue_handler>(
                              std::make_shared<handler>(std::move(make_state), std::move(process))));
}

}  // namespace mta
