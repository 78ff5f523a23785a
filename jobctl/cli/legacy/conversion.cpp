#include "jobctl/cli/legacy/conversion.hpp"

#include "base/text.hpp"
#include "base/time.hpp"
#include "config/names.hpp"
#include "config/schedule.hpp"
#include "config/settings.hpp"
#include "jobctl/cli/legacy/keywords.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <map>
#include <optional>

namespace jobctl::cli::legacy {
namespace {

using mta::lower_case;

// Programs that came with the legacy MTA and have one of ours that does their work.
constexpr std::pair<std::string_view, std::string_view> programs[] = {{"reprocess", "loopback"},
                                                                      {"bitbucket", "bitbucket"},
                                                                      {"defragment", "defragment"},
                                                                      {"bsout_master", "batch_smtp"},
                                                                      {"pipe_master", "pipe"}};

// Does our parser take it? (What concerns several keys and sections is seen when all is together.)
bool accepted(const std::string& heading, const std::string& key, const std::string& value) {
  if (value.find('#') != value.npos) return false;
  if (key == "pool" || key == "defragment") return true;  // checked where they come from
  const auto read = mta::config::parse("[" + heading + "]\n" + key + " = " + value + "\n", "legacy");
  return read || std::ranges::all_of(read.error().problems, [](const auto& p) {
           return p.text.find("expected the command to run") != p.text.npos ||
                  p.text.find(": expected either") != p.text.npos;
         });
}

class text {
 public:
  void comment(const std::string& line) {
    std::string plain = line;
    for (char& c : plain)
      if (mta::is_control(c)) c = ' ';
    out_ += "# " + plain + '\n';
  }
  void blank() {
    if (!out_.empty()) out_ += '\n';
  }
  void section(const std::string& heading) {
    blank();
    out_ += '[' + heading + "]\n";
    heading_ = heading;
    keys_.clear();
  }
  // The last value of a key counts, as in the originals.
  void key(const std::string& name, const std::string& value) {
    if (!accepted(heading_, name, value))
      return comment(fmt::format("{} = {}: not a value that is accepted here", name, value));
    if (const auto before = keys_.find(name); before != keys_.end()) {
      const auto at = out_.rfind("\n" + name + " = " + before->second + "\n");
      if (at != out_.npos) out_.erase(at + 1, name.size() + 3 + before->second.size() + 1);
    }
    keys_[name] = value;
    out_ += name + " = " + value + '\n';
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_, heading_;
  std::map<std::string, std::string> keys_;
};

std::optional<long> number_of(std::string_view value) {
  long n = 0;
  const auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), n);
  if (failure != std::errc{} || end != value.data() + value.size()) return {};
  return n;
}

// "hh:mm"
std::optional<std::chrono::minutes> clock_time(std::string_view value) {
  const auto colon = value.find(':');
  if (colon == value.npos) return {};
  const auto hours = number_of(value.substr(0, colon)), minutes = number_of(value.substr(colon + 1));
  if (!hours || !minutes || *hours < 0 || *hours > 999 || *minutes < 0 || *minutes > 59) return {};
  return std::chrono::minutes(*hours * 60 + *minutes);
}

class conversion {
 public:
  conversion(const job_controller_file& jc, const channels_file& cs) : jobs_(jc), channels_(cs) {}

  std::string run() {
    out_.comment("Made by jobctl import. Lines like this one name what was not carried over, and why.");
    for (const note& n : jobs_.notes)
      out_.comment(fmt::format("job_controller.cnf line {}: {}", n.number, n.text));
    for (const note& n : channels_.notes) out_.comment(fmt::format("imta.cnf line {}: {}", n.number, n.text));
    global();
    pools();
    if (channels_.channels.empty())
      for (const section& s : jobs_.sections) {
        if (s.kind == "channel") lone_class(s);
      }
    for (const channel_block& c : channels_.channels) channel(c);
    for (const section& s : jobs_.sections) {
      if (s.kind == "periodic_job") periodic(s);
      if (!s.kind.empty() && s.kind != "pool" && s.kind != "queue" && s.kind != "channel" &&
          s.kind != "periodic_job")
        out_.comment(fmt::format("line {}: unknown section [{}={}]", s.number, s.kind, s.name));
    }
    out_.blank();
    if (channels_.rewrite_rules > 0)
      out_.comment(fmt::format(
          "{} lines of rewrite rules: which channel takes which address is said in [routes]; they cannot be "
          "translated word for word.",
          channels_.rewrite_rules));
    out_.comment("[routes]");
    out_.comment("example.org = CHANNEL");
    out_.comment("* = CHANNEL");
    return out_.take();
  }

 private:
  void global() {
    if (jobs_.sections.empty()) return;
    for (const option_line& o : jobs_.sections.front().options) {
      if (is_of_classes(o.name)) continue;
      if (o.name == "synch_time" || o.name == "sync_time") {
        const auto slash = o.value.find('/');
        const auto every = clock_time(o.value.substr(slash == o.value.npos ? 0 : slash + 1));
        if (every && every->count() > 0) {
          out_.section("queue");
          out_.comment(fmt::format("{} = {}: a comparison costs little here, and the usual interval is 60s",
                                   o.name, o.value));
          out_.key("sync_interval", mta::format_duration(*every));
          continue;
        }
      }
      out_.comment(fmt::format("line {}: {} = {}: {}", o.number, o.name, o.value, why_not(o.name)));
    }
  }

  static bool is_of_classes(std::string_view name) {
    return name == "max_life_age" || name == "max_life_time" || name == "max_life_conns" ||
           name == "max_life_askwork" || name == "master_command" || name == "slave_command" ||
           is_hours(name) || name == "anon_host" || name == "job_limit";
  }

  static bool is_hours(std::string_view name) {
    return name == "urgent_delivery" || name == "normal_delivery" || name == "nonurgent_delivery";
  }

  static std::string_view why_not(std::string_view name) {
    if (name == "tcp_port" || name == "tcp_ports" || name == "udp_port" || name == "interface_address")
      return "programs connect to a Unix socket of the site, run/jobctl.sock";
    if (name == "secret") return "the socket's permissions, and who the peer is, take its place";
    if (name == "max_messages" || name == "max_cache_messages" || name == "capacity")
      return "the index holds every message, there is no limit";
    if (name.starts_with("rebuild"))
      return "files of all channels are read in parallel, in turn, and leased as they are read";
    if (name == "debug") return "there is [jobctl] log_level = debug";
    if (name == "use_nslog") return "it logs to log/jobctl.log and the journal";
    if (name.starts_with("stress") || name.starts_with("unstress"))
      return "each channel has its own: [channel NAME] stressblackout and so on";
    if (name == "synch_time" || name == "sync_time")
      return "not a time; [queue] sync_interval says how often directories are compared";
    return "not known to jobctl import";
  }

  void pools() {
    for (const section& s : jobs_.sections) {
      if (s.kind != "pool" && s.kind != "queue") continue;
      if (!mta::config::valid_pool_name(s.name)) {
        out_.comment(fmt::format("line {}: [POOL={}]: a pool's name has 1 to 32 letters, digits, -, _ and .",
                                 s.number, s.name));
        continue;
      }
      out_.section("pool " + s.name);
      pools_.push_back(s.name);
      for (const option_line& o : with_global(s, {"job_limit"})) {
        if (o.name == "job_limit")
          out_.key("job_limit", o.value);
        else
          out_.comment(fmt::format("line {}: {} = {}: {}", o.number, o.name, o.value, why_not(o.name)));
      }
    }
  }

  // A section's options, after the global ones of those names that it does not have.
  std::vector<option_line> with_global(const section& s,
                                       std::initializer_list<std::string_view> names) const {
    std::vector<option_line> all;
    for (const option_line& o : jobs_.sections.front().options)
      if (std::ranges::find(names, o.name) != names.end() &&
          std::ranges::find(s.options, o.name, &option_line::name) == s.options.end())
        all.push_back(o);
    all.insert(all.end(), s.options.begin(), s.options.end());
    return all;
  }
  std::vector<option_line> class_options(const section& s) const {
    return with_global(s, {"max_life_age", "max_life_time", "max_life_conns", "max_life_askwork",
                           "slave_command", "urgent_delivery", "normal_delivery", "nonurgent_delivery"});
  }

  // The class of a channel: its own, or the one with the longest pattern that matches.
  const section* class_of(std::string_view channel) const {
    const section* best = nullptr;
    std::size_t length = 0;
    for (const section& s : jobs_.sections) {
      if (s.kind != "channel") continue;
      const std::string pattern = lower_case(s.name);
      const auto star = pattern.find('*');
      const bool fits = star == pattern.npos ? pattern == channel
                                             : channel.size() + 1 >= pattern.size() &&
                                                   channel.starts_with(pattern.substr(0, star)) &&
                                                   channel.ends_with(pattern.substr(star + 1));
      const std::size_t weight = star == pattern.npos ? ~std::size_t{0} : pattern.size();
      if (fits && (best == nullptr || weight > length)) {
        best = &s;
        length = weight;
      }
    }
    return best;
  }

  void class_option(const option_line& o) {
    const std::string said = fmt::format("{} = {}", o.name, o.value);
    if (o.name == "max_life_age" || o.name == "max_life_time") return out_.key("max_life_time", o.value);
    if (o.name == "max_life_conns" || o.name == "max_life_askwork")
      return out_.key("max_life_askwork", o.value);
    if (is_hours(o.name)) {
      if (!mta::config::parse_window(o.value))
        return out_.comment(said + ": not a range of times such as 08:00-20:00");
      return out_.key(o.name.substr(0, o.name.size() - 9) + "window", o.value);
    }
    if (o.name == "master_command") return master(o.value);
    if (o.name == "slave_command") {
      if (lower_case(o.value) == "null") return;
      return out_.comment(said +
                          ": a command that fetches mail has an interval here: slave = COMMAND, poll = 15m");
    }
    if (o.name == "anon_host")
      return out_.comment(said + ": messages are always kept apart by destination host");
    out_.comment(fmt::format("line {}: {}: {}", o.number, said, why_not(o.name)));
  }

  void master(const std::string& command) {
    if (lower_case(command) == "null") return;
    const auto first_end = command.find(' ');
    std::string name = command.substr(0, first_end);
    name = name.substr(std::min(name.find_last_of("/:") + 1, name.size()));
    for (const auto& [theirs, ours] : programs)
      if (name == theirs) return out_.key("program", std::string(ours));
    if (command.starts_with('/')) {
      out_.comment(
          "a program that links libmta instead of the library that it was built for: see docs/mta-sdk.md");
      return out_.key("program", command);
    }
    out_.comment(
        fmt::format("master_command = {}: no program of that work comes along; program = /absolute/path of "
                    "one, until then messages wait",
                    command));
  }

  void channel(const channel_block& c) {
    if (!mta::config::valid_channel_name(c.name)) {
      out_.blank();
      out_.comment(fmt::format(
          "imta.cnf line {}: channel {}: a channel's name has 1 to 32 lower case letters, digits, -, _ and .",
          c.number, c.name));
      return;
    }
    if (std::ranges::find(done_, c.name) != done_.end()) {
      out_.comment(
          fmt::format("imta.cnf line {}: channel {} is there twice; the first counts", c.number, c.name));
      return;
    }
    done_.push_back(c.name);
    out_.section("channel " + c.name);
    if (const section* s = class_of(c.name)) {
      for (const option_line& o : class_options(*s)) class_option(o);
    } else if (!jobs_.sections.empty() && jobs_.sections.size() > 1) {
      out_.comment(
          "no [CHANNEL=...] of job_controller.cnf is for it: messages wait until there is a program");
    }
    if (!c.host.empty() && mta::config::valid_domain(lower_case(c.host)) && c.host.find('.') != c.host.npos)
      out_.key("host", lower_case(c.host));
    else if (!c.host.empty())
      out_.comment("official host name " + c.host + ": [jobctl] host takes its place");
    for (std::size_t at = 0; at < c.words.size();) keyword_at(c.words, at);
  }

  // One keyword with what follows it.
  void keyword_at(const std::vector<std::string>& words, std::size_t& at) {
    const std::string name = lower_case(words[at++]);
    const keyword* k = find_keyword(name);
    if (k == nullptr)
      return out_.comment(name + ": not a keyword of queueing, or an argument of one that is not");
    std::string value;
    for (int n = 0; n < k->arguments && at < words.size(); ++n) {
      const std::string& word = words[at];
      if (find_keyword(lower_case(word)) != nullptr) break;  // an argument was left out
      if (k->what == treatment::list && !mta::parse_duration(word)) break;
      value += (value.empty() ? "" : " ") + word;
      ++at;
    }
    const std::string said = name + (value.empty() ? "" : " " + value);
    switch (k->what) {
      case treatment::dropped: return out_.comment(said + ": " + std::string(k->text));
      case treatment::fixed:
        if (name == "single")
          out_.comment("single: a message for each recipient; for each destination host is the nearest");
        return out_.key(std::string(k->key), std::string(k->text));
      case treatment::value:
        if (name == "pool" && std::ranges::find_if(pools_, [&](const std::string& p) {
                                return lower_case(p) == lower_case(value);
                              }) == pools_.end())
          return out_.comment(said +
                              ": there is no such pool in job_controller.cnf; the first serves the channel");
        [[fallthrough]];
      case treatment::list:
        if (value.empty()) return out_.comment(said + ": without a value");
        if (name.ends_with("notices"))
          out_.comment("ages in days; if option.dat says return_units=1, write them as hours (24h)");
        out_.key(std::string(k->key), lower_case(value));
    }
  }

  // Without an imta.cnf: a class that is no pattern is a channel.
  void lone_class(const section& s) {
    const std::string name = lower_case(s.name);
    if (!mta::config::valid_channel_name(name)) {
      out_.blank();
      out_.comment(
          fmt::format("line {}: [CHANNEL={}] is for all channels of such names; with their imta.cnf, each "
                      "gets what it says:",
                      s.number, s.name));
      for (const option_line& o : s.options) out_.comment(fmt::format("  {} = {}", o.name, o.value));
      return;
    }
    out_.section("channel " + name);
    for (const option_line& o : class_options(s)) class_option(o);
  }

  void periodic(const section& s) {
    const std::string name = lower_case(s.name);
    std::string command, time = "/4:00";
    for (const option_line& o : s.options) {
      if (o.name == "command") command = o.value;
      if (o.name == "time") time = o.value;
      if (o.name != "command" && o.name != "time")
        out_.comment(fmt::format("line {}: {} = {}: {}", o.number, o.name, o.value, why_not(o.name)));
    }
    const auto slash = time.find('/');
    const auto first = clock_time(std::string_view(time).substr(0, slash));
    const auto every = slash == time.npos ? std::optional(std::chrono::minutes(24 * 60))
                                          : clock_time(std::string_view(time).substr(slash + 1));
    const bool path = command.starts_with('/') && command.find('#') == command.npos;
    if (!mta::config::valid_channel_name(name) || name.ends_with(".slave") || !path || !every ||
        every->count() <= 0) {
      out_.blank();
      out_.comment(
          fmt::format("line {}: [PERIODIC_JOB={}]: command = {}, time = {}: expected a name as channels "
                      "have, an absolute path, a time; "
                      "notifications and log files need no job of their own here",
                      s.number, s.name, command, time));
      return;
    }
    out_.section("periodic " + name);
    out_.key("command", command);
    constexpr std::chrono::minutes day{24 * 60};
    if (first && *first < day && day % *every == std::chrono::minutes(0)) {
      std::vector<std::chrono::minutes> times;
      for (auto t = *first % *every; t < day; t += *every) times.push_back(t);
      if (times.size() <= 24) return out_.key("at", mta::config::times_text(times));
    }
    if (first)
      out_.comment(fmt::format("time = {}: counted from midnight, not from {}", time, time.substr(0, slash)));
    out_.key("every", mta::format_duration(*every));
  }

  const job_controller_file& jobs_;
  const channels_file& channels_;
  text out_;
  std::vector<std::string> pools_, done_;
};

}  // namespace

std::string convert(const job_controller_file& jobs, const channels_file& channels) {
  return conversion(jobs, channels).run();
}

}  // namespace jobctl::cli::legacy
