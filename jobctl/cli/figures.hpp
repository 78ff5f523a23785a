// The figures of `jobctl top`: asked from the controller at intervals, with the rates between two answers.
// Thread safety: none.
#pragma once

#include "jobctl/admin/client.hpp"
#include "jobctl/cli/controller_link.hpp"

#include <boost/json/object.hpp>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace jobctl::cli {

struct channel_sample {
  std::string name;
  std::uint64_t ready = 0, in_hand = 0, deferred = 0, held = 0, bytes = 0, jobs = 0, programs = 0;
  std::uint64_t dead_destinations = 0;
  bool stopped = false, full = false, stressed = false;
  std::string oldest;                         ///< an ISO time; empty: nothing is ready
  double finished_rate = 0, failed_rate = 0;  ///< a second
  std::uint64_t waiting() const { return ready + in_hand + deferred + held; }
};

struct destination_sample {
  std::string channel, host;
  std::uint64_t messages = 0;
  std::string barrier, until;  ///< empty: none, not a matter of time
  bool dead = false;
};

struct job_sample {
  std::string channel, state;
  std::uint64_t pid = 0, job = 0, threads = 0, leased = 0, results = 0;
  std::string since;  ///< an ISO time
  double rate = 0;    ///< results a second
};

struct sample {
  time_point when{};  ///< of the controller
  std::string state;  ///< starting, running, stopping
  std::vector<channel_sample> channels;
  channel_sample total;
  std::vector<destination_sample> destinations;
  std::uint64_t destination_count = 0;
  std::vector<job_sample> jobs;
};

/// The fields of docs/cli.md, top.
boost::json::object to_json(const sample&);

class sampler {
 public:
  sampler(const invocation& in, admin::client& c) : in_(in), controller_(c) {}
  /// Asks. The first time, rates are 0. On an error, which is printed, `status` says how to end.
  std::optional<sample> take(int& status);

 private:
  struct counted {
    double finished = 0, failed = 0;
  };

  const invocation& in_;
  admin::client& controller_;
  time_point last_{};
  std::map<std::string, counted> channels_;   // at the last answer
  std::map<std::uint64_t, double> programs_;  // results, by worker
};

}  // namespace jobctl::cli
