// Orders to hold or release that could not be written to their message's file at once, because a program has
// the message: the controller does it when the message comes back, or its slot is free. Should the controller
// be killed first, the next one finds the order here.
//
// The file (run/orders) is a journal, one JSON object a line: {"id", "order": "hold" or "release", "until",
// "by", "reason"}; {"id", "over": true} when it was carried out or taken back. It is begun anew with what is
// left at each start, and when nothing is left. Lines are not flushed: what the kernel has outlives a kill;
// after a crash of the machine, programs have nothing in hand either.
//
// Thread safety: none; the loop's thread.
#pragma once

#include "base/error.hpp"
#include "jobctl/server/order_note.hpp"
#include "queue/message_id.hpp"

#include <functional>
#include <map>
#include <span>
#include <string>

namespace jobctl {

struct pending_order {
  jobctl::verb verb = verb::hold;  ///< hold or release
  mta::queue::time_point until{};  ///< of a hold; epoch: without end
  order_note note;
};

class pending_orders {
 public:
  using message_id = mta::queue::message_id;

  explicit pending_orders(std::string path) : path_(std::move(path)) {}
  ~pending_orders();
  pending_orders(const pending_orders&) = delete;
  pending_orders& operator=(const pending_orders&) = delete;

  /// Takes over what an earlier controller left, but for lines that are none (the last one of a machine that
  /// crashed). Error: the system's; the directory cannot be written.
  mta::result<> open();

  /// In place of an earlier order for the same message. Error: the system's; the order counts, but would not
  /// outlive a kill.
  mta::result<> add(std::span<const message_id>, const pending_order&);
  /// It is on the disk, or was taken back. Others are ignored.
  void over(const message_id&);
  /// Drops those that nothing is to be done about any more, when there are many.
  void prune(const std::function<bool(const message_id&)>& waits);

  const std::map<message_id, pending_order>& all() const { return orders_; }

 private:
  mta::result<> append(const std::string& lines);
  mta::result<> begin_anew();

  const std::string path_;
  int file_ = -1;
  std::size_t prune_at_ = 1000;
  std::map<message_id, pending_order> orders_;
};

}  // namespace jobctl
