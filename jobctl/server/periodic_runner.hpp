// Runs the commands of [periodic NAME] sections and channels' slave commands: what jobctl/controller/periodic
// decides is carried out here, by a launcher of its own. When each was due last, and a run that goes on, are
// kept in <root>/run/periodic, so that a restart of the controller neither repeats nor overlaps runs.
//
// Thread safety: none; everything happens on the thread that runs the io_context, which must outlive it.
#pragma once

#include "base/error.hpp"
#include "config/settings.hpp"
#include "jobctl/controller/periodic.hpp"
#include "jobctl/launcher/process.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace boost::asio {
class io_context;
}

namespace jobctl {

class periodic_runner {
 public:
  /// Changes what is about to be started as a channel's slave command.
  using preparation = std::function<void(command&, const std::string& channel)>;

  periodic_runner(boost::asio::io_context&, std::function<void()> on_idle, preparation);
  ~periodic_runner();
  periodic_runner(const periodic_runner&) = delete;
  periodic_runner& operator=(const periodic_runner&) = delete;

  /// Begins, or takes new settings. The settings must stay as they are until the next call.
  void configure(const mta::config::settings&);
  void reopen_logs();
  /// Starts nothing any more; what runs gets SIGTERM, and SIGKILL after `patience`. `on_idle` is called when
  /// it is gone.
  void stop(std::chrono::milliseconds patience);
  /// Starts nothing any more and leaves what runs to the next controller.
  void leave();
  /// Is a run of ours going on?
  bool busy() const;

  const std::vector<periodic_status>& status() const;
  /// Starts one now. errc::not_configured: there is none of that name; errc::busy: it runs already; the
  /// system's.
  mta::result<> run_now(std::string_view name);

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace jobctl
