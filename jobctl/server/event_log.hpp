// The last things that happened, for those who watch (docs/api.md, GET /v1/events): transitions of messages
// as the controller records them, and what happens to programs, channels and the controller itself. A ring of
// small values in memory; nothing is formatted until somebody reads.
//
// Events are numbered from 1 in the order in which they happened; `first()` is the oldest that is still
// there.
//
// Thread safety: none; the server's loop thread. Lifetime: those who wait are called on that thread, at most
// once for each wait(), and not after the log is destroyed.
#pragma once

#include "jobctl/controller/controller.hpp"

#include <cstdint>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace jobctl {

/// Kinds of events: the first are those of transition_kind, in its order.
enum class event_kind : std::uint8_t {
  launched = transition_kinds,  ///< a program; the text says the process
  launch_failed,
  exited,
  connected,
  disconnected,
  channel_stopped,
  channel_started,
  destination_blocked,
  destination_unblocked,
  destination_stopped,  ///< by an operator: a host of a channel, or of all
  destination_started,
  backlog_full,  ///< of a channel, or with none of the whole queue: enqueuers are refused
  backlog_relieved,
  channel_stressed,  ///< its program says that its target is overloaded
  channel_relaxed,
  reloaded,
  started,
  stopping,
  report,  ///< a warning of the controller
};
inline constexpr unsigned event_kinds = static_cast<unsigned>(event_kind::report) + 1;
/// In the order of the kinds.
inline constexpr std::string_view event_names[] = {
    "queued",
    "found",
    "ready",
    "leased",
    "finished",
    "deferred",
    "held",
    "released",
    "warned",
    "returned",
    "routed",
    "bounced",
    "removed",
    "bad",
    "moved",
    "gone",
    "launched",
    "launch-failed",
    "exited",
    "connected",
    "disconnected",
    "channel-stopped",
    "channel-started",
    "destination-blocked",
    "destination-unblocked",
    "destination-stopped",
    "destination-started",
    "backlog-full",
    "backlog-relieved",
    "channel-stressed",
    "channel-relaxed",
    "reloaded",
    "started",
    "stopping",
    "report",
};
static_assert(std::size(event_names) == event_kinds);
std::string_view name_of(event_kind);
/// False: there is no kind of that name.
bool find_event_kind(std::string_view name, event_kind&);

struct event {
  time_point when{};
  transition what;

  event_kind kind() const { return static_cast<event_kind>(what.kind); }
};

class event_log {
 public:
  static constexpr channel_no no_channel = jobctl::no_channel;
  /// Enough for about 80,000 messages from queued to finished; 40 bytes each, taken as they are needed.
  static constexpr std::size_t default_capacity = 262'144;

  explicit event_log(std::size_t capacity = default_capacity);

  /// Tells this run of the controller from others: cursors of another are of no use.
  std::uint64_t run() const { return run_; }
  std::uint64_t first() const { return next_ - count_; }
  std::uint64_t next() const { return next_; }  ///< the number that the next event gets
  /// first() <= number < next()
  const event& at(std::uint64_t number) const { return ring_[index(number)]; }
  /// Empty for transitions.
  std::string_view text(std::uint64_t number) const;

  void append(time_point when, const std::vector<transition>&);
  void append(time_point when, event_kind, channel_no, std::string text);

  /// `wake` is called when there is an event with this number or a later one: at once, or after the append.
  void wait(std::uint64_t number, std::function<void()> wake);

 private:
  std::size_t index(std::uint64_t number) const { return static_cast<std::size_t>(number % capacity_); }
  event& put();
  void wake_all();

  std::size_t capacity_;
  std::uint64_t run_;
  std::uint64_t next_ = 1;
  std::uint64_t count_ = 0;
  std::vector<event> ring_;
  std::unordered_map<std::uint64_t, std::string> texts_;
  std::vector<std::function<void()>> waiting_;
};

}  // namespace jobctl
