// Which control group (cgroup v2) is the controller's to divide, letting go of it, and a program's way into
// one. Limits are in control_groups.hpp.
//
// The controller's unit has a group of its own, which systemd hands over to it (Delegate=). Below it there
// are
//
//   controller     the controller, and programs of channels without limits
//   channel-NAME   programs of a channel with limits
//   .control       systemd's: what it runs beside the controller (ExecReload=, ExecStopPost=)
//
// A group whose children have limits may have no process in it itself. systemd starts a controller in the
// unit's group, which therefore must be let go of before the next one is started while programs live on
// (KillMode=process): ExecStopPost= of the unit does it.
//
// Thread safety: any thread.
#pragma once

#include "base/error.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jobctl {

/// The group that /proc/PID/cgroup names, such as "/system.slice/jobctl.service". Empty: none of version 2.
std::optional<std::string> unified_group(std::string_view proc_cgroup);

/// Where a group that was handed over may be, for a process that is in `group`: there, or one above if it is
/// in one that we or systemd make below.
std::vector<std::string> possible_places(const std::string& group);

struct control_group_place {
  std::string directory;  ///< of the group; empty: there is none for us
  std::string missing;    ///< then: what would be needed, for a person
};

/// The group that was handed over to the process whose /proc/PID/cgroup this is; for our own we must be able
/// to write there, too. JOBCTL_CONTROL_GROUP in our environment, a directory, is taken as it is.
control_group_place find_control_group(const std::string& proc_cgroup_file = "/proc/self/cgroup");

/// What `find_control_group` says is missing when there are no groups at all on this host; empty: there are.
std::string missing_of_host();

/// Takes away every limit below `directory`, so that a process can be started in it again. Errors: the
/// first one; the rest is done all the same.
mta::result<> release_control_group(const std::string& directory);

/// Runs a program in a group: `words` are the group's directory, the program's path and its arguments.
/// Returns only when that fails, with an exit status, after a line on standard error. For a process that was
/// started for this purpose.
int run_in_control_group(char** words);

}  // namespace jobctl
