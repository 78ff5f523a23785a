#include "jobctl/server/telling.hpp"

#include "base/utf8.hpp"
#include "jobctl/server/server.hpp"
#include "notify/send.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <map>

namespace jobctl {

namespace json = boost::json;
namespace notify = mta::notify;
using mta::queue::message_file;

namespace {

/// What the last attempt said of each recipient, and when it was.
struct last_attempt {
  std::map<std::string, std::string> reasons;
  time_point at{};  ///< epoch: not known
};
last_attempt find_last_attempt(message_file& f, std::uint32_t slot) {
  // The history is that of all messages of the file, and may have grown for weeks: its end is enough.
  constexpr std::uint64_t most = 1 << 20;
  last_attempt last;
  const auto lines = f.read_history(slot, most);
  if (!lines) return last;
  for (const std::string& line : *lines) {
    boost::system::error_code wrong;
    const json::value read = json::parse(line, wrong);
    if (wrong || !read.is_object()) continue;  // the history decides nothing
    const auto& object = read.get_object();
    const auto* to = object.if_contains("recipient");
    const auto* why = object.if_contains("reason");
    if (to != nullptr && to->is_string() && why != nullptr && why->is_string())
      last.reasons[std::string(to->get_string())] = std::string(why->get_string());
    const auto* time = object.if_contains("time");
    if (object.contains("attempt") && time != nullptr && time->is_int64())
      last.at = time_point{milliseconds{time->get_int64()}};
  }
  return last;
}

/// Reads a message's content for the notification; checked as a whole at the first read.
auto checked_reader(message_file& f, const mta::queue::entry& e) {
  return [&f, &e, checked = false](std::uint64_t offset,
                                   std::span<std::byte> buffer) mutable -> mta::result<std::size_t> {
    if (!checked) {
      if (const auto fine = f.verify(e); !fine) return fine.error();
      checked = true;
    }
    return f.read_content_part(e, offset, buffer);
  };
}

/// A line for each recipient, once the state is written: W, R, or K where the sender does not want to know.
void account(mta::enqueue::enqueuer& queue, const notify::subject& about,
             std::span<const notify::recipient_report> reports, bool told, std::uint16_t attempts) {
  namespace accounting = mta::accounting;
  const auto site = queue.settings();
  const auto* channel = site->find_channel(about.channel);
  if (channel == nullptr || !channel->logging || !queue.accounts().enabled()) return;
  accounting::entry e;
  e.source = about.channel;
  e.size = about.entry.content_length;
  e.from = about.envelope.from;
  e.id = about.id;
  e.envelope_id = about.envelope.envelope_id;
  e.message_id = about.envelope.header_id;
  e.attempt = attempts;
  e.queue_time = about.now - about.entry.committed;
  e.time = about.now;
  for (const notify::recipient_report& r : reports) {
    const mta::queue::recipient& to = about.envelope.recipients.at(r.place);
    const bool asked = notify::asked_for(r.what, notify::effective_flags(about.envelope, to));
    if (r.what == notify::kind::delayed && (!told || !asked)) continue;
    e.code = r.what == notify::kind::delayed ? accounting::action::warned
             : asked                         ? accounting::action::rejected
                                             : accounting::action::unreported;
    e.disposition = r.what == notify::kind::delayed    ? "delayed"
                    : r.what == notify::kind::returned ? "returned"
                                                       : "timed_out";
    e.original = to.original;
    e.to = to.address;
    e.reason = r.reason;
    queue.accounts().record(e);
  }
  queue.accounts().flush();
}

}  // namespace

std::string history_line(std::string_view text) {
  return mta::as_utf8(
      json::serialize(json::object{{"time", server::now().time_since_epoch().count()}, {"text", text}}));
}

telling_outcome tell_sender(message_file& f, mta::enqueue::enqueuer& queue, const std::string& channel,
                            const telling& order) {
  telling_outcome done;
  const auto failed = [&](const mta::error& why) {
    done.what = why.code == mta::errc::gone ? notice_outcome::gone : notice_outcome::failed;
    done.damaged = why.code == mta::errc::damaged;
    if (done.damaged) done.what = notice_outcome::gone;
    if (why.code != mta::errc::gone) done.remarks.push_back(why.message());
    return done;
  };
  const auto message = f.read_entry(order.id.slot);
  if (!message) return failed(message.error());
  auto state = message->state;
  if (!state.live() || (state.phase == phase::held && !order.ordered)) {
    done.what = state.live() ? notice_outcome::held : notice_outcome::gone;
    return done;
  }
  const auto envelope = f.read_envelope(message->entry);
  if (!envelope) return failed(envelope.error());

  const auto last = find_last_attempt(f, order.id.slot);
  std::vector<notify::recipient_report> reports;
  for (std::size_t i = 0; i < envelope->recipients.size(); ++i) {
    if (state.finished.test(i)) continue;
    const auto why = last.reasons.find(envelope->recipients[i].address);
    reports.push_back({i, order.what,
                       !order.why.empty()          ? std::string_view(order.why)
                       : why != last.reasons.end() ? std::string_view(why->second)
                                                   : std::string_view()});
  }
  const std::string id = to_string(order.id);
  const notify::subject about{
      *envelope,     message->entry, id,           channel, checked_reader(f, message->entry),
      server::now(), last.at,        order.expires};
  // What cannot be written down would be told again and again: so that is tried before.
  if (const auto writable = f.change_state(order.id.slot, state); !writable) return failed(writable.error());
  auto told = notify::send(queue, about, reports);
  state.changed = server::now();
  state.notices = std::max(state.notices, order.step);
  if (told) {
    done.ids = std::move(told->ids);
    done.remarks = std::move(told->remarks);
    done.what = order.last ? notice_outcome::finished : notice_outcome::done;
    if (order.last) {
      state.phase = phase::finished;
      for (const auto& r : reports) state.finished.set(r.place);
    }
  } else {
    done.remarks.push_back(told.error().message());
    if (order.ordered || !notify::is_lasting(told.error())) return done;
    // Nobody can be told, now and later. A warning is left out; what would be returned waits for an operator.
    done.what = order.last ? notice_outcome::held : notice_outcome::done;
    if (order.last) {
      state.phase = phase::held;
      state.why = mta::queue::reason::undeliverable;
    }
  }
  if (const auto written = f.change_state(order.id.slot, state); !written) {
    done.what = notice_outcome::failed;
    done.remarks.push_back(written.error().message());
    return done;
  }
  if (done.what != notice_outcome::held) account(queue, about, reports, !done.ids.empty(), state.attempts);
  if (done.what == notice_outcome::held)
    f.note_history(order.id.slot, history_line("it has waited too long, and its sender cannot be notified: " +
                                               told.error().message()));
  else if (done.what == notice_outcome::finished && !order.history_line.empty())
    f.note_history(order.id.slot, order.history_line);
  else if (done.what == notice_outcome::done && !done.ids.empty())
    f.note_history(order.id.slot, history_line("its sender was notified that it is delayed"));
  return done;
}

}  // namespace jobctl
