// Waits that differ a little from message to message, so that what failed together does not come back
// together. Thread safety: pure.
#pragma once

#include "queue/message_id.hpp"

#include <chrono>
#include <cstdint>

namespace mta::queue {

/// `wait`, longer or shorter by up to `percent` (0 to 50) of itself. By how much depends on the message and
/// the attempt alone: whoever computes it gets the same, also after a restart.
inline std::chrono::milliseconds spread(std::chrono::milliseconds wait, std::uint32_t percent,
                                        const message_id& id, std::uint32_t attempts) {
  if (percent == 0) return wait;
  std::uint64_t h = static_cast<std::uint64_t>(id.file) ^ (std::uint64_t{id.generation} << 40 | id.slot);
  for (const std::uint64_t part :
       {std::uint64_t{attempts} + 1, std::uint64_t{id.slot}}) {  // as in splitmix64
    h += part * 0x9E3779B97F4A7C15u;
    h = (h ^ h >> 30) * 0xBF58476D1CE4E5B9u;
    h = (h ^ h >> 27) * 0x94D049BB133111EBu;
    h ^= h >> 31;
  }
  const auto thousandths = static_cast<std::int64_t>(h % 2001) - 1000;  // of the largest deviation
  return wait + std::chrono::milliseconds(wait.count() / 100 * percent * thousandths / 1000);
}

}  // namespace mta::queue
