#include "jobctl/admin/exchange.hpp"

#include "base/utf8.hpp"
#include "jobctl/admin/message_report.hpp"

#include <algorithm>

namespace jobctl::admin {

namespace json = boost::json;

response json_response(const json::value& body) {
  response r;
  r.body = mta::as_utf8(json::serialize(body)) + "\n";
  return r;
}

bool complete(const backend& b) { return b.progress().complete; }

bool is_full(const controller& state) {
  const auto all = state.full_backlogs();
  return !all.empty() && all.front().channel == no_channel;
}

std::vector<channel_no> channels_by_name(const controller& state) {
  std::vector<channel_no> all = state.channels();
  std::sort(all.begin(), all.end(),
            [&](channel_no a, channel_no b) { return state.channel_name(a) < state.channel_name(b); });
  return all;
}

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

}  // namespace jobctl::admin
