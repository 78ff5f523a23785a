// How much of what is ready may be given out: limits of destinations on how many messages are in hand and how
// many are given out in a time; windows that grow with success; and the circuit breaker, which spares a dead
// destination's messages all attempts but one at a time.
//
// A destination's `open` says how many of its ready messages may be given out now; it is in the rings of its
// channel as long as there is one. Where nothing regulates, that is all of them, and there is no flow.
#include "jobctl/controller/impl.hpp"

#include <algorithm>

namespace jobctl {
namespace {

constexpr std::uint32_t no_limit = 0xFFFF'FFFF;
/// Adaptive: what is allowed first, and at most where no concurrency is given.
constexpr float first_window = 5, widest_window = 1000;
/// What is known of a destination is remembered for so long after its last message.
constexpr moment remembered = 60'000;
/// Messages that become due because their destination is alive again, in one event.
constexpr int most_revived = 20'000;

std::int64_t microseconds_of(moment ms) { return ms * 1000; }

/// What one message takes of the destination's time.
std::int64_t interval_of(const host_limits& l) {
  return std::max<std::int64_t>(microseconds_of(l.period.count()) / l.rate, 1);
}
/// A second's worth may be given out at once, after a pause.
std::int64_t burst_of(const host_limits& l) { return std::max<std::int64_t>(1'000'000 / interval_of(l), 1); }

}  // namespace

void controller::impl::regulate(std::uint32_t number) {
  destination& d = destinations[number];
  const channel_state& c = channels[d.channel];
  d.rule = 0;
  if (!c.host_rule_index.empty()) {
    std::string_view name = d.host;
    for (auto found = c.host_rule_index.find(std::string(name));;) {
      if (found != c.host_rule_index.end()) {
        d.rule = found->second;
        break;
      }
      const auto dot = name.find('.', 1);
      if (dot == name.npos) break;
      name = name.substr(dot);
      found = c.host_rule_index.find(std::string(name));
    }
  }
  if (d.flow != none && limits_of(d).failures == 0)
    unblock(number, "no longer counts as dead: its host_failures is 0 now");
  if (d.flow != none && !limits_of(d).regulate()) {
    if (flows[d.flow].position != none) flow_timers.remove(flows, d.flow);
    flows.release(std::exchange(d.flow, none));
    channels[d.channel].crowded -= std::exchange(d.crowded, 0);
    if (d.count == 0) return drop_destination(number);
  }
  if (limits_of(d).regulate() && d.in_hand > 0) flow_of(number);
  review_flow(number);
}

std::uint32_t controller::impl::allowed_in_hand(const destination& d) const {
  const host_limits& l = limits_of(d);
  if (!l.adaptive || d.flow == none) return l.concurrency;
  const auto window = static_cast<std::uint32_t>(std::max(flows[d.flow].window, 1.0f));
  return l.concurrency == 0 ? window : std::min(window, l.concurrency);
}

jobctl::barrier controller::impl::barrier_of(const destination& d, moment& until) const {
  until = 0;
  if (d.stopped) {
    const moment end = stop_end(d.channel, d.host);
    until = end == never ? 0 : end;
    return barrier::stopped;
  }
  if (d.flow == none) return barrier::none;
  const flow& f = flows[d.flow];
  const host_limits& l = limits_of(d);
  if (f.state == flow::breaker::open) {
    until = f.open_until;
    return barrier::dead;
  }
  if (f.state == flow::breaker::half_open && f.probe != none) return barrier::probing;
  if (const std::uint32_t most = allowed_in_hand(d); most != 0 && d.in_hand >= most)
    return barrier::concurrency;
  if (l.rate != 0) {
    const std::int64_t free_at = f.paid_until - (burst_of(l) - 1) * interval_of(l);
    if (free_at > microseconds_of(now)) {
      until = (free_at + 999) / 1000;
      return barrier::rate;
    }
  }
  return barrier::none;
}

std::uint32_t controller::impl::room(const destination& d) const {
  if (d.stopped) return 0;
  const host_limits& l = limits_of(d);
  if (!l.regulate()) return no_limit;
  if (moment until = 0; barrier_of(d, until) != barrier::none) return 0;
  const flow* f = d.flow == none ? nullptr : &flows[d.flow];
  if (f != nullptr && f->state == flow::breaker::half_open) return 1;
  std::uint32_t most = no_limit;
  if (const std::uint32_t allowed = f == nullptr && l.adaptive
                                        ? std::min(l.concurrency == 0 ? no_limit : l.concurrency,
                                                   static_cast<std::uint32_t>(first_window))
                                        : allowed_in_hand(d);
      allowed != 0)
    most = allowed > d.in_hand ? allowed - d.in_hand : 0;
  if (l.rate != 0) {
    const std::int64_t owed =
        f == nullptr ? 0 : std::max<std::int64_t>(f->paid_until - microseconds_of(now), 0);
    const std::int64_t each = interval_of(l);
    const std::int64_t there = burst_of(l) - (owed + each - 1) / each;
    most = static_cast<std::uint32_t>(std::clamp<std::int64_t>(there, 0, most));
  }
  return most;
}

std::uint32_t controller::impl::deliverable(const destination& d) const {
  const channel_state& c = channels[d.channel];
  std::uint32_t sum = 0;
  for (unsigned p = 0; p < priorities; ++p) sum += c.window_open[p] ? d.ready[p] : 0;
  return sum;
}

void controller::impl::review_flow(std::uint32_t number) {
  destination& d = destinations[number];
  channel_state& c = channels[d.channel];
  const std::uint32_t due = deliverable(d);
  const std::uint32_t open = due == 0 ? 0 : std::min(due, room(d));
  if (c.open == 0 && open > 0) c.progress_at = now;
  c.open += open - std::uint64_t{d.open};
  d.open = open;
  for (unsigned p = 0; p < priorities; ++p) {
    const auto bit = static_cast<std::uint8_t>(1u << p);
    const bool wanted = open > 0 && c.window_open[p] && !d.at[p].empty();
    if (wanted == ((d.in_ring & bit) != 0)) continue;
    d.in_ring ^= bit;
    if (wanted)
      c.ring[p].push_back(turns(p), number);
    else
      c.ring[p].remove(turns(p), number);
  }
  if (d.flow == none) return;
  moment until = 0;
  const barrier what = due > 0 && open == 0 ? barrier_of(d, until) : barrier::none;
  const std::uint32_t crowded = what == barrier::concurrency ? d.in_hand : 0;
  c.crowded += crowded - std::uint64_t{d.crowded};
  d.crowded = crowded;
  flow& f = flows[d.flow];
  if (until == 0 || what == barrier::stopped ||
      (f.position != none && flow_timers.time_at(f.position) <= until))
    return;
  if (f.position != none) flow_timers.remove(flows, d.flow);
  flow_timers.add(flows, d.flow, std::max(until, now + 1));
}

flow& controller::impl::flow_of(std::uint32_t number) {
  destination& d = destinations[number];
  if (d.flow == none) {
    const host_limits& l = limits_of(d);
    d.flow = flows.make();
    flows[d.flow].destination = number;
    flows[d.flow].window = l.concurrency == 0 ? first_window : std::min(first_window, float(l.concurrency));
  }
  return flows[d.flow];
}

void controller::impl::given_out(std::uint32_t number, std::uint32_t message) {
  flow& f = flow_of(number);
  const host_limits& l = limits_of(destinations[number]);
  if (f.state == flow::breaker::half_open) f.probe = message;
  if (l.rate != 0) f.paid_until = std::max(f.paid_until, microseconds_of(now)) + interval_of(l);
  review_flow(number);
}

void controller::impl::learn(std::uint32_t message, bool success) {
  const std::uint32_t number = messages[message].destination;
  destination& d = destinations[number];
  if (d.flow == none) return;
  flow& f = flows[d.flow];
  const host_limits& l = limits_of(d);
  if (l.adaptive) {
    const float widest = l.concurrency == 0 ? widest_window : static_cast<float>(l.concurrency);
    if (!success && f.deaf == 0) {
      f.window = std::max(f.window / 2, 1.0f);
      f.deaf = d.in_hand;
      f.grown = true;
    } else if (success && static_cast<float>(d.in_hand) + 1 > f.window) {
      f.window = std::min(f.window + (f.grown ? 1 / f.window : 1), widest);
    }
    if (f.deaf > 0) --f.deaf;
  }
  if (success) {
    f.failures = 0;
    if (f.state != flow::breaker::closed) close_circuit(number);
  } else {
    ++f.failures;
    if (l.failures != 0 && (f.state == flow::breaker::closed ? f.failures >= l.failures : f.probe == message))
      break_circuit(number);
  }
}

void controller::impl::break_circuit(std::uint32_t number) {
  destination& d = destinations[number];
  flow& f = flows[d.flow];
  const host_limits& l = limits_of(d);
  if (f.state == flow::breaker::closed) {
    ++channels[d.channel].dead;
    report(action::severity::warning,
           "channel " + channels[d.channel].limits.name + ": " + std::to_string(f.failures) +
               " attempts in a row failed for " + (d.host.empty() ? "its only destination" : d.host) +
               "; one message is tried every " + std::to_string(l.probe_every.count() / 1000) +
               " s, the others wait",
           action::subject::destination_blocked, channel_no{d.channel});
  }
  f.state = flow::breaker::open;
  f.probe = none;
  f.open_until = now + std::max<moment>(l.probe_every.count(), 1);
  review_flow(number);
}

void controller::impl::unblock(std::uint32_t number, const char* why) {
  const destination& d = destinations[number];
  flow& f = flows[d.flow];
  if (f.state == flow::breaker::closed) return;
  f.state = flow::breaker::closed;
  f.probe = none;
  channel_state& c = channels[d.channel];
  --c.dead;
  report(action::severity::info,
         "channel " + c.limits.name + ": " + (d.host.empty() ? "its only destination" : d.host) + ' ' + why,
         action::subject::destination_unblocked, channel_no{d.channel});
}

// What failed while it was dead does not wait for its backoff.
void controller::impl::close_circuit(std::uint32_t number) {
  unblock(number, "takes messages again");
  destination& d = destinations[number];
  const std::uint32_t channel = d.channel;
  auto& deferred = d.at[static_cast<unsigned>(place::deferred)];
  std::uint32_t before = none;
  int left = most_revived;
  for (std::uint32_t i = deferred.tail; i != none && left > 0; i = before, --left) {
    const message& m = messages[i];
    before = m.line.prev;
    if (m.with_server() || m.attempts == 0) continue;
    leave(i);
    enter_ready(i);
  }
  review_flow(number);
  touch(channel);
}

void controller::impl::flow_due(std::uint32_t number) {
  flow& f = flows[number];
  const std::uint32_t d = f.destination;
  if (f.state == flow::breaker::open && f.open_until <= now) {
    f.state = flow::breaker::half_open;
    f.probe = none;
  }
  if (destinations[d].count == 0) return drop_destination(d);
  review_flow(d);
  touch(destinations[d].channel);
}

bool controller::impl::flow_over(std::uint32_t number) {
  const destination& d = destinations[number];
  if (d.flow == none) return true;
  flow& f = flows[d.flow];
  if (f.position != none) flow_timers.remove(flows, d.flow);
  const moment end = std::max({now + remembered, f.paid_until / 1000, f.open_until});
  flow_timers.add(flows, d.flow, end);
  return false;
}

void controller::impl::drop_destination(std::uint32_t number) {
  destination& d = destinations[number];
  if (d.flow != none) {
    unblock(number, "is forgotten: nothing has waited for it for a while");
    if (flows[d.flow].position != none) flow_timers.remove(flows, d.flow);
    flows.release(d.flow);
  }
  destination_index.erase(number);
  channels[d.channel].destinations.remove(siblings(), number);
  if (d.host.capacity() > std::string().capacity()) host_bytes -= d.host.capacity() + 1;
  if (last_destination == number) last_destination = none;
  destinations.release(number);
}

}  // namespace jobctl
