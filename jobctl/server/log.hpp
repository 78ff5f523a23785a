// The controller's own log: standard error (or, when that is systemd's journal, the journal with fields) and
// <root>/log/jobctl.log, one line an event, by spdlog. This header keeps spdlog out of everybody else's
// compile time.
//
// Thread safety: write_log() from any thread; the others on one thread.
#pragma once

#include "base/error.hpp"

#include <fmt/format.h>
#include <string>
#include <string_view>

namespace jobctl {

enum class log_level { debug, info, warning, error };

/// Lines go to standard error only, until open_log() has succeeded.
void write_log(log_level, std::string_view line);
/// Is anybody interested? For lines that cost something to make.
bool log_enabled(log_level) noexcept;

template <class... Args>
void log(log_level level, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(level)) write_log(level, fmt::format(format, std::forward<Args>(args)...));
}

/// Adds the file (made if missing, mode 0640) to standard error. Called again: closes it and opens it anew,
/// after it was moved away. When it cannot be opened, the log stays as it was.
mta::result<> open_log(const std::string& path);
/// "debug", "info", "warning" or "error"; `verbose` means debug whatever the name says.
void set_log_level(std::string_view name, bool verbose);

}  // namespace jobctl
