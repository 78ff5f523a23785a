// Names that nobody else has: unique strings, and the name of this host.
// Thread safety: every function from any thread; unique_name() also in a child process after fork().
#pragma once

#include <cstddef>
#include <string>

namespace mta {

/// Length of every unique_name(): with its NUL it fits a buffer of 20 bytes (mtaUniqueString).
inline constexpr std::size_t unique_name_length = 19;

/// A string that no other call on this host returns, in this or any other process: 19 characters of [0-9A-Z],
/// fit for file names and MIME boundaries.
std::string unique_name();

/// The name under which this host does mail: /etc/mailname if there is one, else the host's name; lower case;
/// never empty.
std::string host_name();

}  // namespace mta
