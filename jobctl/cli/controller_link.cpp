#include "jobctl/cli/controller_link.hpp"

#include "jobctl/admin/target.hpp"

#include <boost/json/array.hpp>

namespace jobctl::cli {
namespace {

namespace json = boost::json;

std::optional<json::value> checked(const invocation& in, mta::result<admin::client::answer> answer,
                                   int& status) {
  if (!answer) {
    status = in.fail(exit_status_of(answer.error().code), answer.error().context);
    return {};
  }
  if (!answer->ok()) {
    status = fail(in, *answer);
    return {};
  }
  return std::move(answer->body);
}

}  // namespace

std::optional<admin::client> connect(const invocation& in, int& status) {
  const auto site = find_running_site(in, status);
  if (!site) return {};
  auto connected = admin::client::connect(site->api_socket());
  if (connected) return std::move(*connected);
  const mta::error& e = connected.error();
  status = e.code == mta::errc::disconnected ? in.fail(unavailable, e.context) : in.fail(e);
  return {};
}

int fail(const invocation& in, const admin::client::answer& a) {
  const json::object* const body = a.body.if_object();
  const bool damaged = body && text_field(*body, "error") == "damaged";
  const int status = a.status == 400                      ? static_cast<int>(usage)
                     : a.status == 404                    ? static_cast<int>(failure)
                     : a.status == 422                    ? static_cast<int>(config_error)
                     : a.status == 500 && damaged         ? static_cast<int>(data_error)
                     : a.status == 500 || a.status == 503 ? static_cast<int>(temporary_failure)
                                                          : static_cast<int>(unavailable);
  return in.fail(status, a.detail());
}

std::optional<json::value> get(const invocation& in, admin::client& c, const std::string& target,
                               int& status) {
  return checked(in, c.get(target), status);
}

std::optional<json::value> post(const invocation& in, admin::client& c, const std::string& target,
                                int& status, const std::string& body) {
  return checked(in, c.post(target, body), status);
}

bool check_channels(const invocation& in, admin::client& c, const std::vector<std::string>& names,
                    int& status) {
  for (const std::string& name : names)
    if (!get(in, c, "/v1/channels/" + admin::percent_encode(name), status)) return false;
  return true;
}

std::string text_field(const json::object& o, std::string_view name) {
  const json::value* v = o.if_contains(name);
  return v && v->is_string() ? std::string(v->get_string()) : std::string();
}

std::uint64_t number_field(const json::object& o, std::string_view name) {
  const json::value* v = o.if_contains(name);
  json::error_code wrong;
  const auto number = v && v->is_number() ? v->to_number<std::uint64_t>(wrong) : 0;
  return wrong ? 0 : number;
}

bool flag_field(const json::object& o, std::string_view name) {
  const json::value* v = o.if_contains(name);
  return v && v->is_bool() && v->get_bool();
}

std::vector<json::object> rows_field(const json::object& o, std::string_view name) {
  std::vector<json::object> rows;
  if (const json::value* v = o.if_contains(name); v && v->is_array())
    for (const json::value& row : v->get_array())
      if (row.is_object()) rows.push_back(row.get_object());
  return rows;
}

std::string age_field(const json::object& o, std::string_view name, time_point now) {
  const std::string text = text_field(o, name);
  const auto t = parse_time(text, now);
  return text.empty() || !t ? std::string() : human_duration(now - *t);
}

time_point wall_clock() {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

}  // namespace jobctl::cli
