// Limits of channels (`memory_max`, `cpu_max`, `tasks_max`): a control group for each channel that has any
// (docs/operation.md, Limits of channels; where it is: control_group_place.hpp).
//
// While no channel has limits, nothing is touched. Otherwise the controller moves into a group beside those
// of the channels, and programs enter theirs before they are programs: our own executable is started in a
// program's place, enters the group, and becomes the program. So none runs outside of its limits, and no code
// of ours runs between fork and exec.
//
// Thread safety: none; the loop's thread.
#pragma once

#include "base/error.hpp"
#include "config/settings.hpp"
#include "jobctl/launcher/control_group_place.hpp"
#include "jobctl/launcher/process.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jobctl {

/// What is written for limits: file in the group, text; for all three ("max" where there is none).
std::vector<std::pair<std::string, std::string>> texts_of_limits(const mta::config::resource_limits&);
/// "fax, print": the channels that have limits; empty: none.
std::string channels_with_limits(const mta::config::settings&);
/// How often a process was killed for want of memory, of the text of memory.events.
std::uint64_t oom_kills(std::string_view memory_events);

class control_groups {
 public:
  using finder = std::function<control_group_place()>;
  /// The argument with which main() calls run_in_control_group().
  static constexpr const char* entry = "--run-in-control-group";

  explicit control_groups(finder = [] { return find_control_group(); });

  /// Takes over limits, also of programs that run in their group. Returns what is to be said: what is
  /// missing, what could not be done.
  std::vector<std::string> configure(const mta::config::settings&);

  /// Lets a program of that channel start in its group, if it has one.
  void confine(command&, const std::string& channel) const;

  /// After a program of the channel was killed: was it for want of memory?
  bool ran_out_of_memory(const std::string& channel);

 private:
  std::string group_of(const std::string& channel) const;
  mta::result<> move_in(const std::string& directory);
  void switch_controllers(const mta::config::settings&, std::vector<std::string>& notes);
  mta::result<> limit(const mta::config::channel&);
  void drop_unused();

  finder find_;
  std::string directory_;                       // empty: not in use
  std::map<std::string, std::uint64_t> known_;  // channels that have a group -> oom_kills() told of
};

}  // namespace jobctl
