// What orders do to message files. On the pool; every function takes the locks that it needs.
// Thread safety: any thread, one call for a file at a time.
#pragma once

#include "enqueue/enqueuer.hpp"
#include "jobctl/server/order_note.hpp"
#include "jobctl/server/server.hpp"
#include "queue/store.hpp"

#include <span>
#include <string>
#include <vector>

namespace jobctl {

/// What became of one message.
struct order_result {
  message_id id;
  errand_outcome outcome = errand_outcome::back;
  bool damaged = false;
  std::vector<std::string> remarks;  ///< for the log: why it is back, and whatever else is of interest
};

/// Carries out route, bounce or remove for messages of one file; durable when it returns.
std::vector<order_result> carry_out(mta::queue::store&, mta::queue::message_file&, mta::enqueue::enqueuer&,
                                    const std::string& channel, std::span<const message_id>,
                                    const message_order&);

}  // namespace jobctl
