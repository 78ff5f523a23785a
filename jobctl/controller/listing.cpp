// Questions about what is queued.
#include "base/text.hpp"
#include "jobctl/controller/impl.hpp"

#include <algorithm>
#include <optional>

namespace jobctl {
namespace {

phase phase_of(const message& m) {
  if (m.where == place::held) return phase::held;
  return m.where == place::deferred ? phase::deferred : phase::queued;
}

/// Can a message in that place match at all?
bool place_matches(const list_filter& filter, place p) {
  if (filter.in_hand >= 0 && (p == place::in_hand) != (filter.in_hand == 1)) return false;
  if (filter.priority >= 0 && is_ready(p) && static_cast<int>(p) != filter.priority) return false;
  if (filter.phase < 0) return true;
  switch (static_cast<phase>(filter.phase)) {
    case phase::queued: return is_ready(p) || p == place::in_hand;
    case phase::deferred: return p == place::deferred;
    case phase::held: return p == place::held;
    default: return false;
  }
}

bool message_matches(const list_filter& filter, const message& m) {
  const time_point committed{milliseconds{m.committed}};
  return m.size >= filter.size_at_least && m.size <= filter.size_at_most &&
         m.attempts >= filter.attempts_at_least && m.attempts <= filter.attempts_at_most &&
         committed <= filter.committed_before && committed >= filter.committed_after &&
         (filter.priority < 0 || static_cast<int>(m.urgency) == filter.priority);
}

/// Where a listing goes on. It names the next message; when that has gone elsewhere meanwhile, its list is
/// begun again.
struct resume_point {
  std::uint32_t destination = 0;
  unsigned where = 0;
  std::uint32_t message = none;

  static resume_point decode(std::uint64_t cursor) {
    if (cursor == 0) return {};
    return {static_cast<std::uint32_t>(cursor >> 35) & 0x0FFF'FFFF, static_cast<unsigned>(cursor >> 32) & 7,
            static_cast<std::uint32_t>(cursor)};
  }
  std::uint64_t encode() const {
    return std::uint64_t{1} << 63 | std::uint64_t{destination} << 35 | std::uint64_t{where} << 32 | message;
  }
};

/// Has the channel any message in a place that can match?
bool channel_matches(const list_filter& filter, const channel_state& c) {
  if (!filter.channel.empty() && !mta::matches_wildcards(c.limits.name, filter.channel)) return false;
  return (c.ready > 0 && (place_matches(filter, place::urgent) || place_matches(filter, place::normal) ||
                          place_matches(filter, place::nonurgent))) ||
         (c.in_hand > 0 && place_matches(filter, place::in_hand)) ||
         (c.deferred > 0 && place_matches(filter, place::deferred)) ||
         (c.held > 0 && place_matches(filter, place::held));
}

/// Up to so many destinations of the channels that match are put in order; of more, all are gone through.
constexpr std::size_t most_chosen = 10'000;

template <class Map>
std::size_t memory_of(const Map& m) {
  return m.bucket_count() * (sizeof(typename Map::value_type) + 2);
}

}  // namespace

std::vector<channel_no> controller::channels() const {
  std::vector<channel_no> all;
  for (std::uint32_t i = 0; i < impl_->channels.size(); ++i) all.push_back(channel_no{i});
  return all;
}

std::vector<pool_figures> controller::pools() const {
  const impl& s = *impl_;
  std::vector<pool_figures> all;
  for (const pool_state& p : s.pools) {
    pool_figures f{p.limits.name, p.jobs, p.limits.job_limit, {}, {}};
    for (const std::uint32_t c : p.waiting) f.waiting.push_back(channel_no{c});
    all.push_back(std::move(f));
  }
  for (std::uint32_t c = 0; c < s.channels.size(); ++c)
    all[s.channels[c].pool].channels.push_back(channel_no{c});
  return all;
}

std::size_t controller::channel_count() const { return impl_->channels.size(); }

channel_figures controller::figures(channel_no number) const {
  const impl& s = *impl_;
  const channel_state& c = s.channels.at(static_cast<std::uint32_t>(number));
  channel_figures f;
  f.ready = c.ready;
  f.blocked = c.ready - c.open;
  f.in_hand = c.in_hand;
  f.deferred = c.deferred;
  f.held = c.held;
  f.bytes = c.bytes;
  f.finished = c.finished;
  f.attempts_failed = c.attempts_failed;
  f.warned = c.warned;
  f.expired = c.expired;
  f.workers = static_cast<std::uint32_t>(c.workers.size());
  f.jobs = static_cast<std::uint32_t>(c.jobs.size());
  f.dead_destinations = c.dead;
  f.stopped = c.limits.stopped;
  f.full = c.full;
  f.stressed = c.stress.relax_at != 0;
  // The lists are first in, first out, but for what came back: so the oldest is at the head of one of them.
  constexpr int most_lists = 1000;
  int looked_at = 0;
  std::int64_t oldest = 0;
  for (unsigned p = 0; p < priorities; ++p)
    for (std::uint32_t d = c.ring[p].head; d != none && looked_at < most_lists; ++looked_at) {
      const std::int64_t t = s.messages[s.destinations[d].at[p].head].committed;
      if (oldest == 0 || t < oldest) oldest = t;
      d = s.destinations[d].turns[p].next;
    }
  f.oldest = time_point{milliseconds{oldest}};
  bool for_hours = false;
  for (unsigned p = 0; p < priorities; ++p) for_hours = for_hours || (!c.window_open[p] && c.ready_at[p] > 0);
  if (for_hours) f.hours_change = s.to_wall(c.hours_until);
  return f;
}

bool controller::find_destination(channel_no number, std::string_view host, destination_figures& out) const {
  const impl& s = *impl_;
  const auto found = s.destination_index.find(destination_name{static_cast<std::uint32_t>(number), host});
  if (found == s.destination_index.end()) return false;
  out = s.figures_of(*found);
  return true;
}

destination_figures controller::impl::figures_of(std::uint32_t number) const {
  const destination& d = destinations[number];
  destination_figures f;
  f.host = d.host;
  f.channel = channel_no{d.channel};
  f.ready = d.ready[0] + d.ready[1] + d.ready[2];
  f.in_hand = d.in_hand;
  f.deferred_or_held = d.count - f.ready - d.in_hand;
  moment until = 0;
  f.barrier = barrier_of(d, until);
  if (until != 0) f.until = to_wall(until);
  if (d.flow != none) {
    f.failures = flows[d.flow].failures;
    f.dead = flows[d.flow].state != flow::breaker::closed;
  }
  f.concurrency = allowed_in_hand(d);
  return f;
}

listed controller::impl::row(std::uint32_t i) const {
  const message& m = messages[i];
  const destination& d = destinations[m.destination];
  listed r;
  r.id = id_of(m);
  r.channel = channel_no{d.channel};
  r.phase = phase_of(m);
  r.in_hand = m.where == place::in_hand;
  r.priority = m.urgency;
  r.attempts = m.attempts;
  r.hold_ends = m.where == place::held && m.hold_ends;
  r.size = m.size;
  r.committed = time_point{milliseconds{m.committed}};
  r.due = to_wall(m.due);
  r.host = d.host;
  return r;
}

bool controller::find(const message_id& id, listed& out) const {
  const std::uint32_t i = impl_->find(id);
  if (i == none) return false;
  out = impl_->row(i);
  return true;
}

std::vector<listed> controller::impl::list_named(const list_filter& filter, std::size_t most,
                                                 std::uint64_t& cursor) {
  std::vector<listed> rows;
  std::uint64_t at = std::exchange(cursor, 0);
  for (std::uint32_t effort = list_effort; at < filter.ids.size(); ++at) {
    if (rows.size() == most || effort-- == 0) {
      cursor = at;
      break;
    }
    const std::uint32_t i = find(filter.ids[at]);
    if (i == none || !place_matches(filter, messages[i].where) || !message_matches(filter, messages[i]))
      continue;
    const destination& d = destinations[messages[i].destination];
    if (!channel_matches(filter, channels[d.channel]) || !host_matches(filter.host, d.host)) continue;
    rows.push_back(row(i));
  }
  return rows;
}

destination_counts controller::largest_destinations(std::size_t most) const {
  const impl& s = *impl_;
  destination_counts found;
  const auto more = [](const destination_count& a, const destination_count& b) {
    return a.messages > b.messages;
  };
  std::vector<destination_count>& heap = found.largest;  // the smallest of them in front
  for (std::uint32_t d = s.destinations.next_live(0); d < s.destinations.end();
       d = s.destinations.next_live(d + 1)) {
    const destination& each = s.destinations[d];
    if (each.count == 0) continue;  // only its limits are remembered
    ++found.count;
    if (heap.size() == most && (most == 0 || each.count <= heap.front().messages)) {
      found.others += each.count;
      continue;
    }
    if (heap.size() == most) {
      found.others += heap.front().messages;
      std::ranges::pop_heap(heap, more);
      heap.pop_back();
    }
    heap.push_back({channel_no{each.channel}, each.host, each.count});
    std::ranges::push_heap(heap, more);
  }
  std::ranges::sort_heap(heap, more);
  for (destination_count& row : heap) {
    destination_figures figures;
    find_destination(row.channel, row.host, figures);
    row.barrier = figures.barrier;
    row.until = figures.until;
    row.dead = figures.dead;
  }
  return found;
}

std::vector<listed> controller::list(const list_filter& filter, std::size_t most,
                                     std::uint64_t& cursor) const {
  if (!filter.ids.empty()) return impl_->list_named(filter, most, cursor);
  const impl& s = *impl_;
  std::vector<listed> rows;
  auto at = resume_point::decode(std::exchange(cursor, 0));

  std::vector<bool> wanted(s.channels.size());
  for (std::size_t c = 0; c < s.channels.size(); ++c) wanted[c] = channel_matches(filter, s.channels[c]);
  // A host is looked up, in each channel; the destinations of few channels are put in order; else all
  // destinations are gone through.
  const bool one_host = !filter.host.empty() && filter.host.front() != '.';
  std::vector<std::uint32_t> chosen;
  bool few = true;
  for (std::uint32_t c = 0; c < s.channels.size() && few; ++c) {
    if (!wanted[c]) continue;
    if (one_host) {
      const auto found = s.destination_index.find(destination_name{c, filter.host});
      if (found != s.destination_index.end()) chosen.push_back(*found);
      continue;
    }
    for (std::uint32_t d = s.channels[c].destinations.head; d != none && few;
         d = s.destinations[d].siblings.next) {
      chosen.push_back(d);
      few = chosen.size() < most_chosen;
    }
  }
  std::ranges::sort(chosen);
  const auto next_destination = [&](std::uint32_t from) {
    if (!few) return s.destinations.next_live(from);
    const auto next = std::ranges::lower_bound(chosen, from);
    return next == chosen.end() ? s.destinations.end() : *next;
  };

  std::uint32_t effort = list_effort;
  for (std::uint32_t d = next_destination(at.destination); d < s.destinations.end();
       d = next_destination(d + 1)) {
    if (d != at.destination) at = {d, 0, none};
    if (effort == 0) {
      cursor = at.encode();
      return rows;
    }
    --effort;
    const destination& dest = s.destinations[d];
    if (!wanted[dest.channel] || !host_matches(filter.host, dest.host)) continue;
    for (; at.where < places; ++at.where, at.message = none) {
      if (!place_matches(filter, static_cast<place>(at.where))) continue;
      const bool still_there = at.message != none && s.messages.live(at.message) &&
                               s.messages[at.message].destination == d &&
                               static_cast<unsigned>(s.messages[at.message].where) == at.where;
      std::uint32_t i = still_there ? at.message : dest.at[at.where].head;
      for (; i != none; i = s.messages[i].line.next) {
        if (rows.size() == most || effort == 0) {
          at.message = i;
          cursor = at.encode();
          return rows;
        }
        --effort;
        if (message_matches(filter, s.messages[i])) rows.push_back(s.row(i));
      }
    }
  }
  return rows;
}

std::uint64_t controller::message_count() const { return impl_->messages.size(); }

std::size_t controller::memory() const {
  const impl& s = *impl_;
  return s.messages.memory() + s.message_timers.memory() + s.files.memory() + s.file_timers.memory() +
         s.notice_timers.memory() + s.slot_table_bytes + memory_of(s.file_index) + s.destinations.memory() +
         s.host_bytes + memory_of(s.destination_index) + s.flows.memory() + s.flow_timers.memory();
}

}  // namespace jobctl
