// What a channel program needs beside its messages: its channel's name, its options, a line in the log.
//
// Thread safety: every function from any thread. Lifetime: strings are returned by value.
#pragma once

#include <mta/error.hpp>
#include <mta/export.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mta {

/// Reads the site's configuration (JOBCTL_CONFIG names a file, JOBCTL_ROOT a directory) if that has not been
/// done. The other functions do it on first use; call it at the start of main() to report a mistake early.
/// Errors: the system's; errc::syntax and the like, naming file and line.
MTA_API result<> init();

/// The channel that this program works for: PMDF_CHANNEL, which the job controller sets. By hand:
/// `PMDF_CHANNEL=name program`. Errors: errc::not_configured (not set); errc::out_of_range (over 32 bytes).
MTA_API result<std::string> channel_name();

/// An option of this program's channel: NAME=value in the file that PMDF_CHANNEL_OPTION names, else in the
/// `option_file` of the channel's section in the configuration, else `option.NAME` of that section. Names are
/// compared without regard to case; of several lines the last counts. nullopt: not given anywhere.
MTA_API std::optional<std::string> option(std::string_view name);

/// The option, or `otherwise` when it is not given.
inline std::string option_or(std::string_view name, std::string_view otherwise) {
  auto found = option(name);
  return found ? std::move(*found) : std::string(otherwise);
}

/// A whole number from an option, `otherwise` when it is not given. Errors: errc::syntax (no number),
/// errc::out_of_range (below `least` or above `most`); the context names option, value and limits.
MTA_API result<std::int64_t> number_option(std::string_view name, std::int64_t otherwise, std::int64_t least,
                                           std::int64_t most);

/// Writes "hh:mm:ss.cc: TEXT" and a newline to standard output in one write(2): the channel's log under the
/// job controller. Newlines in the text become spaces.
MTA_API void log_line(std::string_view text) noexcept;

/// A string unique on this system, at most 20 characters of [0-9A-Z], fit for file names and MIME boundaries.
MTA_API std::string unique_string();

/// The root directory of the site, absolute.
MTA_API result<std::string> site_root();

/// Closes the site's accounting log (docs/accounting.md) if this process has it open; it is opened again when
/// there is something to record. For programs that are about to idle for long; log rotation does not need it.
MTA_API void close_accounting_log() noexcept;

/// Asks every dequeue() of this process to end: no new message is begun, sleeps are cut short, messages in
/// hand are finished. The same as SIGTERM and as the job controller's order to stop. May be called from a
/// signal handler.
MTA_API void request_stop() noexcept;

}  // namespace mta
