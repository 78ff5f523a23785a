// Small files of the controller in <root>/run: read whole, and replaced in one step, so that whoever reads
// one, or starts after a kill, finds the old text or the new one. Thread safety: one writer for a path at a
// time.
#pragma once

#include "base/error.hpp"

#include <cstddef>
#include <string>

namespace jobctl {

/// No file: the empty text. What is behind `most` bytes is left out. Error: the system's.
mta::result<std::string> read_small_file(const std::string& path, std::size_t most = 16u << 20);

enum class durability {
  of_the_kernel,  ///< outlives a kill of the controller
  of_the_disk,    ///< outlives a crash of the machine, when replace_file returns
};
/// Mode 0640. Error: the system's; then the file is as it was (of_the_disk: or new, but perhaps not for
/// good).
mta::result<> replace_file(const std::string& path, const std::string& text, durability);

}  // namespace jobctl
