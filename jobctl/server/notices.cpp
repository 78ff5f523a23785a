#include "jobctl/server/notices.hpp"

#include "enqueue/enqueuer.hpp"
#include "jobctl/server/log.hpp"
#include "jobctl/server/telling.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <fmt/format.h>
#include <mutex>
#include <utility>

namespace jobctl {

namespace asio = boost::asio;
namespace notify = mta::notify;

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

  telling_outcome work(const std::string& channel, const action::notice& order,
                       const std::shared_ptr<const mta::config::settings>& site) {
    telling_outcome none;
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
    return tell_sender(**f, **queue, channel,
                       {order.id,
                        order.last ? notify::kind::timed_out : notify::kind::delayed,
                        order.last,
                        order.step,
                        order.expires,
                        false,
                        {},
                        {}});
  }

  void finished(const action::notice& order, const std::string& channel, const telling_outcome& done) {
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

mta::result<std::shared_ptr<mta::enqueue::enqueuer>> notices::enqueuer(
    const std::shared_ptr<const mta::config::settings>& site) {
  return impl_->get_enqueuer(site);
}

void notices::settings_changed() {
  auto site = impl_->around.settings();
  const std::lock_guard guard(impl_->mutex);
  impl_->latest = site;
  if (impl_->enqueuer) impl_->enqueuer->update(std::move(site));
}

}  // namespace jobctl
