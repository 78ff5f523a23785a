// What a shell may offer for the word that is being typed: `jobctl complete WORD...`, which the scripts in
// packaging/completion call. Made from the descriptions of the commands, so that it knows what the parser
// knows.
//
// Prints one line a candidate, "WORD<TAB>DESCRIPTION" (the description may be missing); a line ":files" or
// ":directories" asks the shell to complete file names instead. No controller, or one that does not answer
// within a second: no candidates, and silence.
//
// Thread safety: none.
#pragma once

#include "jobctl/cli/command.hpp"

#include <string>
#include <vector>

namespace jobctl::cli {

/// `words`: those after "jobctl", up to the one that is being typed, which may be empty. Always succeeds.
int complete(const std::vector<std::string>& words, const terminal&);

}  // namespace jobctl::cli
