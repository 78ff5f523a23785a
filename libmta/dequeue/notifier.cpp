#include "dequeue/notifier.hpp"

namespace mta::dequeueing {

notifier::notifier(std::shared_ptr<const config::settings> site, std::shared_ptr<accounting::log> accounts)
    : open_([site = std::move(site), accounts = std::move(accounts)] {
        enqueue::enqueuer_options options;
        options.accounts = accounts;
        return enqueue::enqueuer::open(site, std::move(options));
      }) {}

result<notify::told> notifier::send(const notify::subject& about,
                                    std::span<const notify::recipient_report> reports) {
  enqueue::enqueuer* enqueuer = nullptr;
  {
    const std::scoped_lock guard(mutex_);
    if (!enqueuer_) {
      auto made = open_();
      if (!made) return made.error();
      enqueuer_ = std::move(*made);
    }
    enqueuer = enqueuer_.get();
  }
  return notify::send(*enqueuer, about, reports);
}

}  // namespace mta::dequeueing
