#include "jobctl/launcher/control_groups.hpp"

#include "jobctl/launcher/control_group_file.hpp"

#include <algorithm>
#include <charconv>
#include <errno.h>
#include <filesystem>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace jobctl {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view prefix = "channel-";
constexpr unsigned period = 100'000;  // µs, in which cpu.max is counted

std::string text_or_max(std::uint64_t value) { return value == 0 ? "max" : fmt::format("{}", value); }

// The kernel's controller that a limit needs, and its key in the configuration.
struct kind {
  const char* controller;
  const char* key;
  bool (*wanted)(const mta::config::resource_limits&);
};
constexpr kind kinds[] = {
    {"memory", "memory_max", [](const mta::config::resource_limits& l) { return l.memory != 0; }},
    {"cpu", "cpu_max", [](const mta::config::resource_limits& l) { return l.cpu != 0; }},
    {"pids", "tasks_max", [](const mta::config::resource_limits& l) { return l.tasks != 0; }},
};

bool contains(const std::vector<std::string>& words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

mta::result<> make_group(const std::string& directory) {
  if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST)
    return mta::os_error("make the control group " + directory);
  return {};
}

}  // namespace

std::vector<std::pair<std::string, std::string>> texts_of_limits(const mta::config::resource_limits& l) {
  // The kernel takes no less than 1 ms of processor time in a period.
  const std::string quota =
      l.cpu == 0 ? "max"
                 : fmt::format("{}", std::max<std::uint64_t>(1000, std::uint64_t{l.cpu} * period / 100));
  return {{"memory.max", text_or_max(l.memory)},
          {"cpu.max", fmt::format("{} {}", quota, period)},
          {"pids.max", text_or_max(l.tasks)}};
}

std::string channels_with_limits(const mta::config::settings& s) {
  std::string names;
  for (const auto& c : s.channels)
    if (c.limits.any()) names += (names.empty() ? "" : ", ") + c.name;
  return names;
}

std::uint64_t oom_kills(std::string_view memory_events) {
  constexpr std::string_view key = "oom_kill ";
  for (std::size_t at = 0; at < memory_events.size();) {
    const auto end = std::min(memory_events.find('\n', at), memory_events.size());
    const auto line = memory_events.substr(at, end - at);
    at = end + 1;
    if (!line.starts_with(key)) continue;
    std::uint64_t count = 0;
    std::from_chars(line.data() + key.size(), line.data() + line.size(), count);
    return count;
  }
  return 0;
}

control_groups::control_groups(finder find) : find_(std::move(find)) {}

std::string control_groups::group_of(const std::string& channel) const {
  return fmt::format("{}/{}{}", directory_, prefix, channel);
}

std::vector<std::string> control_groups::configure(const mta::config::settings& s) {
  std::vector<std::string> notes;
  const auto limited = channels_with_limits(s);
  known_.clear();
  if (directory_.empty()) {
    if (limited.empty()) return notes;
    auto place = find_();
    if (auto moved = place.missing.empty() ? move_in(place.directory) : mta::result<>(); !moved)
      place.missing = moved.error().message();
    if (!place.missing.empty()) {
      notes.push_back(
          fmt::format("the limits of channels ({}) have no effect, their programs run without: {}", limited,
                      place.missing));
      return notes;
    }
    directory_ = place.directory;
  }
  switch_controllers(s, notes);
  for (const auto& c : s.channels) {
    if (!c.limits.any()) continue;
    if (const auto done = limit(c); !done)
      notes.push_back(
          fmt::format("[channel {}] its limits do not all hold: {}", c.name, done.error().message()));
  }
  drop_unused();
  return notes;
}

// Whatever is in the unit's group has to leave it: we, and programs of a controller that had no limits.
mta::result<> control_groups::move_in(const std::string& directory) {
  const auto own = directory + "/controller";
  if (auto made = make_group(own); !made) return made;
  for (int round = 0; round < 100; ++round) {  // one may start another meanwhile
    const auto processes = words_of_group_file(directory + "/cgroup.procs");
    mta::result<> outcome;
    bool moved = false;
    for (const auto& process : processes) {
      if (process == "0") continue;  // not of our namespace
      auto done = write_group_file(own + "/cgroup.procs", process);
      if (!done && done.error().code == std::errc::no_such_process) continue;
      if (!done && outcome) outcome = done;
      moved = moved || done;
    }
    if (!outcome || !moved) return outcome;
  }
  return {};
}

void control_groups::switch_controllers(const mta::config::settings& s, std::vector<std::string>& notes) {
  const auto file = directory_ + "/cgroup.subtree_control";
  const auto available = words_of_group_file(directory_ + "/cgroup.controllers");
  const auto enabled = words_of_group_file(file);
  for (const auto& kind : kinds) {
    const bool wanted =
        std::ranges::any_of(s.channels, [&](const mta::config::channel& c) { return kind.wanted(c.limits); });
    mta::result<> done;
    if (wanted && !contains(available, kind.controller))
      done =
          mta::error(std::make_error_code(std::errc::not_supported),
                     fmt::format("no controller '{}' in {}/cgroup.controllers", kind.controller, directory_));
    else if (wanted && !contains(enabled, kind.controller))
      done = write_group_file(file, fmt::format("+{}", kind.controller));
    else if (!wanted && contains(enabled, kind.controller))
      (void)write_group_file(file, fmt::format("-{}", kind.controller));
    if (!done) notes.push_back(fmt::format("{} has no effect: {}", kind.key, done.error().message()));
  }
}

mta::result<> control_groups::limit(const mta::config::channel& c) {
  const auto group = group_of(c.name);
  if (auto made = make_group(group); !made) return made;
  known_[c.name] = oom_kills(read_group_file(group + "/memory.events"));
  for (const auto& [file, text] : texts_of_limits(c.limits)) {
    const auto path = group + "/" + file;
    std::error_code gone;
    // Not there: its controller is switched off, or said to be missing already.
    if (!fs::exists(path, gone)) continue;
    if (auto written = write_group_file(path, text); !written) return written;
  }
  return {};
}

// Groups of channels that have no limits any more: removed, unless programs are in them, which go on without.
void control_groups::drop_unused() {
  std::error_code failed;
  for (fs::directory_iterator i(directory_, failed), end; !failed && i != end; i.increment(failed)) {
    const std::string name = i->path().filename().string();
    if (!name.starts_with(prefix) || known_.contains(name.substr(prefix.size()))) continue;
    for (const auto& [file, text] : texts_of_limits({})) {
      std::error_code gone;
      if (fs::exists(i->path() / file, gone)) (void)write_group_file((i->path() / file).string(), text);
    }
    (void)::rmdir(i->path().c_str());
  }
}

void control_groups::confine(command& what, const std::string& channel) const {
  if (!known_.contains(channel)) return;
  std::vector<std::string> words{entry, group_of(channel), std::move(what.program)};
  for (auto& argument : what.arguments) words.push_back(std::move(argument));
  // The very file that we were started from, also when it has been replaced since.
  what.program = "/proc/self/exe";
  what.arguments = std::move(words);
}

bool control_groups::ran_out_of_memory(const std::string& channel) {
  const auto known = known_.find(channel);
  if (known == known_.end()) return false;
  if (oom_kills(read_group_file(group_of(channel) + "/memory.events")) <= known->second) return false;
  ++known->second;
  return true;
}

}  // namespace jobctl
