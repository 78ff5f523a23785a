#include "jobctl/server/limits.hpp"

namespace jobctl {

limits limits_of(const mta::config::settings& s, const std::set<std::string>& stopped) {
  limits all;
  all.lease_batch = s.controller.lease_batch;
  for (const auto& pool : s.pools) all.pools.push_back({pool.name, pool.job_limit});
  for (const auto& c : s.channels) {
    channel_limits one;
    one.name = c.name;
    one.pool = c.pool;
    one.has_program = !c.program.empty();
    one.max_jobs = c.max_jobs;
    one.thread_depth = c.thread_depth;
    one.threads_per_job = c.threads_per_job;
    for (std::size_t i = 0; i < c.backoff.size(); ++i) one.backoff[i] = c.backoff[i];
    for (std::size_t i = 0; i < c.notices.size(); ++i) one.notices[i] = c.notices[i];
    one.relaunch_first = s.controller.relaunch_first;
    one.relaunch_last = s.controller.relaunch_last;
    one.stopped = c.stopped || stopped.contains(c.name);
    all.channels.push_back(std::move(one));
  }
  return all;
}

}  // namespace jobctl
