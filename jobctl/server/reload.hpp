// Reading the configuration again while a controller runs with the one that it has.
// Thread safety: the loop's thread, for the log.
#pragma once

#include "config/settings.hpp"
#include "jobctl/server/server.hpp"

#include <optional>
#include <string>

namespace jobctl {

/// What can be put in force comes in `next`, with what changes in the report; else the report says why not,
/// and `next` is empty.
reload_report read_again(const mta::config::settings& present, const server_options&,
                         std::optional<mta::config::settings>& next);

/// Lines of the log.
void log_reload(const reload_report&);
/// For those who watch: one line, of bounded length.
std::string summary_of(const reload_report&);

}  // namespace jobctl
