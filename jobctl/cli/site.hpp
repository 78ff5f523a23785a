// The site that a command works on.
// Thread safety: as the command line, one thread.
#pragma once

#include "config/settings.hpp"
#include "jobctl/cli/command.hpp"

#include <optional>

namespace jobctl::cli {

/// Settings of the site that --config, --root or the environment name. On an error every problem is printed
/// and `status` is what the command should end with.
std::optional<mta::config::settings> find_site(const invocation&, int& status);

/// The same for commands that only talk to the controller that runs: a mistake in the file must not keep an
/// operator from his controller, which runs on with the settings it has. Where the file is wrong, the site's
/// directory is known without it, and a controller's socket is there, these are the built-in settings of that
/// directory.
std::optional<mta::config::settings> find_running_site(const invocation&, int& status);

/// Prints every problem, one a line, each with file and line. Returns the exit status.
int print_problems(const invocation&, const mta::config::load_error&);

}  // namespace jobctl::cli
