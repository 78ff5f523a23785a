// What operators order of messages and channels.
#include "jobctl/controller/impl.hpp"

#include <algorithm>

namespace jobctl {
namespace {

transition_kind transition_of(verb order) {
  switch (order) {
    case verb::route: return transition_kind::routed;
    case verb::bounce: return transition_kind::bounced;
    case verb::remove: return transition_kind::removed;
    default: return transition_kind::finished;
  }
}

}  // namespace

void controller::impl::write_state(std::uint32_t i) {
  const message& m = messages[i];
  const bool held = m.where == place::held;
  actions.emplace_back(action::write_state{channel_no{channel_number(m)}, id_of(m),
                                           held ? phase::held : phase::queued,
                                           held ? to_wall(m.due) : time_point{}, held && m.hold_ends});
}

// A program works on what it has in hand, and the server on what it moves; the order then waits until they
// are done.
void controller::impl::order(std::uint32_t i, bool hold, moment until) {
  message& m = messages[i];
  const std::uint32_t channel = channel_number(m);
  if (m.where == place::in_hand) {
    m.owed = hold;
    m.hold_ends = hold && until != 0;
    if (m.hold_ends) m.due = std::max(m.due, until);
    if (!hold) expect_notice(i);
    return;
  }
  if (!hold && m.where != place::held) return;
  if (hold && m.where == place::held && would(verb::hold, i, until) == effect::unchanged) return;
  if (!hold) note(transition_kind::released, i);
  leave(i);
  m.hold_ends = hold && until != 0;
  if (hold) {
    if (m.hold_ends) m.due = until;
    enter_held(i);
  } else if (m.with_server()) {
    enter_deferred(i, now);
  } else {
    m.released = true;
    m.conflicts = 0;
    enter_ready(i, true);
    touch(channel);
  }
  if (!hold) expect_notice(i);
  if (m.with_server())
    m.owed = true;
  else
    write_state(i);
}

void controller::impl::message_due(std::uint32_t i) {
  message& m = messages[i];
  const bool was_held = m.where == place::held;
  if (was_held) note(transition_kind::released, i);
  leave(i);
  enter_ready(i);
  touch(channel_number(m));
  if (!was_held) return;
  m.hold_ends = false;
  m.released = true;
  m.conflicts = 0;
  expect_notice(i);
  actions.emplace_back(
      action::write_state{channel_no{channel_number(m)}, id_of(m), phase::queued, {}, false, true});
}

effect controller::impl::would(verb v, std::uint32_t i, moment until) const {
  if (i == none) return effect::not_found;
  const message& m = messages[i];
  const bool in_hand = m.where == place::in_hand, held = m.where == place::held;
  switch (v) {
    case verb::hold:
      if (in_hand) return m.owed && m.hold_ends == (until != 0) ? effect::unchanged : effect::in_hand;
      return held && m.hold_ends == (until != 0) && (until == 0 || m.due == until) ? effect::unchanged
                                                                                   : effect::changed;
    case verb::release: return held || (in_hand && m.owed) ? effect::changed : effect::unchanged;
    case verb::retry:
      if (in_hand) return effect::in_hand;
      return m.where == place::deferred ? effect::changed : effect::unchanged;
    case verb::route:
    case verb::bounce:
    case verb::remove: return in_hand || m.with_server() ? effect::in_hand : effect::changed;
  }
  return effect::unchanged;
}

effect controller::would(verb v, const message_id& id, time_point until) const {
  return impl_->would(v, impl_->find(id), until == time_point{} ? 0 : impl_->from_wall(until));
}

void controller::hold(time_point now, std::span<const message_id> ids, time_point until) {
  impl& s = *impl_;
  s.begin(now);
  for (const message_id& id : ids)
    if (const std::uint32_t i = s.find(id); i != none)
      s.order(i, true, until == time_point{} ? 0 : s.from_wall(until));
  s.settle();
}

void controller::release(time_point now, std::span<const message_id> ids) {
  impl& s = *impl_;
  s.begin(now);
  for (const message_id& id : ids)
    if (const std::uint32_t i = s.find(id); i != none) s.order(i, false);
  s.settle();
}

void controller::retry(time_point now, std::span<const message_id> ids) {
  impl& s = *impl_;
  s.begin(now);
  for (const message_id& id : ids) {
    const std::uint32_t i = s.find(id);
    if (i == none || s.messages[i].where != place::deferred) continue;
    message& m = s.messages[i];
    if (m.with_server()) {
      m.due = s.now;
      continue;
    }
    s.leave(i);
    s.enter_ready(i);
    s.touch(s.channel_number(m));
  }
  s.settle();
}

void controller::take(time_point now, std::span<const message_id> ids) {
  impl& s = *impl_;
  s.begin(now);
  for (const message_id& id : ids)
    if (const std::uint32_t i = s.find(id);
        i != none && s.messages[i].where != place::in_hand && !s.messages[i].with_server())
      s.begin_errand(i);
  s.settle();
}

void controller::given_back(time_point now, const message_id& id, errand_outcome what, verb order) {
  impl& s = *impl_;
  s.begin(now);
  const std::uint32_t i = s.find(id);
  if (i == none || !s.messages[i].noticing) return s.settle();  // its file has gone meanwhile
  s.touch(s.channel_number(s.messages[i]));
  if (what == errand_outcome::back) {
    s.end_notice(i);
    s.resume(i);
    s.expect_notice(i);
  } else {
    if (what == errand_outcome::finished) {
      ++s.channel_of(s.messages[i]).finished;
      ++s.channel_of(s.messages[i]).totals.finished;
    }
    s.note(what == errand_outcome::finished ? transition_of(order) : transition_kind::gone, i);
    s.forget(i);
  }
  s.settle();
}

void controller::run_channel(time_point now, channel_no channel) {
  impl& s = *impl_;
  s.begin(now);
  const auto number = static_cast<std::uint32_t>(channel);
  channel_state& c = s.channels.at(number);
  for (std::uint32_t d = c.destinations.head; d != none; d = s.destinations[d].siblings.next) {
    std::uint32_t next = none;
    for (std::uint32_t i = s.destinations[d].at[static_cast<unsigned>(place::deferred)].head; i != none;
         i = next) {
      message& m = s.messages[i];
      next = m.line.next;
      if (m.with_server()) {
        m.due = s.now;
        continue;
      }
      s.leave(i);
      s.enter_ready(i);
    }
  }
  c.relaunch_delay = milliseconds{0};
  c.relaunch_at = s.now;
  s.touch(number);
  s.settle();
}

}  // namespace jobctl
