// Configuration, time, and what every event begins and ends with.
#include "jobctl/controller/controller.hpp"

#include "jobctl/controller/impl.hpp"

#include <algorithm>
#include <limits>

namespace jobctl {
namespace {

/// Messages that become due in one event: after a jump of the clock millions may, and programs are not to
/// wait for it.
constexpr int most_due_at_once = 20'000;
/// Files that are looked at in one event for messages that wait too long: up to 4096 messages each.
constexpr int most_files_looked_at = 16;
/// A clock set back by more is worth a line in the log.
constexpr moment backward_step_to_report = 60'000;
/// Whatever is configured: a program that fails is never launched in a tight loop.
constexpr milliseconds shortest_relaunch{100};

}  // namespace

controller::controller(const limits& l) : impl_(std::make_unique<impl>()) { configure(time_point{}, l); }
controller::~controller() = default;

// Controller time runs with the wall clock, except that it never goes back: when the clock is set back by an
// hour, an hour is added to `skew`, and everything that waits goes on waiting for as long as it would have. A
// clock set forward makes due what is due by then.
void controller::impl::begin(time_point wall) {
  moment t = from_wall(wall);
  if (t < now) {
    if (now - t >= backward_step_to_report)
      report(action::severity::warning, "the clock was set back by " + std::to_string((now - t) / 1000) +
                                            " s; whatever waits does not wait longer for it");
    skew += now - t;
    t = now;
    forget_hours();
  }
  now = t;
  if (started == 0) started = now;
  for (int n = 0; n < most_due_at_once && !message_timers.empty() && message_timers.first_time() <= now;
       ++n) {
    message_due(message_timers.first());
  }
  while (!file_timers.empty() && file_timers.first_time() <= now) {
    const std::uint32_t f = file_timers.first();
    file_timers.remove(files, f);
    file_due(f);
  }
  for (int n = 0; n < most_files_looked_at && may_notice() && notice_timers.first_time() <= now; ++n)
    notices_due(notice_timers.first());
  while (!flow_timers.empty() && flow_timers.first_time() <= now) {
    const std::uint32_t f = flow_timers.first();
    flow_timers.remove(flows, f);
    flow_due(f);
  }
  while (!channel_timers.empty() && channel_timers.first_time() <= now) {
    const std::uint32_t c = channel_timers.first();
    channel_timers.remove(channels, c);
    channel_due(c);
  }
  if (next_stop_end <= now) stops_due();
}

void controller::impl::settle() {
  while (!touched.empty()) {
    const std::uint32_t c = touched.back();
    touched.pop_back();
    channels[c].touched = false;
    review_backlog(c);
    relax(c);
    look_at_hours(c);
    retire(c);
    serve(c);
    staff(c);
    arm(c);
  }
  review_whole_backlog();
}

void controller::clock(time_point now) {
  impl_->begin(now);
  impl_->settle();
}

time_point controller::next_deadline() const {
  const impl& s = *impl_;
  moment next = std::numeric_limits<moment>::max();
  if (!s.message_timers.empty()) next = std::min(next, s.message_timers.first_time());
  if (!s.file_timers.empty()) next = std::min(next, s.file_timers.first_time());
  if (s.may_notice()) next = std::min(next, s.notice_timers.first_time());
  if (!s.flow_timers.empty()) next = std::min(next, s.flow_timers.first_time());
  if (!s.channel_timers.empty()) next = std::min(next, s.channel_timers.first_time());
  next = std::min(next, s.next_stop_end);
  return next == std::numeric_limits<moment>::max() ? time_point::max() : s.to_wall(next);
}

void controller::observe(bool on) {
  impl_->observed = on;
  if (!on) impl_->transitions.clear();
}

void controller::take_transitions(std::vector<transition>& to) {
  auto& from = impl_->transitions;
  to.insert(to.end(), from.begin(), from.end());
  from.clear();
}

action_list controller::take_actions() { return std::exchange(impl_->actions, {}); }

// --- configuration

std::uint32_t controller::impl::channel_named(std::string_view name) {
  const auto [at, fresh] =
      channel_index.try_emplace(std::string(name), static_cast<std::uint32_t>(channels.size()));
  if (fresh) {
    channel_state& c = channels.emplace_back();
    c.limits.name = name;
    c.limits.has_program = false;
    c.limits.stopped = ordered_to_stop(name);
    for (auto& schedule : c.limits.backoff) schedule = {std::chrono::hours(1)};
  }
  return at->second;
}

channel_no controller::channel(std::string_view name) { return channel_no{impl_->channel_named(name)}; }

const std::string& controller::channel_name(channel_no c) const {
  return impl_->channels.at(static_cast<std::uint32_t>(c)).limits.name;
}

void controller::configure(time_point now, const limits& l) {
  impl& s = *impl_;
  s.begin(now);
  s.lease_batch = std::max<std::uint32_t>(l.lease_batch, 1);
  s.backlog_limit = l.backlog_limit;

  s.pools.clear();
  for (const pool_limits& p : l.pools) s.pools.push_back({p, 0, 0, {}});
  if (s.pools.empty()) s.pools.emplace_back();
  const auto pool_named = [&](const std::string& name) {
    const auto at = std::ranges::find(s.pools, name, [](const pool_state& p) { return p.limits.name; });
    return at == s.pools.end() ? 0u : static_cast<std::uint32_t>(at - s.pools.begin());
  };

  for (channel_state& c : s.channels) {
    c.configured = false;
    c.limits.has_program = false;
    c.limits.backlog_limit = 0;
    c.pool = 0;
    c.waiting = false;
  }
  for (const channel_limits& settings : l.channels) {
    channel_state& c = s.channels[s.channel_named(settings.name)];
    // That an operator has started it nevertheless stands until the configured state changes.
    if (settings.stopped != c.configured_stopped) c.stopped_by_settings = settings.stopped;
    c.configured_stopped = settings.stopped;
    c.limits = settings;
    c.limits.stopped = c.stopped_by_settings || s.ordered_to_stop(settings.name);
    for (auto& schedule : c.limits.backoff)
      if (schedule.empty()) schedule = {std::chrono::hours(1)};
    c.limits.relaunch_first = std::max(c.limits.relaunch_first, shortest_relaunch);
    c.limits.relaunch_last = std::max(c.limits.relaunch_last, c.limits.relaunch_first);
    c.limits.weight = std::max<std::uint32_t>(c.limits.weight, 1);
    c.host_rules.assign(1, settings.hosts);
    c.host_rule_index.clear();
    for (const host_rule& rule : settings.host_rules)
      if (c.host_rule_index.emplace(rule.host, c.host_rules.size()).second)
        c.host_rules.push_back(rule.limits);
    c.configured = true;
    c.pool = pool_named(settings.pool);
    c.relaunch_delay = milliseconds{0};  // what was wrong may have been put right
    c.relaunch_at = s.now;
    c.threads_seen = 0;
    c.hours_until = std::numeric_limits<moment>::min();
  }
  for (const channel_state& c : s.channels) s.pools[c.pool].jobs += static_cast<std::uint32_t>(c.jobs.size());
  for (const auto& [number, j] : s.jobs)
    if (j.makes_room) ++s.pools[s.channels[j.channel].pool].making_room;
  for (std::uint32_t d = s.destinations.next_live(0); d < s.destinations.end();
       d = s.destinations.next_live(d + 1))
    s.regulate(d);
  s.stop_surplus();
  // Other schedules, perhaps: every file is looked at.
  for (std::uint32_t f = s.files.next_live(0); f < s.files.end(); f = s.files.next_live(f + 1))
    s.look_for_notices(f, s.now);
  for (std::uint32_t c = 0; c < s.channels.size(); ++c) s.touch(c);
  s.settle();
}

void controller::shut_down(time_point now) {
  impl& s = *impl_;
  s.begin(now);
  s.shutting_down = true;
  for (const channel_state& c : s.channels)
    for (const std::uint32_t w : c.workers) s.tell_to_stop(w, "the job controller stops");
  s.settle();
}

}  // namespace jobctl
