// What operators have stopped, kept in <root>/run/stopped so that no end of the controller starts it. A line
// "stops 2", then a JSON object a line: channel and host (each left out where the order is for all), by,
// reason, since and until (ms since 1970; left out: not known, no end). Version 1 was a channel's name a
// line, and is still read. Thread safety: none.
#pragma once

#include "base/error.hpp"
#include "jobctl/controller/standing_stop.hpp"

#include <string>
#include <vector>

namespace jobctl {

/// No file: nothing is stopped. Errors: the system's; errc::damaged, naming the line; errc::wrong_version.
mta::result<std::vector<standing_stop>> load_stops(const std::string& path);
/// Replaces the file in one step, on the disk when it returns.
mta::result<> save_stops(const std::string& path, const std::vector<standing_stop>&);

}  // namespace jobctl
