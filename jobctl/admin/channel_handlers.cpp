// Channels, pools and destinations.
#include "jobctl/admin/exchange.hpp"
#include "jobctl/admin/listing.hpp"
#include "jobctl/admin/message_report.hpp"
#include "jobctl/admin/stops.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace jobctl::admin {

namespace json = boost::json;

namespace {

json::object describe_channel(const backend& b, channel_no c) {
  const controller& state = b.state();
  json::object o{{"channel", state.channel_name(c)},
                 {"configured", b.settings().find_channel(state.channel_name(c)) != nullptr}};
  if (const mta::config::channel* configured = b.settings().find_channel(state.channel_name(c))) {
    o["program"] = b.program_of(c);
    o["pool"] = configured->pool;
    o["max_jobs"] = configured->max_jobs;
    o["thread_depth"] = configured->thread_depth;
    o["backlog_limit"] = configured->backlog_limit;
  }
  for (auto& field : figures_to_json(state.figures(c))) o.insert(std::move(field));
  o["stress"] = nullptr;
  if (stress_figures s; state.find_stress(c, s))
    o["stress"] = {{"max_jobs", s.max_jobs},
                   {"thread_depth", s.thread_depth},
                   {"reported", json_time(s.reported)},
                   {"relaxes", json_time(s.relaxes)},
                   {"why", s.why}};
  const std::vector<standing_stop> orders = state.stops_of(c, {});
  o["stop"] = orders.empty() ? json::value() : json::value(to_json(orders.front(), b.now()));
  return o;
}

}  // namespace

void get_channels(exchange x) {
  json::array all;
  for (const channel_no c : channels_by_name(x.backend.state()))
    all.push_back(describe_channel(x.backend, c));
  x.answer(json_response(json::object{{"channels", std::move(all)}}));
}

namespace {

// The channel of /v1/channels/NAME…; answers 404 itself otherwise.
bool channel_of(exchange& x, channel_no& c) {
  if (find_channel(x.backend.state(), x.name(), c)) return true;
  x.answer(handlers::error_response(404, "not_found", unknown_channel(x.backend.state(), x.name())));
  return false;
}

}  // namespace

void get_channel(exchange x) {
  if (channel_no c{}; channel_of(x, c)) x.answer(json_response(describe_channel(x.backend, c)));
}

void post_run(exchange x) {
  channel_no c{};
  if (!channel_of(x, c)) return;
  const std::uint64_t deferred = x.backend.state().figures(c).deferred;
  x.backend.run_channel(c);
  json::object body{{"channel", x.name()}, {"made_due", deferred}};
  body["stopped"] = x.backend.state().figures(c).stopped;
  x.answer(json_response(body));
}

void post_stop_channel(exchange x) {
  if (channel_no c{}; channel_of(x, c))
    post_stop_of(x.backend, {x.name(), {}, {}, {}, {}, {}}, x.target, x.user, x.answer);
}
void post_start_channel(exchange x) {
  if (channel_no c{}; channel_of(x, c))
    post_start_of(x.backend, {x.name(), {}, {}, {}, {}, {}}, x.target, x.user, x.answer);
}
void post_stop_destination(exchange x) {
  post_stop_of(x.backend, {{}, x.name(), {}, {}, {}, {}}, x.target, x.user, x.answer);
}
void post_start_destination(exchange x) {
  post_start_of(x.backend, {{}, x.name(), {}, {}, {}, {}}, x.target, x.user, x.answer);
}

namespace {

json::object totals_to_json(const channel_totals& t) {
  return {{"enqueued", t.enqueued}, {"finished", t.finished}, {"returned", t.returned},
          {"bad", t.bad},           {"left", t.left},         {"failed_attempts", t.failed_attempts},
          {"warned", t.warned}};
}

}  // namespace

void get_counters(exchange x) {
  const controller& state = x.backend.state();
  json::array channels;
  channel_totals sum;
  for (const channel_no c : channels_by_name(state)) {
    const channel_totals& t = state.totals(c);
    sum.enqueued += t.enqueued;
    sum.finished += t.finished;
    sum.returned += t.returned;
    sum.bad += t.bad;
    sum.left += t.left;
    sum.failed_attempts += t.failed_attempts;
    sum.warned += t.warned;
    json::object row{{"channel", state.channel_name(c)}};
    for (auto& field : totals_to_json(t)) row.insert(std::move(field));
    channels.push_back(std::move(row));
  }
  x.answer(json_response(json::object{{"time", json_time(x.backend.now())},
                                      {"since", json_time(x.backend.counting_since())},
                                      {"complete", complete(x.backend)},
                                      {"channels", std::move(channels)},
                                      {"total", totals_to_json(sum)}}));
}

namespace {

json::array names_of(const controller& state, const std::vector<channel_no>& channels) {
  json::array names;
  for (const channel_no c : channels) names.emplace_back(state.channel_name(c));
  return names;
}

}  // namespace

void get_pools(exchange x) {
  const controller& state = x.backend.state();
  json::array pools;
  for (const pool_figures& p : state.pools())
    pools.push_back({{"pool", p.name},
                     {"jobs", p.jobs},
                     {"job_limit", p.job_limit},
                     {"waiting", names_of(state, p.waiting)},
                     {"channels", names_of(state, p.channels)}});
  x.answer(json_response(json::object{{"pools", std::move(pools)}}));
}

namespace {

/// null: nothing keeps its messages from being given out.
json::value barrier_to_json(barrier b) {
  switch (b) {
    case barrier::none: break;
    case barrier::concurrency: return "concurrency";
    case barrier::rate: return "rate";
    case barrier::dead: return "dead";
    case barrier::probing: return "probing";
    case barrier::stopped: return "stopped";
  }
  return nullptr;
}

}  // namespace

void get_destinations(exchange x) {
  std::size_t limit = default_page;
  if (const std::string* text = x.target.find("limit")) {
    const auto [end, wrong] = std::from_chars(text->data(), text->data() + text->size(), limit);
    if (wrong != std::errc() || end != text->data() + text->size() || limit == 0 || limit > largest_page)
      return x.answer(handlers::error_response(
          400, "bad_request", fmt::format("limit: '{}' is not a number from 1 to {}", *text, largest_page)));
  }
  const controller& state = x.backend.state();
  const destination_counts found = state.largest_destinations(limit);
  json::array rows;
  for (const destination_count& d : found.largest)
    rows.push_back({{"channel", state.channel_name(d.channel)},
                    {"host", d.host},
                    {"messages", d.messages},
                    {"barrier", barrier_to_json(d.barrier)},
                    {"until", json_time(d.until)},
                    {"dead", d.dead}});
  x.answer(json_response(
      json::object{{"destinations", std::move(rows)}, {"count", found.count}, {"others", found.others}}));
}

}  // namespace jobctl::admin
