// The command line: `jobctl SUBCOMMAND [options]`. One file per subcommand in this folder.
#pragma once

namespace jobctl::cli {

/// Runs the command line and returns the exit status.
int run(int argc, char** argv);

}  // namespace jobctl::cli
