#include "config/schedule.hpp"

#include "base/local_time.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace mta::config {
namespace {

using std::chrono::days;
using std::chrono::local_days;
using std::chrono::minutes;

constexpr std::array<std::string_view, 7> day_names{"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
constexpr std::uint8_t every_day = 0x7F;
constexpr std::size_t most_ranges = 20, most_times = 96;
constexpr minutes whole_day{24 * 60};

// 0: Monday.
unsigned weekday_of(local_days day) { return std::chrono::weekday(day).iso_encoding() - 1; }

std::optional<minutes> parse_time(std::string_view text) {
  const auto digit = [&](std::size_t i) { return text[i] - '0'; };
  if (text.size() == 4) {  // 8:00
    if (!is_digit(text[0]) || text[1] != ':' || !is_digit(text[2]) || !is_digit(text[3])) return {};
    return digit(2) > 5 ? std::nullopt : std::optional(minutes(digit(0) * 60 + digit(2) * 10 + digit(3)));
  }
  if (text.size() != 5 || text[2] != ':') return {};
  for (const std::size_t i : {0u, 1u, 3u, 4u})
    if (!is_digit(text[i])) return {};
  const minutes t(digit(0) * 600 + digit(1) * 60 + digit(3) * 10 + digit(4));
  return digit(3) > 5 || t > whole_day ? std::nullopt : std::optional(t);
}

std::string time_text(minutes t) {
  char text[16];
  std::snprintf(text, sizeof text, "%02d:%02d", static_cast<int>(t.count() / 60),
                static_cast<int>(t.count() % 60));
  return text;
}

// "Mon", "Mon-Fri"
std::optional<std::uint8_t> parse_days(std::string_view text) {
  const auto dash = text.find('-');
  const auto number = [](std::string_view name) {
    return static_cast<unsigned>(std::ranges::find(day_names, lower_case(name)) - day_names.begin());
  };
  const unsigned first = number(text.substr(0, dash));
  const unsigned last = dash == text.npos ? first : number(text.substr(dash + 1));
  if (first > 6 || last > 6) return {};
  std::uint8_t set = 0;
  for (unsigned d = first;; d = (d + 1) % 7) {
    set = static_cast<std::uint8_t>(set | 1u << d);
    if (d == last) return set;
  }
}

// "Mon-Fri 08:00-18:00", "08:00-18:00", "Sun"
std::optional<weekly_range> parse_range(std::string_view text) {
  weekly_range range{every_day, minutes(0), whole_day};
  auto words = split_words(text);
  if (words.empty() || words.size() > 2) return {};
  if (!is_digit(words.front().front())) {
    const auto set = parse_days(words.front());
    if (!set) return {};
    range.days = *set;
    words.erase(words.begin());
  }
  if (words.size() > 1) return {};
  if (words.empty()) return range;
  const auto dash = words.front().find('-');
  if (dash == std::string_view::npos) return {};
  const auto from = parse_time(words.front().substr(0, dash)),
             to = parse_time(words.front().substr(dash + 1));
  if (!from || !to || *from == whole_day || *from == *to) return {};
  range.from = *from;
  range.to = *to < *from ? *to + whole_day : *to;
  return range;
}

struct interval {
  instant from, to;
};

// Of the days around `t`: from two before, since a range that began then may last until now, to nine after.
std::vector<interval> intervals_around(const delivery_window& window, instant t) {
  std::vector<interval> all;
  const local_days today = local_day_of(std::chrono::floor<std::chrono::seconds>(t));
  for (local_days day = today - days(2); day <= today + days(9); day += days(1)) {
    for (const weekly_range& r : window) {
      if ((r.days >> weekday_of(day) & 1) == 0) continue;
      const instant from = instant_of(day, r.from, when_twice::first),
                    to = instant_of(day, r.to, when_twice::second);
      if (from < to) all.push_back({from, to});
    }
  }
  std::ranges::sort(all, {}, &interval::from);
  return all;
}

}  // namespace

opening opening_at(const delivery_window& window, instant t) {
  if (window.empty()) return {};
  opening now{false, instant::max()};
  for (const interval& i : intervals_around(window, t)) {
    if (i.to <= t) continue;
    if (i.from <= t) {
      now.until = now.open ? std::max(now.until, i.to) : i.to;
      now.open = true;
    } else if (!now.open) {
      now.until = i.from;
      break;
    } else if (i.from <= now.until) {
      now.until = std::max(now.until, i.to);  // one that follows without a gap
    } else {
      break;
    }
  }
  return now;
}

std::optional<delivery_window> parse_window(std::string_view text) {
  delivery_window window;
  if (equal_ignoring_case(trim(text), "always")) return window;
  while (true) {
    const auto comma = text.find(',');
    const auto range = parse_range(trim(text.substr(0, comma)));
    if (!range || window.size() == most_ranges) return {};
    window.push_back(*range);
    if (comma == text.npos) return window;
    text.remove_prefix(comma + 1);
  }
}

std::string to_text(const delivery_window& window) {
  if (window.empty()) return "always";
  std::string out;
  const auto add = [&](std::string_view name, const weekly_range& r) {
    if (!out.empty()) out += ", ";
    out += name;
    if (!name.empty()) out += ' ';
    out += time_text(r.from) + '-' + time_text(r.to > whole_day ? r.to - whole_day : r.to);
  };
  for (const weekly_range& r : window) {
    if (r.days == every_day) {
      add("", r);
      continue;
    }
    for (unsigned d = 0; d < 7; ++d) {  // each run of days as one range
      if ((r.days >> d & 1) == 0) continue;
      unsigned last = d;
      while (last + 1 < 7 && (r.days >> (last + 1) & 1) != 0) ++last;
      std::string name(day_names[d]);
      if (last > d) name += '-' + std::string(day_names[last]);
      add(name, r);
      d = last;
    }
  }
  return out;
}

instant next_run(const run_schedule& schedule, instant t) {
  if (schedule.every.count() > 0) {
    const auto step = std::chrono::milliseconds(schedule.every);
    return instant(std::chrono::milliseconds((t.time_since_epoch() / step + 1) * step));
  }
  instant first = instant::max();
  const local_days today = local_day_of(std::chrono::floor<std::chrono::seconds>(t));
  for (local_days day = today - days(1); day <= today + days(2); day += days(1))
    for (const minutes at : schedule.at)
      if (const instant i = instant_of(day, at); i > t) first = std::min(first, i);
  return first;
}

std::optional<std::vector<minutes>> parse_times(std::string_view text) {
  std::vector<minutes> times;
  while (true) {
    const auto comma = text.find(',');
    const auto time = parse_time(trim(text.substr(0, comma)));
    if (!time || *time == whole_day || times.size() == most_times ||
        (!times.empty() && *time <= times.back()))
      return {};
    times.push_back(*time);
    if (comma == text.npos) return times;
    text.remove_prefix(comma + 1);
  }
}

std::string times_text(const std::vector<minutes>& times) {
  std::string out;
  for (const minutes t : times) out += (out.empty() ? "" : ", ") + time_text(t);
  return out;
}

}  // namespace mta::config
