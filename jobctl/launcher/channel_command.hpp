// What to run for a channel: its program with arguments, its option file, its environment.
// Thread safety: any thread (it reads our environment, which nobody changes while the controller runs).
#pragma once

#include "base/error.hpp"
#include "config/settings.hpp"
#include "jobctl/launcher/process.hpp"

#include <cstdint>
#include <string>

namespace jobctl {

/// Finds the program, writes the option file if it is made from `option.*` settings, and composes the
/// environment:
///
///   PMDF_CHANNEL         the channel's name
///   PMDF_CHANNEL_OPTION  path of its option file, if it has one
///   JOBCTL_ROOT          the site
///   JOBCTL_CONFIG        the configuration file, if there is one
///   JOBCTL_JOB           `job`
///   HOME, USER, LOGNAME  of the channel's `user`, if it has one; then setpriv starts the program
///   PATH, LANG, LANGUAGE, LC_*, TZ   as in our own environment (PATH: a usual one, if we have none)
///
/// and nothing else. The working directory is the site's root. Errors: the program cannot be found or
/// executed; the option file cannot be written; not_configured: the channel has no program.
mta::result<command> channel_command(const mta::config::settings&, const mta::config::channel&,
                                     std::uint64_t job);

/// The same for a periodic job, without JOBCTL_JOB; the variables of a channel only if it is one's slave
/// command.
mta::result<command> periodic_command(const mta::config::settings&, const mta::config::periodic_job&);

}  // namespace jobctl
