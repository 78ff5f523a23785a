#include "jobctl/server/service_manager.hpp"

#include <cstdint>
#include <cstdlib>
#include <dlfcn.h>
#include <fmt/format.h>
#include <string>
#include <time.h>

namespace jobctl {
namespace {

// libsystemd is loaded when systemd is there to be told something, and not linked: with the six libraries
// that it needs it would make every start of jobctl 0.6 ms longer, and `jobctl submit` starts once per
// message.
void* load_libsystemd() {
  void* library = ::dlopen("libsystemd.so.0", RTLD_NOW | RTLD_LOCAL);
  if (!library) fmt::print(stderr, "jobctl: cannot tell systemd how we are: {}\n", ::dlerror());
  return library;
}

template <class Function>
Function* from_libsystemd(const char* name) {
  static void* const library = load_libsystemd();
  return library ? reinterpret_cast<Function*>(::dlsym(library, name)) : nullptr;
}

}  // namespace

void notify_service_manager(const char* state) {
  if (!std::getenv("NOTIFY_SOCKET")) return;
  using sd_notify = int(int unset_environment, const char* state);
  if (auto* notify = from_libsystemd<sd_notify>("sd_notify")) (void)notify(0, state);
}

std::chrono::microseconds watchdog_interval() {
  if (!std::getenv("WATCHDOG_USEC")) return {};
  using sd_watchdog_enabled = int(int unset_environment, std::uint64_t* usec);
  std::uint64_t microseconds = 0;
  auto* enabled = from_libsystemd<sd_watchdog_enabled>("sd_watchdog_enabled");
  if (!enabled || enabled(0, &microseconds) <= 0) return {};
  return std::chrono::microseconds(microseconds);
}

void notify_reloading() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  const auto microseconds = static_cast<unsigned long long>(t.tv_sec) * 1'000'000u +
                            static_cast<unsigned long long>(t.tv_nsec) / 1000u;
  notify_service_manager(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", microseconds).c_str());
}

}  // namespace jobctl
