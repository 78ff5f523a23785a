// What the API needs of the running server: the members of jobctl::server that it uses, so that tests can
// bring a controller object and no server. See server.hpp for what each does; api.cpp has the real one.
//
// Thread safety: every member is called on the server's loop thread.
#pragma once

#include "config/settings.hpp"
#include "jobctl/controller/controller.hpp"
#include "jobctl/server/server.hpp"
#include "queue/store.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace jobctl::admin {

class backend {
 public:
  virtual ~backend() = default;

  virtual const controller& state() const = 0;
  virtual const mta::config::settings& settings() const = 0;
  virtual time_point now() const = 0;
  virtual time_point started() const = 0;
  virtual bool stopping() const = 0;
  virtual std::vector<job_info> jobs() const = 0;
  virtual std::vector<ended_job> ended_jobs() const = 0;
  virtual std::vector<worker_info> workers() const = 0;
  virtual const std::vector<periodic_status>& periodic() const = 0;
  virtual scan_progress progress() const = 0;
  virtual server_counters counters() const = 0;
  virtual event_log& events() = 0;
  virtual time_point counting_since() const = 0;
  virtual std::string program_of(channel_no) const = 0;

  virtual void run_channel(channel_no) = 0;
  virtual void order(message_order, std::vector<message_id>, std::function<void(order_outcome)> done) = 0;
  virtual stop_change impose(const standing_stop&) = 0;
  virtual stop_change lift(const standing_stop&) = 0;
  virtual mta::result<> run_periodic(std::string_view name) = 0;
  virtual reload_report reload() = 0;
  virtual void stop(std::string_view why) = 0;
  virtual void leave(std::string_view why) = 0;

  virtual mta::queue::store& store() = 0;
  /// Runs `work` on a thread of the worker pool, then `then` on the loop thread; neither may throw.
  virtual void in_pool(std::function<void()> work, std::function<void()> then) = 0;
};

}  // namespace jobctl::admin
