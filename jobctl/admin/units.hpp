// Sizes, durations and times as people write them on the command line and in API parameters, and as we print
// them. Thread safety: pure.
#pragma once

#include "base/error.hpp"
#include "queue/state.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace jobctl {

using time_point = mta::queue::time_point;

/// "2026-11-21T01:46:45.123Z": UTC, ISO 8601, always 24 characters for years 0 to 9999.
std::string iso_time(time_point);

/// An absolute time in ISO 8601 (date, or date and time; seconds and fraction optional; "Z" or an offset
/// "+01:00", UTC without one), or a duration with a sign ("+2h", "-3d") counted from `now`. Error:
/// errc::syntax, saying what was expected.
mta::result<time_point> parse_time(std::string_view, time_point now);

/// "90" (seconds), "90s", "15m", "2h", "3d", "1w", or several in a row ("1h30m"). Error: errc::syntax,
/// out_of_range.
mta::result<std::chrono::seconds> parse_duration(std::string_view);

/// "2048", "10k", "1.5M", "1G", with or without "B" or "iB": multiples of 1024. Errors as above.
mta::result<std::uint64_t> parse_size(std::string_view);

/// "512", "3.9K", "12M", "1.1G": at most four characters and a letter, multiples of 1024.
std::string human_size(std::uint64_t bytes);

/// "0s", "42s", "5m12s", "3h05m", "2d04h", "120d": the two highest units; negative durations begin with "-".
std::string human_duration(std::chrono::milliseconds);

}  // namespace jobctl
