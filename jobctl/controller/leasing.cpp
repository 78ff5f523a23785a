// Who gets which messages, and what becomes of them.
#include "jobctl/controller/model.hpp"

#include <algorithm>

namespace jobctl {

worker* controller::impl::find_worker(worker_no number) {
  const auto found = worker_by_number.find(static_cast<std::uint64_t>(number));
  return found == worker_by_number.end() ? nullptr : &workers[found->second];
}

std::uint32_t controller::impl::pop_ready(channel_state& c, std::uint32_t worker_index, std::uint32_t most,
                                          std::vector<leased_message>& out) {
  std::uint32_t taken = 0;
  for (unsigned p = 0; p < 3; ++p)
    while (taken < most && c.active[p] != none) {
      const std::uint32_t at = c.active[p];
      // The next batch begins with the next destination; within one, first in, first out.
      c.active[p] = destinations[at].next_active[p];
      while (taken < most && !destinations[at].ready[p].empty()) {
        const std::uint32_t i = destinations[at].ready[p].head;
        take_out(i);
        put_in_hand(i, worker_index);
        out.push_back({id_of(messages[i]), messages[i].attempts, messages[i].priority});
        ++taken;
      }
    }
  return taken;
}

void controller::impl::lease_to(std::uint32_t worker_index, std::uint32_t count) {
  worker& w = workers[worker_index];
  action::lease lease{w.number, channel_no{w.channel}, {}};
  lease.messages.reserve(count);
  const std::uint32_t taken = pop_ready(channels[w.channel], worker_index, count, lease.messages);
  workers[worker_index].credit -= taken;
  if (taken > 0) actions.emplace_back(std::move(lease));
}

void controller::impl::serve(time_point, std::uint32_t channel) {
  channel_state& c = channels[channel];
  if (shutting_down || c.limits.stopped) return;
  while (c.ready > 0) {
    std::uint32_t takers = 0;
    for (const std::uint32_t w : c.workers) takers += workers[w].credit > 0 && !workers[w].stopping ? 1 : 0;
    if (takers == 0) return;
    // An equal share for everyone who can take some, in turn.
    const auto share =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(lease_batch, (c.ready + takers - 1) / takers));
    for (std::size_t n = c.workers.size(); n > 0 && c.ready > 0; --n) {
      const std::uint32_t w = c.workers[c.next_worker++ % c.workers.size()];
      if (workers[w].credit == 0 || workers[w].stopping) continue;
      lease_to(w, std::min(share, workers[w].credit));
    }
  }
}

time_point controller::impl::next_attempt(const channel_state& c, const message& m, time_point now) const {
  const backoff_schedule& waits = c.limits.backoff[static_cast<unsigned>(m.priority)];
  const std::size_t failures = std::max<std::size_t>(m.attempts, 1);
  return now + waits[std::min(failures, waits.size()) - 1];
}

}  // namespace jobctl
