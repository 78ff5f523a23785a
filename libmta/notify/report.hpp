// What there is to tell the sender of a message about its recipients, and whether he wants to be told (RFC
// 3461).
//
// Thread safety: values and pure functions.
#pragma once

#include "base/error.hpp"
#include "queue/envelope.hpp"
#include "queue/state.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mta::notify {

/// What became of a recipient. In the order in which a notification speaks of them.
enum class kind : std::uint8_t {
  failed,     ///< refused for good
  returned,   ///< given back on somebody's order
  timed_out,  ///< too long in the queue
  delayed,    ///< not yet delivered; nothing is final
  delivered,
  relayed,  ///< handed on to a system that makes no notifications
};
inline constexpr std::size_t kinds = 6;
constexpr bool is_failure(kind k) noexcept { return k <= kind::timed_out; }

/// One recipient, and what became of him.
struct recipient_report {
  std::size_t place = 0;  ///< in the envelope
  notify::kind what = kind::failed;
  std::string_view reason;  ///< for people, or a reply of SMTP ("550 5.1.1 no such user"); may be empty
};

/// The message that is reported about. Views and references: valid as long as the caller says.
struct subject {
  const queue::envelope& envelope;
  const queue::entry& entry;
  std::string_view id;
  std::string_view channel;  ///< in whose queue it is
  /// Reads content from an offset; as mta::message::read(). errc::damaged: nothing is returned to the sender.
  std::function<result<std::size_t>(std::uint64_t, std::span<std::byte>)> read;
  queue::time_point now{};
  queue::time_point last_attempt{};  ///< epoch: none was made
  queue::time_point expires{};       ///< when it will be returned; epoch: never, or not known
};

/// The MTA_NOTIFY_* bits that count for a recipient: his own, else the message's, else failure and delay with
/// full content. How much content to return is always said.
std::uint32_t effective_flags(const queue::envelope&, const queue::recipient&) noexcept;

/// Does a recipient's NOTIFY ask for this? NEVER asks for nothing.
bool asked_for(kind, std::uint32_t flags) noexcept;

}  // namespace mta::notify
