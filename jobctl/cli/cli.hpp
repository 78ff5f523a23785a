// The command line: `jobctl SUBCOMMAND [options]`. One file per subcommand in this folder; see command.hpp.
#pragma once

#include "jobctl/cli/command.hpp"

#include <string>
#include <vector>

namespace jobctl::cli {

/// Runs the command line and returns the exit status.
int run(int argc, char** argv);
/// The same with files of the caller's choice, for tests. `arguments` without the program's name.
int run(const std::vector<std::string>& arguments, const terminal&);

}  // namespace jobctl::cli
