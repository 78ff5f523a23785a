// `jobctl check --queue`: is everything in the queue as it should be? Reads only; a controller may run or
// not. Thread safety: none.
#pragma once

#include "config/settings.hpp"
#include "jobctl/cli/command.hpp"

namespace jobctl::cli {

/// Reads every message file and checks every message that waits against its checksums; where a controller
/// runs, compares with what that knows. Prints what is wrong; returns the exit status.
int check_queue(const invocation&, const mta::config::settings&);

}  // namespace jobctl::cli
