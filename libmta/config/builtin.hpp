// What a site has without saying so: pools, channels and routes. Internal to libmta/config.
// Thread safety: pure functions.
#pragma once

#include "config/settings.hpp"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace mta::config {

inline constexpr std::string_view builtin_pool = "DEFAULT";

/// The documented retry schedules, by priority: urgent, normal, nonurgent.
const std::array<backoff_schedule, 3>& builtin_backoff();
/// 3, 6, 9 and 12 days.
notice_schedule builtin_notices();

/// A channel with every default, no program, and no pool or host yet.
channel plain_channel(std::string name);

/// bitbucket, loopback, maildir and pipe; no pool or host yet.
std::vector<channel> builtin_channels();

/// Their routes, least important last.
std::vector<route> builtin_routes();

}  // namespace mta::config
