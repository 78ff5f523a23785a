// The sections of channels, and of destination hosts.
#include "base/identity.hpp"
#include "config/builtin.hpp"
#include "config/reader.hpp"
#include "config/typed_options.hpp"

#include <boost/program_options/options_description.hpp>

#include <array>
#include <map>
#include <optional>

namespace mta::config {

namespace po = boost::program_options;

namespace {

void add_host_options(po::options_description& known, const std::string& prefix, host_settings& h) {
  const auto add = [&](const char* name, const po::value_semantic* value) {
    known.add_options()((prefix + name).c_str(), value);
  };
  add("concurrency", into<number<0, 1'000'000>>(h.concurrency));
  add("adaptive", into<yes_or_no>(h.adaptive));
  add("rate", into<rate_value>(h.rate));
  add("run", into<number<1, 1'000'000>>(h.run));
  add("weight", into<number<1, 1000>>(h.weight));
  add("failures", into<number<0, 1'000'000>>(h.failures));
  add("probe", into<duration<1000, 24 * 3600 * 1000>>(h.probe));
}

}  // namespace

void reader::apply_host(const section& s) {
  host h;
  h.pattern = s.name;
  po::options_description known;
  add_host_options(known, "", h.settings);
  apply(s, known);
  result_.hosts.push_back(std::move(h));
}

/// `option.NAME = value`. true: the line was one, right or wrong.
bool reader::take_channel_option(const section& s, const line& l, channel& c) {
  constexpr std::string_view prefix = "option.";
  if (!l.key.starts_with(prefix)) return false;
  const std::string name = l.key.substr(prefix.size());
  const std::string label = s.label() + ' ' + l.key;
  if (name.empty() || name.size() > max_address || name.find_first_of(" \t=") != name.npos) {
    problem(l.number,
            label + ": expected \"option.NAME = value\" with a name of 1 to 256 bytes and no blanks");
    return true;
  }
  if (l.value.size() > 1024) {  // BIGALFA_SIZE
    problem(l.number,
            label + ": expected a value of at most 1024 bytes, found " + std::to_string(l.value.size()));
    return true;
  }
  c.options.emplace_back(name, l.value);
  return true;
}

void reader::apply_channel(const section& s) {
  channel c = plain_channel(s.name);
  if (result_.builtin)
    for (channel& known_channel : builtin_channels())
      if (known_channel.name == s.name) c = std::move(known_channel);

  std::optional<backoff_schedule> all;
  std::array<std::optional<backoff_schedule>, 3> by_priority;
  std::optional<notice_schedule> all_notices;
  std::array<std::optional<notice_schedule>, 3> notices;
  std::optional<delivery_window> all_windows;
  std::array<std::optional<delivery_window>, 3> windows;
  po::options_description known;
  known.add_options()("program", into<command_line>(c.program))(
      "option_file", into<absolute_path>(c.option_file))("pool", into<pool_name>(c.pool))(
      "host", into<domain_name>(c.host))("maxjobs", into<number<1, 100'000>>(c.max_jobs))(
      "threaddepth", into<count>(c.thread_depth))("threads", into<number<1, 4096>>(c.threads_per_job))(
      "backoff", into<backoff_list>(all))("urgentbackoff", into<backoff_list>(by_priority[0]))(
      "normalbackoff", into<backoff_list>(by_priority[1]))(
      "nonurgentbackoff", into<backoff_list>(by_priority[2]))("notices", into<notice_list>(all_notices))(
      "urgentnotices", into<notice_list>(notices[0]))("normalnotices", into<notice_list>(notices[1]))(
      "nonurgentnotices", into<notice_list>(notices[2]))("sendpost", into<post_copy_value>(c.send_post))(
      "warnpost", into<post_copy_value>(c.warn_post))("group", into<group_value>(c.group))(
      "deliveryflags", into<number<0, 0xFFFFFFFF>>(c.delivery_flags))("logging", into<yes_or_no>(c.logging))(
      "stop", into<yes_or_no>(c.stopped))("backlog_limit", into<number<0, 0xFFFFFFFF>>(c.backlog_limit))(
      "maxblocks", into<number<0, 0xFFFFFFFF>>(c.max_blocks))(
      "maxlines", into<number<0, 0xFFFFFFFF>>(c.max_lines))("defragment", into<yes_or_no>(c.defragment))(
      "weight", into<number<1, 1000>>(c.weight))("backoff_jitter", into<percentage>(c.backoff_jitter))(
      "window", into<window_value>(all_windows))("urgentwindow", into<window_value>(windows[0]))(
      "normalwindow", into<window_value>(windows[1]))("nonurgentwindow", into<window_value>(windows[2]))(
      "urgentblocklimit", into<number<0, 0xFFFFFFFF>>(c.block_limits[0]))(
      "normalblocklimit", into<number<0, 0xFFFFFFFF>>(c.block_limits[1]))(
      "max_life_time", into<duration<0, 366ll * 24 * 3600 * 1000>>(c.max_life_time))(
      "max_life_askwork", into<number<0, 0xFFFFFFFF>>(c.max_life_askwork))(
      "filesperjob", into<number<0, 1'000'000>>(c.files_per_job))("slave", into<command_line>(c.slave))(
      "poll", into<duration<0, 366ll * 24 * 3600 * 1000>>(c.poll))("user", into<user_name>(c.user));
  known.add_options()("memory_max", into<byte_count<0, 1ull << 50>>(c.limits.memory))(
      "cpu_max", into<number<0, 100'000>>(c.limits.cpu))("tasks_max",
                                                         into<number<0, 1u << 22>>(c.limits.tasks));
  stress_settings& stress = c.stress;
  known.add_options()("stressblackout", into<duration<0, 24ll * 3600 * 1000>>(stress.blackout))(
      "stressfactor", into<number<1, 1000>>(stress.factor))("stressjobs",
                                                            into<number<0, 100'000>>(stress.jobs))(
      "stresstime", into<duration<1000, 24ll * 3600 * 1000>>(stress.time))(
      "unstressfactor", into<number<2, 1000>>(stress.unfactor))("unstressjobs",
                                                                into<number<1, 100'000>>(stress.unjobs))(
      "unstresstime", into<duration<1000, 24ll * 3600 * 1000>>(stress.untime));
  add_host_options(known, "host_", c.hosts);

  section typed = s;
  std::map<std::string, int> options_seen;
  std::erase_if(typed.lines, [&](const line& l) {
    if (!l.key.starts_with("option.")) return false;
    if (const auto [earlier, first] = options_seen.emplace(l.key, l.number); !first) {
      problem(l.number, s.label() + ' ' + l.key + ": given already on line " +
                            std::to_string(earlier->second) + "; expected once");
      return true;
    }
    return take_channel_option(s, l, c);
  });
  apply(typed, known);

  for (std::size_t i = 0; i < c.backoff.size(); ++i) {
    if (all) c.backoff[i] = *all;
    if (by_priority[i]) c.backoff[i] = *by_priority[i];
    if (all_notices) c.notices[i] = *all_notices;
    if (notices[i]) c.notices[i] = *notices[i];
    if (all_windows) c.windows[i] = *all_windows;
    if (windows[i]) c.windows[i] = *windows[i];
  }
  for (const line& l : s.lines) {
    if (l.key == "pool") pool_key_lines_[s.name] = l.number;
    if (l.key == "option_file" && !c.options.empty())
      problem(l.number,
              s.label() + " option_file: expected either option_file or option.NAME keys, found both");
  }
  channel_lines_[s.name] = s.number;
  result_.channels.push_back(std::move(c));
}

}  // namespace mta::config
