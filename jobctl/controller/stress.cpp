// Stress: a channel's program reports that its target (a message store, a server) is overloaded. Then there
// are fewer programs for the channel, and fewer threads are wanted, until nothing of the kind was reported
// for a while; it relaxes in steps.
//
// Stressed once more, it becomes less by another step; reports that follow too soon (within the blackout of
// the last one that counted) only put off the relaxing, so that twenty threads that notice the same thing are
// one report.
#include "jobctl/controller/impl.hpp"

#include <algorithm>

namespace jobctl {
namespace {

constexpr std::uint64_t largest_factor = 1'000'000;

moment milliseconds_of(std::chrono::seconds s) { return milliseconds(s).count(); }

}  // namespace

std::uint32_t controller::impl::usual_jobs(const channel_state& c) const {
  return std::max<std::uint32_t>(std::min(c.limits.max_jobs, pools[c.pool].limits.job_limit), 1);
}

std::uint32_t controller::impl::most_jobs(const channel_state& c) const {
  return c.stress.jobs == 0 ? c.limits.max_jobs : std::min(c.limits.max_jobs, c.stress.jobs);
}

std::uint64_t controller::impl::depth(const channel_state& c) const {
  return std::max<std::uint64_t>(c.limits.thread_depth, 1) * c.stress.factor;
}

void controller::worker_stressed(time_point wall, worker_no number, std::string_view why) {
  impl& s = *impl_;
  s.begin(wall);
  const std::uint32_t w = s.find_worker(number);
  if (w == none) return s.settle();
  const std::uint32_t channel = s.workers[w].channel;
  channel_state& c = s.channels[channel];
  const stress_limits& l = c.limits.stress;
  stress_state& t = c.stress;
  const bool counts = !t.counted || s.now >= *t.counted + milliseconds_of(l.blackout);
  if (!counts && t.relax_at == 0) return s.settle();
  t.relax_at = s.now + std::max<moment>(milliseconds_of(l.time), 1);
  s.touch(channel);
  if (!counts) return s.settle();
  t.counted = s.now;
  t.why = why;
  t.factor = std::min(t.factor * std::max<std::uint32_t>(l.factor, 1), largest_factor);
  if (l.jobs > 0) {
    // From what there is on: a limit that is far away would take long to come down to it.
    const auto present = static_cast<std::uint32_t>(c.jobs.size());
    const std::uint32_t before = t.jobs != 0 ? t.jobs : std::clamp(present, 1u, s.usual_jobs(c));
    t.jobs = before > l.jobs ? before - l.jobs : 1;
  }
  s.report(action::severity::warning,
           "channel " + c.limits.name + ": its target is stressed" +
               (t.why.empty() ? "" : " (" + t.why + ")") + ": it gets at most " +
               std::to_string(s.most_jobs(c)) + " programs, and a thread for every " +
               std::to_string(s.depth(c)) + " messages, until nothing of the kind is reported for " +
               std::to_string(l.time.count()) + " s",
           action::subject::channel_stressed, channel_no{channel});
  s.stop_surplus();
  s.settle();
}

void controller::impl::relax(std::uint32_t number) {
  channel_state& c = channels[number];
  stress_state& t = c.stress;
  const stress_limits& l = c.limits.stress;
  while (t.relax_at != 0 && t.relax_at <= now) {
    t.factor = std::max<std::uint64_t>(t.factor / std::max<std::uint32_t>(l.unfactor, 2), 1);
    if (t.jobs != 0) t.jobs += std::max<std::uint32_t>(l.unjobs, 1);
    if (t.jobs >= usual_jobs(c)) t.jobs = 0;
    t.relax_at += std::max<moment>(milliseconds_of(l.untime), 1);
    if (t.factor > 1 || t.jobs != 0) continue;
    t.relax_at = 0;
    report(action::severity::info,
           "channel " + c.limits.name + ": its target is not stressed any more; it gets programs as usual",
           action::subject::channel_relaxed, channel_no{number});
  }
}

bool controller::find_stress(channel_no number, stress_figures& out) const {
  const impl& s = *impl_;
  const channel_state& c = s.channels.at(static_cast<std::uint32_t>(number));
  if (c.stress.relax_at == 0) return false;
  out = {s.most_jobs(c), s.depth(c), s.to_wall(*c.stress.counted), s.to_wall(c.stress.relax_at),
         c.stress.why};
  return true;
}

}  // namespace jobctl
