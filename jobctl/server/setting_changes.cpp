#include "jobctl/server/setting_changes.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>

namespace jobctl {
namespace {

using section_text = std::map<std::string, std::string>;    // key -> value
using settings_text = std::map<std::string, section_text>;  // heading -> keys

settings_text sections_of(const mta::config::settings& s) {
  settings_text all;
  const std::string text = mta::config::to_text(s);
  std::string heading;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    if (line.starts_with('['))
      all[heading = line];
    else if (const auto equals = line.find(" = "); equals != line.npos)
      all[heading][line.substr(0, equals)] = line.substr(equals + 3);
    else if (line.ends_with(" ="))
      all[heading][line.substr(0, line.size() - 2)];
  }
  return all;
}

std::string shown(const std::string& value) { return value.empty() ? "none" : value; }

}  // namespace

std::vector<std::string> setting_changes(const mta::config::settings& before,
                                         const mta::config::settings& after) {
  std::vector<std::string> lines;
  const auto old_text = sections_of(before), new_text = sections_of(after);
  for (const auto& [heading, keys] : old_text)
    if (!new_text.contains(heading)) lines.push_back(heading + ": gone");
  for (const auto& [heading, keys] : new_text) {
    const auto was = old_text.find(heading);
    if (was == old_text.end()) {
      lines.push_back(heading + ": new");
      continue;
    }
    for (const auto& [key, value] : keys) {
      const auto old_value = was->second.find(key);
      if (old_value == was->second.end())
        lines.push_back(fmt::format("{} {}: none -> {}", heading, key, shown(value)));
      else if (old_value->second != value)
        lines.push_back(fmt::format("{} {}: {} -> {}", heading, key, shown(old_value->second), shown(value)));
    }
    for (const auto& [key, value] : was->second)
      if (!keys.contains(key)) lines.push_back(fmt::format("{} {}: {} -> none", heading, key, shown(value)));
  }
  return lines;
}

std::vector<std::string> notes_of_changes(const mta::config::settings& before,
                                          const mta::config::settings& after) {
  std::vector<std::string> lines;
  const auto old_text = sections_of(before), new_text = sections_of(after);
  const bool dequeue_changed = old_text.at("[dequeue]") != new_text.at("[dequeue]");
  std::vector<std::string> stale;
  for (const mta::config::channel& c : before.channels) {
    const mta::config::channel* now = after.find_channel(c.name);
    if (now == nullptr)
      lines.push_back(
          fmt::format("[channel {}] is gone: its messages, if it has any, wait without a program", c.name));
    else if (!c.program.empty() && (dequeue_changed || c.program != now->program || c.user != now->user ||
                                    c.options != now->options || c.option_file != now->option_file ||
                                    (now->limits.any() && !c.limits.any())))
      stale.push_back(c.name);
  }
  if (!stale.empty())
    lines.push_back(
        fmt::format("programs of {} that run go on with what they were started with; 'jobctl stop "
                    "--channel NAME' and 'jobctl start NAME' renew them",
                    dequeue_changed ? "all channels" : fmt::format("{}", fmt::join(stale, ", "))));
  return lines;
}

std::vector<std::string> ineffective_settings(const mta::config::settings& s) {
  std::vector<std::string> lines;
  const mta::config::channel usual;
  for (const mta::config::channel& c : s.channels) {
    const auto say = [&](std::string_view key, std::string_view why) {
      lines.push_back(fmt::format("[channel {}] {} has no effect: {}", c.name, key, why));
    };
    if (c.program.empty()) {
      const std::string_view why = "the channel has no program";
      if (c.max_jobs != usual.max_jobs) say("maxjobs", why);
      if (c.thread_depth != usual.thread_depth) say("threaddepth", why);
      if (c.threads_per_job != usual.threads_per_job) say("threads", why);
      if (c.files_per_job != 0) say("filesperjob", why);
      if (c.max_life_time != usual.max_life_time) say("max_life_time", why);
      if (c.max_life_askwork != usual.max_life_askwork) say("max_life_askwork", why);
      if (!c.user.empty() && c.slave.empty()) say("user", why);
      if (c.limits.memory != 0 && c.slave.empty()) say("memory_max", why);
      if (c.limits.cpu != 0 && c.slave.empty()) say("cpu_max", why);
      if (c.limits.tasks != 0 && c.slave.empty()) say("tasks_max", why);
      if (!c.options.empty() && c.slave.empty()) say("option." + c.options.front().first, why);
      continue;
    }
    const auto* pool = s.find_pool(c.pool);
    if (pool != nullptr && c.max_jobs != usual.max_jobs && c.max_jobs > pool->job_limit)
      say("maxjobs", fmt::format("{} is more than the job_limit of pool {}, {}", c.max_jobs, pool->name,
                                 pool->job_limit));
    if (c.max_jobs == 1 && c.files_per_job != 0) say("filesperjob", "maxjobs is 1");
  }
  for (const mta::config::pool& p : s.pools) {
    const bool used = std::ranges::any_of(s.channels, [&](const auto& c) { return c.pool == p.name; });
    if (!used && &p != &s.pools.front())
      lines.push_back(fmt::format("[pool {}] has no effect: no channel is in it", p.name));
  }
  if (s.http.listen.empty() && !s.http.token_file.empty())
    lines.emplace_back("[http] token_file has no effect: there is no listen");
  return lines;
}

}  // namespace jobctl
