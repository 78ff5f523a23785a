// Channel programs: who gets which messages, and what becomes of these.
#include "jobctl/controller/impl.hpp"
#include "queue/spread.hpp"

#include <algorithm>
#include <tuple>

namespace jobctl {
namespace {

constexpr std::uint32_t most_credit = 1u << 20;
constexpr moment locked_first = 2'000, locked_last = 30'000;
/// A release may reach a program sooner than the file: how often, and how long, it is given time.
constexpr moment release_wait = 1'000;
constexpr unsigned release_waits = 10;
/// An attempt that failed is not repeated sooner, whatever next attempt a program asks for.
constexpr moment shortest_deferral = 100;
/// A message that programs die of is kept back, longer each time, so that it does not keep the others from
/// theirs.
constexpr unsigned deaths_forgiven = 2;
constexpr moment death_first = 2'000, death_last = 60'000;
/// A program whose connection has ended still counts as one that works for so long: it ends now, or connects
/// again.
constexpr moment departure_patience = 2'000;

}  // namespace

std::uint32_t controller::impl::find_worker(worker_no number) {
  const auto found = worker_index.find(static_cast<std::uint64_t>(number));
  return found == worker_index.end() ? none : found->second;
}

std::uint32_t controller::impl::take_claim(const message_id& id, std::uint32_t channel) {
  const auto claim = claims.find(id);
  if (claim == claims.end()) return none;
  const std::uint32_t w = find_worker(claim->second);
  claims.erase(claim);
  return w != none && workers[w].channel == channel ? w : none;
}

void controller::impl::tell_to_stop(std::uint32_t w, std::string why) {
  worker& told = workers[w];
  if (std::exchange(told.stopping, true)) return;
  told.credit = 0;
  if (const auto j = jobs.find(static_cast<std::uint64_t>(told.job)); j != jobs.end())
    j->second.told_to_stop = true;
  actions.emplace_back(action::stop_worker{told.number, std::move(why)});
  touch(told.channel);
}

// --- handing out

// The destination that it was given messages for last goes on, for it may be connected to that: but not for
// longer than a run, when others wait.
std::uint32_t controller::impl::next_in_turn(const channel_state& c, const worker& w, unsigned p) const {
  if (w.run_left > 0 && w.last != none && destinations.live(w.last)) {
    const destination& last = destinations[w.last];
    if (&channels[last.channel] == &c && (last.in_ring & 1u << p) != 0) return w.last;
  }
  return c.ring[p].head;
}

// Priority first; within one, the destinations in turn; within one of these, first in, first out.
std::uint32_t controller::impl::hand_out(channel_state& c, std::uint32_t w, std::uint32_t most) {
  action::lease lease{workers[w].number, channel_no{workers[w].channel}, {}};
  lease.messages.reserve(most);
  std::uint32_t given = 0;
  for (unsigned p = 0; p < priorities; ++p) {
    while (given < most && !c.ring[p].empty()) {
      worker& taker = workers[w];
      const std::uint32_t d = next_in_turn(c, taker, p);
      const bool alone = c.ring[p].head == c.ring[p].tail;
      if (d != taker.last || taker.run_left == 0) {
        taker.last = d;
        taker.run_left = limits_of(destinations[d]).run * limits_of(destinations[d]).weight;
      }
      auto& list = destinations[d].at[p];
      while (given < most && destinations[d].open > 0 && !list.empty() && (alone || taker.run_left > 0)) {
        const std::uint32_t i = list.head;
        leave(i);
        enter_hand(i, w);
        lease.messages.push_back({id_of(messages[i]), messages[i].attempts, messages[i].urgency});
        ++given;
        if (taker.run_left > 0) --taker.run_left;
      }
      if (taker.run_left == 0 && (destinations[d].in_ring & 1u << p) != 0) c.ring[p].to_back(turns(p), d);
    }
  }
  workers[w].credit -= given;
  workers[w].given += given;
  c.progress_at = now;
  actions.emplace_back(std::move(lease));
  return given;
}

// Everyone who can take some gets an equal share, in turn, so that nobody idles while another has a heap
// before him.
void controller::impl::serve(std::uint32_t number) {
  channel_state& c = channels[number];
  if (shutting_down || c.limits.stopped) return;
  while (c.open > 0) {
    std::uint64_t takers = 0;
    for (const std::uint32_t w : c.workers) takers += workers[w].credit > 0 ? 1 : 0;
    if (takers == 0) return;
    const auto share =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(lease_batch, (c.open + takers - 1) / takers));
    for (std::size_t n = c.workers.size(); n > 0 && c.open > 0; --n) {
      const std::uint32_t w = c.workers[c.turn++ % c.workers.size()];
      const std::uint64_t allowed = c.limits.max_messages > 0
                                        ? c.limits.max_messages - workers[w].given
                                        : ~0ull;  // more than 0: else it is told to stop
      const auto most =
          static_cast<std::uint32_t>(std::min<std::uint64_t>({share, workers[w].credit, c.open, allowed}));
      if (most > 0) hand_out(c, w, most);
      if (most > 0 && lived_long_enough(c, workers[w])) retire(number);
    }
  }
}

// --- what programs say

void controller::worker_connected(time_point wall, worker_no number, channel_no channel, job_no job_number,
                                  std::uint32_t max_threads, std::span<const message_id> holding) {
  impl& s = *impl_;
  s.begin(wall);
  const auto c = static_cast<std::uint32_t>(channel);
  const std::uint32_t w = s.workers.make();
  worker& fresh = s.workers[w];
  fresh.number = number;
  fresh.channel = c;
  fresh.max_threads = std::max<std::uint32_t>(max_threads, 1);
  fresh.connected = s.now;
  s.worker_index.emplace(static_cast<std::uint64_t>(number), w);
  s.channels[c].workers.push_back(w);
  std::uint32_t before = none;  // its connection until now, whose end has not been noticed yet
  if (const auto j = s.jobs.find(static_cast<std::uint64_t>(job_number));
      j != s.jobs.end() && j->second.channel == c) {
    before = j->second.worker;
    if (before != none) {
      s.workers[before].job = job_no{};
      s.workers[before].stopping = true;
      s.workers[before].credit = 0;
    }
    fresh.job = job_number;
    j->second.worker = w;
    j->second.connected_once = true;
    s.channels[c].threads_seen = fresh.max_threads;
  }
  for (const message_id& id : holding) {
    const std::uint32_t i = s.find(id);
    if (i == none) {
      s.claims[id] = number;  // a scan will find it, unless it is finished
      continue;
    }
    message& m = s.messages[i];
    if (s.channel_number(m) != c) continue;
    const bool its_own_before = m.where == place::in_hand && m.holder == before;
    if (m.with_server() || (m.where == place::in_hand && !its_own_before)) {
      s.claims[id] = number;  // whoever has it finds it locked; then it is this one's
      continue;
    }
    if (m.where == place::held) m.owed = true;
    s.leave(i);
    s.enter_hand(i, w);
  }
  if (s.shutting_down)
    s.tell_to_stop(w, "the job controller stops");
  else if (s.channels[c].limits.stopped)
    s.tell_to_stop(w, "channel " + s.channels[c].limits.name + " is stopped");
  else if (fresh.job != job_no{})
    s.stop_surplus();
  s.touch(c);
  s.settle();
}

void controller::worker_asks(time_point wall, worker_no number, std::uint32_t more) {
  impl& s = *impl_;
  s.begin(wall);
  if (const std::uint32_t w = s.find_worker(number); w != none && !s.workers[w].stopping) {
    worker& asks = s.workers[w];
    asks.credit = std::min(most_credit, asks.credit + std::min(more, most_credit));
    s.touch(asks.channel);
  }
  s.settle();
}

void controller::worker_stopping(time_point wall, worker_no number) {
  impl& s = *impl_;
  s.begin(wall);
  if (const std::uint32_t w = s.find_worker(number); w != none) {
    s.workers[w].stopping = true;
    s.workers[w].credit = 0;
    s.touch(s.workers[w].channel);
  }
  s.settle();
}

void controller::results(time_point wall, worker_no number, std::span<const message_result> all) {
  impl& s = *impl_;
  s.begin(wall);
  const std::uint32_t w = s.find_worker(number);
  if (w == none) return s.settle();
  const std::uint32_t channel = s.workers[w].channel;
  channel_state& c = s.channels[channel];
  std::uint64_t processed = 0, strange = 0;
  for (const message_result& r : all) {
    const std::uint32_t i = s.find(r.id);
    if (i == none || s.messages[i].where != place::in_hand || s.messages[i].holder != w) {
      const auto claim = s.claims.empty() ? s.claims.end() : s.claims.find(r.id);
      if (claim != s.claims.end() && claim->second == number)
        s.claims.erase(claim);  // it has done what it said it would; the file says how it went
      else
        ++strange;
      continue;
    }
    processed += r.outcome == outcome::finished || r.outcome == outcome::deferred ? 1 : 0;
    s.take_result(w, i, r);
  }
  if (processed > 0) {
    c.progress_at = s.now;
    c.stall_reported = false;
    if (const auto j = s.jobs.find(static_cast<std::uint64_t>(s.workers[w].job)); j != s.jobs.end()) {
      j->second.processed += processed;
      if (j->second.launched >= c.failed_at) c.relaunch_delay = milliseconds{0};
    }
  }
  if (strange > 0)
    s.report(action::severity::warning, "channel " + c.limits.name + ": a program reported on " +
                                            std::to_string(strange) +
                                            " messages that it did not have in hand: ignored");
  s.touch(channel);
  s.settle();
}

moment controller::impl::longest_wait(const channel_state& c, priority p) const {
  const backoff_schedule& waits = c.limits.backoff[static_cast<unsigned>(p)];
  return milliseconds(*std::ranges::max_element(waits)).count() / 100 * (100 + c.limits.backoff_jitter);
}

void controller::impl::count_failure(std::uint32_t i) {
  message& m = messages[i];
  ++channel_of(m).attempts_failed;
  ++channel_of(m).totals.failed_attempts;
  if (m.attempts < 0xFFFF) ++m.attempts;
  m.conflicts = m.deaths = 0;
  m.released = false;
}

void controller::impl::take_result(std::uint32_t w, std::uint32_t i, const message_result& r) {
  message& m = messages[i];
  channel_state& c = channels[workers[w].channel];
  const std::uint32_t claimant = claims.empty() ? none : take_claim(r.id, workers[w].channel);
  switch (r.outcome) {
    case outcome::finished:
      ++c.finished;
      ++c.totals.finished;
      learn(i, true);
      note(transition_kind::finished, i);
      return forget(i);
    case outcome::gone: note(transition_kind::gone, i); return forget(i);
    case outcome::bad:
      ++c.totals.bad;
      note(transition_kind::bad, i);
      actions.emplace_back(action::set_aside{channel_no{workers[w].channel}, r.id});
      return forget(i);
    default: break;
  }
  if (r.outcome == outcome::deferred) learn(i, false);
  const moment due_before = m.due;
  leave(i);
  // Another program has it before itself as well, since before a restart: whatever became of it here, it
  // looks at the file when it comes to it.
  if (claimant != none) {
    if (r.outcome == outcome::deferred) count_failure(i);
    return enter_hand(i, claimant);
  }
  moment due = now;
  bool held = m.owed;
  switch (r.outcome) {
    case outcome::deferred: {
      count_failure(i);
      const backoff_schedule& waits = c.limits.backoff[static_cast<unsigned>(m.urgency)];
      const std::size_t failures = std::max<std::size_t>(m.attempts, 1);
      due =
          r.next_attempt != time_point{}
              ? from_wall(r.next_attempt)
              : now + mta::queue::spread(waits[std::min(failures, waits.size()) - 1], c.limits.backoff_jitter,
                                         r.id, static_cast<std::uint32_t>(failures))
                          .count();
      due = std::max(due, now + shortest_deferral);
      break;
    }
    case outcome::locked:
      due = now + std::min(locked_first << std::min<unsigned>(m.conflicts, 4), locked_last);
      if (m.conflicts < 15) ++m.conflicts;
      break;
    case outcome::held:
      if (!m.released || m.conflicts >= release_waits) {
        held = true;
        m.released = false;
      } else {
        ++m.conflicts;
        due = now + release_wait;
      }
      break;
    default: break;  // released: at once, and in front
  }
  if (held) {
    if (!m.owed) m.hold_ends = false;
    m.due = r.outcome == outcome::deferred && !m.hold_ends ? due : due_before;
    enter_held(i);
    if (m.owed) write_state(i);
    m.owed = false;
  } else if (due > now) {
    enter_deferred(i, due);
  } else {
    enter_ready(i, true);
  }
}

// What it had in hand goes back to where it was taken from: in front, the oldest first.
void controller::worker_gone(time_point wall, worker_no number) {
  impl& s = *impl_;
  s.begin(wall);
  const std::uint32_t w = s.find_worker(number);
  if (w == none) return s.settle();
  const std::uint32_t channel = s.workers[w].channel;
  std::vector<std::uint32_t> hand = s.workers[w].hand;
  std::ranges::sort(hand, std::greater{}, [&](std::uint32_t i) {
    const message& m = s.messages[i];
    return std::tuple(m.committed, m.file, std::uint32_t{m.slot});
  });
  std::uint32_t deadly = 0;
  std::string example;
  for (const std::uint32_t i : hand) {
    message& m = s.messages[i];
    if (const std::uint32_t f = s.destinations[m.destination].flow; f != none && s.flows[f].probe == i)
      s.break_circuit(m.destination);
    s.leave(i);
    if (m.deaths < 15) ++m.deaths;
    if (s.claims.size() > 0) {
      if (const std::uint32_t claimant = s.take_claim(s.id_of(m), channel);
          claimant != none && claimant != w) {
        s.enter_hand(i, claimant);
        continue;
      }
    }
    if (m.owed) {
      m.owed = false;
      s.enter_held(i);
      s.write_state(i);
    } else if (m.deaths > deaths_forgiven) {
      if (deadly++ == 0) example = to_string(s.id_of(m));
      s.enter_deferred(
          i, s.now + std::min(death_first << std::min(m.deaths - deaths_forgiven - 1, 5u), death_last));
    } else {
      s.enter_ready(i, true);
    }
  }
  if (deadly > 0)
    s.report(action::severity::warning,
             "channel " + s.channels[channel].limits.name + ": programs ended again and again with " +
                 std::to_string(deadly) + " messages in hand (" + example +
                 " is one), which are tried again later; see what the program logged");
  if (!s.claims.empty())
    boost::unordered::erase_if(s.claims, [&](const auto& c) { return c.second == number; });
  if (const auto j = s.jobs.find(static_cast<std::uint64_t>(s.workers[w].job));
      j != s.jobs.end() && j->second.worker == w) {
    j->second.worker = none;
    j->second.expected_until = s.now + departure_patience;
  }
  std::erase(s.channels[channel].workers, w);
  s.worker_index.erase(static_cast<std::uint64_t>(number));
  s.workers.release(w);
  s.touch(channel);
  s.settle();
}

}  // namespace jobctl
