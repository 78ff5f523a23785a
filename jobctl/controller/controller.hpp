// The job controller as a pure state machine: which messages wait, which are due, who gets them, which
// programs to launch or stop. It never reads a clock, a file or a socket: every event comes with the time,
// every consequence is an action for the server to carry out. So a day of traffic is simulated from one seed
// (tests/sim).
//
// Thread safety: none; one owner (the server's thread, or a simulator). Lifetime: actions are values.
//
// Times: `now` never needs to be monotonic (it is wall-clock, because next attempts survive restarts); the
// controller copes with steps in either direction.
//
// Costs: at most 100 bytes per message in all; O(1) or O(log n) per event.
#pragma once

#include "jobctl/controller/standing_stop.hpp"
#include "jobctl/controller/totals.hpp"
#include "jobctl/controller/transition.hpp"
#include "queue/message_id.hpp"
#include "queue/state.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace jobctl {

using mta::queue::file_key;
using mta::queue::message_id;
using mta::queue::phase;
using mta::queue::priority;
using time_point = mta::queue::time_point;
using std::chrono::milliseconds;

/// Small numbers that name things inside the controller; given out by it, or chosen by the server (workers,
/// jobs).
enum class channel_no : std::uint32_t {};
enum class worker_no : std::uint64_t {};  ///< a connected channel program (a session); never reused
enum class job_no : std::uint64_t {
};  ///< a launched process; never reused; 0: the worker was started by hand

inline constexpr channel_no no_channel{~0u};  ///< where something may be about none, or all

struct pool_limits {
  std::string name;
  std::uint32_t job_limit = 10;  ///< simultaneous processes of all channels of the pool
};

/// How fast a destination host may be given messages. Of messages leased: in hand, of those that a program
/// was given and has not reported on.
struct host_limits {
  std::uint32_t concurrency = 0;      ///< most in hand at a time; 0: no limit
  bool adaptive = false;              ///< less than that as long as attempts fail, growing with success
  std::uint32_t rate = 0;             ///< most in `period`; 0: no limit
  milliseconds period{1000};          ///< at least 1 ms
  std::uint32_t run = 8;              ///< to one program in a row, while other destinations wait
  std::uint32_t weight = 1;           ///< multiplies `run`
  std::uint32_t failures = 0;         ///< so many attempts in a row that failed make it a dead one; 0: never
  milliseconds probe_every{300'000};  ///< then one message is tried so often

  bool regulate() const { return concurrency != 0 || adaptive || rate != 0 || failures != 0; }
  friend bool operator==(const host_limits&, const host_limits&) = default;
};

struct host_rule {
  std::string host;  ///< "example.org", or ".example.org" for those below it
  host_limits limits;
};

/// What a report of a stressed target does, and how that ends.
struct stress_limits {
  std::chrono::seconds blackout{60};       ///< after a report that counted, others do not for so long
  std::uint32_t factor = 5;                ///< multiplies `thread_depth`
  std::uint32_t jobs = 2;                  ///< so many programs fewer; one stays
  std::chrono::seconds time{120};          ///< without a report, then it relaxes
  std::uint32_t unfactor = 5, unjobs = 2;  ///< by so much in a step
  std::chrono::seconds untime{120};        ///< between steps
};

/// Waits after the 1st, 2nd, … failure; the last repeats. Never empty.
using backoff_schedule = std::vector<std::chrono::seconds>;

/// Ages, increasing, at which a message's sender is told; at the last one it is returned. Empty: never.
using notice_schedule = std::vector<std::chrono::seconds>;

/// Whether messages are handed out at some time, and until when that is so.
struct delivery_hours {
  bool open = true;
  time_point until = time_point::max();  ///< max(): for ever
};
/// A delivery window: a pure function of the time. Empty: always open.
using hours_function = std::function<delivery_hours(time_point)>;

struct channel_limits {
  std::string name;
  std::string pool;
  bool has_program = true;             ///< false: messages only wait here
  std::uint32_t max_jobs = 100;        ///< `maxjobs`
  std::uint32_t thread_depth = 10;     ///< `threaddepth`: waiting messages that deserve one more thread
  std::uint32_t threads_per_job = 20;  ///< assumed for programs that are not yet connected
  backoff_schedule backoff[3];         ///< by priority
  std::uint32_t backoff_jitter = 0;    ///< percent: see mta::queue::spread()
  notice_schedule notices[3];          ///< likewise
  hours_function hours[3];  ///< likewise; outside them nothing is leased, and nothing launched for it
  std::chrono::seconds max_life{
      0};  ///< a program that has been connected for so long is told to stop; 0: never
  std::uint64_t max_messages = 0;   ///< likewise when it was given so many messages
  std::uint32_t files_per_job = 0;  ///< waiting messages that deserve one more process; 0: only threads count
  milliseconds relaunch_first{1000},
      relaunch_last{300'000};       ///< delay after a program that died at once; doubles
  bool stopped = false;             ///< configured to start nothing
  std::uint64_t backlog_limit = 0;  ///< messages; with so many it is full; 0: never
  stress_limits stress;
  std::uint32_t weight = 1;           ///< its share of its pool's places, when they are scarce
  host_limits hosts;                  ///< of its destinations
  std::vector<host_rule> host_rules;  ///< of some; the exact one wins, then the longest
};

struct limits {
  std::vector<pool_limits> pools;  ///< the first serves channels that name no pool
  std::vector<channel_limits> channels;
  std::uint32_t lease_batch = 64;   ///< most messages handed out in one action
  std::uint64_t backlog_limit = 0;  ///< of all channels together; 0: none
};

/// A message as an enqueuer announces it or a scan finds it.
struct new_message {
  std::uint32_t slot = 0;
  mta::queue::priority priority = priority::normal;
  mta::queue::phase phase = phase::queued;  ///< queued, deferred or held
  std::uint16_t attempts = 0;
  std::uint32_t recipients = 1;
  std::uint64_t size = 0;  ///< content bytes
  time_point committed{};
  time_point due{};          ///< epoch: at once
  time_point not_before{};   ///< as it was enqueued; its age counts from then; epoch: from its commit
  std::uint8_t notices = 0;  ///< steps of its channel's schedule that are done with
  bool hold_ends = false;    ///< held: released by itself when it is due
  std::string_view host;     ///< destination host, may be empty
};

enum class outcome : std::uint8_t {
  finished,  ///< every recipient has its final disposition; the record is done with
  deferred,  ///< an attempt was made; try again after the backoff, or at `next_attempt` if given
  released,  ///< handed back untried (the program is ending): due at once, no attempt counted
  locked,    ///< another process holds its lock: look again in a few seconds
  gone,      ///< finished or removed already
  bad,       ///< damaged: set it aside
  held,      ///< put on hold by the program, with the reason in its history
};

struct message_result {
  message_id id;
  jobctl::outcome outcome = outcome::finished;
  time_point next_attempt{};  ///< deferred: epoch = by the channel's backoff
};

struct leased_message {
  message_id id;
  std::uint16_t attempts = 0;
  mta::queue::priority priority = priority::normal;
};

/// What the server must do. Actions are to be carried out in order.
namespace action {
struct lease {  ///< hand these to that worker; they count as in its hands from now on
  worker_no worker;
  channel_no channel;
  std::vector<leased_message> messages;
};
struct launch {  ///< start the channel's program; answer with job_started or launch_failed
  job_no job;
  channel_no channel;
};
struct stop_worker {  ///< tell it to finish what it has in hand and leave
  worker_no worker;
  std::string why;
};
struct recycle {  ///< every message of the file is finished: reset or remove it
  channel_no channel;
  file_key file;
};
struct compact {  ///< mostly finished: move these survivors; nobody gets them until `moved` or `move_failed`
  channel_no channel;
  file_key file;
  std::vector<std::uint32_t> slots;
};
struct write_state {  ///< an operator's change: write it to the message file, flushed
  channel_no channel;
  message_id id;
  mta::queue::phase phase;
  time_point due;
  bool hold_ends = false;  ///< held until `due`
  bool by_itself = false;  ///< released because its hold has ended
};
struct notice {  ///< it has waited too long: tell its sender; nobody gets it until `noticed`
  channel_no channel;
  message_id id;
  std::uint8_t step;   ///< of the schedule that is done with then
  bool last;           ///< return it
  time_point expires;  ///< when it will be returned, or should have been
};
struct stop_ended {  ///< its end has come: it is in force no more
  standing_stop order;
};
struct set_aside {  ///< a program found it damaged
  channel_no channel;
  message_id id;
};
enum class severity : std::uint8_t { info, warning, problem };
/// What a line is about, for those who follow events.
enum class subject : std::uint8_t {
  other,
  destination_blocked,    ///< it counts as dead: its messages wait, but for one at a time
  destination_unblocked,  ///< it does not any more
  backlog_full,           ///< of a channel, or of all of them: no_channel
  backlog_relieved,
  channel_stressed,  ///< its program says so
  channel_relaxed,
};
struct report {  ///< one line for the log
  jobctl::action::severity severity;
  std::string text;
  subject about = subject::other;
  channel_no channel = no_channel;  ///< unless `about` is other
};
}  // namespace action
using action_list = std::vector<
    std::variant<action::lease, action::launch, action::stop_worker, action::recycle, action::compact,
                 action::write_state, action::notice, action::stop_ended, action::set_aside, action::report>>;

/// How the controller came to know of messages: for those who watch.
enum class sighting : std::uint8_t {
  announced,  ///< an enqueuer said so
  found,      ///< a comparison of directories and index found them
  at_start,   ///< they were there when the index was made
};

/// What became of an action::notice.
enum class notice_outcome : std::uint8_t {
  done,      ///< told, or there was nobody to tell; the file says so
  finished,  ///< returned; the file says so
  held,      ///< it is on hold: nobody could be told, or an operator was quicker
  gone,      ///< finished or removed already, or set aside
  busy,      ///< somebody holds its lock: tried again in a few seconds
  failed,    ///< tried again in a minute
};

/// What an operator may order of a message.
enum class verb : std::uint8_t {
  hold,     ///< nobody gets it until it is released, or the hold ends
  release,  ///< due now, and first in line
  retry,    ///< due now
  route,    ///< to another channel or host
  bounce,   ///< returned to its sender
  remove,   ///< removed, and nobody is told
};

/// What an order does to a message.
enum class effect : std::uint8_t {
  changed,
  unchanged,  ///< it is so already
  in_hand,    ///< somebody works on it: a hold waits until it comes back, other orders leave it
  not_found,
};

/// What became of a message that was taken for an order.
enum class errand_outcome : std::uint8_t {
  finished,  ///< the file says so
  gone,      ///< finished or removed already, or set aside
  back,      ///< nothing has changed: it goes on waiting
};

/// What keeps a destination's messages from being given out.
enum class barrier : std::uint8_t {
  none,
  concurrency,  ///< as many as allowed are in hand
  rate,         ///< until `until`
  dead,         ///< the next probe is at `until`
  probing,      ///< dead, and one is being tried
  stopped,      ///< by an operator, until `until`
};

struct destination_figures {
  std::string host;
  channel_no channel{};
  std::uint32_t ready = 0, in_hand = 0, deferred_or_held = 0;
  jobctl::barrier barrier = jobctl::barrier::none;
  time_point until{};             ///< epoch: not a matter of time
  bool dead = false;              ///< counts as dead: also while its probe waits for a program
  std::uint32_t failures = 0;     ///< attempts in a row that failed; only counted where a limit needs it
  std::uint32_t concurrency = 0;  ///< allowed now; 0: no limit
};

struct channel_figures {
  std::uint64_t ready = 0;     ///< due and waiting for a program
  std::uint64_t blocked = 0;   ///< of these: their destinations may not be given more at present
  std::uint64_t in_hand = 0;   ///< leased
  std::uint64_t deferred = 0;  ///< waiting for their time
  std::uint64_t held = 0;
  std::uint64_t bytes = 0;                          ///< content bytes of all live messages
  std::uint64_t finished = 0, attempts_failed = 0;  ///< since start
  std::uint64_t warned = 0, expired = 0;            ///< likewise: steps of schedules done with, and last ones
  std::uint32_t workers = 0, jobs = 0;
  std::uint32_t dead_destinations = 0;
  bool stopped = false;  ///< by an operator's order or the settings
  bool full = false;     ///< it has its backlog_limit, and has not shrunk by a tenth of that since
  bool stressed = false;
  time_point oldest{};  ///< commit time of the oldest ready message; epoch: none
  /// Ready messages wait for their delivery window: when that changes next. Epoch: none does.
  time_point hours_change{};
};

struct pool_figures {
  std::string name;
  std::uint32_t jobs = 0, job_limit = 0;
  std::vector<channel_no> waiting;   ///< that want to launch one more, in turn
  std::vector<channel_no> channels;  ///< that share it
};

/// Of a channel whose target is stressed.
struct stress_figures {
  std::uint32_t max_jobs = 0;      ///< at present
  std::uint64_t thread_depth = 0;  ///< likewise
  time_point reported{};           ///< the last report that counted
  time_point relaxes{};            ///< the next step, if nothing more is reported
  std::string why;                 ///< as reported; may be empty
};

/// A channel whose enqueuers are to be refused, or the queue as a whole.
struct full_backlog {
  channel_no channel = no_channel;
  std::uint64_t messages = 0, limit = 0;
};

/// A destination host of a channel.
struct destination_count {
  channel_no channel{};
  std::string_view host;  ///< valid until the next event
  std::uint64_t messages = 0;
  jobctl::barrier barrier = jobctl::barrier::none;
  time_point until{};  ///< epoch: not a matter of time
  bool dead = false;
};

/// The destinations with the most messages, and how much the others have.
struct destination_counts {
  std::vector<destination_count> largest;  ///< the largest first
  std::uint64_t count = 0;                 ///< destinations in all
  std::uint64_t others = 0;                ///< messages of those that are not among the largest
};

/// One row of a listing.
struct listed {
  message_id id;
  channel_no channel{};
  mta::queue::phase phase{};
  bool in_hand = false;
  mta::queue::priority priority{};
  std::uint16_t attempts = 0;
  bool hold_ends = false;  ///< held until `due`
  std::uint64_t size = 0;
  time_point committed{}, due{};
  std::string_view host;  ///< valid until the next event
};

inline constexpr std::uint32_t list_effort = 200'000;  ///< messages, about 2 ms

struct list_filter {
  std::vector<message_id> ids;  ///< of these only; none: of all
  std::string channel;          ///< empty: any; may have wildcards (`*`, `?`)
  std::string host;             ///< empty: any; ".x" matches x and its subdomains
  int phase = -1;               ///< -1: any; else a mta::queue::phase
  int in_hand = -1;             ///< -1: any; 0, 1
  int priority = -1;            ///< -1: any; else a mta::queue::priority
  std::uint64_t size_at_least = 0, size_at_most = ~0ull;
  std::uint32_t attempts_at_least = 0, attempts_at_most = ~0u;
  time_point committed_before = time_point::max(), committed_after = time_point::min();
};

class controller {
 public:
  explicit controller(const limits&);
  ~controller();
  controller(const controller&) = delete;
  controller& operator=(const controller&) = delete;

  // --- configuration
  // -------------------------------------------------------------------------------------------
  /// Takes new limits at once. Channels that vanished keep their messages and get no program. Channel numbers
  /// stay.
  void configure(time_point now, const limits&);
  /// The channel's number; made without a program if unknown (its directory exists, its configuration does
  /// not).
  channel_no channel(std::string_view name);
  const std::string& channel_name(channel_no) const;

  // --- the queue
  // ------------------------------------------------------------------------------------------------
  /// Messages of one file; those already known (leased ones included) are left as they are. `capacity` of the
  /// file in slots; `complete`: no writer will add more to this generation (full).
  void messages_found(time_point now, channel_no, file_key, std::uint32_t capacity, bool complete,
                      std::span<const new_message>, sighting = sighting::at_start);
  /// The file is no longer there (or has another generation): its messages are forgotten, with a report for
  /// live ones.
  void file_gone(time_point now, file_key);
  void moved(time_point now, message_id from, message_id to);
  void move_failed(time_point now, message_id);
  /// After action::notice, whose `step` it repeats.
  void noticed(time_point now, message_id, notice_outcome, std::uint8_t step);
  /// The file was reset or removed after action::recycle, or it could not be (it is offered again later).
  void recycled(time_point now, file_key, bool done);

  // --- channel programs
  // ------------------------------------------------------------------------------------------
  /// `holding`: messages it has in hand from before a restart of the controller or of the connection.
  void worker_connected(time_point now, worker_no, channel_no, job_no, std::uint32_t max_threads,
                        std::span<const message_id> holding);
  /// It can take `more` messages beyond what it has been given. An idle program keeps credit, and so is
  /// woken.
  void worker_asks(time_point now, worker_no, std::uint32_t more);
  /// It wants nothing more: its credit is void; it will return or finish what it has.
  void worker_stopping(time_point now, worker_no);
  void results(time_point now, worker_no, std::span<const message_result>);
  /// It says that its channel's target is overloaded (stress.cpp).
  void worker_stressed(time_point now, worker_no, std::string_view why);
  /// The connection ended: what it had in hand is due again (after its locks are seen to be gone: `locked`).
  void worker_gone(time_point now, worker_no);

  void job_started(time_point now, job_no, std::int64_t pid);
  void launch_failed(time_point now, job_no, std::string_view why);
  /// `clean`: exit status 0.
  void job_exited(time_point now, job_no, bool clean, std::string_view status_in_words);

  // --- operators and the clock
  // -------------------------------------------------------------------------------------
  void clock(time_point now);
  /// Makes every deferred message of the channel due now, and starts a program even if it died recently.
  void run_channel(time_point now, channel_no);
  /// Nothing is given out there, and nothing launched for it, until the order is lifted or ends; programs of
  /// a channel that is stopped are told to stop, and what is in hand is finished. Replaces an order for the
  /// same place; without a reason it keeps that one's. An end that is over is at once reported as such.
  /// False: nothing has changed, it is stopped like this already.
  bool impose(time_point now, const standing_stop&);
  /// The order for exactly this channel (empty: every one) and host (empty: the channel as a whole); for a
  /// whole channel, what the settings say, too, until they change. False: there is none.
  bool lift(time_point now, std::string_view channel, std::string_view host);
  /// `until`: when the hold ends by itself; epoch: it does not.
  void hold(time_point now, std::span<const message_id>, time_point until = {});
  void release(time_point now, std::span<const message_id>);
  /// Makes deferred messages due now; others are left as they are.
  void retry(time_point now, std::span<const message_id>);
  /// Takes messages out of the line, for the server to carry out an order; nobody gets them until
  /// `given_back`. To be called for those only for which the order would change something.
  void take(time_point now, std::span<const message_id>);
  /// `order`: what it was taken for, which those who watch are told.
  void given_back(time_point now, const message_id&, errand_outcome, verb order);
  /// What an order would do to a message now.
  effect would(verb, const message_id&, time_point until = {}) const;
  /// No more leases and launches; every worker is told to stop.
  void shut_down(time_point now);

  // --- answers
  // -----------------------------------------------------------------------------------------------------
  /// Due messages that nobody has in hand, for the worker's channel.
  std::uint64_t pending(worker_no) const;
  /// How many threads the worker should run, from the present backlog (0 when there is nothing to do).
  std::uint32_t threads_needed(worker_no) const;
  /// When `clock` must be called next; max(): only after some event.
  time_point next_deadline() const;
  /// What has to be done since the last call, in order.
  action_list take_actions();
  /// From now on (or no longer) every transition of a message is recorded, until it is taken.
  void observe(bool);
  /// Appends what was recorded since the last call, in order.
  void take_transitions(std::vector<transition>&);

  channel_figures figures(channel_no) const;
  /// False: no message of the channel is for that host (and none was lately).
  bool find_destination(channel_no, std::string_view host, destination_figures&) const;
  /// Operators' orders that are in force, in the order in which they were given.
  std::vector<standing_stop> stops() const;
  /// Those that concern a host of a channel, and those for the channel as a whole.
  std::vector<standing_stop> stops_of(channel_no, std::string_view host) const;
  /// Looks at every destination: microseconds for a thousand of them.
  destination_counts largest_destinations(std::size_t most) const;

  /// When the delivery window for that priority opens; epoch: it is open.
  time_point window_opens(channel_no, mta::queue::priority) const;
  /// False: it is not stressed.
  bool find_stress(channel_no, stress_figures&) const;
  /// What is full at present, all channels together first (backlog.cpp).
  std::vector<full_backlog> full_backlogs() const;

  // --- totals, over restarts (totals.cpp)
  /// What an earlier controller had counted; before any message of the channel is found.
  void restore_totals(channel_no, const channel_totals&);
  /// Every message that was there at the start has been found: from now on arrivals are counted as they come.
  void index_is_complete();
  const channel_totals& totals(channel_no) const;

  std::vector<channel_no> channels() const;
  std::vector<pool_figures> pools() const;
  std::size_t channel_count() const;  ///< their numbers are 0 to this less 1
  bool find(const message_id&, listed&) const;
  /// Up to `most` rows that match, from a cursor on (0: start; updated; 0 again when there are no more).
  /// Looks at no more than `list_effort` messages, so that no question holds up the mail: fewer than `most`
  /// rows, or none, with a cursor mean that there may be more.
  std::vector<listed> list(const list_filter&, std::size_t most, std::uint64_t& cursor) const;
  std::uint64_t message_count() const;
  /// Bytes allocated for messages, files and hosts.
  std::size_t memory() const;

  /// Checks every invariant; returns what is broken (empty: nothing). O(n); for tests.
  std::string check_invariants() const;

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace jobctl
