// Which messages there are, by file and slot, and where each of them is.
#include "jobctl/controller/model.hpp"

#include <algorithm>

namespace jobctl {
namespace {

constexpr auto file_rest =
    std::chrono::seconds(2);  // a file that may still grow is offered for reuse after this
constexpr auto compact_rest =
    std::chrono::minutes(1);  // survivors of a mostly finished file are moved after this

}  // namespace

std::uint32_t controller::impl::channel_index(std::string_view name) {
  const auto found = channel_by_name.find(std::string(name));
  if (found != channel_by_name.end()) return found->second;
  const auto i = static_cast<std::uint32_t>(channels.size());
  channel_state& c = channels.emplace_back();
  c.limits.name = name;
  c.limits.has_program = false;
  for (auto& schedule : c.limits.backoff) schedule = {std::chrono::hours(1)};
  channel_by_name.emplace(name, i);
  return i;
}

std::uint32_t controller::impl::destination_index(std::uint32_t channel, std::string_view host) {
  channel_state& c = channels[channel];
  const auto [at, added] =
      c.destinations.try_emplace(std::string(host), static_cast<std::uint32_t>(destinations.size()));
  if (added) {
    destination& d = destinations.emplace_back();
    d.host = host;
    d.channel = channel;
  }
  return at->second;
}

std::uint32_t controller::impl::file_index(const file_key& key) {
  if (last_file != none && key == last_key) return last_file;
  const auto found = file_by_key.find(key);
  if (found == file_by_key.end()) return none;
  last_key = key;
  last_file = found->second;
  return last_file;
}

std::uint32_t controller::impl::make_file(std::uint32_t channel, const file_key& key,
                                          std::uint32_t capacity) {
  std::uint32_t i = file_index(key);
  if (i == none) {
    if (free_files.empty()) {
      i = static_cast<std::uint32_t>(files.size());
      files.emplace_back();
    } else {
      i = free_files.back();
      free_files.pop_back();
      files[i] = queue_file{};
    }
    files[i].key = key;
    files[i].channel = channel;
    file_by_key.emplace(key, i);
  }
  queue_file& f = files[i];
  if (f.capacity < capacity) {
    reserved_slots += capacity - f.slots.size();
    f.capacity = capacity;
    f.slots.resize(capacity, none);
  }
  return i;
}

std::uint32_t controller::impl::find(const message_id& id) {
  const std::uint32_t f = file_index(id.key());
  if (f == none || id.slot >= files[f].slots.size()) return none;
  const std::uint32_t i = files[f].slots[id.slot];
  return i == slot_finished ? none : i;
}

worker* controller::impl::take_claim(const message_id& id) {
  if (claims.empty()) return nullptr;
  const auto file = claims.find(id.key());
  if (file == claims.end()) return nullptr;
  const auto claim = file->second.find(id.slot);
  if (claim == file->second.end()) return nullptr;
  worker* const holder = find_worker(claim->second);
  file->second.erase(claim);
  if (file->second.empty()) claims.erase(file);
  return holder;
}

void controller::impl::take_out(std::uint32_t i) {
  message& m = messages[i];
  channel_state& c = channels[destinations[m.destination].channel];
  switch (m.where) {
    case place::free: return;
    case place::ready: {
      destination& d = destinations[m.destination];
      const auto p = static_cast<unsigned>(m.priority);
      d.ready[p].remove(messages, i);
      --c.ready;
      if (d.ready[p].empty()) {  // leaves the ring
        if (d.next_active[p] == m.destination) {
          c.active[p] = none;
        } else {
          destinations[d.prev_active[p]].next_active[p] = d.next_active[p];
          destinations[d.next_active[p]].prev_active[p] = d.prev_active[p];
          if (c.active[p] == m.destination) c.active[p] = d.next_active[p];
        }
        d.next_active[p] = d.prev_active[p] = none;
      }
      break;
    }
    case place::in_hand: {
      worker& w = workers[m.owner];
      w.messages.remove(messages, i);
      --w.in_hand;
      --c.in_hand;
      m.owner = none;
      break;
    }
    case place::deferred:
      timers.remove(messages, i);
      --c.deferred;
      break;
    case place::held: --c.held; break;
    case place::moving: --c.moving; break;
  }
  m.where = place::free;
}

void controller::impl::put_ready(std::uint32_t i, bool in_front) {
  message& m = messages[i];
  destination& d = destinations[m.destination];
  channel_state& c = channels[d.channel];
  const auto p = static_cast<unsigned>(m.priority);
  if (d.ready[p].empty()) {  // joins the ring, behind everybody
    if (c.active[p] == none) {
      c.active[p] = d.next_active[p] = d.prev_active[p] = m.destination;
    } else {
      destination& first = destinations[c.active[p]];
      d.next_active[p] = c.active[p];
      d.prev_active[p] = first.prev_active[p];
      destinations[first.prev_active[p]].next_active[p] = m.destination;
      first.prev_active[p] = m.destination;
    }
  }
  if (in_front)
    d.ready[p].push_front(messages, i);
  else
    d.ready[p].push_back(messages, i);
  m.where = place::ready;
  ++c.ready;
}

void controller::impl::put_deferred(std::uint32_t i, time_point due) {
  message& m = messages[i];
  m.due = due.time_since_epoch().count();
  m.where = place::deferred;
  timers.add(messages, i);
  ++channels[destinations[m.destination].channel].deferred;
}

void controller::impl::put_held(std::uint32_t i) {
  messages[i].where = place::held;
  ++channels[destinations[messages[i].destination].channel].held;
}

void controller::impl::put_in_hand(std::uint32_t i, std::uint32_t worker_index) {
  message& m = messages[i];
  worker& w = workers[worker_index];
  m.where = place::in_hand;
  m.owner = worker_index;
  w.messages.push_back(messages, i);
  ++w.in_hand;
  ++channels[destinations[m.destination].channel].in_hand;
}

void controller::impl::forget(std::uint32_t i, time_point now) {
  const message m = messages[i];
  take_out(i);
  channels[destinations[m.destination].channel].bytes -= m.size;
  queue_file& f = files[m.file];
  f.slots[m.slot] = slot_finished;
  --f.live;
  messages.release(i);
  if (f.live == 0)
    schedule_check(m.file, f.complete ? now : now + file_rest);
  else if (f.complete && f.live <= f.capacity / 4)
    schedule_check(m.file, now + compact_rest);
}

void controller::impl::drop_file(std::uint32_t i) {
  reserved_slots -= files[i].slots.size();
  file_by_key.erase(files[i].key);
  if (last_file == i) last_file = none;
  files[i] = queue_file{};
  free_files.push_back(i);
}

void controller::impl::schedule_check(std::uint32_t i, time_point at) {
  queue_file& f = files[i];
  if (at <= last_now && f.live == 0) {  // at once, whatever else is scheduled
    check_file(i, last_now);
    return;
  }
  if (f.check_scheduled) return;
  f.check_scheduled = true;
  auto later = file_checks.end();
  while (later != file_checks.begin() && std::prev(later)->first > at) --later;
  file_checks.insert(later, {at, f.key});
}

void controller::impl::check_file(std::uint32_t i, time_point now) {
  queue_file& f = files[i];
  if (f.offered) return;
  if (f.live == 0) {
    if (f.seen == 0) return;
    f.offered = true;
    actions.emplace_back(action::recycle{channel_no{f.channel}, f.key});
    return;
  }
  if (!f.complete || f.live > f.capacity / 4 || shutting_down) return;
  // Mostly finished: the survivors move, unless one of them is at work or about to be.
  std::vector<std::uint32_t> survivors;
  for (const std::uint32_t m : f.slots)
    if (m != none && m != slot_finished) survivors.push_back(m);
  const auto waits = [&](std::uint32_t m) {
    return messages[m].where == place::deferred || messages[m].where == place::held;
  };
  if (!std::ranges::all_of(survivors, waits)) {
    schedule_check(i, now + compact_rest);
    return;
  }
  action::compact move{channel_no{f.channel}, f.key, {}};
  for (const std::uint32_t m : survivors) {
    messages[m].was_held = messages[m].where == place::held;
    take_out(m);
    messages[m].where = place::moving;
    ++channels[f.channel].moving;
    move.slots.push_back(messages[m].slot);
  }
  actions.emplace_back(std::move(move));
}

}  // namespace jobctl
