#include "jobctl/admin/why.hpp"

#include "base/text.hpp"
#include "base/utf8.hpp"
#include "jobctl/admin/hold_record.hpp"
#include "jobctl/admin/listing.hpp"
#include "jobctl/admin/message_report.hpp"
#include "jobctl/admin/stops.hpp"
#include "jobctl/admin/units.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <fmt/format.h>
#include <optional>

namespace jobctl::admin {
namespace {

namespace json = boost::json;
using mta::queue::phase;

constexpr std::size_t most_looked_at = 10'000;  // messages of a host or channel

/// What the last failed attempt said, of any recipient.
struct failure {
  std::string reason;
  time_point at{};
};
std::optional<failure> last_failure(const std::vector<std::string>& history) {
  for (auto line = history.rbegin(); line != history.rend(); ++line) {
    if (line->find("\"attempt\":") == std::string::npos) continue;
    json::error_code wrong;
    const json::value read = json::parse(*line, wrong);
    if (wrong || !read.is_object()) continue;
    const json::object& o = read.get_object();
    const auto* reason = o.if_contains("reason");
    const auto* how = o.if_contains("disposition");
    const auto* time = o.if_contains("time");
    if (!reason || !reason->is_string() || (how && how->is_string() && how->get_string() != "deferred"))
      continue;
    failure f{std::string(reason->get_string()), {}};
    if (time && time->is_int64()) f.at = time_point{std::chrono::milliseconds{time->get_int64()}};
    return f;
  }
  return {};
}

std::string when(time_point t, time_point now) {
  return t > now ? fmt::format("at {} (in {})", iso_time(t), human_duration(t - now))
                 : fmt::format("at {} ({} ago)", iso_time(t), human_duration(now - t));
}

std::string messages(std::uint64_t n) { return fmt::format("{} message{}", n, n == 1 ? "" : "s"); }

std::string as_sentence(std::string text) {
  if (text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 32);
  return text + ".";
}

struct explanation {
  std::string what, kind, state, text, last_error;
  time_point next{};  // epoch: not known, or nothing is to come
};

response answer_of(const explanation& e) {
  json::object o{{"what", e.what}, {"kind", e.kind}, {"state", e.state}, {"text", e.text}};
  o["next"] = json_time(e.next);
  o["last_error"] = e.last_error.empty() ? json::value() : json::value(e.last_error);
  response r;
  r.body = mta::as_utf8(json::serialize(o)) + "\n";
  return r;
}

/// What keeps a destination from being given more; empty: nothing.
std::string why_blocked(const backend& b, channel_no c, std::string_view host) {
  destination_figures d;
  if (!b.state().find_destination(c, host, d)) return {};
  const std::string name = host.empty() ? "its destination" : std::string(host);
  switch (d.barrier) {
    case barrier::none:
    case barrier::stopped: break;
    case barrier::concurrency:
      return fmt::format("it is due, and {} may have {} in hand at a time, which it has", name,
                         messages(d.concurrency));
    case barrier::rate:
      return fmt::format("it is due, and as much as the rate of {} allows was given out; more {}", name,
                         when(d.until, b.now()));
    case barrier::dead:
      return fmt::format(
          "it is due, but {} attempts in a row failed for {}, which counts as dead: one message is tried {}",
          d.failures, name, when(d.until, b.now()));
    case barrier::probing:
      return fmt::format(
          "it is due, but {} counts as dead after {} failed attempts; one message is being tried now", name,
          d.failures);
  }
  return {};
}

/// The order that keeps a host of a channel stopped for longest, or the channel as a whole.
std::optional<standing_stop> stop_of(const controller& state, channel_no c, std::string_view host) {
  std::optional<standing_stop> last;
  for (standing_stop& each : state.stops_of(c, host))
    if (!last || (last->until != time_point{} && (each.until == time_point{} || each.until > last->until)))
      last = std::move(each);
  return last;
}

/// Why a channel, or a host of it, is stopped, and what helps; empty: it is not.
std::string why_stopped(const backend& b, channel_no c, std::string_view host) {
  const controller& state = b.state();
  if (const auto order = stop_of(state, c, host))
    return fmt::format("{}; {}", text_of(*order, b.now()), remedy_of(*order));
  if (!state.figures(c).stopped) return {};
  const std::string& name = state.channel_name(c);
  return fmt::format("channel {} is stopped by its configuration; 'jobctl start {}' lets it go on", name,
                     name);
}

/// Why what is due in a channel, for a host, is not being worked on, or how it is.
std::string why_ready(const backend& b, channel_no c, std::string_view host, mta::queue::priority urgency) {
  const controller& state = b.state();
  const std::string& name = state.channel_name(c);
  const channel_figures f = state.figures(c);
  if (b.stopping()) return "the controller is stopping";
  if (std::string stopped = why_stopped(b, c, host); !stopped.empty()) return stopped;
  if (b.program_of(c).empty())
    return fmt::format("channel {} has no program; [channel {}] program names one", name, name);
  if (const time_point opens = state.window_opens(c, urgency); opens != time_point{})
    return fmt::format("it is due, and waits for the delivery window of channel {}, which opens {}", name,
                       when(opens, b.now()));
  if (const std::string at_host = why_blocked(b, c, host); !at_host.empty()) return at_host;
  if (f.workers > 0)
    return fmt::format(
        "it is due, and waits for its turn: {} are due and {} in hand, with {} program{} at work",
        messages(f.ready), f.in_hand, f.workers, f.workers == 1 ? "" : "s");
  if (f.jobs > 0) return "it is due, and a program is starting";
  for (const ended_job& e : b.ended_jobs())
    if (e.channel == c && !e.clean)
      return fmt::format(
          "it is due, but the channel's program {} {}; it is started again after a while, at once "
          "by 'jobctl run {}'",
          e.status, when(e.ended, b.now()), name);
  return fmt::format(
      "it is due, and waits until a program may be started (the pool of channel {} may be full)", name);
}

// --- a message

explanation of_message(const backend& b, const message_report& m) {
  explanation e;
  e.what = to_string(m.id);
  e.kind = "message";
  const time_point now = b.now();
  if (const auto failed = last_failure(m.history)) e.last_error = failed->reason;
  listed row;
  if (!b.state().find(m.id, row)) {
    e.state = name_of(m.stored.state.phase);
    e.text = m.stored.state.live()
                 ? "The controller does not know it yet; it looks for such messages now and then."
                 : fmt::format("It does not wait: it is {}.", e.state);
    return e;
  }
  e.state = state_of(row);
  const std::string& channel = b.state().channel_name(row.channel);
  if (row.in_hand) {
    e.text = fmt::format("A program of channel {} has it in hand{}.", channel,
                         row.attempts > 0 ? fmt::format(", after {} failed attempts", row.attempts) : "");
  } else if (row.phase == phase::held) {
    const auto hold = last_hold(m.history).value_or(hold_record{});
    e.text = fmt::format("It is held{}{}: {}. ", hold.by.empty() ? "" : " by " + hold.by,
                         hold.since == time_point{} ? "" : " since " + iso_time(hold.since),
                         hold.reason.empty() ? std::string(words_for(m.stored.state.why)) : hold.reason);
    if (row.hold_ends) {
      e.next = row.due;
      e.text += fmt::format("The hold ends {}.", when(row.due, now));
    } else {
      e.text += fmt::format("It waits until 'jobctl release {}'.", e.what);
    }
  } else if (row.phase == phase::deferred) {
    e.next = row.due;
    if (row.attempts == 0)
      e.text = fmt::format("It is not to be sent before {}.", when(row.due, now).substr(3));
    else
      e.text =
          fmt::format("{} failed. The next is {}, or at once by 'jobctl retry {}'.",
                      row.attempts == 1 ? "An attempt has" : fmt::format("{} attempts have", row.attempts),
                      when(row.due, now), e.what);
    if (const std::string stopped = why_stopped(b, row.channel, row.host); !stopped.empty())
      e.text += fmt::format(" But {}.", stopped);
  } else {
    e.next = b.state().window_opens(row.channel, row.priority);
    if (const auto order = stop_of(b.state(), row.channel, row.host)) e.next = order->until;
    e.text = as_sentence(why_ready(b, row.channel, row.host, row.priority));
  }
  if (!e.last_error.empty()) e.text += " The last error was: " + e.last_error;
  return e;
}

void why_message(backend& b, const message_id& id, answer reply) {
  std::string channel;
  if (listed row; b.state().find(id, row)) channel = b.state().channel_name(row.channel);
  struct job {
    mta::result<message_report> read = mta::error(mta::errc::cancelled, "read the message");
  };
  auto j = std::make_shared<job>();
  mta::queue::store& store = b.store();
  b.in_pool([j, &store, channel, id] { j->read = read_message(store, channel, id); },
            [j, &b, reply = std::move(reply)] {
              reply(j->read ? answer_of(of_message(b, *j->read)) : handlers::error_response(j->read.error()));
            });
}

// --- a channel or a host: its messages, and one of them as an example of what goes wrong

struct crowd {
  std::uint64_t ready = 0, in_hand = 0, deferred = 0, held = 0;
  bool more = false;
  time_point next{};                 // of those that were looked at
  std::optional<message_id> failed;  // deferred after an attempt
  std::string failed_channel;
  std::optional<channel_no> ready_in;
  std::string ready_host;  // of the same
  mta::queue::priority ready_priority{};
};

crowd look_at(const controller& state, const list_filter& filter) {
  crowd c;
  std::uint64_t cursor = 0;
  for (const listed& row : state.list(filter, most_looked_at, cursor)) {
    if (row.in_hand) {
      ++c.in_hand;
    } else if (row.phase == phase::held) {
      ++c.held;
    } else if (row.phase == phase::deferred) {
      ++c.deferred;
      if (c.next == time_point{} || row.due < c.next) c.next = row.due;
      if (row.attempts > 0) {
        c.failed = row.id;
        c.failed_channel = state.channel_name(row.channel);
      }
    } else {
      ++c.ready;
      if (!c.ready_in) {
        c.ready_in = row.channel;
        c.ready_host = row.host;
        c.ready_priority = row.priority;
      }
    }
  }
  c.more = cursor != 0;
  return c;
}

std::string describe(const backend& b, const crowd& c) {
  std::string text;
  const auto add = [&](std::uint64_t n, const std::string& words) {
    if (n > 0) text += fmt::format("{}{} {}", text.empty() ? "" : "; ", n, words);
  };
  add(c.ready, c.ready_in ? "due: " + why_ready(b, *c.ready_in, c.ready_host, c.ready_priority) : "due");
  add(c.in_hand, "in hand of programs");
  add(c.deferred, fmt::format("deferred, the next one {}{}", c.more ? "by then at the latest, " : "",
                              when(c.next, b.now())));
  add(c.held, "held, until they are released ('jobctl ls --state held')");
  return text + ".";
}

std::string full_text(const controller& state, const full_backlog& f) {
  return fmt::format(
      "{} holds {}, and its backlog_limit is {}: whoever enqueues more is told to try again later. ",
      f.channel == no_channel ? "The queue" : "Channel " + state.channel_name(f.channel),
      messages(f.messages), f.limit);
}

std::string stress_text(const backend& b, const std::string& channel, const stress_figures& s) {
  return fmt::format(
      "The target of channel {} is stressed, its program said {}{}: it gets at most {} program{}, and a "
      "thread for "
      "every {}; unless it says so again, it gets more {}. ",
      channel, when(s.reported, b.now()), s.why.empty() ? "" : " (" + s.why + ")", s.max_jobs,
      s.max_jobs == 1 ? "" : "s", messages(s.thread_depth), when(s.relaxes, b.now()));
}

void explain(backend& b, explanation e, const crowd& c, answer reply) {
  e.next = c.next;
  if (c.ready_in)
    if (const auto order = stop_of(b.state(), *c.ready_in, c.ready_host);
        order && order->until != time_point{} && (e.next == time_point{} || order->until < e.next))
      e.next = order->until;
  if (c.ready + c.in_hand + c.deferred + c.held == 0)
    e.text += "Nothing waits.";
  else
    e.text +=
        (c.more ? fmt::format("Of the first {} messages ", most_looked_at) : std::string()) + describe(b, c);
  e.state = c.in_hand > 0    ? "in-hand"
            : c.ready > 0    ? "ready"
            : c.deferred > 0 ? "deferred"
            : c.held > 0     ? "held"
                             : "empty";
  if (!c.failed) return reply(answer_of(e));
  auto error = std::make_shared<std::string>();
  mta::queue::store& store = b.store();
  b.in_pool(
      [error, &store, channel = c.failed_channel, id = *c.failed] {
        if (const auto m = read_message(store, channel, id))
          if (const auto failed = last_failure(m->history)) *error = failed->reason;
      },
      [error, e = std::move(e), reply = std::move(reply)]() mutable {
        e.last_error = *error;
        if (!error->empty()) e.text += " One of the last errors was: " + *error;
        reply(answer_of(e));
      });
}

}  // namespace

void get_why(backend& b, const std::string& what, answer reply) {
  if (const auto id = mta::queue::parse_message_id(what)) return why_message(b, *id, std::move(reply));
  const controller& state = b.state();
  explanation e;
  e.what = what;
  list_filter filter;
  if (channel_no c{}; find_channel(state, what, c)) {
    e.kind = "channel";
    filter.channel = what;
    for (const full_backlog& f : state.full_backlogs())
      if (f.channel == c || f.channel == no_channel) e.text += full_text(state, f);
    if (stress_figures s; state.find_stress(c, s)) e.text += stress_text(b, what, s);
    const crowd all = look_at(state, filter);
    if (const std::string stopped = why_stopped(b, c, {}); !stopped.empty() && all.ready == 0)
      e.text += as_sentence(stopped) + " ";
    return explain(b, std::move(e), all, std::move(reply));
  }
  e.kind = "host";
  filter.host = mta::lower_case(what);
  const crowd c = look_at(state, filter);
  // The one that the example of what is due tells of need not be told twice.
  const auto told = c.ready_in ? stop_of(state, *c.ready_in, c.ready_host) : std::optional<standing_stop>();
  for (const standing_stop& each : state.stops())
    if (!each.host.empty() && host_matches(each.host, filter.host) && told != each)
      e.text += as_sentence(fmt::format("{}; {}", text_of(each, b.now()), remedy_of(each))) + " ";
  if (e.text.empty() && c.ready + c.in_hand + c.deferred + c.held == 0)
    return reply(handlers::error_response(
        404, "not_found",
        fmt::format("'{}' is not a message id, and nothing waits for a host of that name; {}", what,
                    unknown_channel(state, what))));
  explain(b, std::move(e), c, std::move(reply));
}

}  // namespace jobctl::admin
