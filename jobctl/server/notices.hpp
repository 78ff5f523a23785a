// Tells senders that their mail waits, and returns what has waited too long, as the controller orders.
//
// The work is done on the pool, under the message's lock: the notification is committed first, then the state
// of the original is written; a crash in between repeats one notification. While programs have nothing to do
// with it, so mail of a channel that is stopped, or has no program, does not wait for ever.
//
// Thread safety: the loop's thread. Lifetime: what `surroundings` refers to outlives it, and the pool is
// stopped before it is destroyed.
#pragma once

#include "config/settings.hpp"
#include "enqueue/enqueuer.hpp"
#include "jobctl/controller/controller.hpp"
#include "jobctl/server/server.hpp"
#include "jobctl/server/work_pool.hpp"
#include "queue/store.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string_view>

namespace jobctl {

class notices {
 public:
  struct surroundings {
    boost::asio::io_context& io;
    work_pool& pool;
    mta::queue::store& store;
    jobctl::controller& controller;
    server_counters& counters;
    std::function<std::shared_ptr<const mta::config::settings>()> settings;  ///< those of the moment
    std::function<std::optional<channel_no>(std::string_view)> find_channel;
    std::function<void(channel_no, file_key)> file_named;        ///< a notification was queued to this file
    std::function<void(channel_no, file_key)> changed;           ///< a state was written in this file
    std::function<void(channel_no, const message_id&)> damaged;  ///< to be set aside
    std::function<void()> after_events;
  };

  explicit notices(surroundings);
  ~notices();

  void carry_out(const action::notice&);
  /// For notifications and messages of the controller's own; it tells the controller of what it queues. Any
  /// thread.
  mta::result<std::shared_ptr<mta::enqueue::enqueuer>> enqueuer(
      const std::shared_ptr<const mta::config::settings>&);
  /// Notifications that are begun from now on follow the new settings.
  void settings_changed();

 private:
  struct impl;
  std::shared_ptr<impl> impl_;
};

}  // namespace jobctl
