// The local time zone (TZ, else the host's): from an instant to the day that a calendar on the wall shows,
// and back. Right on days with 23 and 25 hours, too. Thread safety: every function from any thread, unless
// one calls tzset() meanwhile.
#pragma once

#include <chrono>

namespace mta {

/// The local day that it is at an instant.
std::chrono::local_days local_day_of(std::chrono::sys_seconds);

/// Which of two, when a clock shows the same time twice because it was set back.
enum class when_twice : bool { first, second };

/// When a clock on the wall shows midnight of `day` and `since_midnight` more. A time that the clock leaves
/// out when it is set forward is as much after the change as it should have been: 02:30 becomes 03:30.
std::chrono::sys_seconds instant_of(std::chrono::local_days day, std::chrono::minutes since_midnight,
                                    when_twice = when_twice::first);

}  // namespace mta
