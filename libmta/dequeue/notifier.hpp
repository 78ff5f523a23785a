// Sends the notifications of a channel program. Most programs never make one: what it takes is made with the
// first. Thread safety: every member from any thread.
#pragma once

#include "enqueue/enqueuer.hpp"
#include "notify/send.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <span>

namespace mta::dequeueing {

class notifier {
 public:
  using opener = std::function<result<std::unique_ptr<enqueue::enqueuer>>()>;

  notifier(std::shared_ptr<const config::settings>, std::shared_ptr<accounting::log>);
  /// With another way to make the enqueuer (tests).
  explicit notifier(opener open) : open_(std::move(open)) {}

  /// notify::send(). Errors: also those of making the enqueuer.
  result<notify::told> send(const notify::subject&, std::span<const notify::recipient_report>);

 private:
  opener open_;
  std::mutex mutex_;
  std::unique_ptr<enqueue::enqueuer> enqueuer_;
};

}  // namespace mta::dequeueing
