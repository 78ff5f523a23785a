// Which function answers which request.
#include "jobctl/admin/handlers.hpp"

#include "jobctl/admin/exchange.hpp"
#include "jobctl/admin/order_request.hpp"
#include "jobctl/admin/target.hpp"
#include "jobctl/admin/why.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <fmt/format.h>
#include <initializer_list>
#include <optional>

namespace jobctl::admin {
namespace {

namespace json = boost::json;

// Parameters of everything but listings: those named, and no others.
mta::result<> only(const target& t, std::initializer_list<std::string_view> known) {
  for (const auto& [name, value] : t.parameters)
    if (std::find(known.begin(), known.end(), name) == known.end())
      return mta::error(mta::errc::syntax, fmt::format("unknown parameter '{}'", name));
  return {};
}

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
  if (!target) return reply(handlers::error_response(target.error()));
  // The names of orders stand where ids do.
  if (const auto order = order_named(target->path)) {
    if (q.method != method::post) return reply(wrong_method(q, "POST"));
    if (auto none = only(*target, {}); !none) return reply(handlers::error_response(none.error()));
    return post_order(backend_, *order, q, std::move(reply));
  }
  for (const route& r : routes) {
    if (!matches(r, target->path)) continue;
    if (r.allowed != q.method) return reply(wrong_method(q, r.allowed == method::get ? "GET" : "POST"));
    if (!r.own_parameters)
      if (auto known = only(*target, r.parameters); !known)
        return reply(handlers::error_response(known.error()));
    return r.handle({backend_, std::move(*target), std::move(reply), q.user});
  }
  reply(error_response(404, "not_found",
                       fmt::format("nothing is at {}; docs/api.md lists what there is", q.target)));
}

}  // namespace jobctl::admin
