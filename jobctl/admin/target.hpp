// The target of an HTTP request: path segments and parameters, decoded.
// Thread safety: values.
#pragma once

#include "base/error.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jobctl::admin {

struct target {
  std::vector<std::string> path;  ///< "/v1/messages/X" is {"v1", "messages", "X"}
  std::vector<std::pair<std::string, std::string>> parameters;

  /// The parameter's value; nullptr: not given.
  const std::string* find(std::string_view parameter) const;
};

/// Error: errc::syntax for a bad escape, a relative path or a parameter given twice.
mta::result<target> parse_target(std::string_view text);

/// Escapes everything but letters, digits and "-._~".
std::string percent_encode(std::string_view text);

}  // namespace jobctl::admin
