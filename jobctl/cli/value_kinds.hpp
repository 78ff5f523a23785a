// What the placeholder of an option or argument ("--state STATE", "CHANNEL...") stands for, so that
// completion can offer values and the manual pages need no second description. A new placeholder is added to
// the table in value_kinds.cpp; tests/jobctl/cli/description_test.cpp refuses one that is not there.
//
// Thread safety: constants.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace jobctl::cli {

enum class value_source : std::uint8_t {
  free_text,  ///< a number, a time, an address: nobody can guess it
  words,      ///< one of a few fixed words
  channel,    ///< a channel of the controller that runs
  host,       ///< a destination host of a message that waits
  id,         ///< the id of a message that waits
  command,    ///< a command of jobctl
  file,
  directory,
};

struct value_kind {
  std::string_view placeholder;  ///< as value_name() of the option
  value_source source = value_source::free_text;
  std::span<const std::string_view> words{};  ///< of value_source::words
};

/// The kind of that placeholder; nullptr: not in the table.
const value_kind* find_value_kind(std::string_view placeholder);

}  // namespace jobctl::cli
