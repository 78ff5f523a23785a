#include "jobctl/admin/order_fields.hpp"

#include "base/text.hpp"
#include "base/utf8.hpp"
#include "jobctl/admin/units.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <pwd.h>

namespace jobctl::admin {
namespace {

using mta::errc;

mta::error bad(std::string text) { return mta::error(errc::syntax, std::move(text)); }

}  // namespace

mta::result<std::string> read_reason(std::string text) {
  if (text.size() > longest_reason)
    return mta::error(errc::out_of_range, fmt::format("reason: it is longer than {} bytes", longest_reason));
  if (std::ranges::any_of(text, mta::is_control)) return bad("reason: it has control characters");
  return text;
}

mta::result<time_point> read_until(const std::string& text, time_point now) {
  time_point until{};
  if (const auto in = parse_duration(text)) {
    until = now + *in;
  } else {
    const auto at = parse_time(text, now);
    if (!at)
      return bad(fmt::format(
          "until: '{}' is neither a time (2026-11-21T14:30:00Z) nor a duration (90s, 2h, 3d)", text));
    until = *at;
  }
  if (until <= now) return mta::error(errc::out_of_range, fmt::format("until: '{}' is over", text));
  return until;
}

mta::result<std::string> read_host(const std::string& text) {
  if (text.size() > 255 ||
      std::ranges::any_of(text, [](char c) { return mta::is_control(c) || mta::is_blank(c); }))
    return bad(fmt::format("host: '{}' is not the name of a host", text));
  return mta::lower_case(text);
}

mta::result<std::string> read_stopped_host(const std::string& text) {
  auto host = read_host(text);
  if (!host) return host;
  if (host->empty() || !mta::is_utf8(*host) || *host == "." || host->starts_with("..") ||
      mta::has_wildcards(*host))
    return bad(fmt::format(
        "host: '{}' is not the name of a host; '.example.org' means that host and those below it", text));
  return host;
}

std::string name_of_user(std::int64_t uid) {
  if (uid < 0) return {};
  std::array<char, 4096> buffer;
  passwd entry{}, *found = nullptr;
  if (::getpwuid_r(static_cast<uid_t>(uid), &entry, buffer.data(), buffer.size(), &found) != 0 || !found)
    return fmt::format("uid {}", uid);
  return fmt::format("{} (uid {})", found->pw_name, uid);
}

}  // namespace jobctl::admin
