// Messages that wait too long: whose sender is to be told, and which are to be returned.
//
// There is no timer for each message: that would cost every message something when it comes and when it goes,
// and hardly any ever waits so long. A file has one, for the first of its messages that may be due; then all
// of the file is looked at. Messages of one file were committed at about the same time, so that a file is
// looked at a few times in its life.
#include "jobctl/controller/impl.hpp"

#include <algorithm>

namespace jobctl {
namespace {

/// A file is not looked at more often.
constexpr moment between_looks = 1'000;
/// A message that a program has in hand, or that is being copied, is looked at again.
constexpr moment look_again = 5'000;
constexpr moment failed_again = 60'000;
/// So many are worked on by the server at a time.
constexpr std::uint32_t most_under_way = 64;
/// After a start nothing is told at once: the mail may have waited because nobody was there to send it. A
/// tenth of what a message may wait in all, and no more than this.
constexpr moment longest_grace = 3'600'000;

}  // namespace

moment controller::impl::next_notice(const message& m, std::uint32_t i) const {
  const channel_state& c = channels[destinations[m.destination].channel];
  const notice_schedule& schedule = c.limits.notices[static_cast<unsigned>(m.urgency)];
  // Without its configuration nobody knows how long the channel's messages may wait.
  if (!c.configured || schedule.empty() || m.noticing || m.where == place::held) return no_notice;
  std::int64_t start = m.committed;
  if (!later_starts.empty())
    if (const auto later = later_starts.find(i); later != later_starts.end()) start = later->second;
  const std::size_t step = std::min<std::size_t>(m.notices, schedule.size() - 1);
  const moment grace = std::min(milliseconds(schedule.back()).count() / 10, longest_grace);
  return std::max(start + skew + milliseconds(schedule[step]).count(), started + grace);
}

void controller::impl::look_for_notices(std::uint32_t file, moment when) {
  queue_file& f = files[file];
  if (f.notice_position != none) {
    if (notice_timers.time_at(f.notice_position) <= when) return;
    notice_timers.remove(files, file);
  }
  notice_timers.add(files, file, when);
}

void controller::impl::expect_notice(std::uint32_t i) {
  const message& m = messages[i];
  if (const moment when = next_notice(m, i); when != no_notice) look_for_notices(m.file, when);
}

bool controller::impl::may_notice() const {
  return !shutting_down && notices_under_way < most_under_way && !notice_timers.empty();
}

void controller::impl::notices_due(std::uint32_t file) {
  notice_timers.remove(files, file);
  queue_file& f = files[file];
  if (f.under_way != queue_file::errand::idle) return look_for_notices(file, now + look_again);
  if (f.notices_after > now) return look_for_notices(file, f.notices_after);
  moment next = no_notice;
  // From where the last look ended: the first messages may fail again and again.
  const auto slots = static_cast<std::uint32_t>(f.slots.size()), first = f.notice_slot;
  for (std::uint32_t n = 0; n < slots; ++n) {
    const std::uint32_t slot = (first + n) % slots, i = f.slots[slot];
    if (i == none || i == queue_file::slot_finished) continue;
    const message& m = messages[i];
    moment when = next_notice(m, i);
    if (when <= now) {
      if (m.where == place::in_hand) {
        when = now + look_again;
      } else if (notices_under_way < most_under_way) {
        begin_notice(i);
        continue;
      } else {
        f.notice_slot = slot;
        return look_for_notices(file, now);  // when others are done
      }
    }
    next = std::min(next, when);
  }
  if (next != no_notice) look_for_notices(file, std::max(next, now + between_looks));
}

void controller::impl::begin_notice(std::uint32_t i) {
  message& m = messages[i];
  const std::uint32_t channel = channel_number(m);
  const notice_schedule& schedule = channels[channel].limits.notices[static_cast<unsigned>(m.urgency)];
  std::int64_t start = m.committed;
  if (const auto later = later_starts.find(i); later != later_starts.end()) start = later->second;
  // Of several steps that are due by now the sender hears once.
  std::size_t step = m.notices;
  while (step < schedule.size() && start + skew + milliseconds(schedule[step]).count() <= now) ++step;
  begin_errand(i);
  touch(channel);
  actions.emplace_back(action::notice{channel_no{channel}, id_of(m), static_cast<std::uint8_t>(step),
                                      step >= schedule.size(),
                                      time_point{milliseconds{start} + schedule.back()}});
}

void controller::impl::begin_errand(std::uint32_t i) {
  message& m = messages[i];
  if (m.where == place::held) {
    if (m.position != none) message_timers.remove(messages, i);
    m.noticing = true;
  } else {
    const moment due = m.where == place::deferred ? m.due : now;
    leave(i);
    m.noticing = true;
    enter_deferred(i, due);
  }
  if (files[m.file].busy++ == 0) review(m.file);
  ++notices_under_way;
}

void controller::impl::end_notice(std::uint32_t i) {
  message& m = messages[i];
  m.noticing = false;
  --notices_under_way;
  if (--files[m.file].busy == 0) review(m.file);
}

void controller::noticed(time_point wall, message_id id, notice_outcome what, std::uint8_t step) {
  impl& s = *impl_;
  s.begin(wall);
  const std::uint32_t i = s.find(id);
  if (i == none || !s.messages[i].noticing) return s.settle();  // its file has gone meanwhile
  message& m = s.messages[i];
  channel_state& c = s.channel_of(m);
  const std::uint32_t channel = s.channel_number(m);
  s.touch(channel);
  switch (what) {
    case notice_outcome::finished:
      ++c.expired;
      ++c.finished;
      ++c.totals.returned;
      ++c.totals.finished;
      s.note(transition_kind::returned, i);
      s.forget(i);
      return s.settle();
    case notice_outcome::gone:
      s.note(transition_kind::gone, i);
      s.forget(i);
      return s.settle();
    case notice_outcome::held:
      s.end_notice(i);
      s.leave(i);
      s.enter_held(i);
      break;
    case notice_outcome::done:
      ++c.warned;
      ++c.totals.warned;
      s.note(transition_kind::warned, i);
      m.notices = std::min<std::uint32_t>(step, 7);
      s.end_notice(i);
      break;
    case notice_outcome::failed: s.files[m.file].notices_after = s.now + failed_again; [[fallthrough]];
    case notice_outcome::busy: s.end_notice(i); break;
  }
  s.resume(i);
  if (what == notice_outcome::busy || what == notice_outcome::failed)
    s.look_for_notices(m.file, s.now + (what == notice_outcome::busy ? look_again : failed_again));
  else
    s.expect_notice(i);
  s.settle();
}

}  // namespace jobctl
