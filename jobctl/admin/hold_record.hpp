// Why, by whom and since when a message is held: its history tells (docs/queue-format.md, "History").
// Thread safety: pure, apart from reading the file.
#pragma once

#include "queue/message_file.hpp"

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace jobctl::admin {

struct hold_record {
  std::string reason;  ///< in words; may be empty
  std::string by;      ///< "ann (uid 1000)"; empty: not known
  mta::queue::time_point since{};
};

/// The latest hold of a message's history; nothing: it was never held, or nobody noted it.
std::optional<hold_record> last_hold(std::span<const std::string> history);
/// The same for all messages of a file, by slot, with one reading of its history.
std::map<std::uint32_t, hold_record> read_holds(mta::queue::message_file&);

/// The state's reason in words; empty for none.
std::string_view words_for(mta::queue::reason);

}  // namespace jobctl::admin
