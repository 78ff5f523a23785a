#include "jobctl/admin/units.hpp"

#include <charconv>
#include <cmath>
#include <fmt/format.h>

namespace jobctl {
namespace {

using namespace std::chrono;

mta::error expected(std::string_view text, std::string_view what) {
  return {mta::errc::syntax, fmt::format("'{}' is not {}", text, what)};
}

constexpr std::string_view duration_form = "a duration such as 90s, 15m, 2h, 3d or 1h30m";
constexpr std::string_view size_form = "a size such as 2048, 10k, 1.5M or 1G";
constexpr std::string_view time_form = "a time such as 2026-11-21T14:30:00Z, 2026-11-21, +2h or -3d";

// Takes exactly `digits` digits from the front.
bool take_number(std::string_view& text, std::size_t digits, int& value) {
  if (text.size() < digits) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + digits, value);
  if (error != std::errc() || end != text.data() + digits || text[0] == '-') return false;
  text.remove_prefix(digits);
  return true;
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

bool take_date(std::string_view& text, sys_days& date) {
  int y, m, d;
  if (!take_number(text, 4, y) || !take(text, '-') || !take_number(text, 2, m) || !take(text, '-') ||
      !take_number(text, 2, d))
    return false;
  const year_month_day ymd{year(y), month(static_cast<unsigned>(m)), day(static_cast<unsigned>(d))};
  date = sys_days(ymd.ok() ? ymd : year_month_day{});
  return ymd.ok();
}

bool take_fraction(std::string_view& text, milliseconds& fraction) {
  int scale = 100;
  bool any = false;
  for (; !text.empty() && text[0] >= '0' && text[0] <= '9'; text.remove_prefix(1), any = true) {
    fraction += milliseconds((text[0] - '0') * scale);
    scale /= 10;
  }
  return any;
}

bool take_time_of_day(std::string_view& text, milliseconds& time) {
  int h, m, s = 0;
  if (!take_number(text, 2, h) || !take(text, ':') || !take_number(text, 2, m)) return false;
  milliseconds fraction{0};
  if (take(text, ':')) {
    if (!take_number(text, 2, s)) return false;
    if (take(text, '.') && !take_fraction(text, fraction)) return false;
  }
  time = hours(h) + minutes(m) + seconds(s) + fraction;
  return h < 24 && m < 60 && s < 61;
}

bool take_zone(std::string_view& text, minutes& offset) {
  if (text.empty() || take(text, 'Z') || take(text, 'z')) return true;
  const bool minus = text[0] == '-';
  if (!take(text, '+') && !take(text, '-')) return false;
  int h, m;
  if (!take_number(text, 2, h)) return false;
  take(text, ':');
  if (!take_number(text, 2, m) || h > 23 || m > 59) return false;
  offset = (hours(h) + minutes(m)) * (minus ? -1 : 1);
  return true;
}

}  // namespace

std::string iso_time(time_point t) {
  const auto date = floor<days>(t);
  const year_month_day ymd(date);
  const hh_mm_ss<milliseconds> clock(t - date);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(ymd.year()),
                     static_cast<unsigned>(ymd.month()), static_cast<unsigned>(ymd.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

mta::result<time_point> parse_time(std::string_view text, time_point now) {
  if (text.starts_with('+') || text.starts_with('-')) {
    const auto wait = parse_duration(text.substr(1));
    if (!wait) return expected(text, time_form);
    return text[0] == '+' ? now + *wait : now - *wait;
  }
  std::string_view rest = text;
  sys_days date;
  if (!take_date(rest, date)) return expected(text, time_form);
  milliseconds of_day{0};
  minutes offset{0};
  if (!rest.empty()) {
    if (!take(rest, 'T') && !take(rest, 't') && !take(rest, ' ')) return expected(text, time_form);
    if (!take_time_of_day(rest, of_day) || !take_zone(rest, offset) || !rest.empty())
      return expected(text, time_form);
  }
  return time_point(date) + of_day - offset;
}

mta::result<seconds> parse_duration(std::string_view text) {
  constexpr std::uint64_t most =
      100ull * 366 * 86400;  // a century: beyond it, arithmetic with times would overflow
  std::string_view rest = text;
  std::uint64_t total = 0;
  if (rest.empty()) return expected(text, duration_form);
  while (!rest.empty()) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (error == std::errc::result_out_of_range) number = most + 1;
    if (error == std::errc::invalid_argument) return expected(text, duration_form);
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    std::uint64_t unit = 1;
    if (!rest.empty()) {
      switch (rest[0]) {
        case 's': break;
        case 'm': unit = 60; break;
        case 'h': unit = 3600; break;
        case 'd': unit = 86400; break;
        case 'w': unit = 7 * 86400; break;
        default: return expected(text, duration_form);
      }
      rest.remove_prefix(1);
    }
    if (number > most / unit || (total += number * unit) > most)
      return mta::error(mta::errc::out_of_range, fmt::format("duration '{}' is over 100 years", text));
  }
  return seconds(static_cast<std::int64_t>(total));
}

mta::result<std::uint64_t> parse_size(std::string_view text) {
  double number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error == std::errc::invalid_argument || !(number >= 0)) return expected(text, size_form);
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  int power = 0;
  if (!unit.empty()) {
    constexpr std::string_view letters = "kmgt";
    const std::size_t place = letters.find(static_cast<char>(unit[0] | 0x20));
    if (place != std::string_view::npos) {
      power = static_cast<int>(place) + 1;
      unit.remove_prefix(1);
      if (unit.starts_with('i')) unit = unit.substr(1) == "B" ? unit.substr(1) : std::string_view("?");
    }
    if (unit == "B" || unit == "b") unit = {};
    if (!unit.empty()) return expected(text, size_form);
  }
  const double bytes = std::ldexp(number, 10 * power);
  if (error != std::errc() || bytes >= 0x1p63)
    return mta::error(mta::errc::out_of_range, fmt::format("size '{}' is too large", text));
  return static_cast<std::uint64_t>(bytes);
}

std::string human_size(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{}", bytes);
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  constexpr std::string_view units = " KMGTPE";
  // 999.5 would print as four digits.
  while (value >= 999.5 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  return value < 9.95 ? fmt::format("{:.1f}{}", value, units[unit])
                      : fmt::format("{:.0f}{}", value, units[unit]);
}

std::string human_duration(milliseconds duration) {
  const std::string sign = duration < milliseconds(0) ? "-" : "";
  const auto s = std::abs(duration_cast<seconds>(duration).count());
  if (s < 60) return fmt::format("{}{}s", s ? sign : "", s);
  if (s < 3600) return fmt::format("{}{}m{:02}s", sign, s / 60, s % 60);
  if (s < 86400) return fmt::format("{}{}h{:02}m", sign, s / 3600, s / 60 % 60);
  if (s < 100 * 86400) return fmt::format("{}{}d{:02}h", sign, s / 86400, s / 3600 % 24);
  return fmt::format("{}{}d", sign, s / 86400);
}

}  // namespace jobctl
