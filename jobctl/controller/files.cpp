// Message files: what is found in them, and what becomes of those that are finished or mostly finished.
#include "jobctl/controller/impl.hpp"

#include <algorithm>

namespace jobctl {
namespace {

/// A file to which messages may still be added is offered for recycling when it has been empty for so long.
constexpr moment rest_before_recycling = 2'000;
/// A file of which only deferred and held messages are left is compacted when that has been so for so long.
constexpr moment rest_before_compacting = 60'000;
/// After a refusal (a writer has it open …) it is offered again; the wait doubles.
constexpr moment recycle_again_first = 5'000, recycle_again_last = 300'000, compact_again = 600'000;
/// Keys of recycled files that are remembered, against scans that began before.
constexpr std::size_t recycled_remembered = 4096;

}  // namespace

std::uint32_t controller::impl::find_file(const file_key& key) {
  if (last_file != none && files[last_file].key == key) return last_file;
  const auto found = file_index.find(key);
  return found == file_index.end() ? none : last_file = found->second;
}

std::uint32_t controller::impl::find(const message_id& id) {
  const std::uint32_t f = find_file(id.key());
  if (f == none || id.slot >= files[f].slots.size()) return none;
  const std::uint32_t i = files[f].slots[id.slot];
  return i == queue_file::slot_finished ? none : i;
}

std::uint32_t controller::impl::make_file(std::uint32_t channel, const file_key& key,
                                          std::uint32_t capacity) {
  std::uint32_t i = find_file(key);
  if (i == none) {
    i = files.make();
    files[i].key = key;
    files[i].channel = channel;
    file_index.emplace(key, i);
    last_file = i;
  }
  files[i].capacity = std::max(files[i].capacity, capacity);
  return i;
}

void controller::impl::make_slots(queue_file& f, std::uint32_t count) {
  if (f.slots.size() >= count) return;
  slot_table_bytes -= f.slots.capacity() * sizeof(std::uint32_t);
  const std::size_t doubled = std::min<std::size_t>(f.capacity, f.slots.size() * 2);
  f.slots.reserve(std::max<std::size_t>(count, doubled));
  f.slots.resize(count, none);
  slot_table_bytes += f.slots.capacity() * sizeof(std::uint32_t);
}

void controller::impl::drop_file(std::uint32_t i) {
  queue_file& f = files[i];
  if (f.position != none) file_timers.remove(files, i);
  if (f.notice_position != none) notice_timers.remove(files, i);
  slot_table_bytes -= f.slots.capacity() * sizeof(std::uint32_t);
  file_index.erase(f.key);
  if (last_file == i) last_file = none;
  files.release(i);
}

void controller::impl::review(std::uint32_t i) {
  queue_file& f = files[i];
  auto outlook = queue_file::prospect::nothing;
  if (f.under_way == queue_file::errand::idle) {
    if (f.live == 0 && f.used > 0)
      outlook = f.complete && f.refusals == 0 ? queue_file::prospect::recycle
                                              : queue_file::prospect::recycle_after_rest;
    else if (f.complete && f.busy == 0 && f.live > 0 && f.live <= f.capacity / 4 && !shutting_down)
      outlook = queue_file::prospect::compact;
  }
  if (outlook == f.outlook) return;
  f.outlook = outlook;
  if (f.position != none) file_timers.remove(files, i);
  switch (outlook) {
    case queue_file::prospect::nothing: break;
    case queue_file::prospect::recycle: file_due(i); break;
    case queue_file::prospect::recycle_after_rest:
      file_timers.add(files, i,
                      now + (f.refusals == 0 ? rest_before_recycling
                                             : std::min(recycle_again_first << std::min(f.refusals - 1, 10),
                                                        recycle_again_last)));
      break;
    case queue_file::prospect::compact:
      file_timers.add(files, i, now + (f.refusals == 0 ? rest_before_compacting : compact_again));
      break;
  }
}

void controller::impl::file_due(std::uint32_t i) {
  queue_file& f = files[i];
  const auto outlook = std::exchange(f.outlook, queue_file::prospect::nothing);
  if (outlook != queue_file::prospect::compact) {
    f.under_way = queue_file::errand::recycling;
    actions.emplace_back(action::recycle{channel_no{f.channel}, f.key});
    return;
  }
  if (shutting_down) return;
  f.under_way = queue_file::errand::moving;
  f.moves = f.live;
  action::compact order{channel_no{f.channel}, f.key, {}};
  order.slots.reserve(f.live);
  for (const std::uint32_t m : f.slots) {
    if (m == none || m == queue_file::slot_finished) continue;
    messages[m].moving = true;
    if (messages[m].position != none) message_timers.remove(messages, m);
    order.slots.push_back(messages[m].slot);
  }
  actions.emplace_back(std::move(order));
}

void controller::impl::resume(std::uint32_t i) {
  message& m = messages[i];
  m.moving = m.noticing = false;
  const bool write = m.owed;
  m.owed = false;
  if (const std::uint32_t holder = claims.empty() ? none : take_claim(id_of(m), channel_number(m));
      holder != none) {
    m.owed = m.where == place::held;
    leave(i);
    enter_hand(i, holder);
    return;
  }
  if (m.where == place::deferred) {
    leave(i);
    if (m.due > now)
      enter_deferred(i, m.due);
    else
      enter_ready(i, true);
    touch(channel_number(m));
  } else if (m.where == place::held && m.hold_ends && m.position == none) {
    message_timers.add(messages, i, m.due);
  }
  if (write) write_state(i);
}

void controller::impl::one_move_less(std::uint32_t i) {
  queue_file& f = files[i];
  if (f.under_way != queue_file::errand::moving) return;
  if (--f.moves == 0) f.under_way = queue_file::errand::idle;
  review(i);
}

void controller::messages_found(time_point wall, channel_no channel, file_key key, std::uint32_t capacity,
                                bool complete, std::span<const new_message> found, sighting how) {
  impl& s = *impl_;
  s.begin(wall);
  const auto c = static_cast<std::uint32_t>(channel);
  if (s.recycled_keys.contains(key)) return s.settle();  // read or sent before it was recycled
  const std::uint32_t file = s.make_file(c, key, capacity);
  queue_file& f = s.files[file];
  if (f.channel != c) {
    s.report(action::severity::warning, "message file " + to_string(key.file) + " is announced in channel " +
                                            s.channels[c].limits.name + ", but belongs to channel " +
                                            s.channels[f.channel].limits.name + ": ignored");
    return s.settle();
  }
  f.complete = f.complete || complete;
  std::uint32_t end = 0, impossible = 0;
  for (const new_message& m : found) {
    if (m.slot < f.capacity) end = std::max(end, m.slot + 1);
  }
  s.make_slots(f, end);
  const bool observed = std::exchange(s.observed, s.observed && how != sighting::at_start);
  for (const new_message& n : found) {
    if (n.slot >= f.slots.size()) {
      ++impossible;
      continue;
    }
    if (f.slots[n.slot] != none) continue;
    const std::uint32_t i = s.messages.make();
    message& m = s.messages[i];
    m.file = file;
    m.slot = n.slot;
    m.destination = s.destination_of(c, n.host);
    m.size = n.size;
    m.committed = n.committed.time_since_epoch().count();
    m.attempts = n.attempts;
    m.notices = std::min<std::uint8_t>(n.notices, 7);
    m.urgency = std::min(n.priority, priority::nonurgent);
    m.due = n.due == time_point{} ? s.now : s.from_wall(n.due);
    m.hold_ends = n.phase == phase::held && n.hold_ends;
    if (n.attempts > 0 && !m.hold_ends)
      m.due = std::min(m.due, s.now + s.longest_wait(s.channels[c], m.urgency));
    const bool untried = n.phase == phase::queued && n.attempts == 0;
    const time_point start = std::max(n.not_before, untried ? n.due : time_point{});
    if (start > n.committed) s.later_starts[i] = start.time_since_epoch().count();
    f.slots[n.slot] = i;
    f.refusals = 0;
    ++f.live;
    ++f.used;
    ++s.destinations[m.destination].count;
    s.channels[c].bytes += m.size;
    if (s.index_complete) ++s.channels[c].totals.enqueued;
    s.note(how == sighting::announced ? transition_kind::queued : transition_kind::found, i);
    s.arriving = i;
    const std::uint32_t holder =
        s.claims.empty() ? none : s.take_claim({key.file, key.generation, n.slot}, c);
    if (holder != none) {
      m.owed = n.phase == phase::held;  // it was held while the program had it
      s.enter_hand(i, holder);
    } else if (n.phase == phase::held) {
      s.enter_held(i);
    } else {
      s.enter_when_due(i, m.due);
    }
    s.expect_notice(i);
  }
  s.arriving = none;
  s.observed = observed;
  if (impossible > 0)
    s.report(action::severity::warning, "message file " + to_string(key.file) + " is announced with " +
                                            std::to_string(impossible) + " messages beyond its capacity of " +
                                            std::to_string(f.capacity) + ": ignored");
  if (complete && f.used == 0) f.used = 1;  // all of it was finished before we knew it
  s.review(file);
  s.touch(c);
  s.settle();
}

void controller::file_gone(time_point wall, file_key key) {
  impl& s = *impl_;
  s.begin(wall);
  const std::uint32_t file = s.find_file(key);
  if (file == none) return s.settle();
  queue_file& f = s.files[file];
  f.under_way = queue_file::errand::recycling;  // nobody is to be sent for it any more
  const std::uint32_t lost = f.live;
  const std::uint32_t channel = f.channel;
  for (std::size_t slot = 0; slot < f.slots.size(); ++slot)
    if (f.slots[slot] != none && f.slots[slot] != queue_file::slot_finished) {
      s.note(transition_kind::gone, f.slots[slot]);
      s.forget(f.slots[slot]);
    }
  if (lost > 0)
    s.report(action::severity::problem, "channel " + s.channels[channel].limits.name + ": message file " +
                                            to_string(key.file) + " is gone, and with it " +
                                            std::to_string(lost) + " messages that were not finished");
  s.drop_file(file);
  s.touch(channel);
  s.settle();
}

void controller::moved(time_point wall, message_id from, message_id to) {
  impl& s = *impl_;
  s.begin(wall);
  const std::uint32_t i = s.find(from);
  if (i == none || !s.messages[i].moving) return s.settle();  // its file has gone meanwhile
  message& m = s.messages[i];
  const std::uint32_t old_file = m.file;
  const std::uint32_t new_file = s.make_file(s.channel_number(m), to.key(), 0);
  s.make_slots(s.files[new_file], to.slot + 1);
  if (const std::uint32_t known = s.files[new_file].slots[to.slot]; known != none) {
    // A scan was faster: what it found is this message. An operator's order is for that one, then.
    const bool ordered = m.owed;
    const bool to_hold = m.where == place::held;
    const moment until = m.hold_ends ? m.due : 0;
    m.owed = m.moving = false;
    channel_totals& totals = s.channel_of(m).totals;
    s.forget(i);
    --totals.left;  // it was counted twice, and has not gone
    if (s.index_complete) --totals.enqueued;
    if (ordered && known != queue_file::slot_finished) s.order(known, to_hold, until);
  } else {
    s.files[old_file].slots[from.slot] = queue_file::slot_finished;
    --s.files[old_file].live;
    queue_file& f = s.files[new_file];
    f.slots[to.slot] = i;
    ++f.live;
    ++f.used;
    m.file = new_file;
    m.slot = to.slot;
    s.note(transition_kind::moved, i);
    s.resume(i);
    s.expect_notice(i);
    s.review(new_file);
  }
  s.one_move_less(old_file);
  s.settle();
}

void controller::move_failed(time_point wall, message_id id) {
  impl& s = *impl_;
  s.begin(wall);
  const std::uint32_t i = s.find(id);
  if (i == none || !s.messages[i].moving) return s.settle();
  const std::uint32_t file = s.messages[i].file;
  s.files[file].refusals = 1;
  s.resume(i);
  s.one_move_less(file);
  s.settle();
}

void controller::recycled(time_point wall, file_key key, bool done) {
  impl& s = *impl_;
  s.begin(wall);
  const std::uint32_t file = s.find_file(key);
  if (file == none) return s.settle();
  queue_file& f = s.files[file];
  f.under_way = queue_file::errand::idle;
  if (!done) {
    if (f.refusals < 255) ++f.refusals;
    s.review(file);
    return s.settle();
  }
  if (f.live > 0) {  // announced too late to be true
    s.report(action::severity::warning, "message file " + to_string(key.file) + " was recycled, although " +
                                            std::to_string(f.live) + " messages of it were announced");
    return file_gone(wall, key);
  }
  s.drop_file(file);
  if (s.recycled_keys.insert(key).second) s.recycled_order.push_back(key);
  if (s.recycled_order.size() > recycled_remembered) {
    s.recycled_keys.erase(s.recycled_order.front());
    s.recycled_order.pop_front();
  }
  s.settle();
}

}  // namespace jobctl
