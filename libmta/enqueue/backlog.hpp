// Which channels are full: the job controller counts what is queued, and says in a small file of the site
// which channels, or whether the queue as a whole, hold as much as their `backlog_limit`; whoever enqueues
// looks at that file, ten times a second at most, and refuses mail for them with a temporary error.
//
// The file is there while something is full, and is written anew every `backlog_refresh`. One that is older
// than `backlog_valid` was left by a controller that has died, and says nothing: without a controller
// everything is accepted, as nobody counts. The limits are not exact: between two looks more may come in.
//
// The file: a line for each, "CHANNEL MESSAGES LIMIT", with "*" for the queue as a whole.
//
// Thread safety: backlog_watch from any thread. Lifetime: values.
#pragma once

#include "base/error.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mta::enqueue {

inline constexpr std::chrono::seconds backlog_refresh{2}, backlog_valid{15};
inline constexpr std::chrono::milliseconds backlog_look{100};

/// A channel that is full.
struct full_channel {
  std::string channel;  ///< empty: all channels together
  std::uint64_t messages = 0, limit = 0;
  friend bool operator==(const full_channel&, const full_channel&) = default;
};

/// What the file says, and reading it; lines that are none are left out.
std::string backlog_text(std::span<const full_channel>);
std::vector<full_channel> parse_backlog(std::string_view text);

/// Which limits a submission has to keep.
enum class backlog_limits : std::uint8_t {
  all,
  /// Those of channels: it passes on a message in hand, which leaves the queue for it. Else a full queue of
  /// messages that are to be passed on would never be less full.
  of_channels,
  /// A notification: to refuse it would keep a message whose fate is decided, and have it tried again.
  none,
};

class backlog_watch {
 public:
  using clock = std::chrono::steady_clock;

  explicit backlog_watch(std::string path) : path_(std::move(path)) {}

  /// May a message for the channel be enqueued? errc::try_later: no; the context says what is full. The file
  /// is looked at when `backlog_look` has passed since the last time.
  result<> check(std::string_view channel, backlog_limits, clock::time_point now = clock::now());

 private:
  void look();  // mutex_ is held

  const std::string path_;
  std::atomic<clock::rep> next_look_{clock::time_point::min().time_since_epoch().count()};
  std::atomic<bool> any_{false};
  std::mutex mutex_;
  std::vector<full_channel> full_;  // under mutex_, and the next three
  std::uint64_t inode_ = 0;
  std::int64_t written_ = 0;  // ns since 1970: of the file that full_ is from
};

}  // namespace mta::enqueue
