// What bench_latency and its channel program, stamp, say to each other through a FIFO. Both ends are on one
// machine.
#pragma once

#include <chrono>
#include <cstdint>

struct stamp {
  std::uint64_t sequence;  ///< as in the message's ENVID
  std::int64_t entered;    ///< steady clock, ns, on entry of the process function
};

/// CLOCK_MONOTONIC, which is the same in all processes.
inline std::int64_t monotonic_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}
