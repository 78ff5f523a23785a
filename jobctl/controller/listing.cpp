// Questions about what is queued.
#include "jobctl/controller/model.hpp"

#include <algorithm>

namespace jobctl {
namespace {

phase phase_of(const message& m) {
  switch (m.where) {
    case place::held: return phase::held;
    case place::deferred: return phase::deferred;
    case place::moving: return m.was_held ? phase::held : phase::deferred;
    default: return phase::queued;
  }
}

bool host_matches(std::string_view wanted, std::string_view host) {
  if (wanted.empty() || host == wanted) return true;
  return wanted.front() == '.' && (host == wanted.substr(1) || host.ends_with(wanted));
}

}  // namespace

channel_figures controller::figures(channel_no number) const {
  const channel_state& c = impl_->channels.at(static_cast<std::uint32_t>(number));
  channel_figures f;
  f.ready = c.ready;
  f.in_hand = c.in_hand;
  f.deferred = c.deferred + c.moving;
  f.held = c.held;
  f.bytes = c.bytes;
  f.finished = c.finished;
  f.attempts_failed = c.attempts_failed;
  f.workers = static_cast<std::uint32_t>(c.workers.size());
  f.jobs = c.jobs;
  f.stopped = c.limits.stopped;
  // Each destination's lists are first in, first out, but for what was handed back or released.
  std::int64_t oldest = 0;
  std::size_t looked_at = 0;
  for (unsigned p = 0; p < 3; ++p) {
    const std::uint32_t first = c.active[p];
    for (std::uint32_t d = first; d != none && looked_at < 1000; ++looked_at) {
      const std::int64_t t = impl_->messages[impl_->destinations[d].ready[p].head].committed;
      if (oldest == 0 || t < oldest) oldest = t;
      d = impl_->destinations[d].next_active[p];
      if (d == first) break;
    }
  }
  f.oldest = time_point{milliseconds{oldest}};
  return f;
}

std::vector<channel_no> controller::channels() const {
  std::vector<channel_no> all;
  for (std::uint32_t i = 0; i < impl_->channels.size(); ++i) all.push_back(channel_no{i});
  return all;
}

bool controller::find(const message_id& id, listed& out) const {
  const std::uint32_t i = impl_->find(id);
  if (i == none) return false;
  const message& m = impl_->messages[i];
  const destination& d = impl_->destinations[m.destination];
  out = {id,
         channel_no{d.channel},
         phase_of(m),
         m.where == place::in_hand,
         m.priority,
         m.attempts,
         m.size,
         time_point{milliseconds{m.committed}},
         time_point{milliseconds{m.due}},
         d.host};
  return true;
}

std::vector<listed> controller::list(const list_filter& filter, std::size_t most,
                                     std::uint64_t& cursor) const {
  std::vector<listed> rows;
  const impl& s = *impl_;
  std::uint32_t channel = none;
  if (!filter.channel.empty()) {
    const auto found = s.channel_by_name.find(filter.channel);
    if (found == s.channel_by_name.end()) {
      cursor = 0;
      return rows;
    }
    channel = found->second;
  }
  auto i = static_cast<std::uint32_t>(std::min<std::uint64_t>(cursor, s.messages.end()));
  const std::uint32_t last = std::min(s.messages.end() - i, list_effort) + i;
  for (; i < last && rows.size() < most; ++i) {
    const message& m = s.messages[i];
    if (m.where == place::free) continue;
    const destination& d = s.destinations[m.destination];
    if (channel != none && d.channel != channel) continue;
    if (filter.priority >= 0 && static_cast<int>(m.priority) != filter.priority) continue;
    if (filter.phase >= 0 && static_cast<int>(phase_of(m)) != filter.phase) continue;
    if (filter.in_hand >= 0 && (m.where == place::in_hand) != (filter.in_hand == 1)) continue;
    if (m.size < filter.size_at_least || m.size > filter.size_at_most) continue;
    if (m.attempts < filter.attempts_at_least) continue;
    const time_point committed{milliseconds{m.committed}};
    if (committed > filter.committed_before || committed < filter.committed_after) continue;
    if (!host_matches(filter.host, d.host)) continue;
    listed row;
    if (find(s.id_of(m), row)) rows.push_back(row);
  }
  cursor = i < s.messages.end() ? i : 0;
  return rows;
}

std::uint64_t controller::message_count() const { return impl_->messages.live(); }

std::size_t controller::memory() const {
  const impl& s = *impl_;
  return s.messages.memory() + s.timers.memory() + s.reserved_slots * sizeof(std::uint32_t) +
         s.files.capacity() * sizeof(queue_file) + s.file_by_key.size() * 48 +
         s.destinations.capacity() * (sizeof(destination) + 96);
}

std::string controller::check_invariants() const {
  const impl& s = *impl_;
  std::vector<channel_figures> counted(s.channels.size());
  std::vector<std::uint64_t> moving(s.channels.size()), in_worker(s.workers.size());
  std::uint32_t live = 0;
  for (std::uint32_t i = 0; i < s.messages.end(); ++i) {
    const message& m = s.messages[i];
    if (m.where == place::free) continue;
    ++live;
    const std::string name = to_string(s.id_of(m));
    const std::uint32_t channel = s.destinations[m.destination].channel;
    if (s.files[m.file].slots[m.slot] != i) return "message " + name + " is not where its file says";
    if (s.files[m.file].channel != channel) return "message " + name + " is in a file of another channel";
    channel_figures& f = counted[channel];
    f.bytes += m.size;
    switch (m.where) {
      case place::ready: ++f.ready; break;
      case place::in_hand:
        ++f.in_hand;
        if (m.owner >= s.workers.size() || s.workers[m.owner].channel != channel)
          return "message " + name + " is in nobody's hands";
        ++in_worker[m.owner];
        break;
      case place::deferred: ++f.deferred; break;
      case place::held: ++f.held; break;
      case place::moving: ++moving[channel]; break;
      case place::free: break;
    }
  }
  if (live != s.messages.live()) return "the number of messages is wrong";
  if (!s.timers.in_order(s.messages)) return "the timers are out of order";
  for (std::uint32_t w = 0; w < s.workers.size(); ++w)
    if (s.workers[w].in_hand != in_worker[w]) return "a worker's number of messages is wrong";
  std::vector<std::uint32_t> pool_jobs(s.pools.size());
  for (std::uint32_t i = 0; i < s.channels.size(); ++i) {
    const channel_state& c = s.channels[i];
    const channel_figures& f = counted[i];
    if (f.ready != c.ready || f.in_hand != c.in_hand || f.deferred != c.deferred || f.held != c.held ||
        moving[i] != c.moving || f.bytes != c.bytes)
      return "channel " + c.limits.name + ": its counts are wrong";
    pool_jobs[c.pool] += c.jobs;
    std::uint64_t linked = 0;
    for (unsigned p = 0; p < 3; ++p) {
      const std::uint32_t first = c.active[p];
      for (std::uint32_t d = first; d != none;) {
        const destination& dest = s.destinations[d];
        if (dest.ready[p].empty()) return "a destination without messages is in a ring";
        for (std::uint32_t m = dest.ready[p].head; m != none; m = s.messages[m].next) ++linked;
        if (s.destinations[dest.next_active[p]].prev_active[p] != d)
          return "a ring of destinations is broken";
        d = dest.next_active[p];
        if (d == first) break;
      }
    }
    if (linked != c.ready) return "channel " + c.limits.name + ": a ready message is in no list";
    if (c.ready > 0 && !c.limits.stopped && !s.shutting_down)
      for (const std::uint32_t w : c.workers)
        if (s.workers[w].credit > 0 && !s.workers[w].stopping)
          return "channel " + c.limits.name + ": a message waits while a program could take it";
  }
  for (std::size_t p = 0; p < s.pools.size(); ++p)
    if (pool_jobs[p] != s.pool_jobs[p]) return "pool " + s.pools[p].name + ": its number of jobs is wrong";
  return {};
}

}  // namespace jobctl
