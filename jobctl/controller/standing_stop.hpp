// An operator's standing order: nothing is given out, of a channel, for a host of it, or for a host in every
// channel; neither what waits now nor what comes later. Thread safety: values and pure functions.
#pragma once

#include "queue/state.hpp"

#include <string>
#include <string_view>

namespace jobctl {

struct standing_stop {
  std::string channel{};  ///< empty: every one; then there is a host
  std::string host{};     ///< in lower case; ".example.org": it and those below it; empty: all of the channel
  std::string by{};       ///< "ann (uid 1000)"; empty: not known
  std::string reason{};   ///< in his words; may be empty
  mta::queue::time_point since{};
  mta::queue::time_point until{};  ///< when it ends by itself; epoch: it does not

  /// The same channel and host: one replaces the other.
  bool same_place(const standing_stop& o) const { return channel == o.channel && host == o.host; }
  friend bool operator==(const standing_stop&, const standing_stop&) = default;
};

/// Does ".example.org" (it and those below it) or "example.org" mean that host? An empty pattern means any.
inline bool host_matches(std::string_view pattern, std::string_view host) {
  if (pattern.empty() || host == pattern) return true;
  return pattern.front() == '.' && (host == pattern.substr(1) || host.ends_with(pattern));
}

}  // namespace jobctl
