#include "jobctl/server/notices.hpp"

#include "enqueue/enqueuer.hpp"
#include "jobctl/server/log.hpp"
#include "notify/send.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>
#include <map>
#include <mutex>
#include <utility>

namespace jobctl {

namespace asio = boost::asio;
namespace json = boost::json;
namespace notify = mta::notify;
using mta::queue::message_file;

namespace {

struct outcome_of_work {
  notice_outcome what = notice_outcome::failed;
  bool damaged = false;
  std::vector<std::string> ids;  // of the notification
  std::vector<std::string> remarks;
};

std::string history_line(std::string_view text) {
  return json::serialize(json::object{{"time", server::now().time_since_epoch().count()}, {"text", text}});
}

/// What the last attempt said of each recipient, and when it was.
struct last_attempt {
  std::map<std::string, std::string> reasons;
  time_point at{};  ///< epoch: not known
};
last_attempt find_last_attempt(message_file& f, std::uint32_t slot) {
  // The history is that of all messages of the file, and may have grown for weeks: its end is enough.
  constexpr std::uint64_t most = 1 << 20;
  last_attempt last;
  const auto lines = f.read_history(slot, most);
  if (!lines) return last;
  for (const std::string& line : *lines) {
    boost::system::error_code wrong;
    const json::value read = json::parse(line, wrong);
    if (wrong || !read.is_object()) continue;  // the history decides nothing
    const auto& object = read.get_object();
    const auto* to = object.if_contains("recipient");
    const auto* why = object.if_contains("reason");
    if (to != nullptr && to->is_string() && why != nullptr && why->is_string())
      last.reasons[std::string(to->get_string())] = std::string(why->get_string());
    const auto* time = object.if_contains("time");
    if (object.contains("attempt") && time != nullptr && time->is_int64())
      last.at = time_point{milliseconds{time->get_int64()}};
  }
  return last;
}

/// Reads a message's content for the notification; checked as a whole at the first read.
auto checked_reader(message_file& f, const mta::queue::entry& e) {
  return [&f, &e, checked = false](std::uint64_t offset,
                                   std::span<std::byte> buffer) mutable -> mta::result<std::size_t> {
    if (!checked) {
      if (const auto fine = f.verify(e); !fine) return fine.error();
      checked = true;
    }
    return f.read_content_part(e, offset, buffer);
  };
}

/// A line for each recipient, once the state is written: W, R, or K where the sender does not want to know.
void account(mta::enqueue::enqueuer& queue, const notify::subject& about,
             std::span<const notify::recipient_report> reports, bool told, std::uint16_t attempts) {
  namespace accounting = mta::accounting;
  const auto site = queue.settings();
  const auto* channel = site->find_channel(about.channel);
  if (channel == nullptr || !channel->logging || !queue.accounts().enabled()) return;
  accounting::entry e;
  e.source = about.channel;
  e.size = about.entry.content_length;
  e.from = about.envelope.from;
  e.id = about.id;
  e.envelope_id = about.envelope.envelope_id;
  e.message_id = about.envelope.header_id;
  e.attempt = attempts;
  e.queue_time = about.now - about.entry.committed;
  e.time = about.now;
  for (const notify::recipient_report& r : reports) {
    const mta::queue::recipient& to = about.envelope.recipients.at(r.place);
    const bool asked = notify::asked_for(r.what, notify::effective_flags(about.envelope, to));
    if (r.what == notify::kind::delayed && (!told || !asked)) continue;
    e.code = r.what == notify::kind::delayed ? accounting::action::warned
             : asked                         ? accounting::action::rejected
                                             : accounting::action::unreported;
    e.disposition = r.what == notify::kind::delayed ? "delayed" : "timed_out";
    e.original = to.original;
    e.to = to.address;
    e.reason = r.reason;
    queue.accounts().record(e);
  }
  queue.accounts().flush();
}

/// On the pool, with the message's lock.
outcome_of_work work_on(message_file& f, mta::enqueue::enqueuer& queue, const std::string& channel,
                        const action::notice& order) {
  outcome_of_work done;
  const auto failed = [&](const mta::error& why) {
    done.what = why.code == mta::errc::gone ? notice_outcome::gone : notice_outcome::failed;
    done.damaged = why.code == mta::errc::damaged;
    if (done.damaged) done.what = notice_outcome::gone;
    if (why.code != mta::errc::gone) done.remarks.push_back(why.message());
    return done;
  };
  const auto message = f.read_entry(order.id.slot);
  if (!message) return failed(message.error());
  auto state = message->state;
  if (!state.live() || state.phase == phase::held) {
    done.what = state.live() ? notice_outcome::held : notice_outcome::gone;
    return done;
  }
  const auto envelope = f.read_envelope(message->entry);
  if (!envelope) return failed(envelope.error());

  const auto last = find_last_attempt(f, order.id.slot);
  std::vector<notify::recipient_report> reports;
  for (std::size_t i = 0; i < envelope->recipients.size(); ++i) {
    if (state.finished.test(i)) continue;
    const auto why = last.reasons.find(envelope->recipients[i].address);
    reports.push_back({i, order.last ? notify::kind::timed_out : notify::kind::delayed,
                       why != last.reasons.end() ? std::string_view(why->second) : std::string_view()});
  }
  const std::string id = to_string(order.id);
  const notify::subject about{
      *envelope,     message->entry, id,           channel, checked_reader(f, message->entry),
      server::now(), last.at,        order.expires};
  // What cannot be written down would be told again and again: so that is tried before.
  if (const auto writable = f.change_state(order.id.slot, state); !writable) return failed(writable.error());
  auto told = notify::send(queue, about, reports);
  state.changed = server::now();
  state.notices = order.step;
  if (told) {
    done.ids = std::move(told->ids);
    done.remarks = std::move(told->remarks);
    done.what = order.last ? notice_outcome::finished : notice_outcome::done;
    if (order.last) {
      state.phase = phase::finished;
      for (const auto& r : reports) state.finished.set(r.place);
    }
  } else {
    done.remarks.push_back(told.error().message());
    if (!notify::is_lasting(told.error())) return done;
    // Nobody can be told, now and later. A warning is left out; what would be returned waits for an operator.
    done.what = order.last ? notice_outcome::held : notice_outcome::done;
    if (order.last) {
      state.phase = phase::held;
      state.why = mta::queue::reason::undeliverable;
    }
  }
  if (const auto written = f.change_state(order.id.slot, state); !written) {
    done.what = notice_outcome::failed;
    done.remarks.push_back(written.error().message());
    return done;
  }
  if (done.what != notice_outcome::held) account(queue, about, reports, !done.ids.empty(), state.attempts);
  if (done.what == notice_outcome::held)
    f.note_history(order.id.slot, history_line("it has waited too long, and its sender cannot be notified: " +
                                               told.error().message()));
  else if (done.what == notice_outcome::done && !done.ids.empty())
    f.note_history(order.id.slot, history_line("its sender was notified that it is delayed"));
  return done;
}

}  // namespace

struct notices::impl : std::enable_shared_from_this<notices::impl> {
  explicit impl(surroundings s) : around(std::move(s)) {}

  // The pool's threads share one; it is made when the first notification is.
  mta::result<std::shared_ptr<mta::enqueue::enqueuer>> get_enqueuer(
      const std::shared_ptr<const mta::config::settings>& site) {
    const std::lock_guard guard(mutex);
    if (!enqueuer) {
      mta::enqueue::enqueuer_options options;
      options.announce = [weak = weak_from_this()](std::string_view channel,
                                                   const mta::queue::committed& made) {
        const auto self = weak.lock();
        if (!self) return;
        asio::post(self->around.io, [self, name = std::string(channel), key = made.id.key()] {
          if (const auto number = self->around.find_channel(name)) self->around.file_named(*number, key);
          self->around.after_events();
        });
      };
      auto made = mta::enqueue::enqueuer::open(latest ? latest : site, std::move(options));
      if (!made) return made.error();
      enqueuer = std::move(*made);
    }
    return enqueuer;
  }

  outcome_of_work work(const std::string& channel, const action::notice& order,
                       const std::shared_ptr<const mta::config::settings>& site) {
    outcome_of_work none;
    const auto f = around.store.open(channel, order.id.file);
    if (!f) {
      if (f.error().code == std::errc::no_such_file_or_directory)
        none.what = notice_outcome::gone;
      else
        none.remarks.push_back(f.error().message());
      return none;
    }
    if ((*f)->header().generation != order.id.generation) {
      none.what = notice_outcome::gone;
      return none;
    }
    const auto locked = (*f)->try_lock(order.id.slot);  // closing the file lets go of it
    if (!locked || !*locked) {
      if (!locked) none.remarks.push_back(locked.error().message());
      none.what = notice_outcome::busy;
      return none;
    }
    const auto queue = get_enqueuer(site);
    if (!queue) {
      none.remarks.push_back(queue.error().message());
      return none;
    }
    return work_on(**f, **queue, channel, order);
  }

  void finished(const action::notice& order, const std::string& channel, const outcome_of_work& done) {
    const std::string id = to_string(order.id);
    std::string ids;
    for (const auto& each : done.ids) ids += (ids.empty() ? "" : ", ") + each;
    switch (done.what) {
      case notice_outcome::finished:
        ++around.counters.expired;
        log(log_level::warning, "channel {}: message {} has waited too long and is returned{}", channel, id,
            ids.empty() ? ": nobody is notified" : "; notified by " + ids);
        break;
      case notice_outcome::done:
        ++around.counters.warned;
        if (!ids.empty())
          log(log_level::info, "channel {}: message {} is delayed; its sender is notified by {}", channel, id,
              ids);
        break;
      case notice_outcome::held:
        if (order.last && !done.remarks.empty())
          log(log_level::error,
              "channel {}: message {} has waited too long, and nobody can be notified: it is held", channel,
              id);
        break;
      case notice_outcome::failed:
        ++around.counters.io_errors;
        log(log_level::error, "channel {}: notify the sender of message {} (tried again in a minute)",
            channel, id);
        break;
      case notice_outcome::busy:
      case notice_outcome::gone: break;
    }
    for (const auto& remark : done.remarks) log(log_level::warning, "message {}: {}", id, remark);
    if (done.damaged) around.damaged(order.channel, order.id);
    if (done.what == notice_outcome::finished || done.what == notice_outcome::done ||
        done.what == notice_outcome::held)
      around.changed(order.channel, order.id.key());
    around.controller.noticed(server::now(), order.id, done.what, order.step);
    around.after_events();
  }

  surroundings around;
  std::mutex mutex;
  std::shared_ptr<mta::enqueue::enqueuer> enqueuer;     // under mutex
  std::shared_ptr<const mta::config::settings> latest;  // under mutex; null: no reload since the start
};

notices::notices(surroundings s) : impl_(std::make_shared<impl>(std::move(s))) {}
notices::~notices() = default;

void notices::carry_out(const action::notice& order) {
  impl_->around.pool.submit(
      static_cast<std::uint64_t>(order.id.file),
      [self = impl_, order, channel = impl_->around.controller.channel_name(order.channel),
       site = impl_->around.settings()] {
        auto done = self->work(channel, order, site);
        asio::post(self->around.io,
                   [self, order, channel, done = std::move(done)] { self->finished(order, channel, done); });
      });
}

void notices::settings_changed() {
  auto site = impl_->around.settings();
  const std::lock_guard guard(impl_->mutex);
  impl_->latest = site;
  if (impl_->enqueuer) impl_->enqueuer->update(std::move(site));
}

}  // namespace jobctl
