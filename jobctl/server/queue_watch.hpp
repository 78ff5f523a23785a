// Keeps the controller's index true to the queue directories: reads every message file at the start, and
// compares directories and index now and then, so that files that appear, vanish or are damaged behind the
// controller's back are noticed.
//
// Directories and files are read on the pool, several at once and the channels in turn, so that no channel
// waits for another's backlog; what was found goes to the controller file by file, as soon as it is there.
//
// Thread safety: the loop's thread. Lifetime: what `surroundings` refers to outlives it, and the pool is
// stopped before it is destroyed.
#pragma once

#include "jobctl/controller/controller.hpp"
#include "jobctl/server/server.hpp"
#include "jobctl/server/work_pool.hpp"
#include "queue/store.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <shared_mutex>
#include <string>
#include <vector>

namespace jobctl {

class queue_watch {
 public:
  struct surroundings {
    boost::asio::io_context& io;
    work_pool& pool;
    mta::queue::store& store;
    jobctl::controller& controller;
    server_counters& counters;
    scan_progress& progress;
    std::shared_mutex& moves;  ///< see upkeep::moves()
    unsigned files_at_once;
    std::function<void(channel_no, const message_id&)> entry_damaged;  ///< twice seen: to be set aside
    std::function<void()> index_complete;
    std::function<void()> after_events;
  };

  explicit queue_watch(surroundings);
  ~queue_watch();

  /// Reads the whole queue; then compares every `interval`.
  void start(std::chrono::seconds interval);
  void set_interval(std::chrono::seconds);
  /// Compares as soon as possible. While one comparison is under way, another follows it.
  void sync();

  /// An enqueuer named this file. `look`: it asks us to read it. Also of a full one we know only what was
  /// announced, and other programs may have died before they announced theirs: it is read once more.
  void named(channel_no, const file_key&, bool look);
  void was_reset(channel_no, const file_key& now);
  void was_removed(channel_no, const file_key&);

 private:
  struct impl;
  std::shared_ptr<impl> impl_;
};

}  // namespace jobctl
