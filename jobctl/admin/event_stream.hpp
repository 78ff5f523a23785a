// GET /v1/events: its parameters, and events as JSON lines (docs/api.md).
//
// Thread safety: the server's loop thread. Lifetime: the backend outlives the stream.
#pragma once

#include "jobctl/admin/backend.hpp"
#include "jobctl/admin/target.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace jobctl::admin {

struct event_filter {
  std::optional<channel_no> channel;
  std::optional<message_id> id;
  std::uint64_t kinds = ~0ull;  ///< a bit for each event_kind
};

struct events_request {
  event_filter filter;
  std::uint64_t run = 0;    ///< of the cursor
  std::uint64_t after = 0;  ///< likewise
  bool has_cursor = false;
  std::uint64_t limit = 0;  ///< 0: not given
  bool follow = false;
};

/// Errors: errc::syntax, out_of_range: a parameter, named; errc::not_configured: there is no such channel.
mta::result<events_request> parse_events_request(const target&, const controller&);

/// The lines that were asked for, a piece at a time. A follower that is too slow, or comes too late, is told
/// how many events it missed.
class event_stream {
 public:
  enum class state {
    more,     ///< there is more at once
    waiting,  ///< for something to happen
    ended
  };

  event_stream(admin::backend&, const events_request&);

  /// Appends the next lines; the work for one piece is bounded (about 0.1 ms).
  state next(std::string& out);
  /// Much is happening: between two pieces the mail goes first.
  bool busy() const { return busy_; }
  /// Calls `wake` once, when there is something to look at.
  void wait(std::function<void()> wake);

 private:
  bool matches(const event&) const;
  std::uint64_t nth_last(std::uint64_t count) const;
  void append_line(std::string& out, std::uint64_t number);
  void append_missed(std::string& out, std::optional<std::uint64_t> count, std::string_view why);
  void append_time(std::string& out, time_point);

  admin::backend& backend_;
  event_log& log_;
  events_request request_;
  std::string run_;         // as in cursors
  std::uint64_t next_ = 0;  // number of the event to be looked at next
  std::uint64_t end_ = 0;   // without `follow`: where it ends
  std::uint64_t seen_ = 0;  // log_.next() at the last piece
  bool restarted_ = false;  // the cursor is of another run: to be said
  bool busy_ = false;
  time_point cached_{};
  std::string cached_text_;
};

}  // namespace jobctl::admin
