#include "jobctl/server/message_orders.hpp"

#include "jobctl/server/slot_lock.hpp"
#include "jobctl/server/telling.hpp"

#include <fmt/format.h>

namespace jobctl {

namespace accounting = mta::accounting;
namespace queue = mta::queue;
using queue::message_file;

namespace {

// Content is read as a whole to be copied.
constexpr std::uint64_t largest_routed = 512ull << 20;

void put_error(order_result& r, const mta::error& why) {
  if (why.code == mta::errc::gone) {
    r.outcome = errand_outcome::gone;
    return;
  }
  r.damaged = why.code == mta::errc::damaged;
  if (r.damaged) r.outcome = errand_outcome::gone;
  r.remarks.push_back(why.message());
}

/// A line for each recipient that was not done with.
void account(mta::enqueue::enqueuer& q, const std::string& channel, const message_id& id,
             const queue::listed_message& m, const queue::envelope& envelope, accounting::action code,
             std::string_view disposition, std::string_view reason) {
  const auto site = q.settings();
  const auto* configured = site->find_channel(channel);
  if (configured == nullptr || !configured->logging || !q.accounts().enabled()) return;
  const std::string name = to_string(id);
  accounting::entry e;
  e.code = code;
  e.source = channel;
  e.size = m.entry.content_length;
  e.from = envelope.from;
  e.id = name;
  e.envelope_id = envelope.envelope_id;
  e.message_id = envelope.header_id;
  e.attempt = m.state.attempts;
  e.time = server::now();
  e.queue_time = e.time - m.entry.committed;
  e.disposition = disposition;
  e.reason = reason;
  for (std::size_t i = 0; i < envelope.recipients.size(); ++i) {
    if (m.state.finished.test(i)) continue;
    e.original = envelope.recipients[i].original;
    e.to = envelope.recipients[i].address;
    q.accounts().record(e);
  }
}

std::string in_words(std::string_view what, const order_note& note) {
  std::string words(what);
  if (!note.by.empty()) words += " by " + note.by;
  if (!note.reason.empty()) words += ": " + note.reason;
  return words;
}

void finish(queue::message_state& state) {
  state.phase = phase::finished;
  state.changed = server::now();
}

// --- remove

void remove(message_file& f, mta::enqueue::enqueuer& q, const std::string& channel,
            const message_order& order, std::vector<order_result>& all) {
  struct removal {
    order_result* result;
    queue::listed_message message;
    mta::result<queue::envelope> envelope;
  };
  std::vector<removal> removals;
  std::vector<message_file::new_state> states;
  std::vector<std::unique_ptr<slot_lock>> locks;
  for (order_result& r : all) {
    auto lock = std::make_unique<slot_lock>(f, r.id.slot);
    if (!lock->taken()) {
      put_error(r, lock->taken().error());
      continue;
    }
    if (!*lock->taken()) continue;  // somebody has it
    auto message = f.read_entry(r.id.slot);
    if (!message || !message->state.live()) {
      put_error(r, message ? mta::error(mta::errc::gone, "") : message.error());
      continue;
    }
    // What cannot be read can be removed all the same.
    auto envelope = f.read_envelope(message->entry);
    auto state = message->state;
    finish(state);
    states.push_back({r.id.slot, state});
    removals.push_back({&r, std::move(*message), std::move(envelope)});
    locks.push_back(std::move(lock));
  }
  if (removals.empty()) return;
  auto written = f.change_states(states);
  if (written) written = f.flush();
  std::vector<message_file::history_note> history;
  for (removal& each : removals) {
    if (!written) {
      put_error(*each.result, written.error());
      continue;
    }
    each.result->outcome = errand_outcome::finished;
    if (each.envelope)
      account(q, channel, each.result->id, each.message, *each.envelope, accounting::action::unreported,
              "removed", in_words("removed", order.note));
    history.push_back({each.result->id.slot, history_line(order.verb, "removed", order.note)});
  }
  f.note_history(history);
  q.accounts().flush();
}

// --- route

void copy_history(message_file& from, const message_id& id, message_file& to, std::uint32_t slot,
                  std::string last_line) {
  std::vector<message_file::history_note> notes;
  if (const auto lines = from.read_history(id.slot)) {
    for (const std::string& line : *lines) {
      // Past {"generation":G,"slot":S, which the new place writes itself.
      const auto comma = line.find(',', line.find(',') + 1);
      if (comma != std::string::npos) notes.push_back({slot, '{' + line.substr(comma + 1)});
    }
  }
  notes.push_back({slot, std::move(last_line)});
  to.note_history(notes);
}

void route(message_file& f, queue::store& store, mta::enqueue::enqueuer& q, const std::string& channel,
           const message_order& order, order_result& r) {
  const slot_lock lock(f, r.id.slot);
  if (!lock.taken()) return put_error(r, lock.taken().error());
  if (!*lock.taken()) return;
  const auto message = f.read_entry(r.id.slot);
  if (!message) return put_error(r, message.error());
  if (!message->state.live()) return put_error(r, mta::error(mta::errc::gone, ""));
  if (message->entry.content_length > largest_routed) {
    r.remarks.push_back(fmt::format("it has {} bytes, and over {} cannot be routed",
                                    message->entry.content_length, largest_routed));
    return;
  }
  const auto envelope = f.read_envelope(message->entry);
  if (!envelope) return put_error(r, envelope.error());
  const auto content = f.read_content(message->entry);
  if (!content) return put_error(r, content.error());

  // As it is, but for its attempts: it begins anew there. Its age counts on, so that it cannot live for ever.
  queue::message_state fresh;
  fresh.finished = message->state.finished;
  const std::string to_channel = order.to_channel.empty() ? channel : order.to_channel;
  const std::string to_host = order.to_host ? *order.to_host : message->entry.host;
  queue::commit_request request;
  request.channel = to_channel;
  request.envelope = &*envelope;
  request.host = to_host;
  request.priority = message->entry.priority;
  request.now = message->entry.committed;
  request.not_before = message->entry.not_before;
  request.content.memory = *content;
  request.content.length = content->size();
  request.content.facts = message->entry.facts;
  request.content.longest_line = message->entry.longest_line;
  request.initial_state = &fresh;
  // What cannot be written down here would be there twice.
  if (const auto writable = f.change_state(r.id.slot, message->state); !writable)
    return put_error(r, writable.error());
  const auto copy = q.writer().commit(request);
  if (!copy) return put_error(r, copy.error());

  auto state = message->state;
  finish(state);
  auto written = f.change_state(r.id.slot, state);
  if (written) written = f.flush();
  const std::string from = fmt::format("routed from channel {} ({})", channel, to_string(r.id));
  const std::string to = fmt::format("routed to channel {} ({})", to_channel, to_string(copy->id));
  if (const auto target = store.open(to_channel, copy->id.file))
    copy_history(f, r.id, **target, copy->id.slot, history_line(order.verb, from, order.note));
  f.note_history(r.id.slot, history_line(order.verb, to, order.note));
  q.announce(to_channel, *copy);
  account(q, channel, r.id, *message, *envelope, accounting::action::dequeued, "routed",
          in_words(to, order.note));
  q.accounts().flush();
  if (written) {
    r.outcome = errand_outcome::finished;
    return;
  }
  r.remarks.push_back(written.error().message() + " (it is in both queues now: " + to + ")");
}

// --- bounce

void bounce(message_file& f, mta::enqueue::enqueuer& q, const std::string& channel,
            const message_order& order, order_result& r) {
  const slot_lock lock(f, r.id.slot);
  if (!lock.taken()) return put_error(r, lock.taken().error());
  if (!*lock.taken()) return;
  telling what;
  what.id = r.id;
  what.what = mta::notify::kind::returned;
  what.last = true;
  what.ordered = true;
  what.why = order.note.reason;
  what.history_line = history_line(order.verb, "returned to its sender", order.note);
  auto done = tell_sender(f, q, channel, what);
  r.damaged = done.damaged;
  r.remarks = std::move(done.remarks);
  r.outcome = done.what == notice_outcome::finished ? errand_outcome::finished
              : done.what == notice_outcome::gone   ? errand_outcome::gone
                                                    : errand_outcome::back;
}

}  // namespace

std::vector<order_result> carry_out(queue::store& store, message_file& f, mta::enqueue::enqueuer& q,
                                    const std::string& channel, std::span<const message_id> ids,
                                    const message_order& order) {
  std::vector<order_result> all;
  for (const message_id& id : ids) all.push_back({id, errand_outcome::back, false, {}});
  if (order.verb == verb::remove) {
    remove(f, q, channel, order, all);
    return all;
  }
  for (order_result& r : all) {
    if (order.verb == verb::route)
      route(f, store, q, channel, order, r);
    else
      bounce(f, q, channel, order, r);
  }
  // What was returned is on the disk when that is told; a crash of the machine must not bring it back.
  if (order.verb == verb::bounce)
    if (const auto flushed = f.flush(); !flushed)
      for (order_result& r : all) r.remarks.push_back(flushed.error().message());
  return all;
}

}  // namespace jobctl
