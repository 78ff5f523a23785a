// The sections of the site itself.
#include "base/text.hpp"
#include "config/names.hpp"
#include "config/reader.hpp"
#include "config/typed_options.hpp"

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/variables_map.hpp>

#include <map>
#include <optional>

namespace mta::config {

namespace po = boost::program_options;

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

}  // namespace mta::config
