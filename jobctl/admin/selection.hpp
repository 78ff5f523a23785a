// Which messages are meant: one description for listings and for every order (docs/api.md, "Selections").
// Thread safety: pure, apart from reading the controller on its thread.
#pragma once

#include "jobctl/admin/text_search.hpp"
#include "jobctl/controller/controller.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace jobctl::admin {

struct selection {
  list_filter index;       ///< what the controller knows
  text_criteria text;      ///< what is in the files only
  bool everything = true;  ///< nothing was asked for
};

inline constexpr std::size_t most_ids = 20'000;  ///< in one request

/// Takes one parameter in. Errors, which name the parameter and what was expected: errc::syntax,
/// out_of_range; errc::not_configured: the channel does not exist.
mta::result<> take_parameter(selection&, std::string_view name, const std::string& value, const controller&,
                             time_point now);
/// The parameters that there are.
std::vector<std::string_view> selection_parameters();

/// A whole number within bounds, for other parameters. Errors as above, without the name.
template <class T>
mta::result<> parse_number(std::string_view text, T least, T most, T& value);

/// The channel of that name; false: the controller knows none.
bool find_channel(const controller&, std::string_view name, channel_no&);
/// For errors: the channel is unknown, with the nearest name.
std::string unknown_channel(const controller&, std::string_view name);

}  // namespace jobctl::admin
