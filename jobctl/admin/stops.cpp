#include "jobctl/admin/stops.hpp"

#include "base/utf8.hpp"
#include "jobctl/admin/message_report.hpp"
#include "jobctl/admin/order_fields.hpp"
#include "jobctl/admin/selection.hpp"
#include "jobctl/admin/units.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <fmt/format.h>

namespace jobctl::admin {
namespace {

namespace json = boost::json;

json::value text_or_null(const std::string& text) { return text.empty() ? json::value() : json::value(text); }

mta::result<> read_parameters(standing_stop& s, const target& t, time_point now) {
  if (const std::string* host = t.find("host"); host || !s.host.empty()) {
    auto read = read_stopped_host(host ? *host : s.host);
    if (!read) return read.error();
    s.host = std::move(*read);
  }
  if (const std::string* reason = t.find("reason")) {
    auto read = read_reason(*reason);
    if (!read) return read.error();
    s.reason = mta::as_utf8(std::move(*read));
  }
  if (const std::string* until = t.find("until")) {
    const auto read = read_until(*until, now);
    if (!read) return read.error();
    s.until = *read;
  }
  return {};
}

/// The orders that keep the place from being given anything, or of a channel as a whole, some of its hosts.
std::vector<standing_stop> in_force_at(const controller& state, const standing_stop& place) {
  std::vector<standing_stop> found;
  for (standing_stop& each : state.stops()) {
    const bool channel = each.channel.empty() || place.channel.empty() || each.channel == place.channel;
    const bool host = place.host.empty()  ? each.channel == place.channel
                      : each.host.empty() ? !place.channel.empty()
                                          : host_matches(each.host, place.host);
    if (channel && host) found.push_back(std::move(each));
  }
  return found;
}

bool stopped_as_a_whole(const controller& state, const standing_stop& place,
                        const std::vector<standing_stop>& in_force) {
  if (place.channel.empty())
    return std::ranges::any_of(in_force, [](const standing_stop& each) { return each.channel.empty(); });
  channel_no c{};
  if (find_channel(state, place.channel, c) && state.figures(c).stopped) return true;
  return !place.host.empty() && !in_force.empty();
}

response answer_of(const backend& b, const standing_stop& place, const stop_change& done) {
  const std::vector<standing_stop> in_force = in_force_at(b.state(), place);
  response r;
  r.body =
      mta::as_utf8(json::serialize(json::object{{"channel", text_or_null(place.channel)},
                                                {"host", text_or_null(place.host)},
                                                {"stopped", stopped_as_a_whole(b.state(), place, in_force)},
                                                {"changed", done.changed},
                                                {"written", done.written},
                                                {"stops", to_json(in_force, b.now())}})) +
      "\n";
  return r;
}

/// Finds out who it is, then carries the order out.
void give(backend& b, standing_stop order, std::int64_t user, answer reply,
          stop_change (backend::*carry_out)(const standing_stop&)) {
  if (b.stopping())
    return reply(handlers::error_response(503, "stopping",
                                          "the controller is stopping; give the order again when it runs"));
  auto s = std::make_shared<standing_stop>(std::move(order));
  b.in_pool([s, user] { s->by = name_of_user(user); },
            [&b, s, carry_out, reply = std::move(reply)] {
              s->since = b.now();
              reply(answer_of(b, *s, (b.*carry_out)(*s)));
            });
}

}  // namespace

void post_stop_of(backend& b, standing_stop place, const target& t, std::int64_t user, answer reply) {
  if (auto read = read_parameters(place, t, b.now()); !read)
    return reply(handlers::error_response(read.error()));
  const auto there = b.state().stops();
  if (there.size() >= most_stops &&
      std::ranges::none_of(there, [&](const standing_stop& each) { return each.same_place(place); }))
    return reply(handlers::error_response(
        400, "bad_request",
        fmt::format("{} channels and hosts are stopped, which is the most that can be; start some, or stop a "
                    "whole domain ('.example.org')",
                    there.size())));
  give(b, std::move(place), user, std::move(reply), &backend::impose);
}

void post_start_of(backend& b, standing_stop place, const target& t, std::int64_t user, answer reply) {
  if (auto read = read_parameters(place, t, b.now()); !read)
    return reply(handlers::error_response(read.error()));
  give(b, std::move(place), user, std::move(reply), &backend::lift);
}

std::string text_of(const standing_stop& s, time_point now) {
  std::string text = s.host.empty()      ? fmt::format("channel {} is stopped", s.channel)
                     : s.channel.empty() ? fmt::format("host {} is stopped in every channel", s.host)
                                         : fmt::format("host {} is stopped in channel {}", s.host, s.channel);
  if (s.since != time_point{}) text += " since " + iso_time(s.since);
  if (!s.by.empty()) text += " by " + s.by;
  if (!s.reason.empty()) text += ": " + s.reason;
  if (s.until != time_point{})
    text += fmt::format(", until {} (in {})", iso_time(s.until),
                        human_duration(std::max(s.until - now, milliseconds(0))));
  return text;
}

std::string remedy_of(const standing_stop& s) {
  return fmt::format("'jobctl start{}{}{}{}' lets it go on", s.channel.empty() ? "" : " ", s.channel,
                     s.host.empty() ? "" : " --host ", s.host);
}

json::object to_json(const standing_stop& s, time_point now) {
  return {{"channel", text_or_null(s.channel)},
          {"host", text_or_null(s.host)},
          {"by", text_or_null(s.by)},
          {"reason", text_or_null(s.reason)},
          {"since", json_time(s.since)},
          {"until", json_time(s.until)},
          {"text", text_of(s, now)}};
}

json::array to_json(const std::vector<standing_stop>& all, time_point now) {
  json::array rows;
  for (const standing_stop& each : all) rows.push_back(to_json(each, now));
  return rows;
}

}  // namespace jobctl::admin
