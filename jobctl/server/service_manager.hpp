// Telling systemd how we are (sd_notify(3)): nothing happens when it did not start us.
// Thread safety: any thread.
#pragma once

#include <chrono>

namespace jobctl {

/// "READY=1", "STOPPING=1", …
void notify_service_manager(const char* state);
/// How often it expects "WATCHDOG=1"; zero: never.
std::chrono::microseconds watchdog_interval();
/// RELOADING=1 with the time stamp that goes with it.
void notify_reloading();

}  // namespace jobctl
