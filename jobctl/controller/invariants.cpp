// What must hold between any two events. For tests; it looks at everything.
#include "jobctl/controller/impl.hpp"

#include <limits>
#include <unordered_map>

namespace jobctl {

namespace {

template <class Impl>
std::string flow_wrong(const Impl& s, std::uint32_t number) {
  const destination& d = s.destinations[number];
  for (unsigned p = 0; p < priorities; ++p)
    if (((d.in_ring >> p & 1) != 0) !=
        (d.open > 0 && s.channels[d.channel].window_open[p] && !d.at[p].empty()))
      return "it is not in the rings it should be in";
  const std::uint32_t due = s.deliverable(d);
  if (d.open > due) return "more may be given out than there is";
  if (d.stopped != (s.stop_end(d.channel, d.host) != 0)) return "it is stopped, and should not be, or should";
  if (d.stopped) return d.open == 0 ? "" : "it is stopped, and its messages are given out";
  const host_limits& l = s.limits_of(d);
  if (!l.regulate()) return d.open == due ? "" : "it is regulated, and should not be";
  if (d.flow == none) return d.open > 0 || due == 0 ? "" : "it waits for nothing";
  const flow& f = s.flows[d.flow];
  if (f.destination != number) return "its flow is another one's";
  if (f.probe != none && (!s.messages.live(f.probe) || s.messages[f.probe].where != place::in_hand))
    return "its probe is in nobody's hand";
  if (due == 0 || d.open > 0) return {};
  moment until = 0;
  switch (s.barrier_of(d, until)) {
    case barrier::none: return "it waits for nothing";
    case barrier::dead:
    case barrier::rate:
      return f.position != none && s.flow_timers.time_at(f.position) <= std::max(until, s.now + 1)
                 ? ""
                 : "nobody will see when it may be given more";
    case barrier::concurrency: return d.in_hand > 0 ? "" : "it waits for messages that nobody has in hand";
    case barrier::probing:
    case barrier::stopped: return {};
  }
  return {};
}

}  // namespace

std::string controller::check_invariants() const {
  const impl& s = *impl_;
  const auto name = [&](const message& m) { return "message " + to_string(s.id_of(m)); };

  // Every message is in its file's table, in its destination's list for its place, and where that place says.
  std::vector<channel_figures> counted(s.channels.size());
  std::unordered_map<std::uint32_t, std::pair<std::uint32_t, std::uint32_t>> in_file;  // live, busy
  std::uint64_t with_timer = 0, in_hands = 0, noticing = 0;
  constexpr moment latest_look = 60'000;  // after a failure
  for (std::uint32_t i = s.messages.next_live(0); i < s.messages.end(); i = s.messages.next_live(i + 1)) {
    const message& m = s.messages[i];
    if (!s.files.live(m.file) || m.slot >= s.files[m.file].slots.size() || s.files[m.file].slots[m.slot] != i)
      return "a message is not where its file says";
    if (!s.destinations.live(m.destination)) return name(m) + " has no destination";
    const std::uint32_t channel = s.destinations[m.destination].channel;
    if (s.files[m.file].channel != channel) return name(m) + " is in a file of another channel";
    if (is_ready(m.where) && static_cast<int>(m.where) != static_cast<int>(m.urgency))
      return name(m) + " waits in another priority's list";
    if (m.moving && ((m.where != place::deferred && m.where != place::held) ||
                     s.files[m.file].under_way != queue_file::errand::moving))
      return name(m) + " is moving, and should not be";
    if (m.noticing && (m.moving || (m.where != place::deferred && m.where != place::held)))
      return name(m) + ": its sender is being told, and should not be";
    noticing += m.noticing ? 1 : 0;
    if (const moment due = s.next_notice(m, i); due != controller::impl::no_notice) {
      const std::uint32_t at = s.files[m.file].notice_position;
      if (at == none || s.notice_timers.time_at(at) > std::max(due, s.now + latest_look))
        return name(m) + ": nobody will notice when it has waited too long";
    }
    auto& [live, busy] = in_file[m.file];
    ++live;
    busy += is_ready(m.where) || m.where == place::in_hand || m.noticing ? 1 : 0;
    channel_figures& f = counted[channel];
    f.bytes += m.size;
    switch (m.where) {
      case place::in_hand:
        ++f.in_hand;
        ++in_hands;
        if (!s.workers.live(m.holder) || s.workers[m.holder].channel != channel ||
            m.position >= s.workers[m.holder].hand.size() || s.workers[m.holder].hand[m.position] != i)
          return name(m) + " is in hand, but in nobody's";
        break;
      case place::deferred:
        ++f.deferred;
        if (m.with_server() != (m.position == none)) return name(m) + ": its timer is not what it should be";
        if (m.with_server()) break;
        ++with_timer;
        if (m.position >= s.message_timers.size() || s.message_timers.index_at(m.position) != i ||
            s.message_timers.time_at(m.position) != m.due)
          return name(m) + " has another message's timer";
        break;
      case place::held:
        ++f.held;
        if ((m.hold_ends && !m.with_server()) != (m.position != none))
          return name(m) + ": the end of its hold has no timer, or it has one without an end";
        if (m.position == none) break;
        ++with_timer;
        if (m.position >= s.message_timers.size() || s.message_timers.index_at(m.position) != i ||
            s.message_timers.time_at(m.position) != m.due)
          return name(m) + " has another message's timer";
        break;
      default: ++f.ready;
    }
  }
  if (noticing != s.notices_under_way) return "the number of senders who are being told is wrong";
  if (!s.notice_timers.consistent(s.files)) return "the notice timers are out of order";
  if (with_timer != s.message_timers.size()) return "there are timers of no message";
  if (!s.message_timers.consistent(s.messages)) return "the message timers are out of order";
  if (!s.file_timers.consistent(s.files)) return "the file timers are out of order";
  if (!s.flow_timers.consistent(s.flows)) return "the flow timers are out of order";
  if (!s.channel_timers.consistent(s.channels)) return "the channel timers are out of order";

  std::uint64_t in_workers = 0;
  for (std::uint32_t w = s.workers.next_live(0); w < s.workers.end(); w = s.workers.next_live(w + 1))
    in_workers += s.workers[w].hand.size();
  if (in_workers != in_hands) return "programs hold messages that are not in hand";

  for (std::uint32_t i = s.files.next_live(0); i < s.files.end(); i = s.files.next_live(i + 1)) {
    const queue_file& f = s.files[i];
    const auto& [live, busy] = in_file[i];
    if (f.live != live || f.busy != busy || f.used < f.live)
      return "message file " + to_string(f.key.file) + ": its counts are wrong";
    const auto found = s.file_index.find(f.key);
    if (found == s.file_index.end() || found->second != i)
      return "message file " + to_string(f.key.file) + " cannot be found";
    if (f.live == 0 && f.used > 0 && f.under_way == queue_file::errand::idle && f.position == none)
      return "message file " + to_string(f.key.file) + " is finished, and nothing is done about it";
  }
  if (s.files.size() != s.file_index.size()) return "the index of files has others";

  std::vector<std::uint64_t> open(s.channels.size()), crowded(s.channels.size()), dead(s.channels.size());
  // The lists of destinations and the rings hold exactly what the channels count.
  for (std::uint32_t d = s.destinations.next_live(0); d < s.destinations.end();
       d = s.destinations.next_live(d + 1)) {
    const destination& dest = s.destinations[d];
    std::uint64_t linked = 0, ready = 0, in_hand = 0;
    for (unsigned p = 0; p < places; ++p) {
      std::uint32_t before = none;
      for (std::uint32_t i = dest.at[p].head; i != none; before = i, i = s.messages[i].line.next, ++linked) {
        const message& m = s.messages[i];
        ready += is_ready(m.where) ? 1 : 0;
        in_hand += m.where == place::in_hand ? 1 : 0;
        if (m.destination != d || static_cast<unsigned>(m.where) != p || m.line.prev != before)
          return name(m) + " is in a list that is not its own";
      }
      if (dest.at[p].tail != before) return "destination " + dest.host + ": the end of a list is wrong";
    }
    if (linked != dest.count || (linked == 0 && dest.flow == none) ||
        ready != std::uint64_t{dest.ready[0]} + dest.ready[1] + dest.ready[2] || in_hand != dest.in_hand)
      return "destination " + dest.host + ": its number of messages is wrong";
    if (std::string wrong = flow_wrong(s, d); !wrong.empty())
      return "destination " + dest.host + ": " + wrong;
    open[dest.channel] += dest.open;
    crowded[dest.channel] += dest.crowded;
    dead[dest.channel] += dest.flow != none && s.flows[dest.flow].state != flow::breaker::closed ? 1 : 0;
  }

  std::vector<std::uint32_t> in_pool(s.pools.size()), making_room(s.pools.size());
  std::uint64_t jobs = 0;
  for (std::uint32_t n = 0; n < s.channels.size(); ++n) {
    const channel_state& c = s.channels[n];
    const std::string channel = "channel " + c.limits.name;
    const channel_figures& f = counted[n];
    if (f.ready != c.ready || f.in_hand != c.in_hand || f.deferred != c.deferred || f.held != c.held ||
        f.bytes != c.bytes)
      return channel + ": its counts are wrong";
    if (s.index_complete && c.totals.enqueued - c.totals.left != f.ready + f.in_hand + f.deferred + f.held)
      return channel + ": enqueued less left is not what is there";
    for (unsigned p = 0; p < priorities; ++p) {
      std::uint64_t in_ring = 0, ready = 0;
      for (std::uint32_t d = c.ring[p].head; d != none; d = s.destinations[d].turns[p].next) ++in_ring;
      for (std::uint32_t d = c.destinations.head; d != none; d = s.destinations[d].siblings.next)
        ready += s.destinations[d].at[p].empty() || s.destinations[d].open == 0 || !c.window_open[p] ? 0 : 1;
      if (in_ring != ready) return channel + ": a destination with something to give out is not in the ring";
    }
    for (const job_no number : c.jobs) {
      const auto j = s.jobs.find(static_cast<std::uint64_t>(number));
      if (j == s.jobs.end() || j->second.channel != n) return channel + ": it has a job that does not exist";
      if (j->second.worker != none && s.workers[j->second.worker].job != number)
        return channel + ": a job and its connection do not agree";
      making_room[c.pool] += j->second.makes_room ? 1 : 0;
    }
    jobs += c.jobs.size();
    in_pool[c.pool] += static_cast<std::uint32_t>(c.jobs.size());
    if (c.dead != dead[n]) return channel + ": its number of dead destinations is wrong";
    if (c.open != open[n] || c.crowded != crowded[n]) return channel + ": what may be given out is wrong";
    if (c.ready > 0 && c.hours_until <= s.now) return channel + ": its delivery window was not looked at";
    if (c.ready > 0 && c.hours_until != std::numeric_limits<moment>::max() &&
        (c.position == none || s.channel_timers.time_at(c.position) > c.hours_until))
      return channel + ": nobody will notice when its delivery window opens";
    if (c.open > 0 && !c.limits.stopped && !s.shutting_down)
      for (const std::uint32_t w : c.workers)
        if (s.workers[w].credit > 0) return channel + ": a message waits while a program could take it";
    if (s.wants_launch(c) && s.pools[c.pool].jobs < s.pools[c.pool].limits.job_limit)
      return channel + ": it wants another program and there is a place, but none is launched";
    if (const std::uint64_t limit = c.limits.backlog_limit, there = f.ready + f.in_hand + f.deferred + f.held;
        limit == 0 ? c.full : (c.full ? there <= limit - (limit + 9) / 10 : there >= limit))
      return channel + ": whether it is full is wrong";
    if (const stress_state& t = c.stress;
        t.relax_at == 0
            ? t.factor != 1 || t.jobs != 0
            : t.relax_at <= s.now || c.position == none || s.channel_timers.time_at(c.position) > t.relax_at)
      return channel + ": its stress is not seen to";
    if (c.limits.stopped != (c.stopped_by_settings || s.ordered_to_stop(c.limits.name)))
      return channel + ": it is stopped, and should not be, or should";
    if (c.touched) return channel + ": it was not seen to";
  }
  for (const stop_state& one : s.stops)
    if (one.ends <= s.now || s.next_stop_end > one.ends) return "a stop has ended, and nobody has noticed";
  if (jobs != s.jobs.size()) return "there are jobs of no channel";
  for (std::size_t p = 0; p < s.pools.size(); ++p)
    if (in_pool[p] != s.pools[p].jobs || making_room[p] != s.pools[p].making_room)
      return "pool " + s.pools[p].limits.name + ": its number of jobs is wrong";
  return {};
}

}  // namespace jobctl
