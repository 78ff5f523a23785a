// Commands that are run at certain times: when each is due, never two runs of one at a time, what becomes of
// missed runs, and when one has run for too long. Pure, as the controller: no clock, no process; what must be
// done is returned.
//
// Thread safety: none; one owner. Costs: O(jobs) per call.
#pragma once

#include "jobctl/controller/controller.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace jobctl {

struct periodic_limits {
  std::string name;
  std::function<time_point(time_point)> next;  ///< the first time after the given one; max(): never
  bool interval = false;                       ///< runs again and again, at no particular times of the day
  bool run_missed = false;                     ///< make up, once, for runs that were missed
  std::chrono::seconds timeout{3600};
};

/// How a job stands. What a server keeps over a restart: last_due, started, ended, outcome, clean.
struct periodic_status {
  std::string name;
  bool configured = true;
  bool running = false;
  bool overdue = false;   ///< running, and told to end
  time_point next{};      ///< max(): never
  time_point last_due{};  ///< for which it was run or skipped last; before: since when it is known
  time_point started{};   ///< the last run; epoch: none
  time_point ended{};     ///< likewise; while it runs: the run before
  bool clean = false;     ///< how that ended
  std::string outcome;    ///< the same in words
  std::uint64_t runs = 0, failures = 0, skipped = 0;  ///< since the controller's start
};

class periodic_jobs {
 public:
  /// What the server must do.
  struct order {
    enum class what { start, terminate, report } todo;
    std::string name;
    std::string text;  ///< of a report
  };

  /// Takes a new set; jobs that are known keep their state, one that vanished while it runs goes when it
  /// ends. `known`: what was kept of an earlier controller, looked at for jobs that are new.
  void configure(time_point now, std::vector<periodic_limits>,
                 const std::vector<periodic_status>& known = {});
  /// To be called at next_deadline() or earlier, and after the clock may have been set.
  std::vector<order> step(time_point now);
  /// max(): nothing will happen.
  time_point next_deadline() const;

  void ended(time_point now, std::string_view name, bool clean, std::string_view words);
  enum class answer { started, running, unknown };
  /// Runs it now, by order; when it is due next stays as it was. `started`: the caller must start it.
  answer run_now(time_point now, std::string_view name);

  const std::vector<periodic_status>& status() const { return status_; }

 private:
  periodic_status* find(std::string_view name);
  const periodic_limits* limits_of(std::string_view name) const;
  void begin(periodic_status&, time_point now);

  std::vector<periodic_limits> limits_;  // sorted by name
  std::vector<periodic_status> status_;  // likewise
  time_point last_step_{};
};

}  // namespace jobctl
