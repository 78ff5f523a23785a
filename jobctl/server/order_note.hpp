// Who ordered something, and why: what the history of a message says of an order (docs/queue-format.md,
// "History"). Thread safety: values and pure functions.
#pragma once

#include "jobctl/controller/controller.hpp"

#include <string>
#include <string_view>

namespace jobctl {

struct order_note {
  std::string by;      ///< "ann (uid 1000)"
  std::string reason;  ///< in his words; may be empty
};

/// The line for the history. `text` says what was done, in words. `until`: end of a hold; epoch: none.
std::string history_line(verb, std::string_view text, const order_note&, time_point until = {});

/// "hold", "release", "retry", "route", "bounce", "remove"
std::string_view name_of(verb);

}  // namespace jobctl
