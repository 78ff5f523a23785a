// What orders on messages, channels and hosts have in common: why, until when, for which host, by whom.
// Thread safety: pure, apart from name_of_user().
#pragma once

#include "base/error.hpp"
#include "queue/state.hpp"

#include <cstdint>
#include <string>

namespace jobctl::admin {

inline constexpr std::size_t longest_reason = 500;  ///< bytes

/// Errors of these: errc::syntax or out_of_range, with the field's name and what was expected.
mta::result<std::string> read_reason(std::string text);
/// A time to come, or a duration from `now` on.
mta::result<mta::queue::time_point> read_until(const std::string& text, mta::queue::time_point now);
/// Of a destination, in lower case; empty: none.
mta::result<std::string> read_host(const std::string& text);
/// The same, of what a stop may be for: not empty; ".example.org" for it and those below it.
mta::result<std::string> read_stopped_host(const std::string& text);

/// "ann (uid 1000)"; empty for a negative number. On the pool, since it may ask a directory service.
std::string name_of_user(std::int64_t uid);

}  // namespace jobctl::admin
