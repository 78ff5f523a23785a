#include "jobctl/controller/periodic.hpp"

#include <algorithm>

namespace jobctl {
namespace {

/// One that is found to be due so much later was missed: nobody looked.
constexpr std::chrono::seconds grace{60};
/// A clock set back by less repeats no run; by more, times of the day count anew.
constexpr std::chrono::hours small_step{3};

time_point next_after(const periodic_limits& l, time_point t) {
  return l.next ? l.next(t) : time_point::max();
}

}  // namespace

periodic_status* periodic_jobs::find(std::string_view name) {
  const auto at = std::ranges::find(status_, name, &periodic_status::name);
  return at == status_.end() ? nullptr : &*at;
}

const periodic_limits* periodic_jobs::limits_of(std::string_view name) const {
  const auto at = std::ranges::find(limits_, name, &periodic_limits::name);
  return at == limits_.end() ? nullptr : &*at;
}

void periodic_jobs::configure(time_point now, std::vector<periodic_limits> limits,
                              const std::vector<periodic_status>& known) {
  limits_ = std::move(limits);
  std::erase_if(status_,
                [&](const periodic_status& s) { return !s.running && limits_of(s.name) == nullptr; });
  for (periodic_status& s : status_) s.configured = limits_of(s.name) != nullptr;
  for (const periodic_limits& l : limits_) {
    periodic_status* s = find(l.name);
    if (s == nullptr) {
      s = &status_.emplace_back();
      const auto before = std::ranges::find(known, l.name, &periodic_status::name);
      if (before != known.end()) *s = *before;
      s->name = l.name;
      s->configured = true;
      if (s->last_due == time_point{}) s->last_due = now;  // it is missed from now on
    }
    // From where it was last due, so that runs that were missed are seen; but not from a time to come.
    s->next = next_after(l, s->last_due <= now + small_step ? s->last_due : now);
  }
  std::ranges::sort(status_, {}, &periodic_status::name);
  last_step_ = now;
}

void periodic_jobs::begin(periodic_status& s, time_point now) {
  s.running = true;
  s.overdue = false;
  s.started = now;
  ++s.runs;
}

std::vector<periodic_jobs::order> periodic_jobs::step(time_point now) {
  const bool set_back = now < last_step_, far = now + small_step < last_step_;
  last_step_ = now;
  std::vector<order> orders;
  for (periodic_status& s : status_) {
    const periodic_limits* l = limits_of(s.name);
    if (s.running) s.started = std::min(s.started, now);
    if (s.running && !s.overdue && l != nullptr && now - s.started >= l->timeout) {
      s.overdue = true;
      orders.push_back({order::what::terminate, s.name, {}});
      orders.push_back({order::what::report, s.name,
                        "periodic job " + s.name + ": it has run for " + std::to_string(l->timeout.count()) +
                            " s, its timeout, and is ended"});
    }
    if (l == nullptr) continue;
    if (far || (set_back && l->interval)) s.next = next_after(*l, now);
    if (s.next > now) continue;
    // Of several that were missed the last counts.
    time_point due = s.next;
    for (int n = 0; n < 1000; ++n) {
      const time_point later = next_after(*l, due);
      if (later > now || later <= due) break;
      due = later;
    }
    s.last_due = due;
    s.next = next_after(*l, now);
    if (now - due > grace && !l->run_missed) {
      ++s.skipped;
      orders.push_back(
          {order::what::report, s.name, "periodic job " + s.name + ": a run was missed, and is skipped"});
    } else if (s.running) {
      ++s.skipped;
      orders.push_back({order::what::report, s.name,
                        "periodic job " + s.name + ": it is due, but still runs; this run is skipped"});
    } else {
      begin(s, now);
      orders.push_back({order::what::start, s.name, {}});
    }
  }
  return orders;
}

time_point periodic_jobs::next_deadline() const {
  time_point first = time_point::max();
  for (const periodic_status& s : status_) {
    const periodic_limits* l = limits_of(s.name);
    if (l == nullptr) continue;
    first = std::min(first, s.next);
    if (s.running && !s.overdue) first = std::min(first, s.started + std::chrono::milliseconds(l->timeout));
  }
  return first;
}

void periodic_jobs::ended(time_point now, std::string_view name, bool clean, std::string_view words) {
  periodic_status* s = find(name);
  if (s == nullptr || !s->running) return;
  s->running = s->overdue = false;
  s->ended = now;
  s->clean = clean;
  s->outcome = words;
  if (!clean) ++s->failures;
  if (!s->configured) std::erase_if(status_, [&](const periodic_status& each) { return each.name == name; });
}

periodic_jobs::answer periodic_jobs::run_now(time_point now, std::string_view name) {
  periodic_status* s = find(name);
  if (s == nullptr || !s->configured) return answer::unknown;
  if (s->running) return answer::running;
  begin(*s, now);
  return answer::started;
}

}  // namespace jobctl
