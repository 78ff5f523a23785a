// Channels that operators have stopped, kept in <root>/run/stopped (one name a line) so that a restart of the
// controller does not start them. Thread safety: none.
#pragma once

#include "base/error.hpp"

#include <set>
#include <string>

namespace jobctl {

/// No file: none is stopped. Error: the system's.
mta::result<std::set<std::string>> load_stopped_channels(const std::string& path);
/// Replaces the file in one step.
mta::result<> save_stopped_channels(const std::string& path, const std::set<std::string>&);

}  // namespace jobctl
