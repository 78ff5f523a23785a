// Programs, periodic jobs, events, and the controller itself.
#include "jobctl/admin/event_stream.hpp"
#include "jobctl/admin/exchange.hpp"
#include "jobctl/admin/message_report.hpp"
#include "jobctl/admin/metrics.hpp"
#include "jobctl/version.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <unistd.h>

namespace jobctl::admin {

namespace json = boost::json;

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
  if (!request) return x.answer(handlers::error_response(request.error()));
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

namespace {

json::value nothing_or(std::uint64_t number) { return number ? json::value(number) : json::value(); }

}  // namespace

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

namespace {

json::value time_or_never(time_point t) { return t == time_point::max() ? json::value() : json_time(t); }

}  // namespace

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
  x.answer(handlers::error_response(e));
}

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

namespace {

// A parameter that is true or false, and false when it is not given.
mta::result<bool> flag(const target& t, std::string_view name) {
  const std::string* text = t.find(name);
  if (!text) return false;
  if (*text != "true" && *text != "false")
    return mta::error(mta::errc::syntax, fmt::format("{}: '{}' is not true or false", name, *text));
  return *text == "true";
}

}  // namespace

void post_stop(exchange x) {
  const auto now = flag(x.target, "now"), leave = flag(x.target, "leave_programs");
  if (!now) return x.answer(handlers::error_response(now.error()));
  if (!leave) return x.answer(handlers::error_response(leave.error()));
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

}  // namespace jobctl::admin
