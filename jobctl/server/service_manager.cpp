#include "jobctl/server/service_manager.hpp"

#include <cstdint>
#include <systemd/sd-daemon.h>
#include <time.h>

namespace jobctl {

void notify_service_manager(const char* state) { (void)::sd_notify(0, state); }

std::chrono::microseconds watchdog_interval() {
  std::uint64_t microseconds = 0;
  if (::sd_watchdog_enabled(0, &microseconds) <= 0) return {};
  return std::chrono::microseconds(microseconds);
}

void notify_reloading() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  const auto microseconds = static_cast<unsigned long long>(t.tv_sec) * 1'000'000u +
                            static_cast<unsigned long long>(t.tv_nsec) / 1000u;
  (void)::sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", microseconds);
}

}  // namespace jobctl
