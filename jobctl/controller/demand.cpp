// How many programs there should be: always from the present backlog.
#include "jobctl/controller/model.hpp"

#include <algorithm>

namespace jobctl {

std::uint64_t controller::impl::wanted_threads(const channel_state& c) const {
  const std::uint64_t depth = std::max<std::uint32_t>(c.limits.thread_depth, 1);
  return (c.ready + c.in_hand + depth - 1) / depth;
}

void controller::impl::staff(time_point now, std::uint32_t channel) {
  channel_state& c = channels[channel];
  while (c.ready > 0 && c.limits.has_program && !c.limits.stopped && !shutting_down && now >= c.relaunch_at) {
    // A program has disconnected: how it ends decides when the next may start, and that is known in a moment.
    if (c.leaving > 0 && now < c.leaving_since + leave_patience) return;
    if (c.jobs >= c.limits.max_jobs || pool_jobs[c.pool] >= pools[c.pool].job_limit) return;
    // Threads that run, and those of programs that are on their way.
    std::uint64_t threads = std::uint64_t{c.starting} * c.limits.threads_per_job, serving = c.starting;
    for (const std::uint32_t w : c.workers) {
      if (workers[w].stopping) continue;
      threads += workers[w].max_threads;
      ++serving;
    }
    if (serving > 0 && wanted_threads(c) <= threads) return;
    const job_no number{++last_job};
    jobs.emplace(last_job, job{channel, now, 0, false, false, 0});
    ++c.jobs;
    ++c.starting;
    ++pool_jobs[c.pool];
    actions.emplace_back(action::launch{number, channel_no{channel}});
  }
}

void controller::impl::staff_pool(time_point now, std::uint32_t pool) {
  const auto n = static_cast<std::uint32_t>(channels.size());
  for (std::uint32_t i = 0; i < n; ++i) {
    const std::uint32_t channel = (next_in_pool + i) % n;
    if (channels[channel].pool != pool) continue;
    const std::uint32_t before = pool_jobs[pool];
    staff(now, channel);
    if (pool_jobs[pool] > before) {
      next_in_pool = (channel + 1) % n;
      if (pool_jobs[pool] >= pools[pool].job_limit) return;
    }
  }
}

void controller::impl::job_failed(time_point now, std::uint32_t channel, const std::string& what) {
  channel_state& c = channels[channel];
  c.relaunch_delay = c.relaunch_delay == milliseconds{0}
                         ? c.limits.relaunch_first
                         : std::min(c.relaunch_delay * 2, c.limits.relaunch_last);
  c.relaunch_at = now + c.relaunch_delay;
  report(action::severity::problem, "channel " + c.limits.name + ": " + what + "; not started again for " +
                                        std::to_string(c.relaunch_delay.count()) + " ms");
}

}  // namespace jobctl
