// The controller's part of the settings.
// Thread safety: any thread.
#pragma once

#include "config/settings.hpp"
#include "jobctl/controller/controller.hpp"

#include <set>
#include <string>

namespace jobctl {

/// `stopped`: channels that an operator stopped, beside those that the settings stop.
limits limits_of(const mta::config::settings&, const std::set<std::string>& stopped);

}  // namespace jobctl
