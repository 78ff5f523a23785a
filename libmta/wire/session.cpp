#include "wire/session.hpp"

#include "wire/session_impl.hpp"

#include <utility>

namespace mta::wire {
namespace {

using clock = std::chrono::steady_clock;

/// While messages are in hand, a sleeping thread looks this often whether results lie about unsent.
constexpr auto tidy_interval = std::chrono::seconds(1);

void count(std::atomic<std::uint64_t>& c) noexcept { c.fetch_add(1, std::memory_order_relaxed); }

}  // namespace

// --- waiting ---

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

// --- session ---

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
    if (s.unsent.size() < s.options.batch && clock::now() < s.linger_until) {
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
  session_question q;
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

result<> session::report_stress(std::string_view why) {
  constexpr std::chrono::seconds between{1};
  impl& s = *impl_;
  {
    const std::lock_guard lock(s.state);
    if (!s.conn) return error(errc::disconnected, "report stress to the job controller");
    const auto now = impl::clock::now();
    if (now < s.stress_after) return {};
    s.stress_after = now + between;
    append(s.control, stress{why});
    ++s.control_frames;
  }
  return s.flush();
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
  const session_atomic_counters& c = impl_->counters;
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
