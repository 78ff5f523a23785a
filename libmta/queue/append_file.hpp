// A message file open for appending: room for records, and the flush that all who write to it share.
// Internal to libmta/queue.
//
// Thread safety: reserve() is for the holder of the channel's lock (writer.cpp); write() and join_flush()
// from any thread. The file's writer lock is held as long as the object lives.
#pragma once

#include "queue/file_io.hpp"
#include "queue/message_file.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace mta::queue {

/// How large a new file is made.
struct file_geometry {
  std::uint32_t capacity = 0;
  std::uint64_t data_bytes = 0;
};
/// Step 0 is for the first file of a channel, 2 for a busy one; larger numbers count as 2.
file_geometry geometry_step(unsigned step);

class append_file {
 public:
  struct place {
    std::uint32_t slot = 0;
    std::uint64_t offset = 0;
  };

  /// Makes an empty message file, durably: a file of a temporary name, filled with zeros so that later
  /// flushes change no block; flush; rename; directory flush.
  static result<std::shared_ptr<append_file>> create(file_io&, const std::string& directory,
                                                     const file_geometry&, time_point now);
  /// Opens an existing file for appending. `file` is null (not an error) when another writer has it, or when
  /// it is of no use: full, or with damaged entries whose records must not be overwritten.
  struct reopened {
    std::shared_ptr<append_file> file;
    bool in_use = false;
  };
  static result<reopened> reopen(file_io&, const std::string& directory, file_number);

  const file_header& header() const noexcept { return header_; }
  const std::string& path() const noexcept { return path_; }

  /// Room for a record of `size` bytes, or nothing when the file is full.
  std::optional<place> reserve(std::uint64_t size);
  bool full() const noexcept { return next_slot_ >= header_.capacity || tail_ >= header_.data_limit; }
  /// Is so much of it used that a successor should be made ready?
  bool nearly_full() const noexcept;

  /// Writes; after a failure the file takes no more.
  result<> write(std::uint64_t offset, std::span<const std::span<const std::byte>> pieces);
  /// Returns when a flush that began after this call has ended: all that the caller wrote before is durable.
  /// A failed flush fails everybody whom it should have covered, and the file takes no more.
  result<> join_flush();
  /// After a failure: makes a slot's entry empty, as well as that can be done.
  void withdraw(std::uint32_t slot) noexcept;
  bool failed() const noexcept { return failed_.load(std::memory_order_acquire); }

 private:
  append_file(std::string path, std::unique_ptr<file> f, const file_header& h);

  /// Writers whose records the same flush makes durable.
  struct batch {
    std::atomic<std::uint32_t> state{0};  // 0 waiting, 1 durable, 2 failed
    error failure;                        // valid in state 2
  };

  std::string path_;
  std::unique_ptr<file> file_;
  file_header header_;
  std::uint32_t next_slot_ = 0;
  std::uint64_t tail_ = 0;
  std::atomic<bool> failed_{false};

  std::mutex mutex_;
  std::shared_ptr<batch> open_;             // those who will be covered by the next flush
  std::atomic<std::uint32_t> flushing_{0};  // 1 while a flush is under way
};

}  // namespace mta::queue
