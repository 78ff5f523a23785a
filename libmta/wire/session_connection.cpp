// A session's connection: made and made again, read, and written.
#include "wire/session_impl.hpp"

#include <poll.h>
#include <unistd.h>
#include <utility>

namespace mta::wire {
namespace {

using clock = std::chrono::steady_clock;

void count(std::atomic<std::uint64_t>& c, std::uint64_t n = 1) noexcept {
  c.fetch_add(n, std::memory_order_relaxed);
}

}  // namespace

// --- connection ---

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

  auto made = std::make_shared<session_connection>();
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

// --- reading ---

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

// --- writing ---

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
    linger_until = clock::now() + options.linger;
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

}  // namespace mta::wire
