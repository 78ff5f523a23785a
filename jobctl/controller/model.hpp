// The controller's data: messages in a slab, files, destinations, channels, programs. Internal to
// jobctl/controller. Thread safety: none, as controller.hpp says.
#pragma once

#include "jobctl/controller/controller.hpp"

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace jobctl {

inline constexpr std::uint32_t none = 0xFFFF'FFFF;
inline constexpr std::uint32_t slot_finished = 0xFFFF'FFFE;  ///< in a file's slot table: seen and done with

/// Where a message is; exactly one of these at a time.
enum class place : std::uint8_t { free, ready, in_hand, deferred, held, moving };

struct message {
  std::uint32_t file = none;
  std::uint32_t slot = 0;
  std::uint32_t destination = none;
  std::uint32_t next = none;  ///< in the list that `where` says; deferred: position in the timer heap
  std::uint32_t prev = none;
  std::uint32_t owner = none;  ///< worker index while in hand
  std::int64_t due = 0;        ///< ms since 1970
  std::int64_t committed = 0;  ///< ms since 1970
  std::uint32_t size = 0;      ///< bytes, saturating
  std::uint16_t attempts = 0;
  mta::queue::priority priority = priority::normal;
  place where = place::free;
  std::uint8_t lock_conflicts = 0;
  bool was_held = false;  ///< moving: goes back to held
};
static_assert(sizeof(message) <= 56);

/// Messages by 32-bit index, in chunks, so that growing copies nothing and leaves little unused.
class message_slab {
 public:
  message& operator[](std::uint32_t i) { return (*chunks_[i >> bits])[i & mask]; }
  const message& operator[](std::uint32_t i) const { return (*chunks_[i >> bits])[i & mask]; }
  std::uint32_t allocate();
  void release(std::uint32_t);
  std::uint32_t end() const { return used_; }  ///< one past the highest index ever used
  std::uint32_t live() const { return live_; }
  std::size_t memory() const { return chunks_.size() * sizeof(chunk) + chunks_.capacity() * sizeof(void*); }

 private:
  static constexpr std::uint32_t bits = 14, mask = (1u << bits) - 1;
  using chunk = std::array<message, 1u << bits>;
  std::vector<std::unique_ptr<chunk>> chunks_;
  std::uint32_t free_ = none, used_ = 0, live_ = 0;
};

/// First in, first out, linked through message::next and prev.
struct message_list {
  std::uint32_t head = none, tail = none;
  bool empty() const { return head == none; }
  void push_back(message_slab&, std::uint32_t);
  void push_front(message_slab&, std::uint32_t);
  void remove(message_slab&, std::uint32_t);
};

/// Deferred messages by due time: a 4-ary heap of indices; each message knows its position.
class timer_heap {
 public:
  bool empty() const { return heap_.empty(); }
  std::uint32_t top() const { return heap_.front(); }
  void add(message_slab&, std::uint32_t);
  void remove(message_slab&, std::uint32_t);
  /// Adds `by` ms to every due time; the order stays.
  void shift(message_slab&, std::int64_t by);
  std::size_t memory() const { return heap_.capacity() * sizeof(std::uint32_t); }
  bool in_order(const message_slab&) const;

 private:
  void up(message_slab&, std::uint32_t at);
  void down(message_slab&, std::uint32_t at);
  std::vector<std::uint32_t> heap_;
};

/// How long the end of a program that has disconnected is waited for before another one is started in its place.
inline constexpr std::chrono::seconds leave_patience{2};

struct queue_file {
  file_key key;
  std::uint32_t channel = none;
  std::uint32_t capacity = 0;
  bool complete = false;
  bool offered = false;  ///< an action::recycle is being carried out
  bool check_scheduled = false;
  std::uint32_t live = 0, seen = 0;
  std::vector<std::uint32_t> slots;  ///< message index, none, or slot_finished
};

struct destination {
  std::string host;
  std::uint32_t channel = none;
  message_list ready[3];
  std::uint32_t next_active[3] = {none, none, none}, prev_active[3] = {none, none, none};
};

struct channel_state {
  channel_limits limits;
  bool configured = false;
  std::uint32_t pool = 0;
  std::unordered_map<std::string, std::uint32_t> destinations;
  std::uint32_t active[3] = {none, none, none};  ///< rings of destinations with ready messages
  std::uint64_t ready = 0, in_hand = 0, deferred = 0, held = 0, moving = 0, bytes = 0;
  std::uint64_t finished = 0, attempts_failed = 0;
  std::vector<std::uint32_t> workers;
  std::uint32_t jobs = 0;      ///< processes, those being started included
  std::uint32_t starting = 0;  ///< of these, not yet connected
  std::uint32_t leaving = 0;   ///< of these, disconnected and not yet seen to have ended
  time_point leaving_since{};  ///< the latest of them
  std::uint32_t next_worker = 0;
  milliseconds relaunch_delay{0};
  time_point relaunch_at{};  ///< no launch before
};

struct worker {
  worker_no number{};
  std::uint32_t channel = none;
  job_no job{};
  std::uint32_t max_threads = 1;
  std::uint32_t credit = 0;
  std::uint32_t in_hand = 0;
  bool stopping = false;
  message_list messages;
};

struct job {
  std::uint32_t channel = none;
  time_point launched{};
  std::int64_t pid = 0;
  bool connected = false, reported_silent = false;
  bool leaving = false;  ///< its connection has ended, and it has not
  std::uint64_t finished = 0;
};

struct controller::impl {
  std::vector<pool_limits> pools;
  std::vector<std::uint32_t> pool_jobs;
  std::uint32_t next_in_pool = 0;
  std::uint32_t lease_batch = 64;
  std::vector<channel_state> channels;
  std::unordered_map<std::string, std::uint32_t> channel_by_name;
  std::vector<destination> destinations;
  message_slab messages;
  timer_heap timers;
  std::vector<queue_file> files;
  std::vector<std::uint32_t> free_files;
  std::unordered_map<file_key, std::uint32_t> file_by_key;
  std::deque<std::pair<time_point, file_key>> file_checks;  ///< in order of time
  std::vector<worker> workers;
  std::vector<std::uint32_t> free_workers;
  std::unordered_map<std::uint64_t, std::uint32_t> worker_by_number;
  /// What programs said they hold and no scan has found yet (after a restart), by slot.
  std::unordered_map<file_key, std::unordered_map<std::uint32_t, worker_no>> claims;
  std::unordered_map<std::uint64_t, job> jobs;
  std::uint64_t last_job = 0;
  std::uint64_t reserved_slots = 0;
  bool shutting_down = false;
  time_point last_now{};
  action_list actions;
  file_key last_key{};  ///< cache of the last look-up
  std::uint32_t last_file = none;

  // index.cpp
  std::uint32_t channel_index(std::string_view name);
  std::uint32_t destination_index(std::uint32_t channel, std::string_view host);
  std::uint32_t file_index(const file_key&);
  std::uint32_t make_file(std::uint32_t channel, const file_key&, std::uint32_t capacity);
  std::uint32_t find(const message_id&);
  /// The worker that said it holds the message before the message was known; the claim is settled.
  worker* take_claim(const message_id&);
  message_id id_of(const message& m) const {
    return {files[m.file].key.file, files[m.file].key.generation, m.slot};
  }
  /// Takes a message out of wherever it is (list, heap, counts).
  void take_out(std::uint32_t);
  void put_ready(std::uint32_t, bool in_front = false);
  void put_deferred(std::uint32_t, time_point due);
  void put_held(std::uint32_t);
  void put_in_hand(std::uint32_t, std::uint32_t worker_index);
  void forget(std::uint32_t message_index, time_point now);
  void drop_file(std::uint32_t file_index);
  void schedule_check(std::uint32_t file_index, time_point at);
  void check_file(std::uint32_t file_index, time_point now);

  // leasing.cpp
  void serve(time_point now, std::uint32_t channel);
  void lease_to(std::uint32_t worker_index, std::uint32_t count);
  std::uint32_t pop_ready(channel_state&, std::uint32_t worker_index, std::uint32_t most,
                          std::vector<leased_message>& out);
  worker* find_worker(worker_no);

  time_point next_attempt(const channel_state&, const message&, time_point now) const;

  // demand.cpp
  std::uint64_t wanted_threads(const channel_state&) const;
  void staff(time_point now, std::uint32_t channel);
  void staff_pool(time_point now, std::uint32_t pool);
  void job_failed(time_point now, std::uint32_t channel, const std::string& what);

  void after_event(time_point now, std::uint32_t channel) {
    serve(now, channel);
    staff(now, channel);
  }
  void note_time(time_point now);
  void report(action::severity s, std::string text) {
    actions.emplace_back(action::report{s, std::move(text)});
  }
};

}  // namespace jobctl
