#include "jobctl/server/limits.hpp"

#include <optional>

namespace jobctl {

namespace {

host_limits combined(const mta::config::host_settings& first, const mta::config::host_settings& then) {
  host_limits l;
  const auto take = [](auto& into, const auto& one, const auto& other) {
    if (one)
      into = *one;
    else if (other)
      into = *other;
  };
  std::optional<mta::config::rate> rate;
  take(l.concurrency, first.concurrency, then.concurrency);
  take(l.adaptive, first.adaptive, then.adaptive);
  take(rate, first.rate, then.rate);
  take(l.run, first.run, then.run);
  take(l.weight, first.weight, then.weight);
  take(l.failures, first.failures, then.failures);
  take(l.probe_every, first.probe, then.probe);
  if (rate) {
    l.rate = rate->messages;
    l.period = rate->period;
  }
  return l;
}

}  // namespace

limits limits_of(const mta::config::settings& s) {
  limits all;
  all.lease_batch = s.controller.lease_batch;
  all.backlog_limit = s.queue.backlog_limit;
  for (const auto& pool : s.pools) all.pools.push_back({pool.name, pool.job_limit});
  for (const auto& c : s.channels) {
    channel_limits one;
    one.name = c.name;
    one.pool = c.pool;
    one.has_program = !c.program.empty();
    one.max_jobs = c.max_jobs;
    one.thread_depth = c.thread_depth;
    one.threads_per_job = c.threads_per_job;
    one.weight = c.weight;
    one.hosts = combined(c.hosts, {});
    for (const auto& h : s.hosts) one.host_rules.push_back({h.pattern, combined(h.settings, c.hosts)});
    for (std::size_t i = 0; i < c.backoff.size(); ++i) one.backoff[i] = c.backoff[i];
    for (std::size_t i = 0; i < c.notices.size(); ++i) one.notices[i] = c.notices[i];
    one.backoff_jitter = c.backoff_jitter;
    for (std::size_t i = 0; i < c.windows.size(); ++i) {
      if (c.windows[i].empty()) continue;
      one.hours[i] = [window = c.windows[i]](time_point t) {
        const auto now = mta::config::opening_at(window, t);
        return delivery_hours{now.open, now.until};
      };
    }
    one.max_life = c.max_life_time;
    one.max_messages = c.max_life_askwork;
    one.files_per_job = c.files_per_job;
    one.backlog_limit = c.backlog_limit;
    one.stress = {c.stress.blackout, c.stress.factor, c.stress.jobs,  c.stress.time,
                  c.stress.unfactor, c.stress.unjobs, c.stress.untime};
    one.relaunch_first = s.controller.relaunch_first;
    one.relaunch_last = s.controller.relaunch_last;
    one.stopped = c.stopped;
    all.channels.push_back(std::move(one));
  }
  return all;
}

}  // namespace jobctl
