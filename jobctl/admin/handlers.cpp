#include "jobctl/admin/handlers.hpp"

#include "base/utf8.hpp"
#include "jobctl/admin/event_stream.hpp"
#include "jobctl/admin/listing.hpp"
#include "jobctl/admin/message_report.hpp"
#include "jobctl/admin/metrics.hpp"
#include "jobctl/admin/order_request.hpp"
#include "jobctl/admin/search.hpp"
#include "jobctl/admin/stops.hpp"
#include "jobctl/admin/target.hpp"
#include "jobctl/admin/why.hpp"
#include "jobctl/version.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <unistd.h>

namespace jobctl::admin {
namespace {

namespace json = boost::json;

response json_response(const json::value& body) {
  response r;
  r.body = mta::as_utf8(json::serialize(body)) + "\n";
  return r;
}

response error_of(const mta::error& e) { return handlers::error_response(e); }

// One request being answered.
struct exchange {
  admin::backend& backend;
  admin::target target;
  admin::answer answer;
  std::int64_t user;

  const std::string& name() const { return target.path[2]; }
};

// Parameters of everything but listings: those named, and no others.
mta::result<> only(const target& t, std::initializer_list<std::string_view> known) {
  for (const auto& [name, value] : t.parameters)
    if (std::find(known.begin(), known.end(), name) == known.end())
      return mta::error(mta::errc::syntax, fmt::format("unknown parameter '{}'", name));
  return {};
}

// --- the queue
// -------------------------------------------------------------------------------------------------------

json::object figures_to_json(const channel_figures& f) {
  return {{"ready", f.ready},
          {"blocked", f.blocked},
          {"in_hand", f.in_hand},
          {"deferred", f.deferred},
          {"held", f.held},
          {"bytes", f.bytes},
          {"oldest", json_time(f.oldest)},
          {"workers", f.workers},
          {"jobs", f.jobs},
          {"dead_destinations", f.dead_destinations},
          {"stopped", f.stopped},
          {"full", f.full},
          {"stressed", f.stressed},
          {"opens", json_time(f.hours_change)},
          {"finished", f.finished},
          {"failed_attempts", f.attempts_failed},
          {"warned", f.warned},
          {"expired", f.expired}};
}

void add(channel_figures& total, const channel_figures& f) {
  total.ready += f.ready;
  total.blocked += f.blocked;
  total.in_hand += f.in_hand;
  total.deferred += f.deferred;
  total.held += f.held;
  total.bytes += f.bytes;
  total.finished += f.finished;
  total.attempts_failed += f.attempts_failed;
  total.warned += f.warned;
  total.expired += f.expired;
  total.workers += f.workers;
  total.jobs += f.jobs;
  total.dead_destinations += f.dead_destinations;
  if (f.oldest != time_point{} && (total.oldest == time_point{} || f.oldest < total.oldest))
    total.oldest = f.oldest;
}

std::vector<channel_no> channels_by_name(const controller& state) {
  std::vector<channel_no> all = state.channels();
  std::sort(all.begin(), all.end(),
            [&](channel_no a, channel_no b) { return state.channel_name(a) < state.channel_name(b); });
  return all;
}

bool complete(const backend& b) { return b.progress().complete; }

/// The queue as a whole.
bool is_full(const controller& state) {
  const auto all = state.full_backlogs();
  return !all.empty() && all.front().channel == no_channel;
}

void get_summary(exchange x) {
  const controller& state = x.backend.state();
  json::array channels;
  channel_figures total;
  for (const channel_no c : channels_by_name(state)) {
    const channel_figures f = state.figures(c);
    add(total, f);
    json::object row{{"channel", state.channel_name(c)}};
    for (auto& field : figures_to_json(f)) row.insert(std::move(field));
    channels.push_back(std::move(row));
  }
  json::object totals = figures_to_json(total);
  totals.erase("stopped");
  totals.erase("opens");
  totals.erase("stressed");
  totals["full"] = is_full(state);
  x.answer(json_response(json::object{{"time", json_time(x.backend.now())},
                                      {"complete", complete(x.backend)},
                                      {"channels", std::move(channels)},
                                      {"total", std::move(totals)},
                                      {"stops", to_json(state.stops(), x.backend.now())}}));
}

// What is in the files only is looked for on the worker pool, for a while; the client goes on with the
// cursor.
void search_messages(exchange x, const listing_request& request) {
  constexpr std::chrono::milliseconds budget{500};
  admin::backend& b = x.backend;
  search(b, request.what, {request.limit, request.cursor, budget},
         [x = std::move(x)](const search_result& found) {
           const controller& state = x.backend.state();
           json::array rows;
           for (const message_id& id : found.ids)
             if (listed row; state.find(id, row)) rows.push_back(to_json(row, state));
           json::object body{{"messages", std::move(rows)}, {"complete", complete(x.backend)}};
           body["cursor"] = found.cursor ? json::value(std::to_string(found.cursor)) : json::value();
           body["looked_at"] = found.looked_at;
           x.answer(json_response(body));
         });
}

void get_messages(exchange x) {
  const controller& state = x.backend.state();
  const auto request = parse_listing(x.target, state, x.backend.now());
  if (!request) return x.answer(error_of(request.error()));
  if (!request->what.text.empty()) return search_messages(std::move(x), *request);
  const page found = list_page(state, *request);
  json::array rows;
  rows.reserve(found.rows.size());
  for (const listed& row : found.rows) rows.push_back(to_json(row, state));
  json::object body{{"messages", std::move(rows)}, {"complete", complete(x.backend)}};
  // A number of 64 bits is more than JSON readers can be trusted with.
  body["cursor"] = found.cursor ? json::value(std::to_string(found.cursor)) : json::value();
  x.answer(json_response(body));
}

// Reads the message on the worker pool, then answers with what `make` makes of it on the loop thread.
void with_message(exchange x, std::function<response(const exchange&, const message_report&)> make) {
  const auto id = mta::queue::parse_message_id(x.name());
  if (!id) return x.answer(error_of(id.error()));
  std::string channel;
  if (listed row; x.backend.state().find(*id, row)) channel = x.backend.state().channel_name(row.channel);
  struct job {
    exchange x;
    mta::result<message_report> read = mta::error(mta::errc::cancelled, "read the message");
  };
  auto j = std::make_shared<job>(job{std::move(x)});
  mta::queue::store& store = j->x.backend.store();
  j->x.backend.in_pool([j, &store, channel, id = *id] { j->read = read_message(store, channel, id); },
                       [j, make = std::move(make)] {
                         j->x.answer(j->read ? make(j->x, *j->read) : error_of(j->read.error()));
                       });
}

void get_message(exchange x) {
  with_message(std::move(x), [](const exchange& done, const message_report& m) {
    json::object body = to_json(m);
    const controller& state = done.backend.state();
    // What is in the controller's memory is newer than what was on the disk a moment ago.
    if (listed row; state.find(m.id, row))
      for (auto& field : to_json(row, state)) body[field.key()] = field.value();
    return json_response(body);
  });
}

class content_source final : public body_source {
 public:
  explicit content_source(const message_report& m) : file_(m.file), entry_(m.stored.entry) {}
  std::uint64_t length() const override { return entry_.content_length; }
  mta::result<std::size_t> read(std::uint64_t offset, std::span<std::byte> buffer) override {
    if (offset == 0) {
      // Nothing damaged is passed on as the message; so look at all of it before the first byte goes out.
      if (auto sound = file_->verify(entry_); !sound) return sound.error();
    }
    return file_->read_content_part(entry_, offset, buffer);
  }

 private:
  std::shared_ptr<mta::queue::message_file> file_;
  mta::queue::entry entry_;
};

void get_content(exchange x) {
  with_message(std::move(x), [](const exchange&, const message_report& m) {
    response r;
    r.content_type = "message/rfc822";
    r.stream = std::make_shared<content_source>(m);
    return r;
  });
}

// --- channels and programs
// -------------------------------------------------------------------------------------------

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

void get_channels(exchange x) {
  json::array all;
  for (const channel_no c : channels_by_name(x.backend.state()))
    all.push_back(describe_channel(x.backend, c));
  x.answer(json_response(json::object{{"channels", std::move(all)}}));
}

// The channel of /v1/channels/NAME…; answers 404 itself otherwise.
bool channel_of(exchange& x, channel_no& c) {
  if (find_channel(x.backend.state(), x.name(), c)) return true;
  x.answer(handlers::error_response(404, "not_found", unknown_channel(x.backend.state(), x.name())));
  return false;
}

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

json::object totals_to_json(const channel_totals& t) {
  return {{"enqueued", t.enqueued}, {"finished", t.finished}, {"returned", t.returned},
          {"bad", t.bad},           {"left", t.left},         {"failed_attempts", t.failed_attempts},
          {"warned", t.warned}};
}

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

json::array names_of(const controller& state, const std::vector<channel_no>& channels) {
  json::array names;
  for (const channel_no c : channels) names.emplace_back(state.channel_name(c));
  return names;
}

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

void get_metrics(exchange x) {
  response r;
  r.content_type = "text/plain; version=0.0.4; charset=utf-8";
  r.body = metrics_text(x.backend);
  x.answer(std::move(r));
}

void get_health(exchange x) {
  const health h = health_of(x.backend);
  response r = json_response(h.body);
  r.status = h.ready ? 200 : 503;
  x.answer(std::move(r));
}

// Whoever does not follow gets everything at once.
void get_events(exchange x) {
  const auto request = parse_events_request(x.target, x.backend.state());
  if (!request) return x.answer(error_of(request.error()));
  auto stream = std::make_shared<event_stream>(x.backend, *request);
  response r;
  r.content_type = "application/x-ndjson";
  if (request->follow)
    r.events = std::move(stream);
  else
    while (stream->next(r.body) == event_stream::state::more) {
    }
  x.answer(std::move(r));
}

json::value nothing_or(std::uint64_t number) { return number ? json::value(number) : json::value(); }

void get_jobs(exchange x) {
  const controller& state = x.backend.state();
  json::array running, programs, ended;
  for (const job_info& j : x.backend.jobs())
    running.push_back({{"job", static_cast<std::uint64_t>(j.job)},
                       {"channel", state.channel_name(j.channel)},
                       {"pid", j.pid},
                       {"connected", j.connected},
                       {"stopping", j.stopping},
                       {"started", json_time(j.started)}});
  for (const worker_info& w : x.backend.workers())
    programs.push_back({{"worker", static_cast<std::uint64_t>(w.worker)},
                        {"channel", state.channel_name(w.channel)},
                        {"job", nothing_or(static_cast<std::uint64_t>(w.job))},
                        {"pid", w.pid},
                        {"max_threads", w.max_threads},
                        {"stopping", w.stopping},
                        {"connected", json_time(w.connected)},
                        {"leased", w.leased},
                        {"results", w.results}});
  for (const ended_job& e : x.backend.ended_jobs())
    ended.push_back({{"job", static_cast<std::uint64_t>(e.job)},
                     {"channel", state.channel_name(e.channel)},
                     {"pid", nothing_or(static_cast<std::uint64_t>(e.pid))},
                     {"started", json_time(e.started)},
                     {"ended", json_time(e.ended)},
                     {"clean", e.clean},
                     {"status", e.status}});
  x.answer(json_response(json::object{
      {"jobs", std::move(running)}, {"workers", std::move(programs)}, {"ended", std::move(ended)}}));
}

json::value time_or_never(time_point t) { return t == time_point::max() ? json::value() : json_time(t); }

void get_periodic(exchange x) {
  json::array all;
  for (const periodic_status& j : x.backend.periodic()) {
    if (!j.configured) continue;
    json::object o{{"name", j.name},
                   {"running", j.running},
                   {"next", time_or_never(j.next)},
                   {"started", json_time(j.started)},
                   {"ended", json_time(j.ended)},
                   {"clean", j.ended == time_point{} ? json::value() : json::value(j.clean)},
                   {"outcome", j.outcome},
                   {"runs", j.runs},
                   {"failures", j.failures},
                   {"skipped", j.skipped}};
    all.push_back(std::move(o));
  }
  x.answer(json_response(json::object{{"periodic", std::move(all)}}));
}

void post_run_periodic(exchange x) {
  const auto started = x.backend.run_periodic(x.name());
  if (started) return x.answer(json_response(json::object{{"name", x.name()}, {"started", true}}));
  const mta::error& e = started.error();
  if (e.code == mta::errc::busy) return x.answer(handlers::error_response(503, "busy", e.context));
  x.answer(error_of(e));
}

// --- the controller
// --------------------------------------------------------------------------------------------------

void get_status(exchange x) {
  const backend& b = x.backend;
  const scan_progress p = b.progress();
  const server_counters n = b.counters();
  x.answer(json_response(json::object{
      {"version", version},
      {"state", b.stopping() ? "stopping"
                : p.complete ? "running"
                             : "starting"},
      {"pid", ::getpid()},
      {"root", b.settings().root},
      {"config", b.settings().config_file.empty() ? json::value() : json::value(b.settings().config_file)},
      {"started", json_time(b.started())},
      {"time", json_time(b.now())},
      {"messages", b.state().message_count()},
      {"index_bytes", b.state().memory()},
      {"scan",
       {{"complete", p.complete},
        {"files", p.files},
        {"files_to_read", p.files_to_read},
        {"files_read", p.files_read},
        {"messages_found", p.messages_found},
        {"damaged", p.damaged},
        {"syncs", p.syncs},
        {"started", json_time(p.started)},
        {"first_lease", json_time(p.first_lease)},
        {"completed", json_time(p.completed)},
        {"last_sync", json_time(p.last_sync)}}},
      {"counters",
       {{"connections", n.connections},
        {"refused", n.refused},
        {"protocol_errors", n.protocol_errors},
        {"frames_received", n.frames_received},
        {"frames_sent", n.frames_sent},
        {"announced", n.announced},
        {"leased", n.leased},
        {"results", n.results},
        {"launches", n.launches},
        {"launch_failures", n.launch_failures},
        {"unclean_exits", n.unclean_exits},
        {"files_reset", n.files_reset},
        {"files_removed", n.files_removed},
        {"messages_moved", n.messages_moved},
        {"set_aside", n.set_aside},
        {"states_written", n.states_written},
        {"states_delayed", n.states_delayed},
        {"flushes", n.flushes},
        {"io_errors", n.io_errors}}}}));
}

void post_reload(exchange x) {
  const reload_report r = x.backend.reload();
  json::array lines(r.lines.begin(), r.lines.end());
  if (r.ok)
    return x.answer(json_response(
        json::object{{"changed", std::move(lines)}, {"notes", json::array(r.notes.begin(), r.notes.end())}}));
  response refused =
      json_response(json::object{{"error", "configuration"},
                                 {"detail", "the configuration is wrong; the old one stays in force"},
                                 {"problems", std::move(lines)}});
  refused.status = 422;
  x.answer(std::move(refused));
}

// A parameter that is true or false, and false when it is not given.
mta::result<bool> flag(const target& t, std::string_view name) {
  const std::string* text = t.find(name);
  if (!text) return false;
  if (*text != "true" && *text != "false")
    return mta::error(mta::errc::syntax, fmt::format("{}: '{}' is not true or false", name, *text));
  return *text == "true";
}

void post_stop(exchange x) {
  const auto now = flag(x.target, "now"), leave = flag(x.target, "leave_programs");
  if (!now) return x.answer(error_of(now.error()));
  if (!leave) return x.answer(error_of(leave.error()));
  if (*now && *leave)
    return x.answer(
        handlers::error_response(400, "bad_request", "now and leave_programs exclude each other"));
  // Answered first: stopping closes connections.
  response accepted = json_response(json::object{{"stopping", true}, {"pid", ::getpid()}});
  accepted.status = 202;
  admin::backend& b = x.backend;
  x.answer(std::move(accepted));
  if (*leave) return b.leave("an operator's request");
  b.stop("an operator's request");
  if (*now) b.stop("an operator's request, at once");
}

// --- routing
// ---------------------------------------------------------------------------------------------------------

struct route {
  method allowed;
  std::size_t segments;    // of the path, "v1" included; 1: there is no "v1"
  std::string_view first;  // the one behind it
  std::string_view last;   // the fourth, if there are four
  void (*handle)(exchange);
  std::initializer_list<std::string_view> parameters;
  bool own_parameters = false;  // checks them itself
};

const route routes[] = {
    {method::get, 2, "summary", "", get_summary, {}},
    {method::get, 2, "messages", "", get_messages, {}, true},
    {method::get, 3, "messages", "", get_message, {}},
    {method::get, 4, "messages", "content", get_content, {}},
    {method::get, 3, "why", "", [](exchange x) { get_why(x.backend, x.name(), x.answer); }, {}},
    {method::get, 2, "channels", "", get_channels, {}},
    {method::get, 3, "channels", "", get_channel, {}},
    {method::post, 4, "channels", "run", post_run, {}},
    {method::post, 4, "channels", "stop", post_stop_channel, {"host", "reason", "until"}},
    {method::post, 4, "channels", "start", post_start_channel, {"host"}},
    {method::post, 4, "destinations", "stop", post_stop_destination, {"reason", "until"}},
    {method::post, 4, "destinations", "start", post_start_destination, {}},
    {method::get, 2, "jobs", "", get_jobs, {}},
    {method::get, 2, "events", "", get_events, {}, true},
    {method::get, 2, "counters", "", get_counters, {}},
    {method::get, 2, "pools", "", get_pools, {}},
    {method::get, 2, "destinations", "", get_destinations, {"limit"}},
    {method::get, 2, "periodic", "", get_periodic, {}},
    {method::post, 4, "periodic", "run", post_run_periodic, {}},
    {method::get, 2, "status", "", get_status, {}},
    {method::get, 1, "metrics", "", get_metrics, {}},
    {method::get, 1, "health", "", get_health, {}},
    {method::post, 2, "reload", "", post_reload, {}},
    {method::post, 2, "stop", "", post_stop, {"now", "leave_programs"}},
};

bool matches(const route& r, const std::vector<std::string>& path) {
  if (r.segments == 1) return path.size() == 1 && path[0] == r.first;
  return path.size() == r.segments && path[0] == "v1" && path[1] == r.first &&
         (path.size() < 4 || path[3] == r.last);
}

std::optional<verb> order_named(const std::vector<std::string>& path) {
  if (path.size() != 3 || path[0] != "v1" || path[1] != "messages") return {};
  return find_verb(path[2]);
}

response wrong_method(const request& q, const char* right) {
  response refused =
      handlers::error_response(405, "method_not_allowed", fmt::format("{} takes {}", q.target, right));
  refused.allow = right;
  return refused;
}

}  // namespace

response handlers::error_response(const mta::error& e) {
  using mta::errc;
  const std::string& text = e.context;
  if (e.code == errc::syntax || e.code == errc::out_of_range)
    return handlers::error_response(400, "bad_request", text);
  if (e.code == errc::not_configured) return handlers::error_response(404, "not_found", text);
  if (e.code == errc::gone || e.code == std::errc::no_such_file_or_directory)
    return handlers::error_response(404, "not_found", text + ": finished, removed, or never there");
  if (e.code == errc::damaged) return handlers::error_response(500, "damaged", e.message());
  return handlers::error_response(500, "io_error", e.message());
}

response handlers::error_response(unsigned status, std::string_view code, std::string_view detail) {
  response r = json_response(json::object{{"error", code}, {"detail", detail}});
  r.status = status;
  return r;
}

void handlers::handle(const request& q, answer reply) {
  auto target = parse_target(q.target);
  if (!target) return reply(error_of(target.error()));
  // The names of orders stand where ids do.
  if (const auto order = order_named(target->path)) {
    if (q.method != method::post) return reply(wrong_method(q, "POST"));
    if (auto none = only(*target, {}); !none) return reply(error_of(none.error()));
    return post_order(backend_, *order, q, std::move(reply));
  }
  for (const route& r : routes) {
    if (!matches(r, target->path)) continue;
    if (r.allowed != q.method) return reply(wrong_method(q, r.allowed == method::get ? "GET" : "POST"));
    if (!r.own_parameters)
      if (auto known = only(*target, r.parameters); !known) return reply(error_of(known.error()));
    return r.handle({backend_, std::move(*target), std::move(reply), q.user});
  }
  reply(error_response(404, "not_found",
                       fmt::format("nothing is at {}; docs/api.md lists what there is", q.target)));
}

}  // namespace jobctl::admin
