// What operators order: hold, release, run now.
#include "jobctl/controller/impl.hpp"

namespace jobctl {

// A program works on what it has in hand, and the server on what it moves; the order then waits until they
// are done.
void controller::impl::order(std::uint32_t i, bool hold) {
  message& m = messages[i];
  const std::uint32_t channel = channel_number(m);
  if (m.where == place::in_hand) {
    m.owed = hold;
    if (!hold) expect_notice(i);
    return;
  }
  if (hold == (m.where == place::held)) return;
  leave(i);
  if (hold) {
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
    actions.emplace_back(action::write_state{channel_no{channel}, id_of(m),
                                             hold ? phase::held : phase::queued,
                                             hold ? to_wall(m.due) : time_point{}});
}

void controller::hold(time_point now, std::span<const message_id> ids) {
  impl& s = *impl_;
  s.begin(now);
  for (const message_id& id : ids)
    if (const std::uint32_t i = s.find(id); i != none) s.order(i, true);
  s.settle();
}

void controller::release(time_point now, std::span<const message_id> ids) {
  impl& s = *impl_;
  s.begin(now);
  for (const message_id& id : ids)
    if (const std::uint32_t i = s.find(id); i != none) s.order(i, false);
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
