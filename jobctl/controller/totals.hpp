// What has become of a channel's messages since counting began: figures that only grow, and that outlive the
// controller (see counters_file in jobctl/server).
// Thread safety: values.
#pragma once

#include <cstdint>

namespace jobctl {

struct channel_totals {
  std::uint64_t enqueued = 0;
  std::uint64_t left = 0;      ///< are no longer in the channel, for whatever reason
  std::uint64_t finished = 0;  ///< …of these: every recipient had its final disposition
  std::uint64_t returned = 0;  ///< …of these: the message had waited too long
  std::uint64_t bad = 0;       ///< left because they were damaged
  std::uint64_t failed_attempts = 0;
  std::uint64_t warned = 0;  ///< notices to senders about delays

  friend bool operator==(const channel_totals&, const channel_totals&) = default;
};

}  // namespace jobctl
