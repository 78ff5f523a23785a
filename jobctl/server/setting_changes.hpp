// What a reload changes, setting by setting, and which settings have no effect. Thread safety: pure.
#pragma once

#include "config/settings.hpp"

#include <string>
#include <vector>

namespace jobctl {

/// "[channel x] maxjobs: 5 -> 7", a line for each; for a channel, pool or job that is new or gone one line in
/// all. None: nothing has changed.
std::vector<std::string> setting_changes(const mta::config::settings& before,
                                         const mta::config::settings& after);

/// What does not follow at once from the changes, or not only: programs that go on with what they were
/// started with, messages that are left without a channel.
std::vector<std::string> notes_of_changes(const mta::config::settings& before,
                                          const mta::config::settings& after);

/// Settings that are given, but change nothing as things stand: what, and why.
std::vector<std::string> ineffective_settings(const mta::config::settings&);

}  // namespace jobctl
