// Operators' orders on messages, many at a time: in slices, so that the loop is never held up; what has to be
// read or written is done by the pool.
//
// Hold and release are done when the controller has taken them, and answered when they are on the disk.
// Routing, returning and removing take the message out of the line first, work on its file under the
// message's lock, and then tell the controller what became of it: a crash in between leaves the message as it
// was, or done with; a routed one perhaps twice, never lost.
//
// Thread safety: the loop's thread. Lifetime: what `surroundings` refers to outlives it, and the pool is
// stopped before it is destroyed.
#pragma once

#include "enqueue/enqueuer.hpp"
#include "jobctl/controller/controller.hpp"
#include "jobctl/server/order_note.hpp"
#include "jobctl/server/pending_orders.hpp"
#include "jobctl/server/server.hpp"
#include "jobctl/server/upkeep.hpp"
#include "jobctl/server/work_pool.hpp"
#include "queue/store.hpp"

#include <functional>
#include <memory>
#include <optional>

namespace jobctl {

class orders {
 public:
  struct surroundings {
    boost::asio::io_context& io;
    work_pool& pool;
    mta::queue::store& store;
    jobctl::controller& controller;
    jobctl::upkeep& upkeep;
    pending_orders& pending;
    std::function<mta::result<std::shared_ptr<mta::enqueue::enqueuer>>()> enqueuer;  ///< any thread
    std::function<void(channel_no, const message_id&)> damaged;                      ///< to be set aside
    std::function<void()> after_events;
  };

  explicit orders(surroundings);
  ~orders();

  /// Calls `done` on the loop's thread when everything is on the disk; with a dry run, when everything is
  /// counted.
  void carry_out(message_order, std::vector<message_id>, std::function<void(order_outcome)> done);

 private:
  struct impl;
  std::shared_ptr<impl> impl_;
};

}  // namespace jobctl
