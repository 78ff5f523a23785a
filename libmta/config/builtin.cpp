#include "config/builtin.hpp"

#include "base/identity.hpp"
#include "config/names.hpp"

namespace mta::config {

const std::array<backoff_schedule, 3>& builtin_backoff() {
  using std::chrono::minutes;
  static const std::array<backoff_schedule, 3> schedules{
      backoff_schedule{minutes(30), minutes(60), minutes(60), minutes(120), minutes(120), minutes(120),
                       minutes(240)},
      backoff_schedule{minutes(60), minutes(120), minutes(120), minutes(240), minutes(240), minutes(240),
                       minutes(480)},
      backoff_schedule{minutes(120), minutes(240), minutes(240), minutes(480), minutes(480), minutes(480),
                       minutes(960)}};
  return schedules;
}

notice_schedule builtin_notices() {
  using std::chrono::hours;
  return {hours(3 * 24), hours(6 * 24), hours(9 * 24), hours(12 * 24)};
}

channel plain_channel(std::string name) {
  channel c;
  c.name = std::move(name);
  c.backoff = builtin_backoff();
  c.notices.fill(builtin_notices());
  return c;
}

std::vector<channel> builtin_channels() {
  std::vector<channel> channels;
  for (const char* name : {"bitbucket", "defragment", "loopback", "maildir", "pipe"}) {
    channels.push_back(plain_channel(name));
    channels.back().program = {name};
    // Fragments wait for one another and are done with at the attempt after the last one came.
    using std::chrono::minutes;
    if (name == defragment_channel)
      channels.back().backoff.fill({minutes(1), minutes(5), minutes(15), minutes(30)});
  }
  channels.push_back(plain_channel("reprocess"));  // for what MTA_EXPAND_LIMIT puts off
  channels.back().program = {"loopback"};
  return channels;
}

std::vector<route> builtin_routes() {
  // Names below "invalid" (RFC 2606) belong to nobody. Mail that loopback has been given must not come back
  // to it.
  return {
      {"loopback", "bitbucket.invalid", {"bitbucket", {}}},
      {"loopback", "pipe.invalid", {"pipe", {}}},
      {"loopback", "*", {"maildir", {}}},
      {"", "bitbucket.invalid", {"bitbucket", {}}},
      {"", "loopback.invalid", {"loopback", {}}},
      {"", "pipe.invalid", {"pipe", {}}},
      {"", "*", {"maildir", {}}},
  };
}

settings defaults(std::string root) {
  settings s;
  s.root = std::move(root);
  s.host = host_name();
  if (!valid_domain(s.host)) s.host = "localhost";
  s.postmaster = "postmaster@" + s.host;
  s.pools.push_back({std::string(builtin_pool), 10});
  s.channels = builtin_channels();
  for (channel& c : s.channels) {
    c.pool = s.pools.front().name;
    c.host = s.host;
  }
  s.routes = builtin_routes();
  s.index_routes();
  return s;
}

}  // namespace mta::config
