#include "base/time.hpp"

#include "base/text.hpp"

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace mta {
namespace {

constexpr std::int64_t second = 1000, minute = 60 * second, hour = 60 * minute, day = 24 * hour,
                       week = 7 * day;
constexpr std::int64_t longest = 36'525 * day;

/// Takes digits off the front. nullopt: there are none, or too many for any duration.
std::optional<std::int64_t> take_number(std::string_view& text) {
  std::size_t digits = 0;
  std::int64_t value = 0;
  for (; digits < text.size() && is_digit(text[digits]); ++digits) {
    value = value * 10 + (text[digits] - '0');
    if (value > longest) return std::nullopt;
  }
  if (digits == 0) return std::nullopt;
  text.remove_prefix(digits);
  return value;
}

struct unit {
  std::string_view name;
  std::int64_t milliseconds;
};

/// "n unit n unit …", each unit at most once and in the order of the table. nullopt: something else.
template <std::size_t N>
std::optional<std::int64_t> parse_parts(std::string_view text, const std::array<unit, N>& units) {
  std::int64_t total = 0;
  for (std::size_t next = 0; !text.empty();) {
    const auto value = take_number(text);
    if (!value) return std::nullopt;
    std::size_t letters = 0;
    while (letters < text.size() && is_letter(text[letters])) ++letters;
    while (next < N && units[next].name != text.substr(0, letters)) ++next;
    if (next == N) return std::nullopt;
    if (*value > longest / units[next].milliseconds) return std::nullopt;
    total += *value * units[next].milliseconds;
    if (total > longest) return std::nullopt;
    ++next;
    text.remove_prefix(letters);
  }
  return total;
}

constexpr std::array<unit, 6> plain_units{
    {{"w", week}, {"d", day}, {"h", hour}, {"m", minute}, {"s", second}, {"ms", 1}}};
constexpr std::array<unit, 4> date_units{{{"y", 365 * day}, {"m", 30 * day}, {"w", week}, {"d", day}}};
constexpr std::array<unit, 3> time_units{{{"h", hour}, {"m", minute}, {"s", second}}};

std::optional<std::int64_t> parse_iso(std::string_view text) {
  const auto t = text.find('t');
  const std::string_view date = text.substr(0, t);
  const std::string_view time = t == text.npos ? std::string_view{} : text.substr(t + 1);
  if (t == text.npos ? date.empty() : time.empty()) return std::nullopt;
  const auto date_part = parse_parts(date, date_units);
  const auto time_part = parse_parts(time, time_units);
  if (!date_part || !time_part || *date_part + *time_part > longest) return std::nullopt;
  return *date_part + *time_part;
}

}  // namespace

std::string rfc5322_date(std::chrono::sys_seconds when) {
  static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t seconds = when.time_since_epoch().count();
  std::tm local{};
  if (::localtime_r(&seconds, &local) == nullptr) ::gmtime_r(&seconds, &local);
  const long offset = local.tm_gmtoff / 60;  // minutes
  char text[64];
  std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d %c%02ld%02ld", days[local.tm_wday],
                local.tm_mday, months[local.tm_mon], local.tm_year + 1900, local.tm_hour, local.tm_min,
                local.tm_sec, offset < 0 ? '-' : '+', std::labs(offset) / 60, std::labs(offset) % 60);
  return text;
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view given) {
  const std::string text = lower_case(given);
  if (text.empty()) return std::nullopt;
  std::optional<std::int64_t> value;
  if (text[0] == 'p') {
    value = parse_iso(std::string_view(text).substr(1));
  } else if (text.find_first_not_of("0123456789") == text.npos) {
    value = parse_parts(text + 's', plain_units);
  } else {
    value = parse_parts(text, plain_units);
  }
  if (!value) return std::nullopt;
  return std::chrono::milliseconds(*value);
}

std::string format_duration(std::chrono::milliseconds duration) {
  std::int64_t rest = duration.count();
  std::string out;
  for (const unit& u : plain_units) {
    if (u.milliseconds == week) continue;  // "7d" reads better
    if (rest >= u.milliseconds) out += std::to_string(rest / u.milliseconds) + std::string(u.name);
    rest %= u.milliseconds;
  }
  return out.empty() ? "0s" : out;
}

}  // namespace mta
