// Manual pages in troff (man(7) macros), made from the descriptions of the commands. Plain ASCII, whatever
// the descriptions hold. Thread safety: pure.
#pragma once

#include "jobctl/cli/command.hpp"

#include <string>

namespace jobctl::cli {

/// jobctl-NAME.1
std::string man_page(const command&);
/// jobctl.1: the overview.
std::string man_page();

}  // namespace jobctl::cli
