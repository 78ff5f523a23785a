#include "sdk/debug.hpp"

#include "sdk/status.hpp"

#include <mta/program.hpp>

#include <atomic>

namespace mta::sdk {
namespace {

std::atomic<unsigned> switched_on{0};

void set(diagnostics d, bool on) noexcept {
  const auto bit = static_cast<unsigned>(d);
  if (on)
    switched_on.fetch_or(bit, std::memory_order_relaxed);
  else
    switched_on.fetch_and(~bit, std::memory_order_relaxed);
}

}  // namespace

bool diagnosing(diagnostics d) noexcept {
  return (switched_on.load(std::memory_order_relaxed) & static_cast<unsigned>(d)) != 0;
}

void diagnose(diagnostics d, std::string_view text) noexcept {
  if (diagnosing(d)) log_line(text);
}

void switch_diagnostics(const item& i) noexcept {
  switch (i.code) {
    case MTA_DEBUG_DECODE: return set(diagnostics::decode, true);
    case MTA_DEBUG_DEQUEUE: return set(diagnostics::dequeue, true);
    case MTA_DEBUG_ENQUEUE: return set(diagnostics::enqueue, true);
    case MTA_DEBUG_MM: return set(diagnostics::enqueue, i.number != 0);
    case MTA_DEBUG_OS: return set(diagnostics::os, true);
    case MTA_DEBUG_SDK: return set(diagnostics::sdk, true);
    case MTA_DEBUG_NODECODE: return set(diagnostics::decode, false);
    case MTA_DEBUG_NODEQUEUE: return set(diagnostics::dequeue, false);
    case MTA_DEBUG_NOENQUEUE:
    case MTA_DEBUG_NOMM: return set(diagnostics::enqueue, false);
    case MTA_DEBUG_NOOS: return set(diagnostics::os, false);
    case MTA_DEBUG_NOSDK: return set(diagnostics::sdk, false);
    default: return;
  }
}

void switch_all_diagnostics_off() noexcept { switched_on.store(0, std::memory_order_relaxed); }

}  // namespace mta::sdk

extern "C" {

int mtaDebug(int item_code, ...) {
  if (const auto ready = mta::init(); !ready)
    return mta::sdk::status(mta::sdk::initialisation_status(ready.error()));
  mta::sdk::arguments args;
  va_start(args.list, item_code);
  const int read = mta::sdk::read_items(mta::sdk::debug_items, item_code, args, [](const mta::sdk::item& i) {
    mta::sdk::switch_diagnostics(i);
    return MTA_OK;
  });
  va_end(args.list);
  return mta::sdk::status(read);
}

}  // extern "C"
