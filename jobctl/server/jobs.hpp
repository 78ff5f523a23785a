// Channel programs as processes: launched when the controller wants them, logged, remembered for a while
// after their end. As connections they are those of `programs`.
//
// Thread safety: the loop's thread. Lifetime: what `surroundings` refers to outlives it.
#pragma once

#include "config/settings.hpp"
#include "jobctl/controller/controller.hpp"
#include "jobctl/launcher/control_groups.hpp"
#include "jobctl/launcher/launcher.hpp"
#include "jobctl/server/event_log.hpp"
#include "jobctl/server/server.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace jobctl {

class jobs {
 public:
  struct surroundings {
    boost::asio::io_context& io;
    jobctl::controller& controller;
    server_counters& counters;
    control_groups& groups;
    const mta::config::settings& settings;  ///< of the moment: a reload changes them
    std::function<bool()> running;          ///< false: nothing is launched any more
    std::function<void(event_kind, channel_no, std::string)> happened;
    std::function<void()> after_events;
  };
  explicit jobs(surroundings);

  void carry_out(const action::launch&);

  /// A program says hello with this JOBCTL_JOB; 0: none of ours.
  job_no connected(std::uint64_t number) const;
  /// What a program that an earlier controller launched prints goes on into its channel's log.
  void adopt_output(pid_t, channel_no);
  /// It was told to stop and has not left in time: SIGTERM. `survivor`: an earlier controller launched it.
  void overdue(const worker_info&, bool survivor);

  /// SIGTERM for all but these, then SIGKILL after `patience`.
  void stop_all_but(const std::set<job_no>&, std::chrono::milliseconds patience);
  void reopen_logs() { processes_.reopen_logs(); }

  bool empty() const { return running_.empty(); }
  std::size_t count() const { return running_.size(); }
  /// In no order; what they are as connections is left out.
  std::vector<job_info> all() const;
  /// The last that ended, or could not be started; the latest first.
  std::vector<ended_job> ended() const { return {ended_.begin(), ended_.end()}; }

 private:
  std::uint64_t number_of(job_no) const;
  void process_ended(std::uint64_t number, pid_t, int wait_status);
  void remember_end(ended_job);

  surroundings s_;
  const std::uint32_t instance_;  // says which controller launched a program
  std::unordered_map<std::uint64_t, job_info> running_;
  std::deque<ended_job> ended_;
  bool told_of_output_ = false;
  launcher processes_;
};

}  // namespace jobctl
