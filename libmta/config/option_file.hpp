// Option files of channel programs: lines of NAME=value (docs/mta-sdk.md, "Option files").
// Thread safety: pure, but for the file that is read.
#pragma once

#include "base/error.hpp"

#include <map>
#include <string>

namespace mta::config {

struct option_file {
  std::map<std::string, std::string> values;  ///< by name in lower case; a later line wins
  bool well_formed = true;  ///< false: a line is neither an option, nor a comment, nor blank
};

/// Errors: std::errc::io_error when a file that was opened can't be read; else the system's, of opening it.
result<option_file> read_option_file(const std::string& path);

}  // namespace mta::config
