// How many programs there should be, always from the present backlog; launching them; and what is made of
// their ends.
#include "jobctl/controller/impl.hpp"

#include <algorithm>
#include <limits>

namespace jobctl {
namespace {

/// A launched program that has not connected by then is reported, and no longer counted on.
constexpr moment connect_patience = 30'000;
/// A program that ends sooner, having done nothing, has failed.
constexpr moment short_life = 1'000;
/// When messages wait and no program has taken or finished any for so long, those that run do not count.
constexpr moment stall = 60'000;
/// A channel without any program waits so long for a place in its pool, before another that has several must
/// give one up; and so long before one that has a single program must.
constexpr moment wait_for_one_of_several = 10'000, wait_for_the_only_one = 60'000;

}  // namespace

std::uint64_t controller::impl::wanted_threads(const channel_state& c) const {
  const std::uint64_t each = depth(c);
  // Messages that keep others of their destination waiting are worth a thread each.
  return (c.open + c.in_hand - c.crowded + each - 1) / each + c.crowded;
}

controller::impl::workforce controller::impl::workforce_of(const channel_state& c) const {
  workforce all;
  for (const std::uint32_t w : c.workers) {
    if (workers[w].stopping) continue;
    ++all.programs;
    all.threads += workers[w].max_threads;
  }
  for (const job_no number : c.jobs) {
    const job& j = jobs.at(static_cast<std::uint64_t>(number));
    if (j.worker != none || j.told_to_stop || j.expected_until <= now) continue;
    ++all.programs;
    all.threads +=
        std::max<std::uint32_t>(c.threads_seen != 0 ? c.threads_seen : c.limits.threads_per_job, 1);
  }
  return all;
}

bool controller::impl::stalled(const channel_state& c) const {
  return c.open > 0 && now - c.progress_at >= stall;
}

bool controller::impl::wants_launch(const channel_state& c) const {
  if (shutting_down || !c.limits.has_program || c.limits.stopped || c.open == 0 || c.relaunch_at > now ||
      c.jobs.size() >= most_jobs(c))
    return false;
  const workforce there_is = workforce_of(c);
  if (const std::uint64_t f = c.limits.files_per_job;
      f > 0 && there_is.programs < (c.open + c.in_hand + f - 1) / f)
    return true;
  return there_is.programs == 0 || there_is.threads < wanted_threads(c) || stalled(c);
}

// Every launch goes through the pool's line, so that channels get free places in turn.
void controller::impl::staff(std::uint32_t number) {
  channel_state& c = channels[number];
  if (!c.waiting && wants_launch(c)) {
    c.waiting = true;
    c.waiting_since = now;
    pools[c.pool].waiting.push_back(number);
  }
  serve_pool(c.pool);
  if (c.waiting && wants_launch(c)) make_room(number);
}

void controller::impl::serve_pool(std::uint32_t number) {
  pool_state& p = pools[number];
  while (!p.waiting.empty() && p.jobs < p.limits.job_limit) {
    // The one with the least for its weight; of several, the one that waits longest.
    const auto next = std::ranges::min_element(p.waiting, [&](std::uint32_t a, std::uint32_t b) {
      return channels[a].jobs.size() * channels[b].limits.weight <
             channels[b].jobs.size() * channels[a].limits.weight;
    });
    const std::uint32_t channel = *next;
    p.waiting.erase(next);
    channel_state& c = channels[channel];
    c.waiting = false;
    if (!wants_launch(c)) continue;
    launch(channel);
    if (wants_launch(c)) {
      c.waiting = true;
      c.waiting_since = now;
      p.waiting.push_back(channel);
    }
    touch(channel);
  }
}

void controller::impl::launch(std::uint32_t number) {
  channel_state& c = channels[number];
  job j;
  j.channel = number;
  j.launched = now;
  j.expected_until = now + connect_patience;
  const job_no fresh{++last_job};
  jobs.emplace(last_job, j);
  c.jobs.push_back(fresh);
  c.progress_at = now;
  ++pools[c.pool].jobs;
  actions.emplace_back(action::launch{fresh, channel_no{number}});
}

// A pool is full of other channels' programs, and this channel has none, or less than its share of them: one
// of them leaves. At once, if it has nothing to do and this one has none; else when this channel has waited
// for long, for a pool whose programs never run out of work would keep it out for ever.
void controller::impl::make_room(std::uint32_t number) {
  const channel_state& needy = channels[number];
  pool_state& p = pools[needy.pool];
  if (p.making_room > 0) return;
  const bool has_some = workforce_of(needy).programs > 0;
  const moment waited = now - needy.waiting_since;
  if (has_some && waited < wait_for_one_of_several) return;
  std::uint32_t chosen = none;
  double most = 0;  // programs for its weight
  for (std::uint32_t d = 0; d < channels.size(); ++d) {
    const channel_state& donor = channels[d];
    if (d == number || donor.pool != needy.pool || donor.jobs.empty()) continue;
    std::uint32_t idlest = none;
    std::size_t programs = 0;
    for (const std::uint32_t w : donor.workers) {
      if (workers[w].job == job_no{} || workers[w].stopping) continue;
      ++programs;
      if (idlest == none || workers[w].hand.size() < workers[idlest].hand.size()) idlest = w;
    }
    if (idlest == none) continue;
    if (donor.open == 0 && workers[idlest].hand.empty()) {
      chosen = idlest;
      break;
    }
    if (waited < (programs > 1 ? wait_for_one_of_several : wait_for_the_only_one)) continue;
    // Not to and fro: who gives a place has no less then than who takes it.
    if (has_some && (programs - 1) * needy.limits.weight < (needy.jobs.size() + 1) * donor.limits.weight)
      continue;
    const double share = static_cast<double>(programs) / donor.limits.weight;
    if (share > most) {
      most = share;
      chosen = idlest;
    }
  }
  if (chosen == none) return;
  jobs.at(static_cast<std::uint64_t>(workers[chosen].job)).makes_room = true;
  ++p.making_room;
  tell_to_stop(chosen, "its place is needed for channel " + needy.limits.name);
}

// After new limits, or when a program connects that was launched under the old ones: those beyond the limits
// leave.
void controller::impl::stop_surplus() {
  std::vector<std::uint32_t> in_pool(pools.size());
  const auto staying = [&](const channel_state& c) {
    return static_cast<std::uint32_t>(std::ranges::count_if(
        c.jobs, [&](job_no n) { return !jobs.at(static_cast<std::uint64_t>(n)).told_to_stop; }));
  };
  const auto stop_one = [&](const channel_state& c, const char* why) {
    std::uint32_t idlest = none;
    for (const std::uint32_t w : c.workers)
      if (workers[w].job != job_no{} && !workers[w].stopping &&
          (idlest == none || workers[w].hand.size() < workers[idlest].hand.size()))
        idlest = w;
    if (idlest != none) tell_to_stop(idlest, why);
    return idlest != none;
  };
  for (const channel_state& c : channels) {
    const std::uint32_t limit = c.limits.has_program ? most_jobs(c) : 0;
    std::uint32_t there = staying(c);
    while (there > limit && stop_one(c, limit == 0           ? "its channel has no program any more"
                                        : c.stress.jobs != 0 ? "its target is stressed"
                                                             : "there are more programs than maxjobs allows"))
      --there;
    in_pool[c.pool] += there;
  }
  for (std::uint32_t p = 0; p < pools.size(); ++p) {
    while (in_pool[p] > pools[p].limits.job_limit) {
      const channel_state* most = nullptr;
      std::size_t programs = 0;
      for (const channel_state& c : channels) {
        const auto n = static_cast<std::size_t>(std::ranges::count_if(
            c.workers, [&](std::uint32_t w) { return workers[w].job != job_no{} && !workers[w].stopping; }));
        if (c.pool == p && n > programs) {
          programs = n;
          most = &c;
        }
      }
      if (most == nullptr || !stop_one(*most, "there are more programs than the pool's job_limit allows"))
        break;
      --in_pool[p];
    }
  }
}

// --- when there is something to look at

void controller::impl::channel_due(std::uint32_t number) {
  channel_state& c = channels[number];
  touch(number);
  for (const job_no n : c.jobs) {
    job& j = jobs.at(static_cast<std::uint64_t>(n));
    if (j.connected_once || j.silent || j.expected_until > now) continue;
    j.silent = true;
    job_failed(number, j,
               "its program (process " + std::to_string(j.pid) + ") has not connected within " +
                   std::to_string(connect_patience / 1000) + " s");
  }
  if (stalled(c) && !c.stall_reported && workforce_of(c).programs > 0) {
    c.stall_reported = true;
    report(action::severity::warning, "channel " + c.limits.name + ": " + std::to_string(c.ready) +
                                          " messages wait, and its programs have taken none for " +
                                          std::to_string((now - c.progress_at) / 1000) + " s");
  }
}

void controller::impl::arm(std::uint32_t number) {
  channel_state& c = channels[number];
  moment next = std::numeric_limits<moment>::max();
  const auto not_before = [&](moment t) {
    if (t > now) next = std::min(next, t);
  };
  for (const job_no n : c.jobs) {
    const job& j = jobs.at(static_cast<std::uint64_t>(n));
    if (j.worker == none) not_before(j.expected_until);
  }
  if (c.ready > 0) not_before(c.hours_until);
  if (c.stress.relax_at != 0) not_before(c.stress.relax_at);
  if (c.limits.max_life.count() > 0)
    for (const std::uint32_t w : c.workers)
      if (!workers[w].stopping) not_before(workers[w].connected + milliseconds(c.limits.max_life).count());
  if (c.open > 0 && c.limits.has_program && !c.limits.stopped && !shutting_down) {
    not_before(c.relaunch_at);
    not_before(c.progress_at + stall);
    if (c.waiting) {
      not_before(c.waiting_since + wait_for_one_of_several);
      not_before(c.waiting_since + wait_for_the_only_one);
    }
  }
  // A timer that turns out to be early looks again; that is cheaper than moving it at every event.
  if (next == std::numeric_limits<moment>::max() ||
      (c.position != none && channel_timers.time_at(c.position) <= next))
    return;
  if (c.position != none) channel_timers.remove(channels, number);
  channel_timers.add(channels, number, next);
}

// --- processes

void controller::job_started(time_point wall, job_no number, std::int64_t pid) {
  impl& s = *impl_;
  s.begin(wall);
  if (const auto j = s.jobs.find(static_cast<std::uint64_t>(number)); j != s.jobs.end()) j->second.pid = pid;
  s.settle();
}

void controller::launch_failed(time_point wall, job_no number, std::string_view why) {
  impl_->begin(wall);
  impl_->end_job(number, false, "cannot be started: " + std::string(why));
  impl_->settle();
}

void controller::job_exited(time_point wall, job_no number, bool clean, std::string_view status) {
  impl_->begin(wall);
  impl_->end_job(number, clean, std::string(status));
  impl_->settle();
}

void controller::impl::end_job(job_no number, bool clean, const std::string& words) {
  const auto at = jobs.find(static_cast<std::uint64_t>(number));
  if (at == jobs.end()) return;
  const job j = at->second;
  jobs.erase(at);
  channel_state& c = channels[j.channel];
  std::erase(c.jobs, number);
  --pools[c.pool].jobs;
  if (j.makes_room) --pools[c.pool].making_room;
  std::uint64_t left_behind = c.open;
  if (j.worker != none) {  // the end of its connection will be noticed in a moment
    left_behind += workers[j.worker].hand.size();
    workers[j.worker].job = job_no{};
  }
  touch(j.channel);
  if (!clean) return job_failed(j.channel, j, "its program " + words);
  if (j.processed > 0) c.idle_exit = false;
  if (j.processed > 0 || j.told_to_stop || left_behind == 0) return;
  // It left although messages wait. Once that may be because they came just when it had decided to.
  if (now - j.launched < short_life)
    job_failed(j.channel, j, "its program ended at once, having done nothing (" + words + ")");
  else if (std::exchange(c.idle_exit, true))
    job_failed(j.channel, j, "its program ended again without having done anything (" + words + ")");
}

void controller::impl::job_failed(std::uint32_t number, const job& j, const std::string& what) {
  channel_state& c = channels[number];
  // Programs that were launched together and die together have failed once.
  const bool again = c.relaunch_delay != milliseconds{0} && j.launched >= c.failed_at;
  if (c.relaunch_delay == milliseconds{0})
    c.relaunch_delay = std::min(c.limits.relaunch_first, c.limits.relaunch_last);
  else if (again)
    c.relaunch_delay = std::min(c.relaunch_delay * 2, c.limits.relaunch_last);
  c.failed_at = now;
  c.relaunch_at = now + c.relaunch_delay.count();
  report(action::severity::problem, "channel " + c.limits.name + ": " + what + "; not started again for " +
                                        std::to_string(c.relaunch_delay.count()) + " ms");
  touch(number);
}

// --- what a program asks

std::uint64_t controller::pending(worker_no number) const {
  const std::uint32_t w = impl_->find_worker(number);
  if (w == none || impl_->workers[w].stopping) return 0;
  const channel_state& c = impl_->channels[impl_->workers[w].channel];
  return c.limits.stopped || impl_->shutting_down ? 0 : c.open;
}

std::uint32_t controller::threads_needed(worker_no number) const {
  const impl& s = *impl_;
  const std::uint32_t w = impl_->find_worker(number);
  if (w == none) return 0;
  const worker& asks = s.workers[w];
  if (pending(number) == 0 && asks.hand.empty()) return 0;
  // Those who run share the work, each by its size: there are no more programs than the work needs.
  const channel_state& c = s.channels[asks.channel];
  const std::uint64_t threads = std::max<std::uint64_t>(s.workforce_of(c).threads, asks.max_threads);
  const std::uint64_t share = (s.wanted_threads(c) * asks.max_threads + threads - 1) / threads;
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(share, 1, asks.max_threads));
}

}  // namespace jobctl
