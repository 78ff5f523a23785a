// The token that clients over TCP have to send.
// Thread safety: any thread.
#pragma once

#include "base/error.hpp"

#include <string>

namespace jobctl::admin {

inline constexpr std::size_t shortest_token = 16, longest_token = 1024;  ///< characters

/// The token of that file, without blanks and line ends around it. Errors: errc::not_configured, too short,
/// too long, of other characters than a header can carry, or readable by everybody; the system's.
mta::result<std::string> read_token(const std::string& path);

}  // namespace jobctl::admin
