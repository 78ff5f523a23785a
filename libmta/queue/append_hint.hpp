// The hint of a channel directory: names of files with room, so that nobody has to look into full ones to
// find them (docs/queue-format.md, Directories). It may be wrong, stale or missing; whoever uses it checks.
// Internal to libmta/queue. Thread safety: every function from any thread and process.
#pragma once

#include "queue/file_io.hpp"
#include "queue/message_id.hpp"

#include <string>
#include <vector>

namespace mta::queue {

/// The files named, most recently added last; empty when there is no hint.
std::vector<file_number> read_append_hint(file_io&, const std::string& directory);
/// So many files are named at most.
inline constexpr std::size_t most_append_hints = 64;
/// Adds a file, if it is not named already; of too many, those that were named first are dropped. Errors are
/// ignored: it is a hint.
void add_append_hint(file_io&, const std::string& directory, file_number);
/// Replaces the hint.
void replace_append_hint(file_io&, const std::string& directory, const std::vector<file_number>&);

}  // namespace mta::queue
