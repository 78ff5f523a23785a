// A legacy configuration as one of ours, with comments that name everything that was not carried over, and
// why. Thread safety: pure.
#pragma once

#include "jobctl/cli/legacy/files.hpp"

#include <string>

namespace jobctl::cli::legacy {

/// Text in the syntax of docs/configuration.md. Either file may be empty. What it says is accepted by our
/// parser, unless a path or number of the originals is none for us: then it is a comment.
std::string convert(const job_controller_file&, const channels_file&);

}  // namespace jobctl::cli::legacy
