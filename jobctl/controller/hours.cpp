// Delivery windows: outside a channel's hours nothing is handed out, and no program is launched. And programs
// that have lived long enough.
#include "jobctl/controller/impl.hpp"

#include <algorithm>
#include <limits>

namespace jobctl {

void controller::impl::look_at_hours(std::uint32_t number) {
  channel_state& c = channels[number];
  if (c.hours_until > now) return;
  bool changed = false;
  c.hours_until = std::numeric_limits<moment>::max();
  for (unsigned p = 0; p < priorities; ++p) {
    const delivery_hours hours = c.limits.hours[p] ? c.limits.hours[p](to_wall(now)) : delivery_hours{};
    changed = changed || c.window_open[p] != hours.open;
    c.window_open[p] = hours.open;
    if (hours.until != time_point::max())
      c.hours_until = std::min(c.hours_until, std::max(from_wall(hours.until), now + 1));
  }
  if (changed)
    for (std::uint32_t d = c.destinations.head; d != none; d = destinations[d].siblings.next) review_flow(d);
}

void controller::impl::forget_hours() {
  for (std::uint32_t number = 0; number < channels.size(); ++number) {
    channel_state& c = channels[number];
    if (c.hours_until == std::numeric_limits<moment>::max()) continue;
    c.hours_until = std::numeric_limits<moment>::min();
    touch(number);
  }
}

time_point controller::window_opens(channel_no number, mta::queue::priority urgency) const {
  const impl& s = *impl_;
  const channel_state& c = s.channels.at(static_cast<std::uint32_t>(number));
  const auto p = static_cast<unsigned>(urgency);
  return c.window_open[p] || !c.limits.hours[p] ? time_point{} : c.limits.hours[p](s.to_wall(s.now)).until;
}

bool controller::impl::lived_long_enough(const channel_state& c, const worker& w) const {
  return (c.limits.max_messages > 0 && w.given >= c.limits.max_messages) ||
         (c.limits.max_life.count() > 0 && now - w.connected >= milliseconds(c.limits.max_life).count());
}

void controller::impl::retire(std::uint32_t number) {
  const channel_state& c = channels[number];
  if (c.limits.max_messages == 0 && c.limits.max_life.count() == 0) return;
  for (const std::uint32_t w : c.workers) {
    if (workers[w].stopping || !lived_long_enough(c, workers[w])) continue;
    tell_to_stop(w, c.limits.max_messages > 0 && workers[w].given >= c.limits.max_messages
                        ? "it has been given as many messages as max_life_askwork says"
                        : "it has run for as long as max_life_time says");
  }
}

}  // namespace jobctl
