// Reading of a configuration file: a pass over the lines that knows sections, line numbers and order; the
// values through Boost.Program_options' config-file parser and typed options; then what concerns several
// sections at once. Every problem of the file is collected.

#include "base/identity.hpp"
#include "base/text.hpp"
#include "config/builtin.hpp"
#include "config/names.hpp"
#include "config/settings.hpp"
#include "config/values.hpp"

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/value_semantic.hpp>
#include <boost/program_options/variables_map.hpp>

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

namespace mta::config {
namespace {

namespace po = boost::program_options;

constexpr std::size_t largest_file = 16u << 20;  // bytes; more is not a configuration

struct line {
  int number = 0;
  std::string key;  // lower case
  std::string value;
};

struct section {
  int number = 0;  // line of its heading
  std::string
      kind;  // "jobctl", "queue", "dequeue", "notify", "pool", "channel", "host", "periodic", "routes"
  std::string name;  // of pool, channel, host and periodic; of routes: the source channel
  std::vector<line> lines;

  std::string label() const {
    if (name.empty()) return '[' + kind + ']';
    return '[' + kind + (kind == "routes" ? " from " : " ") + name + ']';
  }
};

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text.substr(0, 60)) out += is_control(c) ? '?' : c;
  return out + (text.size() > 60 ? "…\"" : "\"");
}

class reader {
 public:
  explicit reader(const std::string& path) { failure_.file = path; }

  load_result<settings> read(std::string_view text, std::string_view root_override);

 private:
  void problem(int line_number, std::string text) {
    failure_.problems.push_back({line_number, std::move(text)});
  }

  // Lines and sections.
  void scan(std::string_view text);
  void heading(int number, std::string_view inside);
  void key_value(int number, std::string_view text);
  void read_values();

  // One section each.
  void apply(const section&, const po::options_description&);
  void apply_site(const section&);
  void apply_queue(const section&);
  void apply_dequeue(const section&);
  void apply_notify(const section&);
  void apply_http(const section&);
  void apply_pool(const section&);
  void apply_channel(const section&);
  void apply_host(const section&);
  void apply_periodic(const section&);
  void apply_routes(const section&);
  bool take_channel_option(const section&, const line&, channel&);

  // What concerns several sections.
  void finish_site(std::string_view root_override);
  void finish_pools();
  void finish_channels();
  void finish_periodic();
  void finish_routes();

  load_error failure_;
  settings result_;
  std::vector<section> sections_;
  bool skipping_ = false;  // lines of a section whose heading is wrong
  std::map<std::string, int> channel_lines_,
      pool_key_lines_;  // by channel: of its heading, of its `pool` key
  struct route_place {
    std::string label;
    int number;
  };
  std::vector<route_place> route_places_;  // of result_.routes
};

// --- lines and sections
// ------------------------------------------------------------------------------------------

constexpr std::array<std::string_view, 11> known_sections{"jobctl",
                                                          "queue",
                                                          "dequeue",
                                                          "notify",
                                                          "http",
                                                          "pool NAME",
                                                          "channel NAME",
                                                          "host NAME",
                                                          "periodic NAME",
                                                          "routes",
                                                          "routes from CHANNEL"};

void reader::heading(int number, std::string_view inside) {
  skipping_ = true;
  const auto words = split_words(inside);
  section s;
  s.number = number;
  s.kind = words.empty() ? std::string{} : lower_case(words[0]);
  const bool plain = s.kind == "jobctl" || s.kind == "queue" || s.kind == "dequeue" || s.kind == "notify" ||
                     s.kind == "http";
  if (s.kind == "pool" || s.kind == "channel" || s.kind == "periodic") {
    const bool pool_section = s.kind == "pool";
    if (words.size() != 2 || !(pool_section ? valid_pool_name(words[1]) : valid_channel_name(words[1])))
      return problem(number, in_quotes('[' + std::string(inside) + ']') + ": expected [" + s.kind +
                                 " NAME] with a name of 1 to 32 " +
                                 (pool_section ? "letters" : "lower case letters") +
                                 ", digits, \"-\", \"_\" and \".\", beginning with a letter or digit");
    s.name = std::string(words[1]);
  } else if (s.kind == "host") {
    s.name = words.size() == 2 ? lower_case(words[1]) : "";
    if (s.name.find('*') != s.name.npos || !valid_route_pattern(s.name))
      return problem(number, in_quotes('[' + std::string(inside) + ']') +
                                 ": expected [host NAME] with a domain (example.org), its subdomains "
                                 "(.example.org) or an address literal ([192.0.2.1])");
  } else if (s.kind == "routes" && words.size() == 3 && equal_ignoring_case(words[1], "from") &&
             valid_channel_name(words[2])) {
    s.name = std::string(words[2]);
  } else if (!((plain || s.kind == "routes") && words.size() == 1)) {
    return problem(number, "unknown section " + in_quotes('[' + std::string(inside) + ']') +
                               "; did you mean [" + std::string(nearest(lower_case(inside), known_sections)) +
                               "]?");
  }
  for (const section& earlier : sections_)
    if (earlier.kind == s.kind && equal_ignoring_case(earlier.name, s.name))
      return problem(number, s.label() + ": there is such a section already, on line " +
                                 std::to_string(earlier.number) + "; expected each section once");
  skipping_ = false;
  sections_.push_back(std::move(s));
}

void reader::key_value(int number, std::string_view text) {
  const auto equals = text.find('=');
  const std::string_view key = trim(text.substr(0, equals));
  if (equals == text.npos || key.empty())
    return problem(number, in_quotes(text) + ": expected \"key = value\" or \"[section]\"");
  if (skipping_) return;
  if (sections_.empty())
    return problem(number, std::string(key) + ": expected a section, such as [jobctl], before the first key");
  sections_.back().lines.push_back({number, lower_case(key), std::string(trim(text.substr(equals + 1)))});
}

void reader::scan(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  int number = 0;
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string_view rest = text.substr(0, end);
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    ++number;
    rest = trim(rest.substr(0, rest.find('#')));
    if (rest.empty()) continue;
    if (std::any_of(rest.begin(), rest.end(), [](char c) { return is_control(c) && c != '\t'; })) {
      problem(number, in_quotes(rest) + ": expected text without control characters");
    } else if (rest.front() == '[' && rest.back() == ']') {
      heading(number, trim(rest.substr(1, rest.size() - 2)));
    } else {
      key_value(number, rest);
    }
  }
}

/// Lets Program_options read what scan() found to be well formed; its reading of the values counts.
void reader::read_values() {
  std::string text;
  for (const section& s : sections_) {
    text += s.label() + '\n';
    for (const line& l : s.lines) text += l.key + " = " + l.value + '\n';
  }
  std::istringstream stream(text);
  const auto parsed = po::parse_config_file(stream, po::options_description{}, true);
  auto option = parsed.options.begin();
  for (section& s : sections_)
    for (line& l : s.lines) l.value = (option++)->value.at(0);
}

// --- typed options
// -----------------------------------------------------------------------------------------------

/// A typed option that hands its value on when the whole section has been read.
template <class T, class Take>
po::typed_value<T>* value_for(Take take) {
  return po::value<T>()->notifier([take](const T& v) { take(v.value); });
}

/// An option that goes straight into a variable.
template <class T, class Field>
po::typed_value<T>* into(Field& field) {
  return value_for<T>([&field](const auto& v) {
    if constexpr (std::is_same_v<Field, std::optional<std::uint32_t>>)
      field = static_cast<std::uint32_t>(v);
    else if constexpr (std::is_arithmetic_v<Field>)
      field = static_cast<Field>(v);
    else if constexpr (requires { std::chrono::duration_cast<Field>(v); })
      field = std::chrono::duration_cast<Field>(v);
    else
      field = v;
  });
}

using count = number<1, 1'000'000>;
using wait = duration<1000, 366ll * 24 * 3600 * 1000>;

void reader::apply(const section& s, const po::options_description& known) {
  po::variables_map values;
  std::map<std::string_view, int> seen;
  for (const line& l : s.lines) {
    const std::string label = s.label() + ' ' + l.key;
    if (known.find_nothrow(l.key, false) == nullptr) {
      std::vector<std::string> names;
      for (const auto& option : known.options()) names.push_back(option->long_name());
      if (s.kind == "channel")
        names.push_back("option." + (l.key.starts_with("option") ? l.key.substr(6) : "NAME"));
      problem(l.number, label + ": unknown key; did you mean " + in_quotes(nearest(l.key, names)) + "?");
      continue;
    }
    if (const auto [earlier, first] = seen.emplace(l.key, l.number); !first) {
      problem(l.number,
              label + ": given already on line " + std::to_string(earlier->second) + "; expected once");
      continue;
    }
    po::parsed_options one(&known);
    one.options.emplace_back(l.key, std::vector<std::string>{l.value});
    try {
      po::store(one, values);
    } catch (const bad_value& e) {
      problem(l.number, label + ": expected " + e.expected + ", found " + in_quotes(l.value));
    }
  }
  po::notify(values);
}

void reader::apply_site(const section& s) {
  settings& r = result_;
  po::options_description known;
  known.add_options()("root", into<absolute_path>(r.root))("host", into<domain_name>(r.host))(
      "postmaster", into<mail_address>(r.postmaster))("builtin", into<yes_or_no>(r.builtin))(
      "block_size", into<byte_count<1, 1u << 30>>(r.block_size))("aliases", into<absolute_path>(r.aliases))(
      "accounting", into<accounting_value>(r.accounting))("charset8", into<charset_value>(r.charset8))(
      "stop_timeout", into<duration<0, 3600 * 1000>>(r.controller.stop_timeout))(
      "lease_batch", into<number<1, 4096>>(r.controller.lease_batch))(
      "relaunch_first", into<duration<1, 3600 * 1000, 1>>(r.controller.relaunch_first))(
      "relaunch_last", into<duration<1, 24 * 3600 * 1000, 1>>(r.controller.relaunch_last))(
      "log_level", into<log_level_value>(r.controller.log_level))("loop_limit",
                                                                  into<number<0, 100>>(r.loop_limit));
  apply(s, known);
  if (r.controller.relaunch_last < r.controller.relaunch_first)
    problem(s.number, s.label() + " relaunch_last: expected no less than relaunch_first");
}

void reader::apply_queue(const section& s) {
  queue_settings& q = result_.queue;
  po::options_description known;
  known.add_options()("reserve", into<reserve_value>(q.reserve))(
      "sync_interval", into<wait>(q.sync_interval))("keep_spare_files",
                                                    into<number<0, 10'000>>(q.keep_spare_files))(
      "backlog_limit", into<number<0, 0xFFFFFFFF>>(q.backlog_limit));
  apply(s, known);
}

void reader::apply_dequeue(const section& s) {
  dequeue_settings& d = result_.dequeue;
  po::options_description known;
  known.add_options()("retry_interval", into<wait>(d.retry_interval))(
      "max_attempts", into<number<0, 1'000'000>>(d.max_attempts))(
      "reply_timeout", into<wait>(d.reply_timeout))("max_threads", into<number<1, 4096>>(d.max_threads))(
      "max_messages", into<count>(d.max_messages))(
      "stack_size", into<byte_count<64u << 10, 1ull << 30>>(d.stack_size))("wait_timeout",
                                                                           into<wait>(d.wait_timeout));
  apply(s, known);
}

void reader::apply_notify(const section& s) {
  notify_settings& n = result_.notify;
  po::options_description known;
  known.add_options()("templates", into<absolute_path>(n.templates))(
      "content_limit", into<byte_count<0, 64u << 20>>(n.content_limit))("name", into<display_name>(n.name));
  apply(s, known);
}

void reader::apply_http(const section& s) {
  http_settings& h = result_.http;
  po::options_description known;
  known.add_options()("listen", into<listen_address>(h.listen))("token_file",
                                                                into<absolute_path>(h.token_file));
  apply(s, known);
  if (!h.listen.empty() && h.token_file.empty())
    problem(s.number, s.label() + " token_file: expected with listen: nobody is let in without a token");
}

void reader::apply_pool(const section& s) {
  pool p;
  p.name = s.name;
  po::options_description known;
  known.add_options()("job_limit", into<number<1, 100'000>>(p.job_limit));
  apply(s, known);
  result_.pools.push_back(std::move(p));
}

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

void reader::apply_periodic(const section& s) {
  periodic_job j;
  j.name = s.name;
  po::options_description known;
  known.add_options()("command", into<command_line>(j.command))("at", into<times_value>(j.schedule.at))(
      "every", into<wait>(j.schedule.every))("missed", into<missed_value>(j.run_missed))(
      "timeout", into<wait>(j.timeout));
  const std::size_t wrong = failure_.problems.size();
  apply(s, known);
  if (failure_.problems.size() == wrong) {
    if (j.command.empty()) problem(s.number, s.label() + " command: expected the command to run, found none");
    if (j.schedule.at.empty() == (j.schedule.every.count() == 0))
      problem(s.number, s.label() + ": expected either \"at = 02:00, 14:00\" or \"every = 15m\"");
    if (s.name.ends_with(".slave"))
      problem(s.number, s.label() + ": names that end in .slave are those of channels' slave commands");
  }
  result_.periodic.push_back(std::move(j));
}

void reader::apply_routes(const section& s) {
  std::map<std::string_view, int> seen;
  for (const line& l : s.lines) {
    const std::string label = s.label() + ' ' + l.key;
    if (!valid_route_pattern(l.key)) {
      problem(l.number,
              label +
                  ": expected a domain (example.org), its subdomains (.example.org), an address literal "
                  "([192.0.2.1]), any literal ([*]) or the default (*)");
      continue;
    }
    if (const auto [earlier, first] = seen.emplace(l.key, l.number); !first) {
      problem(l.number,
              label + ": given already on line " + std::to_string(earlier->second) + "; expected once");
      continue;
    }
    target_value target;
    po::options_description known;
    known.add_options()("target", into<target_value>(target.value));
    po::parsed_options one(&known);
    one.options.emplace_back("target", std::vector<std::string>{l.value});
    po::variables_map values;
    try {
      po::store(one, values);
      po::notify(values);
    } catch (const bad_value& e) {
      problem(l.number, label + ": expected " + e.expected + ", found " + in_quotes(l.value));
      continue;
    }
    result_.routes.push_back({s.name, l.key, target.value});
    route_places_.push_back({label, l.number});
  }
}

// --- what concerns several sections
// ----------------------------------------------------------------------------------

void reader::finish_site(std::string_view root_override) {
  settings& r = result_;
  if (!root_override.empty()) r.root = std::string(root_override);
  if (r.root.empty()) {
    const auto slash = r.config_file.rfind('/');
    const std::string directory = slash == std::string::npos ? std::string{} : r.config_file.substr(0, slash);
    r.root = directory.empty() || directory == "/etc" || directory.starts_with("/etc/") ? "/var/spool/jobctl"
                                                                                        : directory;
  }
  if (r.host.empty()) r.host = defaults({}).host;
  if (r.postmaster.empty()) r.postmaster = "postmaster@" + r.host;
}

void reader::finish_pools() {
  if (result_.pools.empty() || (result_.builtin && result_.find_pool(builtin_pool) == nullptr))
    result_.pools.insert(result_.pools.begin(), {std::string(builtin_pool), 10});
}

void reader::finish_channels() {
  settings& r = result_;
  if (r.builtin)
    for (channel& c : builtin_channels())
      if (!channel_lines_.contains(c.name)) r.channels.push_back(std::move(c));
  std::vector<std::string> pool_names;
  for (const pool& p : r.pools) pool_names.push_back(p.name);
  for (channel& c : r.channels) {
    if (c.host.empty()) c.host = r.host;
    if (c.pool.empty()) c.pool = r.pools.front().name;
    if (const pool* p = r.find_pool(c.pool)) {
      c.pool = p->name;
    } else {
      problem(pool_key_lines_[c.name],
              "[channel " + c.name + "] pool: expected the name of a pool of this file, found " +
                  in_quotes(c.pool) + "; did you mean " + in_quotes(nearest(c.pool, pool_names)) + "?");
    }
  }
  std::sort(r.channels.begin(), r.channels.end(),
            [](const channel& a, const channel& b) { return a.name < b.name; });
  for (const channel& c : r.channels)
    if (c.defragment && r.find_channel(defragment_channel) == nullptr)
      problem(channel_lines_[c.name], "[channel " + c.name +
                                          "] defragment: expected a channel \"defragment\" in this file "
                                          "(program = defragment), found none");
}

void reader::finish_periodic() {
  for (const channel& c : result_.channels) {
    if (c.slave.empty() != (c.poll.count() == 0))
      problem(channel_lines_[c.name],
              "[channel " + c.name + "] slave, poll: expected both (what to run, and how often) or neither");
    if (c.slave.empty() || c.poll.count() == 0) continue;
    periodic_job j;
    j.name = c.name + ".slave";
    j.command = c.slave;
    j.schedule.every = c.poll;
    j.channel = c.name;
    result_.periodic.push_back(std::move(j));
  }
  std::ranges::sort(result_.periodic, {}, &periodic_job::name);
}

void reader::finish_routes() {
  settings& r = result_;
  std::vector<std::string> names;
  for (const channel& c : r.channels) names.push_back(c.name);
  const auto unknown = [&](const std::string& name) {
    return ": expected the name of a configured channel, found " + in_quotes(name) +
           (names.empty() ? std::string{} : "; did you mean " + in_quotes(nearest(name, names)) + "?");
  };
  for (const section& s : sections_)
    if (s.kind == "routes" && !s.name.empty() && r.find_channel(s.name) == nullptr)
      problem(s.number, s.label() + unknown(s.name));
  for (std::size_t i = 0; i < r.routes.size(); ++i)
    if (r.find_channel(r.routes[i].target.channel) == nullptr)
      problem(route_places_[i].number, route_places_[i].label + unknown(r.routes[i].target.channel));
  if (r.builtin) {
    const std::size_t own = r.routes.size();
    for (route& b : builtin_routes())
      if (std::none_of(r.routes.begin(), r.routes.begin() + static_cast<std::ptrdiff_t>(own),
                       [&](const route& o) { return o.from == b.from && o.pattern == b.pattern; }))
        r.routes.push_back(std::move(b));
  }
  r.index_routes();
}

load_result<settings> reader::read(std::string_view text, std::string_view root_override) {
  result_.config_file = failure_.file;
  scan(text);
  read_values();

  // [jobctl] first, wherever it stands: `builtin` decides what a channel section starts from.
  const std::array<std::pair<std::string_view, void (reader::*)(const section&)>, 10> kinds{
      {{"jobctl", &reader::apply_site},
       {"queue", &reader::apply_queue},
       {"dequeue", &reader::apply_dequeue},
       {"notify", &reader::apply_notify},
       {"http", &reader::apply_http},
       {"pool", &reader::apply_pool},
       {"channel", &reader::apply_channel},
       {"host", &reader::apply_host},
       {"periodic", &reader::apply_periodic},
       {"routes", &reader::apply_routes}}};
  for (const auto& [kind, apply_kind] : kinds)
    for (const section& s : sections_)
      if (s.kind == kind) (this->*apply_kind)(s);
  finish_site(root_override);
  finish_pools();
  finish_channels();
  finish_periodic();
  finish_routes();

  if (failure_.problems.empty()) return std::move(result_);
  std::stable_sort(failure_.problems.begin(), failure_.problems.end(),
                   [](const auto& a, const auto& b) { return a.line < b.line; });
  failure_.code = make_error_code(errc::syntax);
  return std::move(failure_);
}

result<std::string> read_file(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return os_error("open " + path);
  std::string text;
  std::array<char, 16384> part;
  while (true) {
    const ssize_t got = ::read(descriptor, part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      const error failure = os_error("read " + path);
      ::close(descriptor);
      return failure;
    }
    if (got == 0) break;
    text.append(part.data(), static_cast<std::size_t>(got));
    if (text.size() > largest_file) break;
  }
  ::close(descriptor);
  if (text.size() > largest_file) return error(errc::out_of_range, "read " + path);
  return text;
}

}  // namespace

load_result<settings> parse(std::string_view text, const std::string& path, std::string_view root_override) {
  return reader(path).read(text, root_override);
}

load_result<settings> load(const std::string& path, std::string_view root_override) {
  std::error_code ignored;
  const std::string absolute = std::filesystem::absolute(path, ignored).lexically_normal().string();
  const std::string& name = absolute.empty() ? path : absolute;
  const auto text = read_file(name);
  if (text) return parse(*text, name, root_override);
  load_error failure;
  failure.file = name;
  failure.code = text.error().code;
  failure.problems.push_back({0, "cannot be read (" + text.error().code.message() +
                                     "); expected a configuration file of at most 16 MiB"});
  return failure;
}

}  // namespace mta::config
