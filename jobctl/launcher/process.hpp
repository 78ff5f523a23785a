// Starting one process, and saying in words how it ended.
//
// The child gets exactly what it is given: its own process group, /dev/null as standard input, one descriptor
// for standard output and error, default signal dispositions, an empty signal mask, the listed environment,
// and no other descriptor. No shell is involved. The parent's page tables are not copied (vfork semantics),
// so that the size of the parent does not matter.
//
// Thread safety: every function from any thread.
#pragma once

#include "base/error.hpp"

#include <string>
#include <sys/types.h>
#include <vector>

namespace jobctl {

/// What to run. All values are used as they are: nothing is split, expanded or looked up in PATH.
struct command {
  std::string program;                   ///< absolute path
  std::vector<std::string> arguments;    ///< argv[1] and following
  std::vector<std::string> environment;  ///< the whole of it, "NAME=value"
  std::string directory;                 ///< working directory; empty: ours
  bool changes_user = false;             ///< `program` is to inherit what it takes to change users
};

/// Starts it; `output` becomes its standard output and error. Returns the process id, which is also that of
/// its process group; the caller must wait for it. Errors: the system's, with a context that names the
/// program and says what is wrong with it.
mta::result<pid_t> spawn(const command&, int output);

/// Could `program` be started? The error names what is missing: the file, permission, or that it is no
/// regular file.
mta::result<> check_program(const std::string& program);

/// A wait status as "exited with status 3", "killed by signal 9 (Killed)", or the latter with ", core
/// dumped".
std::string describe_status(int wait_status);
/// Exit status 0.
bool clean_status(int wait_status) noexcept;

}  // namespace jobctl
