// Totals of each channel, over restarts. At every moment after the index has been made,
//   enqueued - left = messages that are in the channel.
// Until then a message that is found may have been counted by an earlier controller; so nothing is added to
// `enqueued` before all that is there is known, and the equation tells what happened in between.
#include "jobctl/controller/impl.hpp"

namespace jobctl {

void controller::restore_totals(channel_no channel, const channel_totals& t) {
  impl_->channels.at(static_cast<std::uint32_t>(channel)).totals = t;
}

const channel_totals& controller::totals(channel_no channel) const {
  return impl_->channels.at(static_cast<std::uint32_t>(channel)).totals;
}

void controller::index_is_complete() {
  impl& s = *impl_;
  if (std::exchange(s.index_complete, true)) return;
  for (channel_state& c : s.channels) {
    channel_totals& t = c.totals;
    const std::uint64_t present = c.ready + c.in_hand + c.deferred + c.held;
    const std::uint64_t accounted_for = present + t.left;
    if (accounted_for > t.enqueued) {
      t.enqueued = accounted_for;  // they came while no controller ran
    } else {
      const std::uint64_t unseen = t.enqueued - accounted_for;  // programs went on without one
      t.left += unseen;
      t.finished += unseen;
    }
  }
}

}  // namespace jobctl
