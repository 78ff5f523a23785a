// Finds the messages of a selection piece by piece: the index on the loop's thread, files on the worker pool,
// so that no search holds up the mail. Thread safety: search() on the loop's thread, where the answer is
// given, too.
#pragma once

#include "jobctl/admin/backend.hpp"
#include "jobctl/admin/selection.hpp"

#include <functional>

namespace jobctl::admin {

struct search_result {
  std::vector<message_id> ids;  ///< each once
  std::uint64_t cursor = 0;     ///< where it goes on; 0: there is no more
  std::uint64_t looked_at = 0;  ///< messages whose files were read
};

struct search_limits {
  std::uint64_t most = ~std::uint64_t{0};  ///< messages
  std::uint64_t cursor = 0;                ///< where to begin
  /// It ends, with a cursor, at the first pause after so long; 0: not before everything was looked at.
  std::chrono::milliseconds budget{0};
};

/// Calls `done` once, perhaps before it returns.
void search(backend&, selection, search_limits, std::function<void(search_result)> done);

}  // namespace jobctl::admin
