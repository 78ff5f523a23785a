// Lines in the channel's log (standard output), in the form of mtaLog.
// Thread safety: any thread. One line is one write(2).
#pragma once

#include "base/error.hpp"

#include <string_view>

namespace mta::dequeueing {

/// Writes "hh:mm:ss.cc: TEXT\n"; control characters in the text become spaces. Never fails: what cannot be
/// written is dropped.
void write_log_line(std::string_view text) noexcept;
/// The error in words.
void log_problem(const error&) noexcept;

}  // namespace mta::dequeueing
