// Committing messages: group commit into message files. All threads of a process share one writer; messages
// being committed to one file at the same moment share one flush.
//
// Thread safety: every member from any thread. Lifetime: the file_io must outlive it.
#pragma once

#include "queue/envelope.hpp"
#include "queue/file_io.hpp"
#include "queue/message_id.hpp"
#include "queue/state.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace mta::queue {

struct writer_options {
  std::uint64_t reserve_bytes = 64ull << 20;  ///< refuse (errc::no_space) below this much free space
  bool one_shot =
      false;  ///< a program that commits a message or two and exits: small files, no preparing ahead
};

/// Content to be committed: wire form, in memory or in an open file.
struct content_source {
  std::string_view memory;         ///< used when `spilled` is null
  file* spilled = nullptr;         ///< a temporary file that holds the content from its start
  std::uint64_t length = 0;        ///< bytes
  std::uint8_t facts = 0;          ///< facts::*
  std::uint32_t longest_line = 0;  ///< bytes without CRLF
};

/// One message for one channel.
struct commit_request {
  std::string_view channel;  ///< its queue directory
  const queue::envelope* envelope = nullptr;
  std::string_view host;  ///< destination host, lower case; may be empty
  queue::priority priority = priority::normal;
  time_point now{};
  time_point not_before{};
  content_source content;
  message_id moved_from{};                       ///< for survivors of a compaction
  const message_state* initial_state = nullptr;  ///< likewise; and for a message that begins on hold
};

struct committed {
  message_id id;
  queue::entry entry;
  std::uint32_t capacity = 0;          ///< of the file, slots
  bool last_slot = false;              ///< no writer will add more to this generation of the file
  queue::phase phase = phase::queued;  ///< of its initial state
};

class writer {
 public:
  /// `queue_root` is the absolute path of <root>/queue; it must exist, channels' directories are made on
  /// demand.
  writer(file_io&, std::string queue_root, writer_options = {});
  ~writer();

  /// Returns when the message is durable. On an error nothing was acknowledged and nothing of it will be
  /// delivered. Errors: no_space; the system's (context names the file); out_of_range (no recipient, or over
  /// 256).
  result<committed> commit(const commit_request&);

  writer(const writer&) = delete;
  writer& operator=(const writer&) = delete;

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace mta::queue
