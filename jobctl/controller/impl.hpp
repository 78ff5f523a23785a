// The controller's inside: the tables, and the verbs by which they change. One source file for each group
// below. Internal to jobctl/controller. Thread safety: none.
#pragma once

#include "jobctl/controller/controller.hpp"
#include "jobctl/controller/model.hpp"
#include "jobctl/controller/slab.hpp"
#include "jobctl/controller/timer_heap.hpp"

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include <deque>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jobctl {

/// A host in a channel, to look a destination up without making a string.
struct destination_name {
  std::uint32_t channel;
  std::string_view host;
};

struct controller::impl {
  using message_slab = slab<message, 14>;
  using destination_slab = slab<destination, 8>;

  struct destination_hash {
    using is_transparent = void;
    const destination_slab* table;
    std::size_t operator()(const destination_name&) const;
    std::size_t operator()(std::uint32_t i) const { return (*this)(name(i)); }
    destination_name name(std::uint32_t i) const { return {(*table)[i].channel, (*table)[i].host}; }
  };
  struct destination_equal {
    using is_transparent = void;
    const destination_slab* table;
    bool operator()(std::uint32_t a, std::uint32_t b) const { return a == b; }
    bool operator()(const destination_name& a, std::uint32_t b) const {
      return a.channel == (*table)[b].channel && a.host == (*table)[b].host;
    }
    bool operator()(std::uint32_t a, const destination_name& b) const { return (*this)(b, a); }
  };
  struct key_hash {
    std::size_t operator()(const file_key& k) const;
    std::size_t operator()(const message_id& id) const;
  };

  // --- tables
  message_slab messages;
  destination_slab destinations;
  boost::unordered_flat_set<std::uint32_t, destination_hash, destination_equal> destination_index{
      0, destination_hash{&destinations}, destination_equal{&destinations}};
  slab<queue_file, 6> files;
  boost::unordered_flat_map<file_key, std::uint32_t, key_hash> file_index;
  std::deque<channel_state> channels;  ///< by channel_no
  boost::unordered_flat_map<std::string, std::uint32_t> channel_index;
  std::vector<pool_state> pools;
  slab<flow, 6> flows;
  slab<worker, 6> workers;
  boost::unordered_flat_map<std::uint64_t, std::uint32_t> worker_index;
  boost::unordered_flat_map<std::uint64_t, job> jobs;
  std::uint64_t last_job = 0;

  std::vector<stop_state> stops;  ///< few
  struct name_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
  };
  using stop_index =
      boost::unordered_flat_map<std::string, std::vector<std::uint32_t>, name_hash, std::equal_to<>>;
  stop_index stopped_hosts, stopped_domains;  ///< into `stops`; domains without their leading dot

  // --- what waits for a time
  static constexpr moment never = std::numeric_limits<moment>::max();
  moment next_stop_end = never;
  timer_heap<&message::position, 16> message_timers;
  timer_heap<&queue_file::position, 8> file_timers;  ///< when to look whether it can be recycled or compacted
  timer_heap<&queue_file::notice_position, 8>
      notice_timers;                                       ///< when to look for messages that wait too long
  timer_heap<&flow::position, 6> flow_timers;              ///< when more may be given to a destination
  timer_heap<&channel_state::position, 6> channel_timers;  ///< when to look at its programs

  // --- the rest
  std::uint32_t lease_batch = 64;
  std::uint64_t backlog_limit = 0;
  bool full = false;  ///< all channels together
  bool shutting_down = false;
  moment now = 0;
  moment skew = 0;                     ///< controller time less wall clock
  std::vector<std::uint32_t> touched;  ///< channels that the event has to do with
  action_list actions;
  bool observed = false;
  std::vector<transition> transitions;
  bool index_complete = false;    ///< see totals.cpp
  std::uint32_t arriving = none;  ///< a message whose arrival was noted: that it is ready needs no saying
  std::uint32_t notices_under_way = 0;
  moment started = 0;
  /// Of messages that were not to be delivered at once: from when on their age counts, ms since 1970.
  boost::unordered_flat_map<std::uint32_t, std::int64_t> later_starts;
  std::size_t slot_table_bytes = 0, host_bytes = 0;
  std::uint32_t last_file = none;         ///< of the last look-up
  std::uint32_t last_destination = none;  ///< of the last look-up
  /// Messages that a program said it holds and that were unknown, or in other hands, at the time.
  boost::unordered_flat_map<message_id, worker_no, key_hash> claims;
  /// The last files that were recycled: what an old scan or announcement says of them is over.
  boost::unordered_flat_set<file_key, key_hash> recycled_keys;
  std::deque<file_key> recycled_order;

  // --- controller.cpp: time, and what every event begins and ends with
  /// Takes the time in, and moves what is due by now.
  void begin(time_point wall);
  /// Gives out what is ready and sees to the programs, in the channels that were touched.
  void settle();
  void touch(std::uint32_t channel) {
    if (std::exchange(channels[channel].touched, true)) return;
    touched.push_back(channel);
  }
  moment from_wall(time_point t) const { return t.time_since_epoch().count() + skew; }
  time_point to_wall(moment m) const { return time_point{milliseconds{m - skew}}; }
  void report(action::severity s, std::string text, action::subject about = {},
              channel_no channel = no_channel) {
    actions.emplace_back(action::report{s, std::move(text), about, channel});
  }
  std::uint32_t channel_named(std::string_view name);
  /// For those who watch.
  void note(transition_kind kind, std::uint32_t message, std::int64_t value = 0) {
    if (!observed) return;
    const jobctl::message& m = messages[message];
    transitions.push_back({id_of(m), value, channel_no{channel_number(m)}, m.attempts, kind});
  }

  // --- places.cpp: where each message is. A message is in exactly one place; these keep lists, rings,
  // timers, hands and counts in step.
  std::uint32_t destination_of(std::uint32_t channel, std::string_view host);
  channel_state& channel_of(const message& m) { return channels[destinations[m.destination].channel]; }
  std::uint32_t channel_number(const message& m) const { return destinations[m.destination].channel; }
  void leave(std::uint32_t message);
  void enter_ready(std::uint32_t message, bool in_front = false);
  void enter_deferred(std::uint32_t message, moment due);
  void enter_held(std::uint32_t message);
  void enter_hand(std::uint32_t message, std::uint32_t worker);
  /// Ready if due by now, else deferred.
  void enter_when_due(std::uint32_t message, moment due);
  /// The message is done with; its slot stays known as finished.
  void forget(std::uint32_t message);
  auto line() {
    return [this](std::uint32_t i) -> links& { return messages[i].line; };
  }
  auto siblings() {
    return [this](std::uint32_t i) -> links& { return destinations[i].siblings; };
  }
  auto turns(unsigned p) {
    return [this, p](std::uint32_t i) -> links& { return destinations[i].turns[p]; };
  }

  // --- flow.cpp: how much of what is ready may be given out, by destination
  /// Looks up the limits of the host. To be called when the destination is new, and after new settings.
  void regulate(std::uint32_t destination);
  /// Ready, and of a priority whose delivery window is open.
  std::uint32_t deliverable(const destination&) const;
  /// After a change of what is ready or in hand, or of the delivery windows: keeps `open`, the rings and the
  /// timers right.
  void review_flow(std::uint32_t destination);
  const host_limits& limits_of(const destination& d) const { return channels[d.channel].host_rules[d.rule]; }
  /// How many more may be given out now.
  std::uint32_t room(const destination&) const;
  std::uint32_t allowed_in_hand(const destination&) const;  ///< 0: no limit
  jobctl::barrier barrier_of(const destination&, moment& until) const;
  flow& flow_of(std::uint32_t destination);  ///< made if there is none
  /// It is in hand now, and its destination is regulated.
  void given_out(std::uint32_t destination, std::uint32_t message);
  /// What a program reports, or that it has died with the message, shows how the destination does.
  void learn(std::uint32_t message, bool success);
  void flow_due(std::uint32_t flow);
  void break_circuit(std::uint32_t destination);
  void close_circuit(std::uint32_t destination);
  /// It counts as dead no more, if it did; `why` completes a sentence about it.
  void unblock(std::uint32_t destination, const char* why);
  /// The last message has gone: is there nothing to remember? Else a timer is set for its end.
  bool flow_over(std::uint32_t destination);
  void drop_destination(std::uint32_t destination);

  // --- stops.cpp: what operators have stopped
  /// When the last order for the host in the channel ends; 0: there is none.
  moment stop_end(std::uint32_t channel, std::string_view host) const;
  bool ordered_to_stop(std::string_view channel) const;
  /// After a change of `stops`.
  void index_stops();
  /// After a change of that order: whatever it concerns.
  void review_stop(const standing_stop&);
  void review_stop_of_channel(std::uint32_t channel);
  void review_stop_of_destination(std::uint32_t destination);
  void stops_due();
  standing_stop as_told(const stop_state&) const;

  // --- files.cpp
  std::uint32_t find_file(const file_key&);
  std::uint32_t find(const message_id&);
  std::uint32_t make_file(std::uint32_t channel, const file_key&, std::uint32_t capacity);
  void make_slots(queue_file&, std::uint32_t count);
  void drop_file(std::uint32_t file);
  message_id id_of(const message& m) const {
    const file_key& key = files[m.file].key;
    return {key.file, key.generation, m.slot};
  }
  /// After a change of `live`, `busy` or what is under way: when is it to be looked at?
  void review(std::uint32_t file);
  void file_due(std::uint32_t file);
  /// The server is done with a message: it takes part again, with what an operator ordered meanwhile.
  void resume(std::uint32_t message);
  void one_move_less(std::uint32_t file);

  // --- notices.cpp: messages that wait too long. Each file is looked at when the first of its messages may
  // be due.
  static constexpr moment no_notice = std::numeric_limits<moment>::max();
  /// When the next step of its schedule is due; no_notice: never, or not as long as it is where it is.
  moment next_notice(const message&, std::uint32_t index) const;
  /// Its next step may be the first of its file.
  void expect_notice(std::uint32_t message);
  void look_for_notices(std::uint32_t file, moment when);
  bool may_notice() const;
  void notices_due(std::uint32_t file);
  void begin_notice(std::uint32_t message);
  /// The server works on it from now on, until end_notice() and resume().
  void begin_errand(std::uint32_t message);
  void end_notice(std::uint32_t message);

  // --- operators.cpp
  /// Holds or releases a message, wherever it is. `until`: when the hold ends; 0: not by itself.
  void order(std::uint32_t message, bool hold, moment until = 0);
  /// Has the state in which it waits written to its file.
  void write_state(std::uint32_t message);
  /// It is due: deferred until now, or held until now.
  void message_due(std::uint32_t message);
  effect would(verb, std::uint32_t message, moment until) const;

  // --- hours.cpp: delivery windows, and programs that have lived long enough
  /// Opens and closes its windows.
  void look_at_hours(std::uint32_t channel);
  /// After the clock was set back: what was known of windows holds no more.
  void forget_hours();
  bool lived_long_enough(const channel_state&, const worker&) const;
  void retire(std::uint32_t channel);

  // --- leasing.cpp
  std::uint32_t find_worker(worker_no);
  /// The worker that claims the message, if it is of this channel; the claim is settled.
  std::uint32_t take_claim(const message_id&, std::uint32_t channel);
  /// Of the backoff schedule. No message that was tried waits longer when it is found: its next attempt was
  /// written while the clock was ahead.
  moment longest_wait(const channel_state&, priority) const;
  void serve(std::uint32_t channel);
  std::uint32_t hand_out(channel_state&, std::uint32_t worker, std::uint32_t most);
  /// Whose turn it is at that priority, and how many may be given of it in a row.
  std::uint32_t next_in_turn(const channel_state&, const worker&, unsigned priority) const;
  void count_failure(std::uint32_t message);
  void take_result(std::uint32_t worker, std::uint32_t message, const message_result&);
  void tell_to_stop(std::uint32_t worker, std::string why);

  // --- demand.cpp
  std::uint64_t wanted_threads(const channel_state&) const;
  /// Programs at work or on their way, and their threads.
  struct workforce {
    std::uint64_t programs = 0, threads = 0;
  };
  workforce workforce_of(const channel_state&) const;
  bool stalled(const channel_state&) const;
  bool wants_launch(const channel_state&) const;
  void staff(std::uint32_t channel);
  void serve_pool(std::uint32_t pool);
  void make_room(std::uint32_t channel);
  void launch(std::uint32_t channel);
  void channel_due(std::uint32_t channel);
  void arm(std::uint32_t channel);
  void job_failed(std::uint32_t channel, const job&, const std::string& what);
  void end_job(job_no, bool clean, const std::string& words);
  void stop_surplus();

  // --- stress.cpp: fewer programs for a stressed target
  std::uint32_t usual_jobs(const channel_state&) const;
  std::uint32_t most_jobs(const channel_state&) const;  ///< at present
  std::uint64_t depth(const channel_state&) const;      ///< messages that deserve a thread, at present
  void relax(std::uint32_t channel);

  // --- backlog.cpp: how much may be queued. Looked at when an event is over.
  void review_backlog(std::uint32_t channel);
  void review_whole_backlog();

  // --- listing.cpp
  destination_figures figures_of(std::uint32_t destination) const;
  listed row(std::uint32_t message) const;
  /// controller::list() of named messages; the cursor is a place among the names.
  std::vector<listed> list_named(const list_filter&, std::size_t most, std::uint64_t& cursor);
};

}  // namespace jobctl
