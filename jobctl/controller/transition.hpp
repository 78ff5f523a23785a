// What happened to one message, as the controller saw it: for those who watch. Recorded as plain values of 32
// bytes, and only while somebody asked for it (controller::observe); nothing is formatted here.
// Thread safety: values.
#pragma once

#include "queue/message_id.hpp"

#include <cstdint>

namespace jobctl {

enum class channel_no : std::uint32_t;

enum class transition_kind : std::uint8_t {
  queued,    ///< an enqueuer announced it
  found,     ///< a look at the queue's directory found it; not when the index is made at the start
  ready,     ///< due again: its time has come, or it was handed back
  leased,    ///< given to a program
  finished,  ///< every recipient has its final disposition
  deferred,  ///< waits until `when`
  held,
  released,  ///< by an operator
  warned,    ///< its sender was told that it waits
  returned,  ///< it waited too long
  routed,    ///< by an operator, to another channel or host: there it is a new message
  bounced,   ///< by an operator: its sender was told
  removed,   ///< by an operator
  bad,       ///< damaged: set aside
  moved,     ///< to another message file: this is its new id
  gone,      ///< no longer in the queue, and not by us
};
inline constexpr unsigned transition_kinds = 16;

struct transition {
  mta::queue::message_id id;
  /// ms since 1970: deferred, when it is due. Otherwise leased: the number of the program's connection;
  /// moved: unused.
  std::int64_t value = 0;
  channel_no channel{};
  std::uint16_t attempts = 0;
  transition_kind kind = transition_kind::queued;
};
static_assert(sizeof(transition) == 32);

}  // namespace jobctl
