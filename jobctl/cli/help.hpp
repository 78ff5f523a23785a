// What `--help`, `jobctl help` and `jobctl` alone print.
// Thread safety: none.
#pragma once

#include "jobctl/cli/command.hpp"

#include <cstdio>

namespace jobctl::cli {

/// All about one command, at most 100 columns wide.
void print_help(const command&, std::FILE* out);
/// Every command with its summary, and how to begin.
void print_overview(std::FILE* out);

}  // namespace jobctl::cli
