// Where each message is: the lists of its destination, the timers, the hand of a worker; and the counts of
// all of them.
#include "jobctl/controller/impl.hpp"

#include <algorithm>

namespace jobctl {
namespace {

std::size_t mix(std::uint64_t h) {
  h ^= h >> 32;
  h *= 0xE9846AF9B1A615Dull;
  h ^= h >> 32;
  h *= 0xE9846AF9B1A615Dull;
  return h ^ h >> 28;
}

}  // namespace

std::size_t controller::impl::destination_hash::operator()(const destination_name& n) const {
  return mix(std::hash<std::string_view>()(n.host) + n.channel);
}
std::size_t controller::impl::key_hash::operator()(const file_key& k) const {
  return mix(static_cast<std::uint64_t>(k.file) + std::uint64_t{k.generation} * 0x9E3779B97F4A7C15u);
}
std::size_t controller::impl::key_hash::operator()(const message_id& id) const {
  return mix((*this)(id.key()) + id.slot);
}

std::uint32_t controller::impl::destination_of(std::uint32_t channel, std::string_view host) {
  if (last_destination != none && destinations[last_destination].channel == channel &&
      destinations[last_destination].host == host)
    return last_destination;
  const auto found = destination_index.find(destination_name{channel, host});
  if (found != destination_index.end()) return last_destination = *found;
  const std::uint32_t i = destinations.make();
  destination& d = destinations[i];
  d.host = host;
  d.channel = channel;
  if (d.host.capacity() > std::string().capacity()) host_bytes += d.host.capacity() + 1;
  channels[channel].destinations.push_back(siblings(), i);
  destination_index.insert(i);
  d.stopped = stop_end(channel, host) != 0;
  regulate(i);
  return last_destination = i;
}

void controller::impl::leave(std::uint32_t i) {
  message& m = messages[i];
  destination& d = destinations[m.destination];
  channel_state& c = channels[d.channel];
  const auto where = static_cast<unsigned>(m.where);
  d.at[where].remove(line(), i);
  switch (m.where) {
    case place::urgent:
    case place::normal:
    case place::nonurgent:
      --c.ready;
      --c.ready_at[where];
      --d.ready[where];
      review_flow(m.destination);
      if (--files[m.file].busy == 0) review(m.file);
      break;
    case place::in_hand: {
      auto& hand = workers[m.holder].hand;
      hand[m.position] = hand.back();
      messages[hand.back()].position = m.position;
      hand.pop_back();
      m.holder = m.position = none;
      --c.in_hand;
      --d.in_hand;
      if (d.flow != none) {
        if (flows[d.flow].probe == i) flows[d.flow].probe = none;
        review_flow(m.destination);
      }
      if (--files[m.file].busy == 0) review(m.file);
      break;
    }
    case place::deferred:
      if (m.position != none) message_timers.remove(messages, i);
      --c.deferred;
      break;
    case place::held:
      if (m.position != none) message_timers.remove(messages, i);
      --c.held;
      break;
  }
}

void controller::impl::enter_ready(std::uint32_t i, bool in_front) {
  message& m = messages[i];
  destination& d = destinations[m.destination];
  channel_state& c = channels[d.channel];
  const auto p = static_cast<unsigned>(m.urgency);
  m.where = static_cast<place>(p);
  if (in_front)
    d.at[p].push_front(line(), i);
  else
    d.at[p].push_back(line(), i);
  ++c.ready;
  ++c.ready_at[p];
  ++d.ready[p];
  review_flow(m.destination);
  if (i != arriving) note(transition_kind::ready, i);
  if (files[m.file].busy++ == 0) review(m.file);
}

void controller::impl::enter_deferred(std::uint32_t i, moment due) {
  message& m = messages[i];
  destination& d = destinations[m.destination];
  m.where = place::deferred;
  m.due = due;
  d.at[static_cast<unsigned>(place::deferred)].push_back(line(), i);
  if (!m.with_server()) {
    message_timers.add(messages, i, due);
    note(transition_kind::deferred, i, observed ? to_wall(due).time_since_epoch().count() : 0);
  }
  ++channels[d.channel].deferred;
}

void controller::impl::enter_held(std::uint32_t i) {
  message& m = messages[i];
  destination& d = destinations[m.destination];
  m.where = place::held;
  d.at[static_cast<unsigned>(place::held)].push_back(line(), i);
  if (m.hold_ends && !m.with_server()) message_timers.add(messages, i, m.due);
  ++channels[d.channel].held;
  note(transition_kind::held, i);
}

void controller::impl::enter_hand(std::uint32_t i, std::uint32_t w) {
  message& m = messages[i];
  destination& d = destinations[m.destination];
  auto& hand = workers[w].hand;
  m.where = place::in_hand;
  m.holder = w;
  m.position = static_cast<std::uint32_t>(hand.size());
  hand.push_back(i);
  d.at[static_cast<unsigned>(place::in_hand)].push_back(line(), i);
  ++channels[d.channel].in_hand;
  ++d.in_hand;
  if (limits_of(d).regulate()) given_out(m.destination, i);
  note(transition_kind::leased, i, static_cast<std::int64_t>(workers[w].number));
  if (files[m.file].busy++ == 0) review(m.file);
}

void controller::impl::enter_when_due(std::uint32_t i, moment due) {
  if (due > now)
    enter_deferred(i, due);
  else
    enter_ready(i);
}

void controller::impl::forget(std::uint32_t i) {
  if (messages[i].noticing) end_notice(i);
  leave(i);
  if (!later_starts.empty()) later_starts.erase(i);
  const message& m = messages[i];
  queue_file& f = files[m.file];
  f.slots[m.slot] = queue_file::slot_finished;
  --f.live;
  review(m.file);
  destination& d = destinations[m.destination];
  channel_state& c = channels[d.channel];
  touch(d.channel);
  c.bytes -= m.size;
  ++c.totals.left;
  if (--d.count == 0 && flow_over(m.destination)) drop_destination(m.destination);
  messages.release(i);
}

}  // namespace jobctl
