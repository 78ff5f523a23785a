// An hour of mail from one seed: random traffic, programs that are slow, fail, hang and die, controllers that
// crash, clocks that jump; and the controller's promises checked at every step. Thread safety: none. A
// failure throws std::runtime_error with the seed.
#pragma once

#include <cstdint>

namespace sim {

struct totals {
  std::uint64_t events = 0, messages = 0, leases = 0, crashes = 0, warned = 0, expired = 0, launches = 0;
};

/// Simulates `minutes` of traffic, then lets the queue drain, and checks that nothing is left that could be
/// done.
totals run(std::uint64_t seed, int minutes = 60);

}  // namespace sim
