// From a lease to a message in hand: opens the message file, takes the slot's lock, and reads the entry again
// under the lock. What the controller believed about a message counts for nothing until then.
//
// Thread safety: every member of `claims` from any thread. A `claimed` belongs to one thread at a time.
#pragma once

#include "queue/store.hpp"
#include "wire/messages.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace mta::dequeueing {

/// The locks of up to 64 neighbouring slots that were taken with one call. They go together when the last
/// message that refers to them is done with, so that a batch costs two system calls.
class lock_run {
 public:
  lock_run(std::shared_ptr<queue::message_file> file, std::uint32_t first) noexcept
      : file_(std::move(file)), first_(first) {}
  ~lock_run();
  lock_run(const lock_run&) = delete;
  lock_run& operator=(const lock_run&) = delete;

  queue::message_file& file() const noexcept { return *file_; }
  /// The slot's lock is ours. Before the run is shared.
  void add(std::uint32_t slot) noexcept { held_ |= std::uint64_t{1} << (slot - first_); }
  /// Gives one lock up at once: the message may be leased to somebody else in a moment.
  void unlock(std::uint32_t slot) noexcept;

 private:
  std::shared_ptr<queue::message_file> file_;
  std::uint32_t first_;
  std::atomic<std::uint64_t> held_{0};
};

/// A message that is ours: locked, live, not yet processed.
struct claimed {
  std::shared_ptr<lock_run> lock;
  queue::message_id id;
  queue::listed_message listed;
};

class claims {
 public:
  /// The store must outlive it.
  claims(queue::store& store, std::string channel);

  /// Claims what was leased: messages that are ours now are appended to `ours`, in order; for every other one
  /// its result is appended to `not_ours` (gone, locked, held, bad).
  void claim(std::span<const wire::leased_message> leases, std::vector<claimed>& ours,
             std::vector<wire::message_result>& not_ours);
  /// Closes files that have had no message in hand for a while, so that their space can be used again.
  void close_unused();

 private:
  struct open_file {
    std::shared_ptr<queue::message_file> file;
    std::chrono::steady_clock::time_point used;
  };

  result<std::shared_ptr<queue::message_file>> file_for(queue::file_key);
  void claim_run(const std::shared_ptr<queue::message_file>&, std::span<const wire::leased_message>,
                 std::vector<claimed>& ours, std::vector<wire::message_result>& not_ours);
  void evict_one();

  queue::store& store_;
  std::string channel_;
  std::mutex mutex_;
  std::unordered_map<std::uint64_t, open_file> files_;  // by file number
};

}  // namespace mta::dequeueing
