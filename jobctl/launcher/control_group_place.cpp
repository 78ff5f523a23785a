#include "jobctl/launcher/control_group_place.hpp"

#include "jobctl/launcher/control_group_file.hpp"

#include <algorithm>
#include <errno.h>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace jobctl {

namespace fs = std::filesystem;

namespace {

constexpr const char* mount_point = "/sys/fs/cgroup";

// systemd marks the groups that it hands over: https://systemd.io/CGROUP_DELEGATION
bool delegated(const std::string& directory) {
  for (const char* name : {"user.delegate", "trusted.delegate"}) {
    char value[2];
    if (::getxattr(directory.c_str(), name, value, sizeof value) == 1 && value[0] == '1') return true;
  }
  return false;
}

}  // namespace

std::optional<std::string> unified_group(std::string_view proc_cgroup) {
  while (!proc_cgroup.empty()) {
    const auto end = std::min(proc_cgroup.find('\n'), proc_cgroup.size());
    const auto line = proc_cgroup.substr(0, end);
    if (line.starts_with("0::/")) return std::string(line.substr(3));
    proc_cgroup.remove_prefix(std::min(end + 1, proc_cgroup.size()));
  }
  return {};
}

std::vector<std::string> possible_places(const std::string& group) {
  std::vector<std::string> places{group == "/" ? "" : group};
  const auto slash = group.rfind('/');
  const std::string_view last = std::string_view(group).substr(slash + 1);
  if (last == "controller" || last == ".control") places.push_back(group.substr(0, slash));
  return places;
}

std::string missing_of_host() {
  struct statfs s {};
  if (::statfs(mount_point, &s) == 0 && s.f_type == CGROUP2_SUPER_MAGIC) return {};
  return fmt::format("this host has no control groups of version 2 (no file system cgroup2 on {})",
                     mount_point);
}

control_group_place find_control_group(const std::string& proc_cgroup_file) {
  if (const char* given = ::getenv("JOBCTL_CONTROL_GROUP")) return {given, {}};
  if (auto missing = missing_of_host(); !missing.empty()) return {{}, std::move(missing)};
  const auto text = read_group_file(proc_cgroup_file);
  const auto group = unified_group(text);
  if (!group) return {{}, "the controller is in no control group of version 2"};
  for (const auto& place : possible_places(*group)) {
    const std::string directory = mount_point + place;
    if (!delegated(directory)) continue;
    if (proc_cgroup_file == "/proc/self/cgroup" && ::access((directory + "/cgroup.procs").c_str(), W_OK) != 0)
      return {{},
              fmt::format(
                  "the controller may not write into its control group {} ({}; ReadWritePaths= of its unit)",
                  directory, ::strerror(errno))};
    return {directory, {}};
  }
  return {{},
          fmt::format(
              "the control group of the controller, {}{}, was not handed over to it (Delegate= of its unit)",
              mount_point, *group)};
}

mta::result<> release_control_group(const std::string& directory) {
  std::vector<std::string> groups{directory};
  std::error_code ignored;
  for (fs::recursive_directory_iterator i(directory, ignored), end; !ignored && i != end;
       i.increment(ignored)) {
    std::error_code gone;
    if (i->is_directory(gone)) groups.push_back(i->path().string());
  }
  // The deepest first: a group passes on only what the one above it has.
  std::ranges::sort(groups, std::greater{});
  mta::result<> outcome;
  for (const auto& group : groups) {
    const auto file = group + "/cgroup.subtree_control";
    for (const auto& controller : words_of_group_file(file)) {
      auto written = write_group_file(file, "-" + controller);
      if (!written && outcome) outcome = written;
    }
  }
  return outcome;
}

int run_in_control_group(char** words) {
  const std::string processes = std::string(words[0]) + "/cgroup.procs";
  const char* doing = "enter the control group";
  const int file = ::open(processes.c_str(), O_WRONLY | O_CLOEXEC);
  if (file >= 0 && ::write(file, "0", 1) == 1) {
    doing = "be started in the control group";
    (void)::execv(words[1], words + 1);
  }
  fmt::print(stderr, "jobctl: {} cannot {} {}: {}\n", words[1], doing, words[0], ::strerror(errno));
  return 75;  // EX_TEMPFAIL
}

}  // namespace jobctl
