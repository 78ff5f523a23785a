#include "wire/announcer.hpp"

#include "wire/frame.hpp"
#include "wire/socket.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <poll.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace mta::wire {
namespace {

using clock = std::chrono::steady_clock;

/// Files whose announcements were dropped, to be named later; beyond this many the controller's own rounds
/// have to do.
constexpr std::size_t most_owed = 64;

struct owed_file {
  std::string channel;
  file_key file;
  std::uint32_t capacity = 0;
  bool complete = false;
};

}  // namespace

// One thread at a time sends (`sending`), without holding the lock; the others leave their frames in
// `collected` and go.
struct announcer::impl {
  explicit impl(announcer_options o) : options(std::move(o)) {}

  void send_collected(std::unique_lock<std::mutex>&);
  result<> deliver(std::string_view frames);
  result<> connect(std::string_view frames);
  result<> refusal();
  error refused_because(std::string_view why) const {
    return {errc::rejected,
            "the job controller at " + options.socket_path + " refuses announcements: " + std::string(why)};
  }
  void owe(std::string_view channel, file_key file, std::uint32_t capacity, bool complete);

  const announcer_options options;
  mutable std::mutex mutex;
  std::condition_variable sent;

  // Guarded by mutex.
  bool sending = false;
  std::string collected;
  std::uint64_t collected_messages = 0;
  struct note {  // whom the collected frames are about, in case that they are dropped
    std::string channel;
    file_key file;
    std::uint32_t capacity;
    bool complete;
    bool operator==(const note&) const = default;
  };
  std::vector<note> collected_files;
  std::vector<owed_file> owed;
  clock::time_point not_before{};  // no attempt earlier than this
  error last_failure;
  announcer_counters counters;

  // Used only by the thread that has set `sending`.
  unix_socket socket;
  frame_splitter input;
  std::string out;
  std::size_t calls = 0;
  bool connected_now = false;
  std::uint32_t token = 0;
};

void announcer::impl::owe(std::string_view channel, file_key file, std::uint32_t capacity, bool complete) {
  for (owed_file& o : owed) {
    if (o.file == file && o.channel == channel) {
      o.complete |= complete;
      return;
    }
  }
  if (owed.size() < most_owed) owed.push_back({std::string(channel), file, capacity, complete});
}

/// HELLO and the first frames in one piece: the controller gets both, even if we are gone when it says
/// WELCOME.
result<> announcer::impl::connect(std::string_view frames) {
  auto s = unix_socket::connect(options.socket_path);
  if (!s) return s.error();
  socket = std::move(*s);
  input.clear();
  hello h;
  h.role = role::enqueuer;
  h.pid = static_cast<std::uint32_t>(::getpid());
  out.clear();
  append(out, h);
  out += frames;
  connected_now = true;
  return socket.send_all(out, clock::now() + options.effort, calls);
}

/// Has the controller ended this connection because it does not want us?
result<> announcer::impl::refusal() {
  for (;;) {
    frame f;
    const auto found = input.next(f);
    if (!found) return {};
    if (*found) {
      refused r;
      if (f.type != frame_type::refused || !decode(f, r)) continue;
      return refused_because(r.why);
    }
    const auto got = socket.receive(input.prepare());
    if (!got || *got == 0) return {};
    input.commit(*got);
  }
}

/// Writes frames, on a new connection if there is none or the old one has ended. On an error some may have
/// been written: the connection is given up, so that a frame cut short ends with it.
result<> announcer::impl::deliver(std::string_view frames) {
  const bool fresh = !socket;
  auto ok = fresh ? connect(frames) : socket.send_all(frames, clock::now() + options.effort, calls);
  if (ok) return ok;
  const result<> refused = socket ? refusal() : result<>();
  socket = {};
  if (!refused) return refused;
  // The controller was restarted since: whatever it had not read, it finds when it starts. Once more with the
  // new one.
  if (!fresh && ok.error().code == errc::disconnected) return deliver(frames);
  return ok;
}

/// Sends until nothing is left. Called with the lock, by the thread that has set `sending`.
void announcer::impl::send_collected(std::unique_lock<std::mutex>& lock) {
  std::string frames;
  std::vector<note> files;
  std::vector<owed_file> naming;
  while (!collected.empty()) {
    frames.swap(collected);
    files.swap(collected_files);
    const std::uint64_t messages = std::exchange(collected_messages, 0);
    naming.clear();
    naming.swap(owed);
    for (const owed_file& o : naming) append_queued(frames, o.channel, o.file, o.capacity, o.complete, {});
    const bool wait = clock::now() < not_before;
    lock.unlock();
    calls = 0;
    connected_now = false;
    const result<> ok = wait ? result<>(last_failure) : deliver(frames);
    lock.lock();
    counters.sends += calls;
    counters.connections += connected_now ? 1 : 0;
    if (ok) {
      counters.announced += messages;
    } else {
      counters.dropped += messages;
      for (const owed_file& o : naming) owe(o.channel, o.file, o.capacity, o.complete);
      for (const note& n : files) owe(n.channel, n.file, n.capacity, n.complete);
      if (!wait) {
        last_failure = ok.error();
        // To find that nobody listens costs next to nothing, so that is tried every time.
        if (last_failure.code != errc::disconnected) not_before = clock::now() + options.retry_interval;
      }
    }
    frames.clear();
    files.clear();
  }
}

announcer::announcer(announcer_options o) : impl_(std::make_unique<impl>(std::move(o))) {}

announcer::~announcer() {
  impl& a = *impl_;
  const std::lock_guard lock(a.mutex);
  if (a.owed.empty()) return;
  std::string frames;
  for (const owed_file& o : a.owed) append_queued(frames, o.channel, o.file, o.capacity, o.complete, {});
  (void)a.deliver(frames);  // the last effort; the controller's own rounds find the rest
}

void announcer::announce(std::string_view channel, file_key file, std::uint32_t capacity, bool complete,
                         const new_message& message) {
  impl& a = *impl_;
  std::unique_lock lock(a.mutex);
  if (a.collected.size() >= a.options.most_buffered) {
    ++a.counters.dropped;
    a.owe(channel, file, capacity, complete);
    return;
  }
  append_queued(a.collected, channel, file, capacity, complete, {&message, 1});
  ++a.collected_messages;
  impl::note n{std::string(channel), file, capacity, complete};
  if (a.collected_files.empty() || a.collected_files.back() != n) a.collected_files.push_back(std::move(n));
  if (a.sending) return;
  a.sending = true;
  a.send_collected(lock);
  a.sending = false;
  a.sent.notify_all();
}

result<> announcer::sync(std::chrono::milliseconds timeout) {
  impl& a = *impl_;
  const clock::time_point until = clock::now() + timeout;
  std::unique_lock lock(a.mutex);
  if (!a.sent.wait_until(lock, until, [&] { return !a.sending; })) {
    return error(errc::timed_out, "wait for announcements to the job controller to be sent");
  }
  if (!a.socket) {
    return a.last_failure.code
               ? a.last_failure
               : error(errc::disconnected, "nothing has been announced to the job controller");
  }
  a.sending = true;
  lock.unlock();
  const auto exchange = [&]() -> result<> {
    std::string question;
    append(question, wire::sync{++a.token});
    std::size_t calls = 0;
    if (auto ok = a.socket.send_all(question, until, calls); !ok) {
      a.socket = {};
      return ok;
    }
    for (;;) {
      frame f;
      auto found = a.input.next(f);
      if (!found) return found.error();
      if (*found) {
        if (f.type == frame_type::refused) {
          refused r;
          if (auto ok = decode(f, r); !ok) return ok;
          return a.refused_because(r.why);
        }
        if (f.type != frame_type::synced) continue;  // WELCOME
        synced s;
        if (auto ok = decode(f, s); !ok) return ok;
        if (s.token == a.token) return {};
        continue;  // the answer to one that timed out
      }
      auto got = a.socket.receive(a.input.prepare());
      if (!got) return got.error();
      if (*got != 0) {
        a.input.commit(*got);
        continue;
      }
      const int wait = milliseconds_until(until);
      if (wait == 0) return error(errc::timed_out, "wait for the job controller to read announcements");
      pollfd p{a.socket.fd(), POLLIN, 0};
      ::poll(&p, 1, wait);
    }
  };
  const result<> ok = exchange();
  // After anything but a late answer the stream is of no more use.
  if (!ok && ok.error().code != errc::timed_out) a.socket = {};
  lock.lock();
  if (!ok) a.last_failure = ok.error();
  a.send_collected(lock);  // what came meanwhile
  a.sending = false;
  a.sent.notify_all();
  return ok;
}

announcer_counters announcer::counters() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->counters;
}

}  // namespace mta::wire
