// Times of the week and of the day at which something may, or shall, happen: delivery windows, periodic jobs.
// Values, and pure functions of an instant; none reads a clock. Times are local (TZ).
//
// Thread safety: values.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mta::config {

using instant = std::chrono::sys_time<std::chrono::milliseconds>;

/// From a time of each of some days of the week to a later one, which may be on the next day.
struct weekly_range {
  std::uint8_t days = 0;              ///< bit 0: Monday … bit 6: Sunday; the days on which it begins
  std::chrono::minutes from{}, to{};  ///< since midnight of the day; from < to <= from + 24h
  bool operator==(const weekly_range&) const = default;
};

/// When mail of a channel may be delivered. Empty: always.
using delivery_window = std::vector<weekly_range>;

struct opening {
  bool open = true;
  instant until = instant::max();  ///< when that changes next; max(): never
};
/// Is the window open at `t`, and until when is that so?
opening opening_at(const delivery_window&, instant t);

/// "Mon-Fri 08:00-18:00, Sat 09:00-12:00", "22:00-06:00" (every day), "Sun" (all day), "always". nullopt:
/// something else, or more than 20 ranges.
std::optional<delivery_window> parse_window(std::string_view);
std::string to_text(const delivery_window&);

/// When a periodic job runs: at times of the day, or again and again.
struct run_schedule {
  std::vector<std::chrono::minutes> at;  ///< since midnight, increasing
  std::chrono::seconds every{0};  ///< instead of `at`; counted from midnight UTC of 1 January 1970, so that
                                  ///< restarts do not move it
  bool operator==(const run_schedule&) const = default;
};
/// The first time after `t`; max(): never (nothing is scheduled).
instant next_run(const run_schedule&, instant t);

/// "02:00, 14:00": increasing, at most 96 times of the day.
std::optional<std::vector<std::chrono::minutes>> parse_times(std::string_view);
/// "02:00, 14:00"
std::string times_text(const std::vector<std::chrono::minutes>&);

}  // namespace mta::config
