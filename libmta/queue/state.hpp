// What changes about a queued message after its commit, and what is known about it without reading the mail.
// Thread safety: values.
#pragma once

#include "queue/message_id.hpp"

#include <bitset>
#include <chrono>
#include <cstdint>
#include <string>

namespace mta::queue {

/// Wall-clock time with the resolution of the queue, 1 ms.
using time_point = std::chrono::sys_time<std::chrono::milliseconds>;

inline constexpr std::size_t max_recipients = 256;  ///< per message record; larger submissions are split

enum class priority : std::uint8_t { urgent = 0, normal = 1, nonurgent = 2 };
enum class phase : std::uint8_t { queued = 0, deferred = 1, held = 2, finished = 3, moved = 4, bad = 5 };
/// Why a message is held or set aside.
enum class reason : std::uint8_t {
  none = 0,
  operator_request = 1,
  damaged_entry = 2,
  damaged_record = 3,
  undeliverable = 4,
  mail_loop = 5  ///< it was enqueued with too many Received: lines
};

/// Facts about the content, noted at commit so that a sender can stream it untouched.
namespace facts {
inline constexpr std::uint8_t eight_bit = 1, long_line = 2, leading_dot = 4, non_ascii_header = 8;
}

/// The state copy of docs/queue-format.md.
struct message_state {
  queue::phase phase = phase::queued;
  queue::reason why = reason::none;
  std::uint16_t attempts = 0;
  std::uint8_t notices = 0;   ///< steps of its channel's `notices` that are done with
  bool hold_ends = false;     ///< held: released by itself at `next_attempt`
  time_point next_attempt{};  ///< deferred: not before
  time_point changed{};
  std::bitset<max_recipients> finished;  ///< by place in the envelope

  bool live() const noexcept {
    return phase == phase::queued || phase == phase::deferred || phase == phase::held;
  }
  bool operator==(const message_state&) const = default;
};

/// The constant part of an entry.
struct entry {
  std::uint32_t slot = 0;
  queue::priority priority = priority::normal;
  std::uint8_t facts = 0;
  std::uint16_t recipients = 0;
  std::uint64_t record_offset = 0;
  std::uint64_t content_length = 0;   ///< bytes, wire form
  std::uint32_t envelope_length = 0;  ///< bytes
  std::uint32_t longest_line = 0;     ///< bytes without CRLF
  time_point committed{};
  time_point not_before{};  ///< epoch: at once
  message_id moved_from{};  ///< file none: not moved
  std::string host;         ///< destination host, lower case; may be empty
};

struct listed_message {
  queue::entry entry;
  message_state state;
};

}  // namespace mta::queue
