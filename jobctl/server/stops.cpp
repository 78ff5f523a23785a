#include "jobctl/server/stops.hpp"

#include "jobctl/server/log.hpp"
#include "jobctl/server/stops_file.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace jobctl {
namespace {

std::string utc(time_point t) {
  return fmt::format(
      "{:%Y-%m-%dT%H:%M:%SZ}",
      fmt::gmtime(std::chrono::system_clock::to_time_t(std::chrono::system_clock::time_point(
          std::chrono::duration_cast<std::chrono::system_clock::duration>(t.time_since_epoch())))));
}

std::string by(const standing_stop& s) { return "by " + (s.by.empty() ? "an operator" : s.by); }

}  // namespace

mta::result<> stops::restore(time_point now) {
  const auto kept = load_stops(s_.path());
  if (!kept) return kept.error();
  for (const standing_stop& each : *kept) s_.controller.impose(now, each);
  return {};
}

stop_change stops::impose(time_point now, const standing_stop& order) {
  s_.take_transitions();
  stop_change done;
  done.changed = s_.controller.impose(now, order);
  if (done.changed) {
    std::string words = by(order);
    if (!order.reason.empty()) words += ": " + order.reason;
    if (order.until != time_point{}) words += ", until " + utc(order.until);
    tell(now, true, order, words);
    done.written = keep();
  }
  s_.after_events();
  return done;
}

stop_change stops::lift(time_point now, const standing_stop& place) {
  // What is given out now comes after the news that it may be.
  s_.take_transitions();
  stop_change done;
  done.changed = s_.controller.lift(now, place.channel, place.host);
  if (done.changed) {
    tell(now, false, place, by(place));
    done.written = keep();
  }
  s_.after_events();
  return done;
}

void stops::carry_out(const action::stop_ended& a, time_point now) {
  tell(now, false, a.order, "by itself: its stop " + by(a.order) + " ended at " + utc(a.order.until));
  keep();
}

bool stops::keep() {
  const auto saved = save_stops(s_.path(), s_.controller.stops());
  if (saved) return true;
  ++s_.counters.io_errors;
  log(log_level::error,
      "remember what is stopped (after a restart of the controller the last change will be forgotten): {}",
      saved.error().message());
  return false;
}

void stops::tell(time_point now, bool stopped, const standing_stop& place, const std::string& words) {
  const char* what = stopped ? "stopped" : "started";
  channel_no channel = event_log::no_channel;
  if (const auto found = s_.find_channel(place.channel); !place.channel.empty() && found) channel = *found;
  if (place.host.empty()) {
    log(log_level::info, "channel {}: {} {}", place.channel, what, words);
    s_.events.append(now, stopped ? event_kind::channel_stopped : event_kind::channel_started, channel,
                     words);
    return;
  }
  const std::string where = place.channel.empty() ? "every channel" : "channel " + place.channel;
  log(log_level::info, "{}: host {} {} {}", where, place.host, what, words);
  s_.events.append(now, stopped ? event_kind::destination_stopped : event_kind::destination_started, channel,
                   fmt::format("{}: {} {}", place.host, what, words));
}

}  // namespace jobctl
