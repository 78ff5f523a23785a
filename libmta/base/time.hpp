// Times and durations as text.
// Thread safety: every function from any thread.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace mta {

/// "Sat, 21 Nov 2026 03:04:05 +0100" (RFC 5322 3.3), in the local time zone, 31 characters.
std::string rfc5322_date(std::chrono::sys_seconds);

/// A duration, in either of two forms, upper or lower case:
///  * ISO 8601: P[nY][nM][nW][nD][T[nH][nM][nS]], with a year of 365 and a month of 30 days;
///  * plain: "1h30m", "45s", "500ms", "2d", "1w"; a number alone is seconds.
/// nullopt: neither, or longer than 100 years.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view);

/// The plain form with the largest units that leave no rest: "1h30m", "500ms", "0s".
std::string format_duration(std::chrono::milliseconds);

}  // namespace mta
