// The queue directories as a whole: finding files, scanning, maintenance. Used by the controller's server and
// tools. Thread safety: every member from any thread.
#pragma once

#include "queue/message_file.hpp"
#include "queue/writer.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mta::queue {

class store {
 public:
  store(file_io&, std::string queue_root);

  const std::string& root() const noexcept { return root_; }
  std::string channel_directory(std::string_view channel) const;
  std::string path(std::string_view channel, file_number) const;

  /// Makes queue root and the channel's directory.
  result<> make_channel(std::string_view channel);
  /// Directories under the queue root, sorted.
  result<std::vector<std::string>> channels();
  /// Message files of a channel, oldest number first. Other names are ignored.
  result<std::vector<file_number>> files(std::string_view channel);
  result<std::shared_ptr<message_file>> open(std::string_view channel, file_number);

  struct found {
    std::vector<listed_message> messages;  ///< live ones only (queued, deferred, held), by slot
    std::vector<std::uint32_t> damaged;    ///< slots whose entry fails its check
    std::uint32_t used = 0;                ///< slots with anything in them
    std::uint32_t capacity = 0;
  };
  /// Reads the entry table of a file from slot `first` on. Copies of an unfinished move are dropped here (see
  /// the format's "move"): a void copy is marked finished. Entries damaged on disk are reported, not changed.
  result<found> scan(message_file&, std::string_view channel, std::uint32_t first = 0);

  /// Sets one record aside: copies its bytes and `why` below .bad/, marks the slot bad, flushes.
  result<> set_aside(message_file&, std::string_view channel, std::uint32_t slot, reason,
                     std::string_view why);

  /// Resets a file all of whose messages are finished, so that a writer can use it again; or removes it when
  /// the channel already has `keep` spare files, or the file is unusually large. errc::busy: a writer or a
  /// channel program has it open with a lock, or a message is still live.
  enum class recycled { reset, removed };
  result<recycled> recycle(std::string_view channel, file_number, std::uint32_t generation, std::size_t keep);

  /// Names a file without messages to writers, if its name was lost with a program that died, or among too
  /// many.
  void offer_empty(std::string_view channel, file_number);
  /// Removes what a program that died left of a file that it was making, after an hour.
  result<> remove_leftovers(std::string_view channel);

  /// Copies a live message into another file through `writer`, durably, then marks the old one moved. The
  /// caller makes sure that nobody has it in hand (the slot's lock is taken too). Returns the new place.
  /// errc::busy: somebody has it, or it is too large to be worth it. After an error the old one counts.
  result<committed> move(message_file&, std::string_view channel, std::uint32_t slot, writer&);

 private:
  /// Is the copy of a move the one that counts?
  result<bool> move_was_finished(std::string_view channel, const message_id& from);
  /// As well as that can be done.
  void void_copy(std::string_view channel, const message_id& copy);
  void copy_history(std::string_view channel, const message_id& to, std::string_view line);

  file_io& io_;
  std::string root_;
};

}  // namespace mta::queue
