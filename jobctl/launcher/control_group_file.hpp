// The files of a control group: short texts, each written with one call. Thread safety: any thread.
#pragma once

#include "base/error.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace jobctl {

/// What is in it; empty if it is not there.
std::string read_group_file(const std::string& path);
/// The words in it.
std::vector<std::string> words_of_group_file(const std::string& path);
/// Error: the system's; the context names file and text.
mta::result<> write_group_file(const std::string& path, std::string_view text);

}  // namespace jobctl
