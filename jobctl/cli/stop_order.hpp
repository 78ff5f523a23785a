// What `jobctl stop` and `jobctl start` do with channels and hosts. Thread safety: none.
#pragma once

#include "jobctl/cli/command.hpp"

#include <string>
#include <vector>

namespace jobctl::cli {

struct stop_words {
  const char* api;  ///< "stop", "start": in the path
  const char* done;
  const char* unchanged;
};

/// Gives the order for each channel; with hosts, for each host in each of the channels; with hosts alone, for
/// each host in every channel. Takes --reason, --until and --json from the options where the command has
/// them. Nothing is done when one of the channels or hosts is wrong. Returns the exit status.
int give_stop_order(const invocation&, const stop_words&, const std::vector<std::string>& channels,
                    const std::vector<std::string>& hosts);

}  // namespace jobctl::cli
