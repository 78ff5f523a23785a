// The events: what happened, and what follows from it.
#include "jobctl/controller/controller.hpp"

#include "jobctl/controller/model.hpp"

#include <algorithm>

namespace jobctl {
namespace {

constexpr auto connect_patience =
    std::chrono::seconds(30);                         // a launched program that says nothing is reported then
constexpr auto short_life = std::chrono::seconds(1);  // ending sooner, with nothing done, is a failure
constexpr auto lock_wait_first = std::chrono::seconds(2), lock_wait_last = std::chrono::seconds(30);
constexpr auto backward_step = std::chrono::minutes(1);  // a clock set back by more moves what waits with it

std::uint32_t number_of(channel_no c) { return static_cast<std::uint32_t>(c); }
std::int64_t to_ms(time_point t) { return t.time_since_epoch().count(); }
time_point from_ms(std::int64_t ms) { return time_point{milliseconds{ms}}; }

}  // namespace

controller::controller(const limits& l) : impl_(std::make_unique<impl>()) { configure(time_point{}, l); }
controller::~controller() = default;

void controller::impl::note_time(time_point now) {
  if (last_now != time_point{} && now + backward_step < last_now) {
    const auto step = now - last_now;
    timers.shift(messages, step.count());
    for (channel_state& c : channels) {
      c.relaunch_at += step;
      c.leaving_since += step;
    }
    for (auto& [number, j] : jobs) j.launched += step;
    for (auto& check : file_checks) check.first += step;
    report(action::severity::warning, "the clock was set back by " + std::to_string(-step.count() / 1000) +
                                          " s; what waits, waits no longer for it");
  }
  last_now = now;
}

// --- configuration
// ---------------------------------------------------------------------------------------------------

void controller::configure(time_point now, const limits& l) {
  impl& s = *impl_;
  s.lease_batch = std::max<std::uint32_t>(l.lease_batch, 1);
  s.pools = l.pools;
  if (s.pools.empty()) s.pools.push_back({});
  const auto pool_named = [&](const std::string& name) {
    const auto at = std::ranges::find(s.pools, name, &pool_limits::name);
    return at == s.pools.end() ? 0u : static_cast<std::uint32_t>(at - s.pools.begin());
  };
  for (channel_state& c : s.channels) {
    c.configured = false;
    c.limits.has_program = false;
    c.pool = 0;
  }
  for (const channel_limits& settings : l.channels) {
    channel_state& c = s.channels[s.channel_index(settings.name)];
    const bool stopped = c.limits.stopped && c.configured;
    c.limits = settings;
    c.limits.stopped = settings.stopped || stopped;
    for (auto& schedule : c.limits.backoff)
      if (schedule.empty()) schedule = {std::chrono::hours(1)};
    c.configured = true;
    c.pool = pool_named(settings.pool);
    c.relaunch_delay = milliseconds{0};
    c.relaunch_at = now;
  }
  s.pool_jobs.assign(s.pools.size(), 0);
  for (const channel_state& c : s.channels) s.pool_jobs[c.pool] += c.jobs;
  for (std::uint32_t c = 0; c < s.channels.size(); ++c) s.after_event(now, c);
}

channel_no controller::channel(std::string_view name) { return channel_no{impl_->channel_index(name)}; }
const std::string& controller::channel_name(channel_no c) const {
  return impl_->channels.at(number_of(c)).limits.name;
}

// --- the queue
// -------------------------------------------------------------------------------------------------------

void controller::messages_found(time_point now, channel_no channel, file_key key, std::uint32_t capacity,
                                bool complete, std::span<const new_message> found) {
  impl& s = *impl_;
  s.note_time(now);
  const std::uint32_t c = number_of(channel);
  const std::uint32_t file = s.make_file(c, key, capacity);
  queue_file& f = s.files[file];
  f.complete = f.complete || complete;
  for (const new_message& m : found) {
    if (m.slot >= f.slots.size() || f.slots[m.slot] != none) continue;
    const std::uint32_t i = s.messages.allocate();
    message& entry = s.messages[i];
    entry.file = file;
    entry.slot = m.slot;
    entry.destination = s.destination_index(c, m.host);
    entry.size = static_cast<std::uint32_t>(std::min<std::uint64_t>(m.size, none));
    entry.committed = to_ms(m.committed);
    entry.due = to_ms(m.due);
    entry.attempts = m.attempts;
    entry.priority = m.priority;
    f.slots[m.slot] = i;
    ++f.live;
    ++f.seen;
    s.channels[c].bytes += entry.size;
    // No wait is longer than the schedule's longest: such a time was written while the clock was ahead.
    time_point due = m.due;
    if (m.attempts > 0) {
      const backoff_schedule& waits = s.channels[c].limits.backoff[static_cast<unsigned>(m.priority)];
      due = std::min(due, now + *std::ranges::max_element(waits));
    }
    if (const worker* holder = s.take_claim({key.file, key.generation, m.slot});
        holder != nullptr && holder->channel == c)
      s.put_in_hand(i, static_cast<std::uint32_t>(holder - s.workers.data()));
    else if (m.phase == phase::held)
      s.put_held(i);
    else if (due > now)
      s.put_deferred(i, due);
    else
      s.put_ready(i);
  }
  if (f.live == 0) {
    if (complete || f.seen == 0) f.seen = std::max(f.seen, complete ? 1u : 0u);
    if (f.seen > 0) s.schedule_check(file, complete ? now : now + std::chrono::seconds(2));
  }
  s.after_event(now, c);
}

void controller::file_gone(time_point now, file_key key) {
  impl& s = *impl_;
  s.note_time(now);
  const std::uint32_t file = s.file_index(key);
  if (file == none) return;
  std::uint32_t lost = 0;
  for (const std::uint32_t i : s.files[file].slots) {
    if (i == none || i == slot_finished) continue;
    ++lost;
    s.channels[s.destinations[s.messages[i].destination].channel].bytes -= s.messages[i].size;
    s.take_out(i);
    s.messages.release(i);
  }
  if (lost > 0)
    s.report(action::severity::problem,
             "message file " + to_string(key.file) + " is gone, with " + std::to_string(lost) + " messages");
  s.drop_file(file);
}

void controller::moved(time_point now, message_id from, message_id to) {
  impl& s = *impl_;
  s.note_time(now);
  const std::uint32_t i = s.find(from);
  if (i == none || s.messages[i].where != place::moving) return;
  const std::uint32_t channel = s.destinations[s.messages[i].destination].channel;
  const std::uint32_t old_file = s.messages[i].file;
  s.take_out(i);
  s.files[old_file].slots[from.slot] = slot_finished;
  --s.files[old_file].live;
  const std::uint32_t file = s.make_file(channel, to.key(), to.slot + 1);
  queue_file& f = s.files[file];
  if (f.slots[to.slot] != none) {  // a scan was faster: the entry there is this message
    s.channels[channel].bytes -= s.messages[i].size;
    s.messages.release(i);
  } else {
    f.slots[to.slot] = i;
    ++f.live;
    ++f.seen;
    s.messages[i].file = file;
    s.messages[i].slot = to.slot;
    if (s.messages[i].was_held)
      s.put_held(i);
    else
      s.put_deferred(i, from_ms(s.messages[i].due));
  }
  if (s.files[old_file].live == 0) s.schedule_check(old_file, now);
}

void controller::move_failed(time_point now, message_id id) {
  impl& s = *impl_;
  s.note_time(now);
  const std::uint32_t i = s.find(id);
  if (i == none || s.messages[i].where != place::moving) return;
  s.take_out(i);
  if (s.messages[i].was_held)
    s.put_held(i);
  else
    s.put_deferred(i, from_ms(s.messages[i].due));
  s.schedule_check(s.messages[i].file, now + std::chrono::minutes(10));
}

void controller::recycled(time_point now, file_key key, bool done) {
  impl& s = *impl_;
  s.note_time(now);
  const std::uint32_t file = s.file_index(key);
  if (file == none) return;
  s.files[file].offered = false;
  if (done && s.files[file].live == 0)
    s.drop_file(file);
  else if (s.files[file].live == 0)
    s.schedule_check(file, now + std::chrono::seconds(5));
}

// --- channel programs
// ------------------------------------------------------------------------------------------------

void controller::worker_connected(time_point now, worker_no number, channel_no channel, job_no job_number,
                                  std::uint32_t max_threads, std::span<const message_id> holding) {
  impl& s = *impl_;
  s.note_time(now);
  const std::uint32_t c = number_of(channel);
  std::uint32_t w = 0;
  if (s.free_workers.empty()) {
    w = static_cast<std::uint32_t>(s.workers.size());
    s.workers.emplace_back();
  } else {
    w = s.free_workers.back();
    s.free_workers.pop_back();
  }
  s.workers[w] = worker{};
  s.workers[w].number = number;
  s.workers[w].channel = c;
  s.workers[w].job = job_number;
  s.workers[w].max_threads = std::max<std::uint32_t>(max_threads, 1);
  s.worker_by_number.emplace(static_cast<std::uint64_t>(number), w);
  s.channels[c].workers.push_back(w);
  const auto j = s.jobs.find(static_cast<std::uint64_t>(job_number));
  if (j != s.jobs.end() && !j->second.connected && j->second.channel == c) {
    j->second.connected = true;
    --s.channels[c].starting;
  }
  if (j != s.jobs.end() && std::exchange(j->second.leaving, false)) --s.channels[j->second.channel].leaving;
  for (const message_id& id : holding) {
    std::uint32_t i = s.find(id);
    if (i == none) {  // a scan will find it, or it is finished
      s.claims[id.key()][id.slot] = number;
      continue;
    }
    if (s.messages[i].where == place::in_hand) {  // the one who got it will find it locked
      s.claims[id.key()][id.slot] = number;
      continue;
    }
    if (s.messages[i].where == place::moving) continue;
    s.take_out(i);
    s.put_in_hand(i, w);
  }
  if (s.shutting_down) s.actions.emplace_back(action::stop_worker{number, "the controller stops"});
  s.after_event(now, c);
}

void controller::worker_asks(time_point now, worker_no number, std::uint32_t more) {
  impl& s = *impl_;
  s.note_time(now);
  worker* w = s.find_worker(number);
  if (w == nullptr || w->stopping) return;
  constexpr std::uint32_t most_credit = 1u << 20;
  w->credit = std::min(most_credit, w->credit + std::min(more, most_credit));
  s.serve(now, w->channel);
}

void controller::worker_stopping(time_point now, worker_no number) {
  impl& s = *impl_;
  s.note_time(now);
  worker* w = s.find_worker(number);
  if (w == nullptr) return;
  w->stopping = true;
  w->credit = 0;
  s.after_event(now, w->channel);
}

void controller::results(time_point now, worker_no number, std::span<const message_result> all) {
  impl& s = *impl_;
  s.note_time(now);
  const auto at = s.worker_by_number.find(static_cast<std::uint64_t>(number));
  if (at == s.worker_by_number.end()) return;
  const std::uint32_t index = at->second;
  const std::uint32_t channel = s.workers[index].channel;
  channel_state& c = s.channels[channel];
  std::uint64_t finished = 0, strange = 0;
  for (const message_result& r : all) {
    const std::uint32_t i = s.find(r.id);
    if (i == none || s.messages[i].where != place::in_hand || s.messages[i].owner != index) {
      if (i != none || s.take_claim(r.id) == nullptr) ++strange;
      continue;
    }
    message& m = s.messages[i];
    switch (r.outcome) {
      case outcome::finished:
        ++finished;
        s.forget(i, now);
        break;
      case outcome::gone: s.forget(i, now); break;
      case outcome::deferred: {
        if (m.attempts < 0xFFFF) ++m.attempts;
        m.lock_conflicts = 0;
        ++c.attempts_failed;
        const time_point due = r.next_attempt != time_point{} ? r.next_attempt : s.next_attempt(c, m, now);
        s.take_out(i);
        if (due > now)
          s.put_deferred(i, due);
        else
          s.put_ready(i);
        break;
      }
      case outcome::released:
        s.take_out(i);
        s.put_ready(i, true);
        break;
      case outcome::locked: {
        const auto wait = std::min<std::chrono::seconds>(
            lock_wait_last, lock_wait_first * (1 << std::min<int>(m.lock_conflicts, 4)));
        if (m.lock_conflicts < 255) ++m.lock_conflicts;
        s.take_out(i);
        s.put_deferred(i, now + wait);
        break;
      }
      case outcome::held:
        s.take_out(i);
        s.put_held(i);
        break;
      case outcome::bad:
        s.actions.emplace_back(action::set_aside{channel_no{channel}, r.id});
        s.forget(i, now);
        break;
    }
    if (s.claims.empty() || s.find(r.id) != i) continue;
    if (const worker* holder = s.take_claim(r.id); holder != nullptr && holder->channel == channel) {
      s.take_out(i);
      s.put_in_hand(i, static_cast<std::uint32_t>(holder - s.workers.data()));
    }
  }
  c.finished += finished;
  if (finished > 0) {
    c.relaunch_delay = milliseconds{0};
    const auto j = s.jobs.find(static_cast<std::uint64_t>(s.workers[index].job));
    if (j != s.jobs.end()) j->second.finished += finished;
  }
  if (strange > 0)
    s.report(action::severity::warning, "channel " + c.limits.name + ": a program reported " +
                                            std::to_string(strange) +
                                            " messages that it did not have; ignored");
  s.after_event(now, channel);
}

void controller::worker_gone(time_point now, worker_no number) {
  impl& s = *impl_;
  s.note_time(now);
  const auto at = s.worker_by_number.find(static_cast<std::uint64_t>(number));
  if (at == s.worker_by_number.end()) return;
  const std::uint32_t w = at->second;
  const std::uint32_t channel = s.workers[w].channel;
  s.worker_by_number.erase(at);
  // Last handed out first, each in front: so the order stays.
  while (!s.workers[w].messages.empty()) {
    const std::uint32_t i = s.workers[w].messages.tail;
    s.take_out(i);
    s.put_ready(i, true);
  }
  std::erase(s.channels[channel].workers, w);
  const auto j = s.jobs.find(static_cast<std::uint64_t>(s.workers[w].job));
  if (j != s.jobs.end() && !std::exchange(j->second.leaving, true)) {
    ++s.channels[j->second.channel].leaving;
    s.channels[j->second.channel].leaving_since = now;
  }
  s.workers[w] = worker{};
  s.free_workers.push_back(w);
  s.after_event(now, channel);
}

void controller::job_started(time_point, job_no number, std::int64_t pid) {
  const auto j = impl_->jobs.find(static_cast<std::uint64_t>(number));
  if (j != impl_->jobs.end()) j->second.pid = pid;
}

void controller::launch_failed(time_point now, job_no number, std::string_view why) {
  job_exited(now, number, false, "cannot be started: " + std::string(why));
}

void controller::job_exited(time_point now, job_no number, bool clean, std::string_view status) {
  impl& s = *impl_;
  s.note_time(now);
  const auto at = s.jobs.find(static_cast<std::uint64_t>(number));
  if (at == s.jobs.end()) return;
  const job j = at->second;
  s.jobs.erase(at);
  channel_state& c = s.channels[j.channel];
  --c.jobs;
  --s.pool_jobs[c.pool];
  if (!j.connected) --c.starting;
  if (j.leaving) --c.leaving;
  if (!clean)
    s.job_failed(now, j.channel, "its program " + std::string(status));
  else if (!j.connected || (j.finished == 0 && now - j.launched < short_life && c.ready > 0))
    s.job_failed(now, j.channel,
                 "its program ended at once, having done nothing (" + std::string(status) + ")");
  else
    c.relaunch_delay = milliseconds{0};
  s.staff(now, j.channel);
  s.staff_pool(now, c.pool);
}

// --- operators and the clock
// -----------------------------------------------------------------------------------------

void controller::clock(time_point now) {
  impl& s = *impl_;
  s.note_time(now);
  std::vector<std::uint32_t> touched;
  while (!s.timers.empty() && s.messages[s.timers.top()].due <= to_ms(now)) {
    const std::uint32_t i = s.timers.top();
    s.take_out(i);
    s.put_ready(i);
    const std::uint32_t channel = s.destinations[s.messages[i].destination].channel;
    if (touched.empty() || touched.back() != channel) touched.push_back(channel);
  }
  std::ranges::sort(touched);
  touched.erase(std::ranges::unique(touched).begin(), touched.end());
  for (const std::uint32_t c : touched) s.serve(now, c);
  for (std::uint32_t c = 0; c < s.channels.size(); ++c)
    if (s.channels[c].ready > 0) s.staff(now, c);
  while (!s.file_checks.empty() && s.file_checks.front().first <= now) {
    const file_key key = s.file_checks.front().second;
    s.file_checks.pop_front();
    const std::uint32_t file = s.file_index(key);
    if (file == none) continue;
    s.files[file].check_scheduled = false;
    s.check_file(file, now);
  }
  for (auto& [number, j] : s.jobs)
    if (!j.connected && !j.reported_silent && now - j.launched >= connect_patience) {
      j.reported_silent = true;
      s.report(action::severity::problem, "channel " + s.channels[j.channel].limits.name +
                                              ": its program (process " + std::to_string(j.pid) +
                                              ") has not connected for 30 s");
    }
}

void controller::run_channel(time_point now, channel_no channel) {
  impl& s = *impl_;
  s.note_time(now);
  const std::uint32_t c = number_of(channel);
  for (std::uint32_t i = 0; i < s.messages.end(); ++i)
    if (s.messages[i].where == place::deferred && s.destinations[s.messages[i].destination].channel == c) {
      s.take_out(i);
      s.put_ready(i);
    }
  s.channels[c].relaunch_delay = milliseconds{0};
  s.channels[c].relaunch_at = now;
  s.after_event(now, c);
}

void controller::stop_channel(time_point now, channel_no channel, bool stopped) {
  impl& s = *impl_;
  s.note_time(now);
  channel_state& c = s.channels.at(number_of(channel));
  c.limits.stopped = stopped;
  if (stopped)
    for (const std::uint32_t w : c.workers)
      s.actions.emplace_back(action::stop_worker{s.workers[w].number, "the channel is stopped"});
  s.after_event(now, number_of(channel));
}

void controller::hold(time_point now, std::span<const message_id> ids) {
  impl& s = *impl_;
  s.note_time(now);
  for (const message_id& id : ids) {
    const std::uint32_t i = s.find(id);
    if (i == none || (s.messages[i].where != place::ready && s.messages[i].where != place::deferred))
      continue;
    s.take_out(i);
    s.put_held(i);
    s.actions.emplace_back(action::write_state{channel_no{s.destinations[s.messages[i].destination].channel},
                                               id, phase::held, from_ms(s.messages[i].due)});
  }
}

void controller::release(time_point now, std::span<const message_id> ids) {
  impl& s = *impl_;
  s.note_time(now);
  for (const message_id& id : ids) {
    const std::uint32_t i = s.find(id);
    if (i == none || s.messages[i].where != place::held) continue;
    const std::uint32_t channel = s.destinations[s.messages[i].destination].channel;
    s.take_out(i);
    s.put_ready(i, true);  // a released message goes ahead of everything
    s.actions.emplace_back(action::write_state{channel_no{channel}, id, phase::queued, time_point{}});
    s.after_event(now, channel);
  }
}

void controller::shut_down(time_point now) {
  impl& s = *impl_;
  s.note_time(now);
  s.shutting_down = true;
  for (const auto& [number, w] : s.worker_by_number)
    s.actions.emplace_back(action::stop_worker{s.workers[w].number, "the controller stops"});
}

// --- answers
// ---------------------------------------------------------------------------------------------------------

std::uint64_t controller::pending(worker_no number) const {
  const worker* w = impl_->find_worker(number);
  if (w == nullptr || w->stopping || impl_->channels[w->channel].limits.stopped) return 0;
  return impl_->channels[w->channel].ready + w->in_hand;
}

std::uint32_t controller::threads_needed(worker_no number) const {
  const worker* w = impl_->find_worker(number);
  if (w == nullptr || pending(number) == 0) return 0;
  const channel_state& c = impl_->channels[w->channel];
  const std::uint64_t programs = std::max<std::uint64_t>(c.workers.size() + c.starting, 1);
  const std::uint64_t each = (impl_->wanted_threads(c) + programs - 1) / programs;
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(each, 1, w->max_threads));
}

time_point controller::next_deadline() const {
  const impl& s = *impl_;
  time_point next = time_point::max();
  if (!s.timers.empty()) next = from_ms(s.messages[s.timers.top()].due);
  if (!s.file_checks.empty()) next = std::min(next, s.file_checks.front().first);
  for (const channel_state& c : s.channels)
    if (c.ready > 0 && c.limits.has_program && !c.limits.stopped && c.relaunch_at > s.last_now)
      next = std::min(next, c.relaunch_at);
  for (const channel_state& c : s.channels)
    if (c.ready > 0 && c.leaving > 0 && c.leaving_since + leave_patience > s.last_now)
      next = std::min(next, c.leaving_since + leave_patience);
  for (const auto& [number, j] : s.jobs)
    if (!j.connected && !j.reported_silent) next = std::min(next, j.launched + connect_patience);
  return next;
}

action_list controller::take_actions() { return std::exchange(impl_->actions, {}); }

}  // namespace jobctl
