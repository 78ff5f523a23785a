// The inside of a session, shared by session.cpp (what threads call, and how they wait) and
// session_connection.cpp (connecting, reading, writing). For nobody else.
#pragma once

#include "wire/frame.hpp"
#include "wire/session.hpp"
#include "wire/socket.hpp"
#include "wire/wakers.hpp"

#include <boost/unordered/unordered_flat_set.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace mta::wire {

struct session_id_hash {
  using is_avalanching = void;
  std::size_t operator()(const message_id& id) const noexcept {
    std::uint64_t h = static_cast<std::uint64_t>(id.file) ^ (std::uint64_t{id.generation} << 32 | id.slot);
    h *= 0x9E3779B97F4A7C15u;
    return static_cast<std::size_t>(h ^ (h >> 32));
  }
};

struct session_connection {
  unix_socket socket;
  std::uint64_t number = 0;
};
using connection_ptr = std::shared_ptr<session_connection>;

/// A poll() that waits for its answer, on the stack of the asking thread.
struct session_question {
  std::uint32_t token = 0;
  bool answered = false;
  backlog answer;
};

struct session_atomic_counters {
  std::atomic<std::uint64_t> frames_received{0}, frames_sent{0}, sends{0}, receives{0}, wake_ups{0},
      reconnects{0};
};

// Locks, in the order in which they are taken: reading, writing, state. The state lock is never held over a
// system call that could take long, except wake-ups.
struct session::impl {
  using clock = std::chrono::steady_clock;
  using question = session_question;

  explicit impl(session_options o) : options(std::move(o)) {}

  using state_lock = std::unique_lock<std::mutex>;

  // --- connection ---
  result<> establish();
  result<> shake_hands(unix_socket& s, clock::time_point until);
  result<frame> await_frame(unix_socket& s, clock::time_point until);
  bool ready_to_connect(clock::time_point now) const {
    return !conn && !connecting && !stop_begun && now >= retry_at;
  }
  void reconnect(state_lock&);
  void lost(const connection_ptr&, const error& why);
  void fail(error why);

  // --- reading ---
  void read_all();
  result<> dispatch(const frame&);

  // --- writing ---
  result<> flush();
  bool anything_to_send() const {
    return !unsent.empty() || credit_unsent != 0 || stopping_unsent || !control.empty();
  }

  // --- waiting ---
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
  session_atomic_counters counters;
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
  std::chrono::milliseconds backoff{0};
  error last_loss;
  error failed;  // code set: for good

  std::deque<leased_message> ready;
  boost::unordered_flat_set<message_id, session_id_hash> in_hand;
  std::vector<message_result> unsent;
  std::uint32_t credit = 0;         // allowed and not yet leased, credit_unsent included
  std::uint32_t credit_unsent = 0;  // not yet written to this connection
  std::string control;              // POLL, STRESS and BYE frames to be written
  std::uint64_t control_frames = 0;
  bool stopping_unsent = false;
  bool stop_begun = false;
  std::string stop_words;
  clock::time_point stress_after{};  // none is reported before
  clock::time_point linger_until{};  // results reported before this wait for company

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

}  // namespace mta::wire
