#include "jobctl/server/queue_watch.hpp"

#include "jobctl/server/log.hpp"
#include "queue/format.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <deque>
#include <fmt/format.h>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>
#include <utility>

namespace jobctl {

namespace asio = boost::asio;
using mta::queue::file_number;

namespace {

constexpr std::chrono::seconds second_look{
    1};  // at an entry that looked damaged: it may have been half written

// What reading one file gave, made on the pool. `messages` refers to the host names in `found`.
struct file_reading {
  mta::result<> outcome;
  file_key key;
  std::uint32_t capacity = 0;
  bool complete = false;
  mta::queue::store::found found;
  std::vector<new_message> messages;
};

// A file is also full when its last record reaches the limit that its header sets for them.
bool full(mta::queue::message_file& f, std::uint32_t used) {
  if (used == 0) return false;
  if (used >= f.header().capacity) return true;
  const auto last = f.read_entry(used - 1);
  if (!last) return false;
  const auto& e = last->entry;
  const auto end =
      e.record_offset + mta::queue::format::record_header_size + e.envelope_length + e.content_length;
  return mta::queue::format::align(end, mta::queue::format::record_alignment) >= f.header().data_limit;
}

std::shared_ptr<file_reading> read_file(mta::queue::store& store, const std::string& channel,
                                        file_number number, std::shared_mutex& moves) {
  auto reading = std::make_shared<file_reading>();
  auto f = store.open(channel, number);
  if (!f) {
    reading->outcome = f.error();
    return reading;
  }
  const auto& header = (*f)->header();
  reading->key = {number, header.generation};
  reading->capacity = header.capacity;
  bool writer_left = false;
  {
    const std::shared_lock guard(moves);
    // Of a file that a writer has, an earlier slot may be filled later than the last one.
    const auto idle = (*f)->raw().is_unlocked(mta::queue::format::writer_lock, 1);
    if (!idle) {
      reading->outcome = idle.error();
      return reading;
    }
    writer_left = *idle;
    auto found = store.scan(**f, channel);
    if (!found) {
      reading->outcome = found.error();
      return reading;
    }
    reading->found = std::move(*found);
  }
  reading->complete = writer_left && full(**f, reading->found.used);
  if (writer_left && reading->found.used == 0) store.offer_empty(channel, number);
  reading->messages.reserve(reading->found.messages.size());
  for (const auto& m : reading->found.messages) {
    new_message each;
    each.slot = m.entry.slot;
    each.priority = m.entry.priority;
    each.phase = m.state.phase;
    each.attempts = m.state.attempts;
    each.recipients = m.entry.recipients;
    each.size = m.entry.content_length;
    each.committed = m.entry.committed;
    // A release writes its time into the state, too; an attempt was made only of what is deferred.
    each.due = m.state.phase == phase::queued ? m.entry.not_before : m.state.next_attempt;
    each.not_before = m.entry.not_before;
    each.notices = m.state.notices;
    each.hold_ends = m.state.hold_ends;
    each.host = m.entry.host;
    reading->messages.push_back(each);
  }
  return reading;
}

struct known_file {
  channel_no channel{};
  std::uint32_t generation = 0;
  bool complete = false;                // read when nothing could be added to this generation any more
  bool unusable = false;                // reported as damaged
  std::uint64_t since = 0;              // number of the comparison under way when it became known
  std::vector<std::uint32_t> suspects;  // slots that looked damaged the last time
};

struct unread_file {
  channel_no channel;
  file_number number;
};

}  // namespace

struct queue_watch::impl : std::enable_shared_from_this<queue_watch::impl> {
  explicit impl(surroundings s) : around(std::move(s)), interval_timer(around.io) {}

  // --- comparing directories with what is known
  // -------------------------------------------------------------------

  void compare() {
    if (comparing) {
      again = true;
      return;
    }
    comparing = true;
    ++round;
    around.pool.submit([self = shared_from_this()] {
      auto channels = self->around.store.channels();
      asio::post(self->around.io,
                 [self, channels = std::move(channels)] { self->channels_listed(channels); });
    });
  }

  void channels_listed(const mta::result<std::vector<std::string>>& channels) {
    if (!channels) {
      failed("list the channels of the queue", channels.error());
      return maybe_compared();
    }
    // Files of a channel whose directory is gone are in no listing at all.
    for (const auto& [number, file] : known) {
      if (file.since < round &&
          !std::ranges::binary_search(*channels, around.controller.channel_name(file.channel))) {
        want(file.channel, number);
      }
    }
    for (const auto& name : *channels) {
      ++listings;
      around.pool.submit([self = shared_from_this(), name] {
        auto files = self->around.store.files(name);
        if (files) {
          if (const auto cleaned = self->around.store.remove_leftovers(name); !cleaned)
            log(log_level::warning, "channel {}: {}", name, cleaned.error().message());
        }
        asio::post(self->around.io,
                   [self, name, files = std::move(files)] { self->files_listed(name, files); });
      });
    }
    pump();
    maybe_compared();
  }

  void files_listed(const std::string& name, const mta::result<std::vector<file_number>>& files) {
    --listings;
    if (!files) {
      // Not a directory: somebody's file, none of ours.
      if (files.error().code != std::errc::not_a_directory)
        failed("list the files of channel " + name, files.error());
      return maybe_compared();
    }
    const auto channel = around.controller.channel(name);
    for (const auto number : *files) {
      const auto it = known.find(number);
      if (it == known.end() || (!it->second.complete && !it->second.unusable)) want(channel, number);
    }
    // Reading what is no longer listed shows whether it is really gone: it may have been made after the
    // listing.
    for (const auto& [number, file] : known) {
      if (file.channel == channel && file.since < round && !std::ranges::binary_search(*files, number))
        want(channel, number);
    }
    pump();
    maybe_compared();
  }

  void maybe_compared() {
    if (!comparing || listings != 0 || reading != 0 || !unread.empty()) return;
    comparing = false;
    const auto now = server::now();
    around.progress.last_sync = now;
    if (!around.progress.complete) {
      around.progress.complete = true;
      around.progress.completed = now;
      around.index_complete();
    } else {
      ++around.progress.syncs;
    }
    if (std::exchange(again, false)) compare();
  }

  void arm_interval() {
    interval_timer.expires_after(interval);
    interval_timer.async_wait([weak = weak_from_this()](const boost::system::error_code& cancelled) {
      const auto self = weak.lock();
      if (!self || cancelled) return;
      self->compare();
      self->arm_interval();
    });
  }

  // --- reading files
  // -------------------------------------------------------------------------------------------------

  void want(channel_no channel, file_number number) {
    if (!wanted.insert(number).second) return;
    unread[channel].push_back(number);
    if (!around.progress.complete) ++around.progress.files_to_read;
  }

  // The next file of the next channel.
  unread_file take() {
    auto next = unread.upper_bound(last_channel);
    if (next == unread.end()) next = unread.begin();
    const unread_file taken{next->first, next->second.front()};
    last_channel = next->first;
    next->second.pop_front();
    if (next->second.empty()) unread.erase(next);
    wanted.erase(taken.number);
    return taken;
  }

  // A file's messages are handed to the controller before another one is begun in its place: so many are in
  // memory at once.
  void pump() {
    while (reading < around.files_at_once && !unread.empty()) {
      const auto next = take();
      ++reading;
      around.pool.submit(
          [self = shared_from_this(), next, name = around.controller.channel_name(next.channel)] {
            auto result = read_file(self->around.store, name, next.number, self->around.moves);
            asio::post(self->around.io, [self, next, result = std::move(result)] {
              --self->reading;
              if (!self->around.progress.complete) ++self->around.progress.files_read;
              self->pump();
              self->was_read(next, *result);
              self->maybe_compared();
              self->around.after_events();
            });
          });
    }
  }

  void was_read(const unread_file& file, const file_reading& r) {
    const auto it = known.find(file.number);
    if (!r.outcome) return could_not_read(file, r.outcome.error());
    if (it != known.end() && it->second.generation > r.key.generation) return;  // it was reset since
    if (it != known.end() && it->second.generation < r.key.generation) {
      around.controller.file_gone(server::now(), {file.number, it->second.generation});
      known.erase(it);
    }
    auto& entry = remember(file.channel, r.key);
    entry.complete = entry.complete || r.complete;
    around.progress.messages_found += r.messages.size();
    // Empty ones, too: the controller wants to know of a finished file.
    around.controller.messages_found(server::now(), file.channel, r.key, r.capacity, entry.complete,
                                     r.messages,
                                     around.progress.complete ? sighting::found : sighting::at_start);
    look_at_damage(file, r, entry);
  }

  void could_not_read(const unread_file& file, const mta::error& why) {
    const auto it = known.find(file.number);
    if (why.code == std::errc::no_such_file_or_directory) {
      if (it == known.end()) return;
      const file_key key{file.number, it->second.generation};
      log(log_level::warning, "channel {}: message file {} has vanished",
          around.controller.channel_name(file.channel), to_string(file.number));
      known.erase(it);
      around.progress.files = known.size();
      return around.controller.file_gone(server::now(), key);
    }
    const bool damaged = why.code == mta::errc::damaged || why.code == mta::errc::wrong_version;
    if (damaged) {
      ++around.progress.damaged;
      auto& entry = it != known.end() ? it->second : remember(file.channel, {file.number, 0});
      entry.unusable = true;  // said once, not at every comparison
    }
    failed(
        fmt::format(
            "channel {}: read a message file{}", around.controller.channel_name(file.channel),
            damaged
                ? " (it is left alone; its messages wait until it is repaired and the controller restarted)"
                : ""),
        why);
  }

  // What looks damaged twice, with time for a writer to finish in between, is.
  void look_at_damage(const unread_file& file, const file_reading& r, known_file& entry) {
    const auto before = std::exchange(entry.suspects, r.found.damaged);
    bool look_again = false;
    for (const auto slot : r.found.damaged) {
      if (std::ranges::binary_search(before, slot)) {
        ++around.progress.damaged;
        around.entry_damaged(file.channel, {r.key.file, r.key.generation, slot});
      } else {
        look_again = true;
      }
    }
    if (!look_again) return;
    auto timer = std::make_shared<asio::steady_timer>(around.io, second_look);
    timer->async_wait([weak = weak_from_this(), timer, file](const boost::system::error_code& cancelled) {
      const auto self = weak.lock();
      if (!self || cancelled) return;
      self->want(file.channel, file.number);
      self->pump();
    });
  }

  known_file& remember(channel_no channel, const file_key& key) {
    auto [it, fresh] = known.try_emplace(key.file);
    if (fresh || it->second.generation != key.generation) {
      it->second = known_file{channel, key.generation, false, false, round, {}};
      around.progress.files = known.size();
    }
    return it->second;
  }

  void failed(std::string_view doing, const mta::error& why) {
    ++around.counters.io_errors;
    log(log_level::error, "{}: {}", doing, why.message());
  }

  surroundings around;
  asio::steady_timer interval_timer;
  std::chrono::seconds interval{60};
  std::unordered_map<file_number, known_file> known;
  std::map<channel_no, std::deque<file_number>> unread;
  std::set<file_number> wanted;  // in unread
  channel_no last_channel{};
  std::size_t reading = 0, listings = 0;
  std::uint64_t round = 0;
  bool comparing = false, again = false;
};

queue_watch::queue_watch(surroundings s) : impl_(std::make_shared<impl>(std::move(s))) {}
queue_watch::~queue_watch() {
  try {
    impl_->interval_timer.cancel();
  } catch (const boost::system::system_error&) {  // it ends with the context, then
  }
}

void queue_watch::start(std::chrono::seconds interval) {
  impl_->interval = interval;
  impl_->compare();
  impl_->arm_interval();
}

void queue_watch::set_interval(std::chrono::seconds interval) {
  if (interval == impl_->interval) return;
  impl_->interval = interval;
  impl_->arm_interval();
}

void queue_watch::sync() { impl_->compare(); }

void queue_watch::named(channel_no channel, const file_key& key, bool look) {
  const auto it = impl_->known.find(key.file);
  if (it != impl_->known.end() && it->second.generation > key.generation) return;
  if (look) {
    impl_->want(channel, key.file);
    impl_->pump();
    return;
  }
  impl_->remember(channel, key);
}

void queue_watch::was_reset(channel_no channel, const file_key& now) { impl_->remember(channel, now); }

void queue_watch::was_removed(channel_no, const file_key& key) {
  impl_->known.erase(key.file);
  impl_->around.progress.files = impl_->known.size();
}

}  // namespace jobctl
