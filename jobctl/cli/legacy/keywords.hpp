// Channel keywords of a legacy MTA that have to do with queueing, scheduling and notification, and what
// becomes of each. Thread safety: constant data.
#pragma once

#include <span>
#include <string_view>

namespace jobctl::cli::legacy {

enum class treatment {
  value,    ///< its argument becomes the value of `key`
  fixed,    ///< `key` gets the value `text`
  list,     ///< its arguments, as many as look like one, become the value of `key`
  dropped,  ///< `text` says why
};

struct keyword {
  std::string_view name;
  treatment what;
  int arguments;  ///< how many follow it; of a list: the most
  std::string_view key;
  std::string_view text;
};

std::span<const keyword> keywords();
/// nullptr: not in the table.
const keyword* find_keyword(std::string_view name);

}  // namespace jobctl::cli::legacy
