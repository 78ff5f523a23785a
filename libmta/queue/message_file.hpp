// One open message file, seen from the dequeue side and by whoever inspects or maintains the queue
// (docs/queue-format.md). Appending is writer.hpp.
//
// Thread safety: all members may be called from any thread; calls that change one slot must come from the
// holder of that slot's lock, one at a time. Lifetime: what it returns by value is independent of it.
#pragma once

#include "queue/envelope.hpp"
#include "queue/file_io.hpp"
#include "queue/message_id.hpp"
#include "queue/state.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace mta::queue {

struct file_header {
  file_number number{};
  std::uint32_t generation = 0;
  std::uint32_t capacity = 0;
  std::uint64_t data_start = 0;
  std::uint64_t data_limit = 0;
  time_point created{};
};

/// What reading the entry table found in one slot.
struct slot_content {
  enum class kind : std::uint8_t { empty, message, damaged } what = kind::empty;
  listed_message message;  ///< kind::message
};

class message_file {
 public:
  /// Opens and checks the header. Errors: the system's; damaged; wrong_version.
  static result<std::shared_ptr<message_file>> open(file_io&, const std::string& path);

  const file_header& header() const noexcept { return header_; }
  const std::string& path() const noexcept { return path_; }
  message_id id(std::uint32_t slot) const noexcept { return {header_.number, header_.generation, slot}; }

  /// Reads `count` entries from `first` in one go (fewer past the capacity) and calls `visit(slot, content)`
  /// for each.
  result<> read_entries(std::uint32_t first, std::uint32_t count,
                        const std::function<void(std::uint32_t, const slot_content&)>& visit);
  /// One slot. errc::gone: empty; errc::damaged.
  result<listed_message> read_entry(std::uint32_t slot);
  /// Reads, checks and parses. errc::damaged, if the record fails its check.
  result<envelope> read_envelope(const entry&);
  /// Reads the whole content and checks it. errc::damaged. For messages of moderate size; see content_reader.
  result<std::string> read_content(const entry&);
  /// Checks envelope and content against their checks, in bounded memory.
  result<> verify(const entry&);
  /// Reads part of the content, unchecked: up to buffer.size() bytes from `offset` within the content.
  result<std::size_t> read_content_part(const entry&, std::uint64_t offset, std::span<std::byte> buffer);

  /// Locks slots [first, first + count) for this open file. false: another process holds one of them.
  result<bool> try_lock(std::uint32_t first, std::uint32_t count = 1);
  result<> unlock(std::uint32_t first, std::uint32_t count = 1);
  /// Is no slot of the file locked by another process?
  result<bool> nobody_holds_any();

  /// Writes a new state over the copy that is not the durable one, flushing first where the format demands
  /// it. The caller holds the slot's lock and has read the entry under it.
  result<> change_state(std::uint32_t slot, const message_state& state);
  /// The same for several slots, with at most one flush for all of them together.
  struct new_state {
    std::uint32_t slot;
    message_state state;
  };
  result<> change_states(std::span<const new_state>);
  /// Flushes all changes made so far, by anybody. After a failure the object refuses changes and flushes:
  /// open the file anew.
  result<> flush();
  /// Begins the next generation: every message must be finished, and the caller holds the writer's lock. The
  /// object then stands for the old generation and is of no more use.
  result<> reset();
  /// Replaces an entry that fails its check by one that says "set aside", flushed.
  result<> erase_damaged_entry(std::uint32_t slot);

  /// Appends a JSON object (text without line ends, such as {"time":…,"text":…}) to the history of one slot.
  /// Not flushed, and a failure is ignored: the history explains, it decides nothing.
  void note_history(std::uint32_t slot, std::string_view json_object) noexcept;
  /// The same for several slots, with one write.
  struct history_note {
    std::uint32_t slot;
    std::string json_object;
  };
  void note_history(std::span<const history_note>) noexcept;
  /// The objects noted for one slot, oldest first, each with its "generation" and "slot". Reads the last
  /// `most` bytes of the file's history.
  result<std::vector<std::string>> read_history(std::uint32_t slot, std::uint64_t most = ~std::uint64_t{0});

  /// The same for every slot of this generation, one after another, oldest first: one reading for all.
  result<> read_history_of_all(std::uint64_t most,
                               const std::function<void(std::uint32_t slot, const std::string&)>& visit);

  file& raw() noexcept { return *file_; }

 private:
  message_file(file_io& io, std::string path, std::unique_ptr<file> f, const file_header& h);

  /// What this process knows about the two state copies of a slot: see "Which copy is durable?" in the
  /// format.
  struct slot_copies {
    std::uint32_t sequence[2] = {0, 0};  ///< of each copy; 0: not valid
    std::uint32_t own_epoch = 0;         ///< flush epoch in which we wrote `own_copy`; 0: we did not
    std::uint8_t own_copy = 0;
    bool known = false;
  };
  void remember(std::uint32_t slot, std::uint32_t sequence_a, std::uint32_t sequence_b);
  struct change_plan {
    std::uint32_t sequence;  ///< of the new copy
    unsigned newest;         ///< the copy that counts now
    unsigned target;         ///< the copy to be written
    bool must_settle;        ///< `newest` may not be on the disk, and `target` is what a crash would leave
  };
  result<change_plan> plan_change(std::uint32_t slot);
  result<> rewrite(std::uint32_t slot, unsigned copy);
  /// Makes sure that a state copy that somebody else wrote is on the disk.
  result<> settle(std::uint32_t slot, unsigned copy);
  result<std::uint64_t> checked_content_length(const entry&);
  std::string history_path() const;
  result<std::string> read_history_text(std::uint64_t most);

  file_io& io_;
  std::string path_;
  std::unique_ptr<file> file_;
  file_header header_;

  std::mutex mutex_;
  std::uint32_t epoch_ = 1;          // of writes made now
  std::uint32_t durable_epoch_ = 0;  // writes up to this epoch are on the disk
  std::vector<slot_copies> copies_;  // by slot; sized on first use
  bool flush_failed_ = false;
};

}  // namespace mta::queue
