// mtaDebug: diagnostics that a program switches on, one log line each (Developer's Reference ch. 6).
// Thread safety: every function from any thread.
#pragma once

#include "sdk/items.hpp"

#include <string_view>

namespace mta::sdk {

enum class diagnostics : unsigned {
  sdk = 1,      ///< error statuses that routines return
  dequeue = 2,  ///< messages in hand
  enqueue = 4,  ///< recipients, and messages committed
  decode = 8,   ///< MIME
  os = 16,      ///< accepted; there is nothing to tell that strace does not tell better
};

bool diagnosing(diagnostics) noexcept;
/// Writes the line if they are on. Does nothing, fast, if not; build the text only after diagnosing().
void diagnose(diagnostics, std::string_view text) noexcept;

/// The items MTA_DEBUG_*: what each one switches.
inline constexpr std::initializer_list<item_kind> debug_items = {
    {MTA_DEBUG_DECODE, argument::none},    {MTA_DEBUG_DEQUEUE, argument::none},
    {MTA_DEBUG_ENQUEUE, argument::none},   {MTA_DEBUG_MM, argument::number},
    {MTA_DEBUG_OS, argument::none},        {MTA_DEBUG_SDK, argument::none},
    {MTA_DEBUG_NODECODE, argument::none},  {MTA_DEBUG_NODEQUEUE, argument::none},
    {MTA_DEBUG_NOENQUEUE, argument::none}, {MTA_DEBUG_NOMM, argument::none},
    {MTA_DEBUG_NOOS, argument::none},      {MTA_DEBUG_NOSDK, argument::none}};
void switch_diagnostics(const item&) noexcept;
void switch_all_diagnostics_off() noexcept;

}  // namespace mta::sdk
