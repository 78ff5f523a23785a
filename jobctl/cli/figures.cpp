#include "jobctl/cli/figures.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <utility>

namespace jobctl::cli {
namespace {

namespace json = boost::json;

channel_sample channel_of(const json::object& row, std::string name) {
  channel_sample c;
  c.name = std::move(name);
  c.ready = number_field(row, "ready");
  c.in_hand = number_field(row, "in_hand");
  c.deferred = number_field(row, "deferred");
  c.held = number_field(row, "held");
  c.bytes = number_field(row, "bytes");
  c.jobs = number_field(row, "jobs");
  c.programs = number_field(row, "workers");
  c.dead_destinations = number_field(row, "dead_destinations");
  c.stopped = flag_field(row, "stopped");
  c.full = flag_field(row, "full");
  c.stressed = flag_field(row, "stressed");
  c.oldest = text_field(row, "oldest");
  return c;
}

json::value or_null(const std::string& text) { return text.empty() ? json::value() : json::value(text); }

json::object to_json(const channel_sample& c) {
  return {{"ready", c.ready},
          {"in_hand", c.in_hand},
          {"deferred", c.deferred},
          {"held", c.held},
          {"bytes", c.bytes},
          {"jobs", c.jobs},
          {"programs", c.programs},
          {"dead_destinations", c.dead_destinations},
          {"full", c.full},
          {"oldest", or_null(c.oldest)},
          {"finished_per_second", c.finished_rate},
          {"failed_per_second", c.failed_rate}};
}

}  // namespace

json::object to_json(const sample& s) {
  json::array channels, destinations, jobs;
  for (const channel_sample& c : s.channels) {
    json::object row{{"channel", c.name}, {"stopped", c.stopped}, {"stressed", c.stressed}};
    for (auto& field : to_json(c)) row.insert(std::move(field));
    channels.push_back(std::move(row));
  }
  for (const destination_sample& d : s.destinations)
    destinations.push_back({{"channel", d.channel},
                            {"host", d.host},
                            {"messages", d.messages},
                            {"barrier", or_null(d.barrier)},
                            {"until", or_null(d.until)},
                            {"dead", d.dead}});
  for (const job_sample& j : s.jobs)
    jobs.push_back({{"channel", j.channel},
                    {"pid", j.pid},
                    {"job", j.job ? json::value(j.job) : json::value()},
                    {"state", j.state},
                    {"since", j.since},
                    {"max_threads", j.threads},
                    {"leased", j.leased},
                    {"results", j.results},
                    {"results_per_second", j.rate}});
  return {{"time", iso_time(s.when)},
          {"state", s.state},
          {"total", to_json(s.total)},
          {"channels", std::move(channels)},
          {"destinations", std::move(destinations)},
          {"destination_count", s.destination_count},
          {"jobs", std::move(jobs)}};
}

std::optional<sample> sampler::take(int& status) {
  const auto summary = get(in_, controller_, "/v1/summary", status);
  const auto destinations = summary ? get(in_, controller_, "/v1/destinations?limit=100", status) : summary;
  const auto jobs = destinations ? get(in_, controller_, "/v1/jobs", status) : destinations;
  if (!jobs || !summary->is_object() || !destinations->is_object() || !jobs->is_object()) return {};
  const json::object& all = summary->get_object();

  sample s;
  const auto when = parse_time(text_field(all, "time"), time_point{});
  s.when = when ? *when : wall_clock();
  const double seconds = std::chrono::duration<double>(s.when - last_).count();
  const bool first = last_ == time_point{} || seconds <= 0;
  last_ = s.when;
  const auto rate = [&](double now, double before) {
    return first ? 0 : std::max(0.0, now - before) / seconds;  // less: the controller was started anew
  };

  s.state = flag_field(all, "complete") ? "running" : "starting";
  for (const json::object& row : rows_field(all, "channels")) {
    channel_sample c = channel_of(row, text_field(row, "channel"));
    const counted now{static_cast<double>(number_field(row, "finished")),
                      static_cast<double>(number_field(row, "failed_attempts"))};
    const auto [before, fresh] = channels_.try_emplace(c.name, now);
    c.finished_rate = rate(now.finished, before->second.finished);
    c.failed_rate = rate(now.failed, before->second.failed);
    before->second = now;
    s.total.finished_rate += c.finished_rate;
    s.total.failed_rate += c.failed_rate;
    s.channels.push_back(std::move(c));
  }
  if (const json::value* total = all.if_contains("total"); total && total->is_object()) {
    const channel_sample rates = s.total;
    s.total = channel_of(total->get_object(), "total");
    s.total.finished_rate = rates.finished_rate;
    s.total.failed_rate = rates.failed_rate;
  }
  const json::object& hosts = destinations->get_object();
  s.destination_count = number_field(hosts, "count");
  for (const json::object& row : rows_field(hosts, "destinations"))
    s.destinations.push_back({text_field(row, "channel"), text_field(row, "host"),
                              number_field(row, "messages"), text_field(row, "barrier"),
                              text_field(row, "until"), flag_field(row, "dead")});

  const json::object& programs = jobs->get_object();
  std::map<std::uint64_t, double> seen;
  for (const json::object& row : rows_field(programs, "workers")) {
    job_sample j;
    j.channel = text_field(row, "channel");
    j.state = flag_field(row, "stopping") ? "stopping" : "connected";
    j.pid = number_field(row, "pid");
    j.job = number_field(row, "job");
    j.threads = number_field(row, "max_threads");
    j.leased = number_field(row, "leased");
    j.results = number_field(row, "results");
    j.since = text_field(row, "connected");
    const auto number = number_field(row, "worker");
    const auto now = static_cast<double>(j.results);
    const auto before = programs_.find(number);
    j.rate = rate(now, before == programs_.end() ? now : before->second);
    seen[number] = now;
    s.jobs.push_back(std::move(j));
  }
  programs_ = std::move(seen);
  for (const json::object& row : rows_field(programs, "jobs")) {
    if (flag_field(row, "connected")) continue;
    job_sample j;
    j.channel = text_field(row, "channel");
    j.state = flag_field(row, "stopping") ? "stopping" : "starting";
    j.pid = number_field(row, "pid");
    j.job = number_field(row, "job");
    j.since = text_field(row, "started");
    s.jobs.push_back(std::move(j));
  }
  return s;
}

}  // namespace jobctl::cli
