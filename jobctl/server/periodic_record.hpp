// <root>/run/periodic: what is to be known of periodic jobs after a restart of the controller. A line for
// each: its name, when it was due last, began and ended last (ms since 1970), how (1: clean), of a run that
// goes on the process and when that began; then how the last run ended in words. Thread safety: none.
#pragma once

#include "base/error.hpp"
#include "jobctl/controller/periodic.hpp"

#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

namespace jobctl {

struct kept_periodic {
  periodic_status status;
  pid_t process = 0;        ///< of a run that goes on; 0: none
  std::uint64_t began = 0;  ///< that process, see process_start()
};

/// No file: nothing. Lines that cannot be read are left out. Error: the system's.
mta::result<std::vector<kept_periodic>> load_periodic(const std::string& path);
/// Replaces the file in one step.
mta::result<> save_periodic(const std::string& path, const std::vector<kept_periodic>&);

/// When a process began, in the system's ticks since its start: with the number, it names a process. 0: it is
/// gone.
std::uint64_t process_start(pid_t);
bool still_runs(const kept_periodic&);

}  // namespace jobctl
