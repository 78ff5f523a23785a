#include "jobctl/server/upkeep.hpp"

#include "jobctl/server/log.hpp"
#include "jobctl/server/slot_lock.hpp"
#include "queue/writer.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <fmt/format.h>
#include <list>
#include <map>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace jobctl {

namespace asio = boost::asio;
using mta::queue::message_file;

namespace {

constexpr std::size_t open_files = 64;
constexpr int lock_attempts =
    10;  // one a second, for an operator's change to a message that somebody has in hand
constexpr std::chrono::seconds flush_interval{1};

// Files that are worked on stay open for a while. Any thread.
class file_cache {
 public:
  explicit file_cache(mta::queue::store& s) : store_(s) {}

  mta::result<std::shared_ptr<message_file>> get(const std::string& channel, const file_key& key) {
    {
      const std::lock_guard guard(mutex_);
      if (const auto found = places_.find(key); found != places_.end()) {
        order_.splice(order_.begin(), order_, found->second);
        return found->second->second;
      }
    }
    auto opened = store_.open(channel, key.file);
    if (!opened) return opened.error();
    if ((*opened)->header().generation != key.generation) {
      return mta::error(mta::errc::gone,
                        "generation " + std::to_string(key.generation) + " of " + (*opened)->path());
    }
    const std::lock_guard guard(mutex_);
    if (const auto found = places_.find(key); found != places_.end()) return found->second->second;
    order_.emplace_front(key, *opened);
    places_[key] = order_.begin();
    if (order_.size() > open_files) {
      places_.erase(order_.back().first);
      order_.pop_back();
    }
    return *opened;
  }

  void forget(const file_key& key) {
    const std::lock_guard guard(mutex_);
    if (const auto found = places_.find(key); found != places_.end()) {
      order_.erase(found->second);
      places_.erase(found);
    }
  }

 private:
  using order = std::list<std::pair<file_key, std::shared_ptr<message_file>>>;
  mta::queue::store& store_;
  std::mutex mutex_;
  order order_;  // latest use first
  std::unordered_map<file_key, order::iterator> places_;
};

bool no_longer_there(const mta::error& e) {
  return e.code == mta::errc::gone || e.code == std::errc::no_such_file_or_directory;
}

// One state that an operator ordered, on its way to its file.
struct state_order {
  action::write_state what;
  std::uint64_t number = 0;  // a later order for the same message has a higher one
  int attempt = 1;
  std::shared_ptr<const order_note> note;  // null: nobody said why
  mta::result<> outcome{};
};

std::string history_of(const state_order& o) {
  static const order_note nothing;
  const order_note& note = o.note ? *o.note : nothing;
  if (o.what.phase == phase::held)
    return history_line(verb::hold, note.by.empty() ? "held by an operator" : "held", note,
                        o.what.hold_ends ? o.what.due : time_point{});
  if (o.what.by_itself) return history_line(verb::release, "released: its hold has ended", nothing);
  return history_line(verb::release, note.by.empty() ? "released by an operator" : "released", note);
}

// Locks slots for as long as it lives: neighbours with one call, where nobody has any of them.
class slot_locks {
 public:
  explicit slot_locks(message_file& f) : file_(f) {}
  ~slot_locks() {
    for (const auto& [first, count] : taken_) (void)file_.unlock(first, count);
  }
  slot_locks(const slot_locks&) = delete;
  slot_locks& operator=(const slot_locks&) = delete;

  // `run` is of neighbours.
  void take(std::span<state_order> run) {
    const std::uint32_t first = run.front().what.id.slot;
    if (run.size() > 1) {
      const auto all = file_.try_lock(first, static_cast<std::uint32_t>(run.size()));
      if (all && *all) {
        taken_.emplace_back(first, static_cast<std::uint32_t>(run.size()));
        return;
      }
    }
    for (state_order& o : run) {
      const auto one = file_.try_lock(o.what.id.slot);
      if (!one)
        o.outcome = one.error();
      else if (!*one)
        o.outcome = mta::error(mta::errc::busy, "message " + to_string(o.what.id));
      else
        taken_.emplace_back(o.what.id.slot, 1);
    }
  }

 private:
  message_file& file_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> taken_;
};

// Writes states of messages of one file, each message once, with one flush; what became of each is in its
// outcome.
void write_states(message_file& f, std::vector<state_order>& all) {
  slot_locks locks(f);
  std::vector<message_file::new_state> states;
  std::vector<state_order*> writing;
  for (std::size_t begin = 0, end = 0; begin < all.size(); begin = end) {
    for (end = begin + 1; end < all.size() && all[end].what.id.slot == all[end - 1].what.id.slot + 1; ++end) {
    }
    const auto run = std::span(all).subspan(begin, end - begin);
    locks.take(run);
    const std::uint32_t first = run.front().what.id.slot;
    const auto read =
        f.read_entries(first, static_cast<std::uint32_t>(run.size()),
                       [&](std::uint32_t slot, const mta::queue::slot_content& c) {
                         state_order& o = run[slot - first];
                         if (!o.outcome) return;
                         if (c.what != mta::queue::slot_content::kind::message || !c.message.state.live()) {
                           o.outcome = mta::error(mta::errc::gone, "message " + to_string(o.what.id));
                           return;
                         }
                         auto state = c.message.state;
                         state.phase = o.what.phase;
                         state.why = o.what.phase == phase::held ? mta::queue::reason::operator_request
                                                                 : mta::queue::reason::none;
                         state.next_attempt = o.what.due;
                         state.hold_ends = o.what.hold_ends;
                         state.changed = server::now();
                         states.push_back({slot, state});
                         writing.push_back(&o);
                       });
    for (state_order& o : run)
      if (!read && o.outcome) o.outcome = read.error();
  }
  if (states.empty()) return;
  auto written = f.change_states(states);
  if (written) written = f.flush();
  std::vector<message_file::history_note> history;
  for (state_order* o : writing) {
    if (!o->outcome) continue;
    o->outcome = written;
    if (written) history.push_back({o->what.id.slot, history_of(*o)});
  }
  f.note_history(history);
}

// Of several orders for one message the last counts. In the order of the file.
void keep_latest(std::vector<state_order>& all) {
  std::ranges::sort(all, [](const state_order& a, const state_order& b) {
    return std::pair(a.what.id.slot, b.number) < std::pair(b.what.id.slot, a.number);
  });
  const auto rest = std::ranges::unique(all, {}, [](const state_order& o) { return o.what.id.slot; });
  all.erase(rest.begin(), rest.end());
}

mta::result<> set_message_aside(mta::queue::store& store, message_file& f, const std::string& channel,
                                const message_id& id, mta::queue::reason reason, const std::string& why) {
  const slot_lock lock(f, id.slot);
  if (!lock.taken()) return lock.taken().error();
  if (!*lock.taken()) return mta::error(mta::errc::busy, "message " + to_string(id));
  if (const auto message = f.read_entry(id.slot); message && !message->state.live()) {
    return mta::error(mta::errc::gone, "message " + to_string(id));
  }
  return store.set_aside(f, channel, id.slot, reason, why);
}

}  // namespace

struct upkeep::impl : std::enable_shared_from_this<upkeep::impl> {
  explicit impl(surroundings s) : around(std::move(s)), cache(around.store), timer(around.io) {}

  std::string name(channel_no channel) const { return around.controller.channel_name(channel); }

  // Work on one file, in order.
  void on_pool(const file_key& key, std::function<void()> work) {
    around.pool.submit(static_cast<std::uint64_t>(key.file), std::move(work));
  }

  // From the pool: back to the loop's thread.
  void report(std::function<void(impl&)> what) {
    asio::post(around.io, [self = shared_from_this(), what = std::move(what)] {
      what(*self);
      self->around.after_events();
    });
  }

  void failed(std::string_view doing, const mta::error& e) {
    ++around.counters.io_errors;
    log(log_level::error, "{}: {}", doing, e.message());
  }

  // Orders of one turn of the loop go to their files together.
  void write(channel_no channel, state_order o) {
    const file_key key = o.what.id.key();
    auto& [of_channel, states] = unwritten[key];
    of_channel = channel;
    states.push_back(std::move(o));
    if (std::exchange(write_posted, true)) return;
    ++writing;
    asio::post(around.io, [self = shared_from_this()] {
      self->write_posted = false;
      for (auto& [file, orders_of_file] : std::exchange(self->unwritten, {}))
        self->write_file(orders_of_file.first, file, std::move(orders_of_file.second));
      self->written();
    });
  }

  void write_file(channel_no channel, const file_key& key, std::vector<state_order> states) {
    ++writing;
    keep_latest(states);
    on_pool(key, [self = shared_from_this(), channel, key, directory = name(channel),
                  all = std::make_shared<std::vector<state_order>>(std::move(states))] {
      if (auto f = self->cache.get(directory, key))
        write_states(**f, *all);
      else
        for (state_order& o : *all) o.outcome = f.error();
      self->report([=](impl& i) {
        for (state_order& o : *all) i.state_written(channel, directory, o);
        i.written();
      });
    });
  }

  void state_written(channel_no channel, const std::string& directory, state_order& o) {
    const auto latest = orders.find(o.what.id);
    const bool counts = latest != orders.end() && latest->second.number == o.number;
    const bool again = !o.outcome && o.outcome.error().code == mta::errc::busy && o.attempt < lock_attempts;
    if (counts && !again) orders.erase(latest);
    if (o.outcome) {
      ++around.counters.states_written;
      if (around.state_written) around.state_written(o.what.id);
    } else if (!counts) {
      // A later order has taken its place.
    } else if (again) {
      ++around.counters.states_delayed;
      if (around.state_delayed && o.attempt == 1)
        around.state_delayed(o.what, o.note ? *o.note : order_note{});
      auto wait = std::make_shared<asio::steady_timer>(around.io, std::chrono::seconds(1));
      ++o.attempt;
      o.outcome = {};
      wait->async_wait(
          [self = shared_from_this(), wait, channel, o](const boost::system::error_code& cancelled) {
            if (cancelled) return;
            const auto still = self->orders.find(o.what.id);
            if (still != self->orders.end() && still->second.number == o.number) self->write(channel, o);
          });
    } else if (!no_longer_there(o.outcome.error())) {
      ++failed_writes;
      failed(
          fmt::format("channel {}: write the state of message {} as an operator ordered (it holds until the "
                      "controller is restarted; order it again)",
                      directory, to_string(o.what.id)),
          o.outcome.error());
    }
  }

  // One of the things that `when_written` waits for is done.
  void written() {
    if (--writing != 0) return;
    for (auto& done : std::exchange(when_all_written, {})) done();
  }

  void set_aside(channel_no channel, const message_id& id, mta::queue::reason reason, std::string why) {
    on_pool(
        id.key(), [self = shared_from_this(), id, reason, why = std::move(why), directory = name(channel)] {
          auto f = self->cache.get(directory, id.key());
          auto done = f ? set_message_aside(self->around.store, **f, directory, id, reason, why)
                        : mta::result<>(f.error());
          self->report([=](impl& i) {
            if (done) {
              ++i.around.counters.set_aside;
              log(log_level::error, "channel {}: message {} was set aside ({}); see {}/.bad/{}.txt",
                  directory, to_string(id), why, i.around.store.channel_directory(directory), to_string(id));
            } else if (!no_longer_there(done.error())) {
              i.failed(fmt::format("channel {}: set message {} aside ({}; it stays where it is)", directory,
                                   to_string(id), why),
                       done.error());
            }
          });
        });
  }

  void recycle(const action::recycle& a) {
    if (!around.index_complete()) {
      // In a file that has not been read there may be a copy of one of its messages, of a move that was not
      // finished. That it is void can be told only as long as the original is there.
      return report([a](impl& i) { i.around.controller.recycled(server::now(), a.file, false); });
    }
    on_pool(a.file, [self = shared_from_this(), a, directory = name(a.channel), keep = around.spare_files()] {
      self->cache.forget(a.file);
      auto done = self->around.store.recycle(directory, a.file.file, a.file.generation, keep);
      self->report([=](impl& i) { i.recycled(a, directory, done); });
    });
  }

  void recycled(const action::recycle& a, const std::string& directory,
                const mta::result<mta::queue::store::recycled>& done) {
    bool gone = true;
    if (done && *done == mta::queue::store::recycled::reset) {
      ++around.counters.files_reset;
      around.file_reset(a.channel, {a.file.file, a.file.generation + 1});
    } else if (done) {
      ++around.counters.files_removed;
      around.file_removed(a.channel, a.file);
    } else if (no_longer_there(done.error())) {
      log(log_level::debug, "channel {}: {}", directory, done.error().message());
    } else {
      gone = false;
      if (done.error().code == mta::errc::busy)
        log(log_level::debug, "channel {}: {}", directory, done.error().message());
      else
        failed(fmt::format("channel {}: recycle a finished file", directory), done.error());
    }
    if (gone) {
      dirty.erase(a.file);  // else what programs changed is yet to be flushed
      // Of messages that were to be held when they came back, and were finished instead.
      notes.erase(notes.lower_bound({a.file.file, a.file.generation, 0}),
                  notes.lower_bound({a.file.file, a.file.generation + 1, 0}));
    }
    around.controller.recycled(server::now(), a.file, gone);
  }

  void compact(const action::compact& a) {
    if (!writer) {
      mta::queue::writer_options options;
      options.reserve_bytes = around.reserve();
      writer = std::make_unique<mta::queue::writer>(around.files, around.store.root(), options);
    }
    on_pool(a.file, [self = shared_from_this(), a, directory = name(a.channel)] {
      auto f = self->cache.get(directory, a.file);
      for (const auto slot : a.slots) {
        const message_id from{a.file.file, a.file.generation, slot};
        // The outcome is posted under the lock, so that the loop hears of the move before a scan can tell it
        // of the copy.
        const std::unique_lock guard(self->moves);
        auto done = f ? self->around.store.move(**f, directory, slot, *self->writer)
                      : mta::result<mta::queue::committed>(f.error());
        self->report([=](impl& i) { i.moved(a.channel, directory, from, done); });
      }
    });
  }

  void moved(channel_no channel, const std::string& directory, const message_id& from,
             const mta::result<mta::queue::committed>& done) {
    if (done) {
      ++around.counters.messages_moved;
      around.file_named(channel, done->id.key());
      if (auto noted = notes.extract(from)) notes[done->id] = std::move(noted.mapped());
      around.controller.moved(server::now(), from, done->id);
      changed(channel, from.key());
      return;
    }
    if (done.error().code != mta::errc::busy && !no_longer_there(done.error())) {
      failed(fmt::format("channel {}: move message {} out of a mostly finished file", directory,
                         to_string(from)),
             done.error());
    }
    around.controller.move_failed(server::now(), from);
  }

  void changed(channel_no channel, const file_key& key) {
    dirty.emplace(key, channel);
    if (timer_armed) return;
    timer_armed = true;
    timer.expires_after(flush_interval);
    timer.async_wait([weak = weak_from_this()](const boost::system::error_code& cancelled) {
      const auto self = weak.lock();
      if (!self || cancelled) return;
      self->timer_armed = false;
      self->flush_changed({});
    });
  }

  // `done` is called when all flushes that were under way or begin now have ended.
  void flush_changed(std::function<void()> done) {
    if (done) when_flushed.push_back(std::move(done));
    auto now = std::exchange(dirty, {});
    for (const auto& [key, channel] : now) {
      ++flushing;
      ++around.counters.flushes;
      on_pool(key, [self = shared_from_this(), file = key, directory = name(channel)] {
        auto f = self->cache.get(directory, file);
        auto flushed = f ? (*f)->flush() : mta::result<>(f.error());
        if (!flushed) self->cache.forget(file);
        self->report([=](impl& i) {
          if (!flushed && !no_longer_there(flushed.error())) {
            i.failed(
                fmt::format(
                    "channel {}: flush what programs finished (after a power failure some messages may be "
                    "processed again)",
                    directory),
                flushed.error());
          }
          --i.flushing;
          i.tell_flushed();
        });
      });
    }
    tell_flushed();
  }

  void tell_flushed() {
    if (flushing != 0) return;
    for (auto& done : std::exchange(when_flushed, {})) done();
  }

  surroundings around;
  file_cache cache;
  std::shared_mutex moves;
  std::unique_ptr<mta::queue::writer> writer;
  std::unordered_map<file_key, channel_no> dirty;
  struct latest_order {
    std::uint64_t number = 0;
    mta::queue::phase phase{};
    std::shared_ptr<const order_note> note;
  };
  std::map<message_id, latest_order> orders;  // of operators, not yet written: of each message the latest
  std::uint64_t last_order = 0;
  std::unordered_map<file_key, std::pair<channel_no, std::vector<state_order>>> unwritten;
  bool write_posted = false;
  std::size_t writing = 0;  // tasks of the pool, and the turn of the loop that begins them
  std::uint64_t failed_writes = 0;
  std::vector<std::function<void()>> when_all_written;
  std::map<message_id, std::shared_ptr<const order_note>> notes;
  asio::steady_timer timer;
  bool timer_armed = false;
  std::size_t flushing = 0;
  std::vector<std::function<void()>> when_flushed;
};

upkeep::upkeep(surroundings s) : impl_(std::make_shared<impl>(std::move(s))) {}
upkeep::~upkeep() {
  try {
    impl_->timer.cancel();
  } catch (const boost::system::system_error&) {  // it ends with the context, then
  }
}

void upkeep::carry_out(const action::recycle& a) { impl_->recycle(a); }
void upkeep::carry_out(const action::compact& a) { impl_->compact(a); }
void upkeep::carry_out(const action::write_state& a) {
  auto& latest = impl_->orders[a.id];
  // The same order once more, because a program has the message before itself: it was given by the same
  // person.
  std::shared_ptr<const order_note> note = latest.phase == a.phase ? latest.note : nullptr;
  if (auto noted = impl_->notes.extract(a.id); noted && !a.by_itself) note = std::move(noted.mapped());
  latest = {++impl_->last_order, a.phase, note};
  impl_->write(a.channel, {a, latest.number, 1, std::move(note), {}});
}
void upkeep::note(const message_id& id, std::shared_ptr<const order_note> n) {
  impl_->notes[id] = std::move(n);
}
void upkeep::when_written(std::function<void()> done) {
  if (impl_->writing == 0) return done();
  impl_->when_all_written.push_back(std::move(done));
}
std::uint64_t upkeep::failed_writes() const { return impl_->failed_writes; }
void upkeep::carry_out(const action::set_aside& a) {
  impl_->set_aside(a.channel, a.id, mta::queue::reason::damaged_record,
                   "a channel program found its record damaged");
}
void upkeep::set_aside(channel_no channel, const message_id& id, mta::queue::reason reason, std::string why) {
  impl_->set_aside(channel, id, reason, std::move(why));
}
void upkeep::changed(channel_no channel, const file_key& key) { impl_->changed(channel, key); }
void upkeep::flush_all(std::function<void()> done) { impl_->flush_changed(std::move(done)); }
std::shared_mutex& upkeep::moves() { return impl_->moves; }

}  // namespace jobctl
