// Holds that wait: messages that a program had in hand when they were to be held. The controller holds each
// when it comes back; should the controller be killed first, the next one finds the order here.
//
// The file (run/holds) is a journal, one JSON object a line: {"id", "until", "by", "reason"} for an order,
// {"id", "over": true} when it was carried out or taken back. It is begun anew with what is left at each
// start, and when nothing is left. Lines are not flushed: what the kernel has outlives a kill; after a crash
// of the machine, programs have nothing in hand either.
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
#include <vector>

namespace jobctl {

struct pending_hold {
  mta::queue::time_point until{};  ///< epoch: without end
  order_note note;
};

class pending_holds {
 public:
  using message_id = mta::queue::message_id;

  explicit pending_holds(std::string path) : path_(std::move(path)) {}
  ~pending_holds();
  pending_holds(const pending_holds&) = delete;
  pending_holds& operator=(const pending_holds&) = delete;

  /// Takes over what an earlier controller left, but for lines that are none (the last one of a machine that
  /// crashed). Error: the system's; the directory cannot be written.
  mta::result<> open();

  /// Error: as open(); the order counts, but would not outlive a kill.
  mta::result<> add(std::span<const message_id>, mta::queue::time_point until, const order_note&);
  /// Its hold is on the disk, or was taken back. Others are ignored.
  void over(const message_id&);
  /// Drops those that nothing is to be done about any more, when there are many.
  void prune(const std::function<bool(const message_id&)>& waits);

  const std::map<message_id, pending_hold>& all() const { return holds_; }

 private:
  mta::result<> append(const std::string& lines);
  mta::result<> begin_anew();

  const std::string path_;
  int file_ = -1;
  std::size_t prune_at_ = 1000;
  std::map<message_id, pending_hold> holds_;
};

}  // namespace jobctl
