// What operators have stopped: channels, and hosts in one channel or in all of them.
//
// There are few such orders, and many destinations: a destination that is new looks itself up in an index of
// the orders, and an order looks for the destinations that it concerns.
#include "jobctl/controller/impl.hpp"

#include <algorithm>

namespace jobctl {
namespace {

/// Calls f with each order for the host in the channel; not with those for the channel as a whole.
template <class Impl, class F>
void for_each_host_stop(const Impl& s, std::string_view channel, std::string_view host, F f) {
  const auto take = [&](const auto& index, std::string_view name) {
    const auto found = index.find(name);
    if (found == index.end()) return;
    for (const std::uint32_t i : found->second)
      if (const auto& one = s.stops[i]; one.order.channel.empty() || one.order.channel == channel) f(one);
  };
  if (s.stops.empty() || host.empty()) return;
  take(s.stopped_hosts, host);
  if (s.stopped_domains.empty()) return;
  for (std::string_view name = host; !name.empty();) {
    take(s.stopped_domains, name);
    const auto dot = name.find('.');
    if (dot == name.npos) break;
    name.remove_prefix(dot + 1);
  }
}

}  // namespace

moment controller::impl::stop_end(std::uint32_t channel, std::string_view host) const {
  moment end = 0;
  for_each_host_stop(*this, channels[channel].limits.name, host,
                     [&](const stop_state& one) { end = std::max(end, one.ends); });
  return end;
}

bool controller::impl::ordered_to_stop(std::string_view channel) const {
  return std::ranges::any_of(
      stops, [&](const stop_state& one) { return one.order.host.empty() && one.order.channel == channel; });
}

void controller::impl::index_stops() {
  stopped_hosts.clear();
  stopped_domains.clear();
  next_stop_end = never;
  for (std::uint32_t i = 0; i < stops.size(); ++i) {
    const std::string& host = stops[i].order.host;
    next_stop_end = std::min(next_stop_end, stops[i].ends);
    if (host.starts_with('.'))
      stopped_domains[host.substr(1)].push_back(i);
    else if (!host.empty())
      stopped_hosts[host].push_back(i);
  }
}

void controller::impl::review_stop_of_channel(std::uint32_t number) {
  channel_state& c = channels[number];
  const bool before = c.limits.stopped;
  c.limits.stopped = c.stopped_by_settings || ordered_to_stop(c.limits.name);
  if (c.limits.stopped)
    for (const std::uint32_t w : c.workers) tell_to_stop(w, "channel " + c.limits.name + " is stopped");
  else if (before)
    c.progress_at = now;  // until now nobody could make any
  touch(number);
}

void controller::impl::review_stop_of_destination(std::uint32_t number) {
  destination& d = destinations[number];
  const bool stopped = stop_end(d.channel, d.host) != 0;
  if (d.stopped == stopped) return;
  d.stopped = stopped;
  review_flow(number);
  touch(d.channel);
}

void controller::impl::review_stop(const standing_stop& order) {
  const auto concerned = [&](std::uint32_t c) {
    return order.channel.empty() || channels[c].limits.name == order.channel;
  };
  if (order.host.starts_with('.')) {
    for (std::uint32_t d = destinations.next_live(0); d < destinations.end();
         d = destinations.next_live(d + 1))
      if (concerned(destinations[d].channel) && host_matches(order.host, destinations[d].host))
        review_stop_of_destination(d);
    return;
  }
  for (std::uint32_t c = 0; c < channels.size(); ++c) {
    if (!concerned(c)) continue;
    if (order.host.empty()) {
      review_stop_of_channel(c);
    } else if (const auto d = destination_index.find(destination_name{c, order.host});
               d != destination_index.end()) {
      review_stop_of_destination(*d);
    }
  }
}

void controller::impl::stops_due() {
  std::vector<standing_stop> ended;
  for (const stop_state& one : stops)
    if (one.ends <= now) ended.push_back(as_told(one));
  std::erase_if(stops, [this](const stop_state& one) { return one.ends <= now; });
  index_stops();
  for (standing_stop& order : ended) {
    review_stop(order);
    actions.emplace_back(action::stop_ended{std::move(order)});
  }
}

standing_stop controller::impl::as_told(const stop_state& one) const {
  standing_stop order = one.order;
  order.until = one.ends == never ? time_point{} : to_wall(one.ends);
  return order;
}

// --- orders and questions

bool controller::impose(time_point now, const standing_stop& wanted) {
  impl& s = *impl_;
  s.begin(now);
  const moment ends = wanted.until == time_point{} ? impl::never : s.from_wall(wanted.until);
  const auto before =
      std::ranges::find_if(s.stops, [&](const stop_state& one) { return one.order.same_place(wanted); });
  if (before == s.stops.end()) {
    s.stops.push_back({wanted, ends});
  } else {
    const bool same_reason = wanted.reason.empty() || wanted.reason == before->order.reason;
    if (before->ends == ends && same_reason) {
      s.settle();
      return false;
    }
    std::string reason = same_reason ? before->order.reason : wanted.reason;
    *before = {wanted, ends};
    before->order.reason = std::move(reason);
  }
  s.index_stops();
  s.review_stop(wanted);
  if (s.next_stop_end <= s.now) s.stops_due();
  s.settle();
  return true;
}

bool controller::lift(time_point now, std::string_view channel, std::string_view host) {
  impl& s = *impl_;
  s.begin(now);
  const standing_stop place{std::string(channel), std::string(host), {}, {}, {}, {}};
  bool changed =
      std::erase_if(s.stops, [&](const stop_state& one) { return one.order.same_place(place); }) > 0;
  if (const auto c = s.channel_index.find(place.channel); host.empty() && c != s.channel_index.end())
    changed = std::exchange(s.channels[c->second].stopped_by_settings, false) || changed;
  if (changed) {
    s.index_stops();
    s.review_stop(place);
  }
  s.settle();
  return changed;
}

std::vector<standing_stop> controller::stops() const {
  std::vector<standing_stop> all;
  for (const stop_state& one : impl_->stops) all.push_back(impl_->as_told(one));
  return all;
}

std::vector<standing_stop> controller::stops_of(channel_no number, std::string_view host) const {
  const impl& s = *impl_;
  const std::string& channel = s.channels.at(static_cast<std::uint32_t>(number)).limits.name;
  std::vector<standing_stop> all;
  for (const stop_state& one : s.stops)
    if (one.order.host.empty() && one.order.channel == channel) all.push_back(s.as_told(one));
  for_each_host_stop(s, channel, host, [&](const stop_state& one) { all.push_back(s.as_told(one)); });
  return all;
}

}  // namespace jobctl
