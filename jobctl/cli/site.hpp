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

/// Prints every problem, one a line, each with file and line. Returns the exit status.
int print_problems(const invocation&, const mta::config::load_error&);

}  // namespace jobctl::cli
