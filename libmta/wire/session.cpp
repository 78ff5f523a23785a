#include "wire/session.hpp"

#include "wire/frame.hpp"
#include "wire/socket.hpp"
#include "wire/wakers.hpp"

#include <boost/unordered/unordered_flat_set.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <poll.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace mta::wire {
namespace {

using clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// While messages are in hand, a sleeping thread looks this often whether results lie about unsent.
constexpr auto tidy_interval = std::chrono::seconds(1);

struct id_hash {
  using is_avalanching = void;
  std::size_t operator()(const message_id& id) const noexcept {
    std::uint64_t h = static_cast<std::uint64_t>(id.file) ^ (std::uint64_t{id.generation} << 32 | id.slot);
    h *= 0x9E3779B97F4A7C15u;
    return static_cast<std::size_t>(h ^ (h >> 32));
  }
};

struct connection {
  unix_socket socket;
  std::uint64_t number = 0;
};
using connection_ptr = std::shared_ptr<connection>;

/// A poll() that waits for its answer, on the stack of the asking thread.
struct question {
  std::uint32_t token = 0;
  bool answered = false;
  backlog answer;
};

struct atomic_counters {
  std::atomic<std::uint64_t> frames_received{0}, frames_sent{0}, sends{0}, receives{0}, wake_ups{0},
      reconnects{0};
};

void count(std::atomic<std::uint64_t>& c, std::uint64_t n = 1) noexcept {
  c.fetch_add(n, std::memory_order_relaxed);
}

}  // namespace

// Locks, in the order in which they are taken: reading, writing, state. The state lock is never held over a
// system call that could take long, except wake-ups.
struct session::impl {
  explicit impl(session_options o) : options(std::move(o)) {}

  using state_lock = std::unique_lock<std::mutex>;

  // --- connection (session_connection part)
  // ------------------------------------------------------------------------
  result<> establish();
  result<> shake_hands(unix_socket& s, clock::time_point until);
  result<frame> await_frame(unix_socket& s, clock::time_point until);
  bool ready_to_connect(clock::time_point now) const {
    return !conn && !connecting && !stop_begun && now >= retry_at;
  }
  void reconnect(state_lock&);
  void lost(const connection_ptr&, const error& why);
  void fail(error why);

  // --- reading
  // --------------------------------------------------------------------------------------------------------
  void read_all();
  result<> dispatch(const frame&);

  // --- writing
  // --------------------------------------------------------------------------------------------------------
  result<> flush();
  bool anything_to_send() const {
    return !unsent.empty() || credit_unsent != 0 || stopping_unsent || !control.empty();
  }

  // --- waiting
  // --------------------------------------------------------------------------------------------------------
  bool prepare_to_wait(state_lock&);
  void wait_as_taker(state_lock&, clock::time_point until);
  void wait_as_sleeper(state_lock&, clock::time_point until);
  clock::time_point no_later_than_retry(clock::time_point until) const;
  void pass_on();
  void wake_sleepers();
  void wake_everybody();
  void notice_stop() {
    if (stop_flag.load(std::memory_order_acquire) && !stop_begun) begin_stop();
  }
  void begin_stop();
  std::size_t committed_to() const { return ready.size() + in_hand.size() + unsent.size() + credit; }

  const session_options options;
  atomic_counters counters;
  waiting_place takers, sleepers;
  alarm_bell stop_bell;
  std::atomic<bool> stop_flag{false};

  // Guarded by reading: what arrives on the present connection.
  std::mutex reading;
  frame_splitter splitter;
  std::uint64_t splitter_connection = 0;
  lease incoming;

  // Guarded by writing.
  std::mutex writing;
  std::string out;
  std::vector<message_result> sending;

  // Guarded by state.
  mutable std::mutex state;
  connection_ptr conn;  // null: not connected
  std::uint64_t connections = 0;
  bool connecting = false;
  clock::time_point connected_at{}, down_since{}, retry_at{};
  milliseconds backoff{0};
  error last_loss;
  error failed;  // code set: for good

  std::deque<leased_message> ready;
  boost::unordered_flat_set<message_id, id_hash> in_hand;
  std::vector<message_result> unsent;
  std::uint32_t credit = 0;         // allowed and not yet leased, credit_unsent included
  std::uint32_t credit_unsent = 0;  // not yet written to this connection
  std::string control;              // POLL and BYE frames to be written
  std::uint64_t control_frames = 0;
  bool stopping_unsent = false;
  bool stop_begun = false;
  std::string stop_words;
  clock::time_point last_send{};

  std::uint32_t takers_waiting = 0;
  std::uint32_t takers_interrupted = 0;  // of those, how many have to leave because of interrupt()
  bool sleeper_waiting = false;          // one sleeper waits in the kernel
  bool sleeper_called = false;           // and has been called already
  bool sleeper_relaxed = false;          // and will not look after unsent results soon
  std::uint32_t sleepers_parked = 0;     // the others wait for it
  std::condition_variable parked;
  std::uint32_t lease_sleepers = 0;  // sleepers that want to hear of leases
  std::uint64_t interrupts = 0;
  std::uint32_t next_token = 0;
  std::vector<question*> questions;
};

// --- connection
// ------------------------------------------------------------------------------------------------------

/// Waits for one frame during the handshake. The caller holds `reading`.
result<frame> session::impl::await_frame(unix_socket& s, clock::time_point until) {
  for (;;) {
    frame f;
    auto found = splitter.next(f);
    if (!found) return found.error();
    if (*found) {
      count(counters.frames_received);
      return f;
    }
    auto got = s.receive(splitter.prepare());
    if (!got) return got.error();
    if (*got != 0) {
      count(counters.receives);
      splitter.commit(*got);
      continue;
    }
    pollfd p[2] = {{s.fd(), POLLIN, 0}, {stop_bell.fd(), POLLIN, 0}};
    const int wait = milliseconds_until(until);
    if (wait == 0) {
      return error(errc::timed_out,
                   "wait for the job controller at " + options.socket_path + " to answer HELLO");
    }
    // A stop request ends the wait; poll's own failures (a signal) just repeat it.
    ::poll(p, 2, wait);
    if (stop_flag.load(std::memory_order_acquire))
      return error(errc::cancelled, "connect to the job controller");
  }
}

/// HELLO with all that we hold, and WELCOME. The caller holds `reading` and `writing`.
result<> session::impl::shake_hands(unix_socket& s, clock::time_point until) {
  out.clear();
  {
    const std::lock_guard lock(state);
    hello h;
    h.role = role::channel_program;
    h.pid = static_cast<std::uint32_t>(::getpid());
    h.job = options.job;
    h.max_threads = options.max_threads;
    h.channel = options.channel;
    h.holding.reserve(committed_to());
    for (const leased_message& m : ready) h.holding.push_back(m.id);
    for (const message_id& id : in_hand) h.holding.push_back(id);
    for (const message_result& r : unsent) h.holding.push_back(r.id);
    std::sort(h.holding.begin(), h.holding.end());  // messages of one file share a group
    append(out, h);
    count(counters.frames_sent);
    control.clear();
    control_frames = 0;
    // A new connection begins without credit.
    credit_unsent = credit;
    stopping_unsent = stop_begun;
  }
  std::size_t calls = 0;
  auto sent = s.send_all(out, until, calls);
  count(counters.sends, calls);
  if (!sent) return sent.error();

  auto answer = await_frame(s, until);
  if (!answer) return answer.error();
  if (answer->type == frame_type::refused) {
    refused r;
    if (auto ok = decode(*answer, r); !ok) return ok.error();
    const errc code = r.code == refusal::version                                   ? errc::wrong_version
                      : r.code == refusal::stopping || r.code == refusal::protocol ? errc::disconnected
                                                                                   : errc::rejected;
    return error(code, "the job controller at " + options.socket_path + " refuses channel \"" +
                           options.channel + "\": " + std::string(r.why));
  }
  welcome w;
  return decode(*answer, w);
}

result<> session::impl::establish() {
  const clock::time_point until = clock::now() + options.reply_timeout;
  auto s = unix_socket::connect(options.socket_path);
  if (!s) return s.error();
  const std::lock_guard reading_lock(reading);
  const std::lock_guard writing_lock(writing);
  splitter.clear();
  if (auto ok = shake_hands(*s, until); !ok) return ok.error();

  auto made = std::make_shared<connection>();
  made->socket = std::move(*s);
  const std::lock_guard lock(state);
  made->number = ++connections;
  splitter_connection = made->number;
  // In this order: see wakers.hpp.
  if (auto ok = takers.watch(made->socket.fd()); !ok) return ok.error();
  if (auto ok = sleepers.watch(made->socket.fd()); !ok) return ok.error();
  conn = std::move(made);
  connected_at = clock::now();
  return {};
}

/// Tries once. Called without a connection, when nobody else is at it and the time has come.
void session::impl::reconnect(state_lock& lock) {
  connecting = true;
  lock.unlock();
  auto ok = establish();
  if (ok) {
    count(counters.reconnects);
    read_all();  // frames that came in one piece with WELCOME
  }
  lock.lock();
  connecting = false;
  if (ok) {
    wake_everybody();
    return;
  }
  const auto now = clock::now();
  const std::error_code code = ok.error().code;
  if (code == errc::rejected || code == errc::wrong_version) {
    fail(ok.error());
  } else if (now - down_since >= options.patience) {
    fail({errc::disconnected, "reach the job controller again within " +
                                  std::to_string(options.patience.count() / 1000) +
                                  " s; last: " + ok.error().message()});
  } else {
    retry_at = std::min(now + backoff, down_since + options.patience);
    backoff = std::min(backoff * 2, options.last_backoff);
  }
}

void session::impl::lost(const connection_ptr& c, const error& why) {
  const std::lock_guard lock(state);
  if (conn != c) return;
  const auto now = clock::now();
  // A connection that did not live long does not count: no tight loop with a controller that drops us again
  // and again.
  if (now - connected_at >= options.last_backoff) {
    backoff = options.first_backoff;
    retry_at = now;
  } else {
    backoff = std::clamp(backoff * 2, options.first_backoff, options.last_backoff);
    retry_at = now + backoff;
  }
  down_since = now;
  last_loss = why;
  conn.reset();
  c->socket.shut_down();
  wake_everybody();
}

void session::impl::fail(error why) {
  failed = std::move(why);
  ready.clear();  // the controller gave them to others when the connection ended
  credit = credit_unsent = 0;
  wake_everybody();
}

// --- reading
// -----------------------------------------------------------------------------------------------------------

/// Reads and dispatches until the socket is empty.
void session::impl::read_all() {
  bool answer_at_once = false;
  {
    const std::lock_guard reading_lock(reading);
    connection_ptr c;
    {
      const std::lock_guard lock(state);
      c = conn;
    }
    if (!c || c->number != splitter_connection) return;
    result<> ok;
    for (;;) {
      frame f;
      auto found = splitter.next(f);
      if (found && *found) {
        count(counters.frames_received);
        ok = dispatch(f);
        if (!ok) break;
        continue;
      }
      if (!found) {
        ok = found.error();
        break;
      }
      auto got = c->socket.receive(splitter.prepare());
      if (!got) {
        ok = got.error();
        break;
      }
      if (*got == 0) break;
      count(counters.receives);
      splitter.commit(*got);
    }
    if (!ok) {
      lost(c, ok.error());
      return;
    }
    const std::lock_guard lock(state);
    answer_at_once = stop_begun && anything_to_send();
  }
  if (answer_at_once) (void)flush();  // a failure is a lost connection, which flush has seen to
}

/// One frame of an established connection. The caller holds `reading`.
result<> session::impl::dispatch(const frame& f) {
  switch (f.type) {
    case frame_type::lease: {
      if (auto ok = decode(f, incoming); !ok) return ok.error();
      const std::lock_guard lock(state);
      if (incoming.channel != options.channel) {
        return error(errc::protocol,
                     "read a LEASE frame: it is for channel \"" + std::string(incoming.channel) + '"');
      }
      if (failed.code) return {};
      const std::size_t n = incoming.messages.size();
      credit -= static_cast<std::uint32_t>(std::min<std::size_t>(n, credit));
      if (committed_to() + n > max_in_hand) {
        return error(errc::protocol, "read a LEASE frame: more messages than a program may hold");
      }
      if (stop_begun) {
        for (const leased_message& m : incoming.messages) unsent.push_back({m.id, outcome::released, {}});
      } else {
        ready.insert(ready.end(), incoming.messages.begin(), incoming.messages.end());
      }
      return {};
    }
    case frame_type::polled: {
      polled p;
      if (auto ok = decode(f, p); !ok) return ok.error();
      const std::lock_guard lock(state);
      for (question* q : questions) {
        if (q->token != p.token || q->answered) continue;
        q->answered = true;
        q->answer = {p.pending, p.threads};
        wake_sleepers();
      }
      return {};
    }
    case frame_type::stop: {
      stop s;
      if (auto ok = decode(f, s); !ok) return ok.error();
      const std::lock_guard lock(state);
      stop_words = s.why;
      stop_flag.store(true, std::memory_order_release);
      notice_stop();
      wake_everybody();
      return {};
    }
    case frame_type::refused: {
      refused r;
      if (auto ok = decode(f, r); !ok) return ok.error();
      return error(errc::disconnected, "the job controller ended the session: " + std::string(r.why));
    }
    default:
      return error(errc::protocol, "read an unexpected frame of type " +
                                       std::to_string(static_cast<int>(f.type)) + " from the job controller");
  }
}

// --- writing
// -----------------------------------------------------------------------------------------------------------

result<> session::impl::flush() {
  {
    const std::lock_guard lock(state);
    if (!conn) return failed.code ? failed : error(errc::disconnected, "send results to the job controller");
  }
  const std::lock_guard writing_lock(writing);
  connection_ptr c;
  std::uint64_t frames = 0;
  out.clear();
  {
    const std::lock_guard lock(state);
    c = conn;
    if (!c) return error(errc::disconnected, "send results to the job controller");
    if (!anything_to_send()) return {};
    // STOPPING before the results, or what we hand back would be leased to us again.
    if (std::exchange(stopping_unsent, false)) {
      append(out, stopping{});
      ++frames;
    }
    if (const std::uint32_t more = std::exchange(credit_unsent, 0)) {
      append(out, ask{more});
      ++frames;
    }
    sending.clear();
    sending.swap(unsent);
    // Questions after the results, or the answer would be about a time before them.
    if (!sending.empty()) {
      append_results(out, sending);
      ++frames;
    }
    out += control;
    frames += std::exchange(control_frames, 0);
    control.clear();
    last_send = clock::now();
  }
  std::size_t calls = 0;
  auto sent = c->socket.send_all(out, clock::now() + options.reply_timeout, calls);
  count(counters.sends, calls);
  count(counters.frames_sent, frames);
  if (sent) return {};
  {
    const std::lock_guard lock(state);
    unsent.insert(unsent.begin(), sending.begin(), sending.end());
  }
  lost(c, sent.error());
  return sent.error();
}

/// Everything that nobody took goes back, and nothing more is wanted. State lock held; what there is to say
/// is sent by the next flush.
void session::impl::begin_stop() {
  stop_begun = true;
  for (const leased_message& m : ready) unsent.push_back({m.id, outcome::released, {}});
  ready.clear();
  credit = credit_unsent = 0;
  stopping_unsent = true;
}

// --- waiting
// -----------------------------------------------------------------------------------------------------------

/// Connects or sends if that is to be done first. false: something was done, look again.
bool session::impl::prepare_to_wait(state_lock& lock) {
  if (ready_to_connect(clock::now())) {
    reconnect(lock);
    return false;
  }
  if (conn && anything_to_send()) {
    lock.unlock();
    (void)flush();  // a failure is a lost connection: seen on the next look
    lock.lock();
    return false;
  }
  return true;
}

clock::time_point session::impl::no_later_than_retry(clock::time_point until) const {
  if (conn) return until;
  return std::min(until, connecting ? clock::now() + options.last_backoff : retry_at);
}

void session::impl::wait_as_taker(state_lock& lock, clock::time_point until) {
  // A call that only one of us consumed, though more are to leave, goes on to the next.
  if (takers_interrupted != 0) takers.call();
  const std::uint64_t interrupts_before = interrupts;
  ++takers_waiting;
  until = no_later_than_retry(until);
  lock.unlock();
  if (takers.wait(until)) count(counters.wake_ups);
  lock.lock();
  --takers_waiting;
  if (interrupts != interrupts_before && takers_interrupted != 0) --takers_interrupted;
  lock.unlock();
  read_all();
  lock.lock();
}

void session::impl::wait_as_sleeper(state_lock& lock, clock::time_point until) {
  if (!ready.empty()) pass_on();  // we may have read what a thread in take() waits for
  until = no_later_than_retry(until);
  if (sleeper_waiting) {
    ++sleepers_parked;
    parked.wait_until(lock, std::min(until, clock::now() + std::chrono::hours(1)));
    --sleepers_parked;
    count(counters.wake_ups);
    return;
  }
  const bool busy = !in_hand.empty() || !ready.empty();
  if (busy) until = std::min(until, clock::now() + tidy_interval);
  sleeper_waiting = true;
  sleeper_called = false;
  sleeper_relaxed = !busy;
  lock.unlock();
  if (sleepers.wait(until)) count(counters.wake_ups);
  read_all();
  lock.lock();
  sleeper_waiting = false;
  sleeper_relaxed = false;
  if (sleepers_parked != 0) parked.notify_all();
}

void session::impl::wake_sleepers() {
  if (sleeper_waiting && !std::exchange(sleeper_called, true)) sleepers.call();
  if (sleepers_parked != 0) parked.notify_all();
}

void session::impl::wake_everybody() {
  if (takers_waiting != 0) takers.call();
  wake_sleepers();
}

/// What every thread does when it leaves: if there is something that another one waits for, that one is
/// called. So a single call is enough to wake as many as there are messages.
void session::impl::pass_on() {
  const bool all = stop_flag.load(std::memory_order_acquire) || failed.code || takers_interrupted != 0;
  if (takers_waiting != 0 && (all || !ready.empty())) {
    takers.call();
  } else if (!ready.empty() && lease_sleepers != 0) {
    wake_sleepers();
  }
}

// --- session
// -----------------------------------------------------------------------------------------------------------

session::session(std::unique_ptr<impl> i) : impl_(std::move(i)) {}

result<std::unique_ptr<session>> session::connect(session_options options) {
  auto i = std::make_unique<impl>(std::move(options));
  i->backoff = i->options.first_backoff;
  i->down_since = i->retry_at = clock::now();
  if (auto ok = i->establish(); !ok) return ok.error();
  i->read_all();  // frames that came in one piece with WELCOME
  return std::unique_ptr<session>(new session(std::move(i)));
}

session::~session() { close(); }

void session::give_credit(std::uint32_t more) {
  impl& s = *impl_;
  const std::lock_guard lock(s.state);
  if (s.stop_begun || s.failed.code) return;
  const std::size_t room = max_in_hand - std::min(max_in_hand, s.committed_to());
  more = static_cast<std::uint32_t>(std::min<std::size_t>(more, room));
  s.credit += more;
  s.credit_unsent += more;
}

result<leased_message> session::take(steady_time deadline) {
  impl& s = *impl_;
  impl::state_lock lock(s.state);
  const std::uint64_t interrupts = s.interrupts;
  bool waited = false;
  const auto leave = [&](auto&& what) -> result<leased_message> {
    s.pass_on();
    return std::forward<decltype(what)>(what);
  };
  for (;;) {
    s.notice_stop();
    if (!s.ready.empty()) {
      const leased_message m = s.ready.front();
      s.ready.pop_front();
      s.in_hand.insert(m.id);
      return leave(m);
    }
    if (s.failed.code) return leave(s.failed);
    if (!s.prepare_to_wait(lock)) continue;
    if (s.stop_begun) return leave(error(errc::cancelled, "wait for a message"));
    if (s.interrupts != interrupts) return leave(error(errc::cancelled, "wait for a message"));
    if (waited && clock::now() >= deadline) return leave(error(errc::timed_out, "wait for a message"));
    s.wait_as_taker(lock, deadline);
    waited = true;
  }
}

void session::report(const message_result& r) {
  impl& s = *impl_;
  {
    const std::lock_guard lock(s.state);
    if (s.in_hand.erase(r.id) == 0) return;
    if (s.failed.code) return;
    s.notice_stop();
    s.unsent.push_back(r);
    if (!s.conn) return;
    if (s.unsent.size() < s.options.batch && clock::now() - s.last_send < s.options.linger) {
      if (s.sleeper_waiting && std::exchange(s.sleeper_relaxed, false)) s.wake_sleepers();
      return;
    }
  }
  (void)flush();  // a failure is a lost connection; the results are kept
}

result<> session::flush() { return impl_->flush(); }

result<backlog> session::poll(std::uint32_t running, std::chrono::milliseconds timeout) {
  impl& s = *impl_;
  const auto deadline = clock::now() + timeout;
  impl::state_lock lock(s.state);
  const std::uint64_t interrupts = s.interrupts;
  question q;
  s.questions.push_back(&q);
  const auto leave = [&](auto&& what) -> result<backlog> {
    std::erase(s.questions, &q);
    s.pass_on();
    return std::forward<decltype(what)>(what);
  };
  std::uint64_t asked_on = 0;
  bool waited = false;
  for (;;) {
    s.notice_stop();
    if (q.answered) return leave(q.answer);
    if (s.failed.code) return leave(s.failed);
    if (s.conn && asked_on != s.conn->number && !s.stop_begun) {
      asked_on = s.conn->number;
      q.token = ++s.next_token;
      append(s.control, wire::poll{q.token, running});
      ++s.control_frames;
    }
    if (!s.prepare_to_wait(lock)) continue;
    if (s.stop_begun) return leave(error(errc::cancelled, "ask the job controller how much there is to do"));
    if (s.interrupts != interrupts)
      return leave(error(errc::cancelled, "ask the job controller how much there is to do"));
    if (waited && clock::now() >= deadline) {
      return leave(error(s.conn ? errc::timed_out : errc::disconnected,
                         "ask the job controller how much there is to do"));
    }
    s.wait_as_sleeper(lock, deadline);
    waited = true;
  }
}

result<std::uint64_t> session::pending(std::chrono::milliseconds timeout) {
  auto r = poll(0, timeout);
  if (!r) return r.error();
  return r->pending;
}

result<std::uint32_t> session::threads_needed(std::uint32_t running, std::chrono::milliseconds timeout) {
  auto r = poll(running, timeout);
  if (!r) return r.error();
  return r->threads;
}

session::woken session::sleep_until(steady_time deadline, bool for_leases) {
  impl& s = *impl_;
  impl::state_lock lock(s.state);
  const std::uint64_t interrupts = s.interrupts;
  bool waited = false;
  if (for_leases) ++s.lease_sleepers;
  const auto leave = [&](woken what) {
    if (for_leases) --s.lease_sleepers;
    s.pass_on();
    return what;
  };
  for (;;) {
    s.notice_stop();
    if (s.failed.code) return leave(woken::failed);
    if (!s.prepare_to_wait(lock)) continue;
    if (s.stop_begun) return leave(woken::stop);
    if (s.interrupts != interrupts) return leave(woken::interrupted);
    if (for_leases && !s.ready.empty() && s.takers_waiting == 0) return leave(woken::lease);
    if (waited && clock::now() >= deadline) return leave(woken::deadline);
    s.wait_as_sleeper(lock, deadline);
    waited = true;
  }
}

void session::request_stop() noexcept {
  impl& s = *impl_;
  s.stop_flag.store(true, std::memory_order_release);
  s.stop_bell.ring();
  s.takers.call();
  s.sleepers.call();
}

bool session::stop_requested() const noexcept { return impl_->stop_flag.load(std::memory_order_acquire); }

std::string session::stop_reason() const {
  const std::lock_guard lock(impl_->state);
  return impl_->stop_words;
}

void session::interrupt() {
  impl& s = *impl_;
  const std::lock_guard lock(s.state);
  ++s.interrupts;
  s.takers_interrupted = s.takers_waiting;
  s.wake_everybody();
}

void session::close() {
  impl& s = *impl_;
  request_stop();
  s.read_all();  // so that a lease that crosses with our leaving is handed back
  connection_ptr c;
  {
    const std::lock_guard lock(s.state);
    s.notice_stop();
    c = s.conn;
    if (c) {
      append(s.control, bye{});
      ++s.control_frames;
    }
  }
  if (c) (void)s.flush();  // when it fails, the end of the connection says the same
  const std::lock_guard lock(s.state);
  if (!s.failed.code) s.fail({errc::disconnected, "the session with the job controller has been closed"});
  s.conn.reset();
}

bool session::connected() const {
  const std::lock_guard lock(impl_->state);
  return impl_->conn != nullptr;
}

error session::why() const {
  const std::lock_guard lock(impl_->state);
  return impl_->failed;
}

std::uint32_t session::buffered() const {
  const std::lock_guard lock(impl_->state);
  return static_cast<std::uint32_t>(impl_->ready.size());
}

std::uint32_t session::in_hand() const {
  const std::lock_guard lock(impl_->state);
  return static_cast<std::uint32_t>(impl_->in_hand.size());
}

std::uint32_t session::credit() const {
  const std::lock_guard lock(impl_->state);
  return impl_->credit;
}

session_counters session::counters() const {
  const atomic_counters& c = impl_->counters;
  session_counters r;
  r.frames_received = c.frames_received.load(std::memory_order_relaxed);
  r.frames_sent = c.frames_sent.load(std::memory_order_relaxed);
  r.sends = c.sends.load(std::memory_order_relaxed);
  r.receives = c.receives.load(std::memory_order_relaxed);
  r.wake_ups = c.wake_ups.load(std::memory_order_relaxed);
  r.reconnects = c.reconnects.load(std::memory_order_relaxed);
  return r;
}

}  // namespace mta::wire
