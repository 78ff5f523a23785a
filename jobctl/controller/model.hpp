// What the controller remembers: messages, files, destinations, channels, pools, programs. Plain data; how it
// may change is in impl.hpp. Internal to jobctl/controller. Thread safety: none.
#pragma once

#include "jobctl/controller/controller.hpp"
#include "jobctl/controller/index_list.hpp"

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace jobctl {

/// The controller's own time, ms: the wall clock, except that it never goes back (see impl::begin).
using moment = std::int64_t;

/// Where a message is. Each place of a destination has its list.
enum class place : std::uint8_t {
  urgent = 0,
  normal = 1,
  nonurgent = 2,
  in_hand = 3,
  deferred = 4,
  held = 5
};
inline constexpr unsigned places = 6, priorities = 3;
constexpr bool is_ready(place p) { return p <= place::nonurgent; }

struct message {
  moment due = 0;                 ///< deferred, held: when it is or was due
  std::int64_t committed = 0;     ///< ms since 1970
  std::uint64_t size = 0;         ///< bytes
  std::uint32_t file = none;      ///< index
  std::uint32_t slot : 24 = 0;    ///< a file has up to 2^20
  std::uint32_t notices : 3 = 0;  ///< steps of its channel's schedule that are done with
  /// Deferred or held, and the server works on it (its sender is being told, it is being returned, removed or
  /// routed): nobody gets it, no timer runs.
  bool noticing : 1 = false;
  bool hold_ends : 1 = false;  ///< held (or to be held, if it is in hand): released by itself at `due`
  std::uint32_t destination = none;
  links line;                     ///< in its destination's list for its place
  std::uint32_t position = none;  ///< in the timers; in hand: in its worker's hand
  std::uint32_t holder = none;    ///< in hand: the worker
  std::uint16_t attempts = 0;
  place where : 3 = place::normal;
  mta::queue::priority urgency : 2 = priority::normal;
  /// Deferred or held, and being copied to another file: nobody gets it, no timer runs.
  bool moving : 1 = false;
  /// An operator's change that is to be written when it comes back: from a program (hold it) or from moving.
  bool owed : 1 = false;
  /// Released by an operator; the file may still say "held" to a program that is quicker than the write.
  bool released : 1 = false;
  std::uint8_t conflicts : 4 = 0;  ///< times in a row that it was locked, or still held after a release
  std::uint8_t deaths : 4 = 0;     ///< times in a row that a program ended with it in hand

  bool with_server() const { return moving || noticing; }
};
static_assert(sizeof(message) <= 56);

struct destination {
  std::string host;
  std::uint32_t channel = none;
  std::uint32_t count = 0;  ///< messages; with the last one it goes, unless its flow has to be remembered
  std::uint32_t ready[priorities] = {}, in_hand = 0;  ///< of these
  std::uint32_t open = 0;     ///< messages that may be given out now, of those in `ready`
  std::uint32_t crowded = 0;  ///< its messages in hand, when more wait that may not join them
  std::uint32_t rule = 0;     ///< in its channel's `host_rules`
  std::uint32_t flow = none;  ///< made with the first message that is given out, if its rule regulates
  std::uint8_t in_ring = 0;   ///< bits, by priority
  bool stopped = false;       ///< its host is, by an operator
  index_list at[places];
  links siblings;           ///< in its channel's list of destinations
  links turns[priorities];  ///< in its channel's ring of those with something that may be given out
};

/// What a regulated destination's past has to do with what it may be given.
struct flow {
  enum class breaker : std::uint8_t { closed, open, half_open };

  std::uint32_t destination = none;
  std::uint32_t position = none;  ///< in the flow timers
  std::uint32_t failures = 0;     ///< in a row
  std::uint32_t probe = none;     ///< half open: the message that is tried
  std::uint32_t deaf = 0;         ///< results that do not shrink the window: of before it was shrunk
  float window = 0;               ///< adaptive: allowed in hand
  bool grown = false;             ///< adaptive: something failed; it grows slowly from now on
  breaker state = breaker::closed;
  moment open_until = 0;
  std::int64_t paid_until = 0;  ///< rate: µs; the time that what was given out takes ends then
};

/// An operator's order to stop, with its end in the controller's time.
struct stop_state {
  standing_stop order;
  moment ends = 0;  ///< impl::never: it does not by itself
};

struct queue_file {
  enum class errand : std::uint8_t { idle, recycling, moving };  ///< what the server is doing with it
  /// What it waits for: to be recycled, perhaps with more messages coming before; to be compacted.
  enum class prospect : std::uint8_t { nothing, recycle_after_rest, recycle, compact };

  file_key key;
  std::uint32_t channel = none;
  std::uint32_t capacity = 0;
  std::uint32_t used = 0;                ///< slots known to have (had) a message
  std::uint32_t live = 0;                ///< messages
  std::uint32_t busy = 0;                ///< of these ready or in hand
  std::uint32_t moves = 0;               ///< answers that action::compact still owes
  std::uint32_t position = none;         ///< in the file timers
  std::uint32_t notice_position = none;  ///< in the notice timers
  std::uint32_t notice_slot = 0;         ///< where the next look for notices begins
  moment notices_after = 0;              ///< a notice failed: none before
  errand under_way = errand::idle;
  prospect outlook = prospect::nothing;
  std::uint8_t refusals = 0;  ///< recycling or moves in a row that failed
  bool complete = false;
  std::vector<std::uint32_t> slots;  ///< message index, none, or slot_finished

  static constexpr std::uint32_t slot_finished = 0xFFFF'FFFE;
};

struct worker {
  worker_no number{};
  job_no job{};
  std::uint32_t channel = none;
  std::uint32_t max_threads = 1;
  std::uint32_t credit = 0;
  bool stopping = false;            ///< by itself or told to
  std::vector<std::uint32_t> hand;  ///< messages, in no order
  std::uint32_t last = none;        ///< destination that it was given messages for last: it may be connected
  std::uint32_t run_left = 0;       ///< more of that it may be given before others
  moment connected = 0;
  std::uint64_t given = 0;  ///< messages, since it connected
};

struct job {
  std::uint32_t channel = none;
  std::uint32_t worker = none;  ///< its connection
  std::int64_t pid = 0;
  moment launched = 0;
  moment expected_until = 0;  ///< without a connection it counts as capacity until then
  bool connected_once = false, silent = false;
  bool told_to_stop = false;    ///< so that it may leave without having done anything
  bool makes_room = false;      ///< …for another channel of its pool
  std::uint64_t processed = 0;  ///< messages finished or deferred
};

struct pool_state {
  pool_limits limits;
  std::uint32_t jobs = 0;             ///< processes, from the launch to the exit
  std::uint32_t making_room = 0;      ///< of these, told to stop for another channel's sake
  std::deque<std::uint32_t> waiting;  ///< channels that want to launch, in turn
};

/// What its program's reports of a stressed target have made of a channel.
struct stress_state {
  std::uint64_t factor = 1;       ///< of its thread_depth
  std::uint32_t jobs = 0;         ///< most of them; 0: as many as usual
  moment relax_at = 0;            ///< the next step back; 0: not stressed
  std::optional<moment> counted;  ///< the last report that counted
  std::string why;
};

struct channel_state {
  channel_limits limits;  ///< its `stopped` is the present state, with operators' orders
  bool configured = false;
  bool full = false;  ///< see channel_limits::backlog_limit
  stress_state stress;
  bool configured_stopped = false;
  bool stopped_by_settings = false;  ///< and no operator has started it since
  std::uint32_t pool = 0;

  std::vector<host_limits> host_rules{1};  ///< the first is that of hosts without one of their own
  boost::unordered_flat_map<std::string, std::uint32_t> host_rule_index;

  std::uint64_t ready = 0, in_hand = 0, deferred = 0, held = 0, bytes = 0;
  std::uint64_t open = 0, crowded = 0;  ///< sums of its destinations'
  std::uint32_t dead = 0;               ///< of its destinations, those whose circuit is not closed
  std::uint64_t finished = 0, attempts_failed = 0, warned = 0, expired = 0;
  channel_totals totals;
  std::uint64_t ready_at[priorities] = {};  ///< of `ready`
  bool window_open[priorities] = {true, true, true};
  moment hours_until = std::numeric_limits<moment>::min();  ///< until then that holds
  index_list destinations;
  index_list ring[priorities];  ///< destinations with something that may be given out, in turn

  std::vector<std::uint32_t> workers;  ///< connected
  std::size_t turn = 0;                ///< whose turn it is to be given work
  std::vector<job_no> jobs;            ///< launched and not yet exited
  std::uint32_t threads_seen = 0;      ///< most threads of the last program that connected; 0: none yet

  bool waiting = false;  ///< in its pool's line
  moment waiting_since = 0;
  milliseconds relaunch_delay{0};
  moment relaunch_at = 0;  ///< no launch before
  moment failed_at = 0;    ///< the last failure
  bool idle_exit = false;  ///< the last program left without having done anything, although messages waited
  moment progress_at = 0;  ///< something was launched, given or returned, or nothing waited
  bool stall_reported = false;

  std::uint32_t position = none;  ///< in the channel timers
  bool touched = false;           ///< to be looked at when the event is over
};

}  // namespace jobctl
