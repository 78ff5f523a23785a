// The controller's part of the settings.
// Thread safety: any thread.
#pragma once

#include "config/settings.hpp"
#include "jobctl/controller/controller.hpp"

namespace jobctl {

limits limits_of(const mta::config::settings&);

}  // namespace jobctl
