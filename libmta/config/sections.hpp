// The lines of a configuration file, by section: what is well formed, with its line numbers.
#pragma once

#include "config/settings.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace mta::config {

struct line {
  int number = 0;
  std::string key;  // lower case
  std::string value;
};

struct section {
  int number = 0;  // line of its heading
  std::string
      kind;  // "jobctl", "queue", "dequeue", "notify", "pool", "channel", "host", "periodic", "routes"
  std::string name;  // of pool, channel, host and periodic; of routes: the source channel
  std::vector<line> lines;

  std::string label() const {
    if (name.empty()) return '[' + kind + ']';
    return '[' + kind + (kind == "routes" ? " from " : " ") + name + ']';
  }
};

/// For a message: cut to 60 bytes, control characters replaced.
std::string in_quotes(std::string_view text);

/// The sections of a file, in its order. What is not well formed is left out and added to `problems`. Values
/// are as Boost.Program_options reads them.
std::vector<section> read_sections(std::string_view text, std::vector<load_error::problem>& problems);

}  // namespace mta::config
