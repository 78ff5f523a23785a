#include "jobctl/admin/order_request.hpp"

#include "base/utf8.hpp"
#include "jobctl/admin/nearest.hpp"
#include "jobctl/admin/order_fields.hpp"
#include "jobctl/admin/search.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <fmt/format.h>

namespace jobctl::admin {
namespace {

namespace json = boost::json;
using mta::errc;

struct order_request {
  message_order order;
  selection what;
  bool named = false;  // by ids alone: those that are not there are counted
  bool all = false;
};

mta::error bad(std::string text) { return mta::error(errc::syntax, std::move(text)); }

mta::result<std::string> text_of(std::string_view key, const json::value& v) {
  if (v.is_string()) return std::string(v.get_string());
  return bad(fmt::format("{}: a text is expected", key));
}

mta::result<bool> flag_of(std::string_view key, const json::value& v) {
  if (v.is_bool()) return v.get_bool();
  return bad(fmt::format("{}: true or false is expected", key));
}

mta::result<> take_ids(order_request& r, const json::value& v) {
  if (!v.is_array()) return bad("ids: a list of message ids is expected");
  if (v.get_array().size() > most_ids)
    return mta::error(errc::out_of_range,
                      fmt::format("ids: {} are more than {} in one request", v.get_array().size(), most_ids));
  for (const json::value& each : v.get_array()) {
    if (!each.is_string()) return bad("ids: a list of message ids is expected");
    const auto id = mta::queue::parse_message_id(each.get_string());
    if (!id) return mta::error(id.error().code, "ids: " + id.error().context);
    r.what.index.ids.push_back(*id);
  }
  r.named = true;
  return {};
}

mta::result<> take_filter(order_request& r, const json::value& v, const backend& b) {
  if (!v.is_object()) return bad("filter: an object is expected, such as {\"channel\": \"x\"}");
  for (const auto& each : v.get_object()) {
    std::string text;
    if (each.value().is_string())
      text = each.value().get_string();
    else if (each.value().is_number())
      text = json::serialize(each.value());
    else
      return bad(fmt::format("filter: {}: a text or a number is expected", std::string_view(each.key())));
    if (auto taken = take_parameter(r.what, each.key(), text, b.state(), b.now()); !taken)
      return mta::error(taken.error().code, "filter: " + taken.error().context);
  }
  return {};
}

mta::result<> take_reason(order_request& r, std::string text) {
  auto read = read_reason(std::move(text));
  if (!read) return read.error();
  r.order.note.reason = std::move(*read);
  return {};
}

mta::result<> take_until(order_request& r, const std::string& text, time_point now) {
  const auto read = read_until(text, now);
  if (!read) return read.error();
  r.order.until = *read;
  return {};
}

mta::result<> take_channel(order_request& r, std::string name, const backend& b) {
  channel_no ignored{};
  if (!find_channel(b.state(), name, ignored))
    return mta::error(errc::not_configured, "channel: " + unknown_channel(b.state(), name));
  r.order.to_channel = std::move(name);
  return {};
}

mta::result<> take_host(order_request& r, const std::string& host) {
  auto read = read_host(host);
  if (!read) return read.error();
  r.order.to_host = std::move(*read);
  return {};
}

mta::result<> take(order_request& r, std::string_view key, const json::value& v, const backend& b) {
  const auto with_text = [&](auto then) -> mta::result<> {
    auto text = text_of(key, v);
    return text ? then(std::move(*text)) : mta::result<>(text.error());
  };
  const auto with_flag = [&](bool& to) -> mta::result<> {
    const auto flag = flag_of(key, v);
    if (!flag) return flag.error();
    to = *flag;
    return {};
  };
  const bool holds = r.order.verb == verb::hold, routes = r.order.verb == verb::route;
  if (key == "ids") return take_ids(r, v);
  if (key == "filter") return take_filter(r, v, b);
  if (key == "all") return with_flag(r.all);
  if (key == "dry_run") return with_flag(r.order.dry_run);
  if (key == "reason") return with_text([&](std::string text) { return take_reason(r, std::move(text)); });
  if (key == "until" && holds)
    return with_text([&](const std::string& text) { return take_until(r, text, b.now()); });
  if (key == "channel" && routes)
    return with_text([&](std::string text) { return take_channel(r, std::move(text), b); });
  if (key == "host" && routes) return with_text([&](const std::string& text) { return take_host(r, text); });
  std::vector<std::string_view> known{"ids", "filter", "all", "dry_run", "reason"};
  if (holds) known.push_back("until");
  if (routes) known.insert(known.end(), {"channel", "host"});
  return bad(fmt::format("unknown field '{}'.{} Known are {}", key, did_you_mean(key, known),
                         fmt::join(known, ", ")));
}

mta::result<order_request> parse(const backend& b, verb v, const std::string& body) {
  order_request r;
  r.order.verb = v;
  json::error_code wrong;
  const json::value read = json::parse(body, wrong);
  if (wrong || !read.is_object())
    return bad(fmt::format("the body is no JSON object{}; such as {{\"ids\": [\"…\"], \"reason\": \"…\"}}",
                           wrong ? " (" + wrong.message() + ")" : std::string()));
  for (const auto& each : read.get_object())
    if (auto taken = take(r, each.key(), each.value(), b); !taken) return taken.error();
  const bool filtered = read.get_object().contains("filter");
  if (r.named && (filtered || r.all)) return bad("ids: give either ids, or filter, or all");
  if (!r.named && r.what.everything && !r.all)
    return bad("which messages? Give ids, a filter, or \"all\": true");
  if (v == verb::route && r.order.to_channel.empty() && !r.order.to_host)
    return bad("route needs a channel, a host, or both");
  return r;
}

void add_counts(json::object& o, const order_counts& c) {
  o["changed"] = c.changed;
  o["unchanged"] = c.unchanged;
  o["in_hand"] = c.in_hand;
  o["failed"] = c.failed;
}

response answer_of(const backend& b, const message_order& order, const order_outcome& done,
                   std::uint64_t looked_at) {
  order_counts total;
  json::array channels;
  for (const auto& [name, counts] : done.channels) {
    json::object row{{"channel", name}};
    add_counts(row, counts);
    channels.push_back(std::move(row));
    total.changed += counts.changed;
    total.unchanged += counts.unchanged;
    total.in_hand += counts.in_hand;
    total.failed += counts.failed;
  }
  json::object body{{"order", name_of(order.verb)}, {"dry_run", order.dry_run}};
  add_counts(body, total);
  body["not_found"] = done.not_found;
  body["write_errors"] = done.write_errors;
  body["looked_at"] = looked_at;
  body["complete"] = b.progress().complete;
  body["channels"] = std::move(channels);
  response r;
  r.body = mta::as_utf8(json::serialize(body)) + "\n";
  return r;
}

void carry_out(backend& b, order_request r, answer reply) {
  const auto give = [&b, order = r.order, reply = std::move(reply)](std::vector<message_id> ids,
                                                                    std::uint64_t looked_at) {
    b.order(order, std::move(ids), [&b, order, looked_at, reply](const order_outcome& done) {
      reply(answer_of(b, order, done, looked_at));
    });
  };
  if (r.named) return give(std::move(r.what.index.ids), 0);
  search(b, std::move(r.what), {},
         [give](search_result found) { give(std::move(found.ids), found.looked_at); });
}

}  // namespace

std::optional<verb> find_verb(std::string_view name) {
  for (const verb v : {verb::hold, verb::release, verb::retry, verb::route, verb::bounce, verb::remove})
    if (name_of(v) == name) return v;
  return {};
}

void post_order(backend& b, verb v, const request& q, answer reply) {
  auto parsed = parse(b, v, q.body);
  if (!parsed) return reply(handlers::error_response(parsed.error()));
  if (b.stopping())
    return reply(handlers::error_response(503, "stopping",
                                          "the controller is stopping; give the order again when it runs"));
  auto r = std::make_shared<order_request>(std::move(*parsed));
  b.in_pool([r, uid = q.user] { r->order.note.by = name_of_user(uid); },
            [&b, r, reply = std::move(reply)] { carry_out(b, std::move(*r), reply); });
}

}  // namespace jobctl::admin
