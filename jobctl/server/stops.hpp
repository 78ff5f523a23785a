// Operators' orders to stop a channel or a host, and to start it again: passed to the controller, kept over
// restarts (stops_file.hpp), logged, and told to those who watch.
//
// Thread safety: the loop's thread. Lifetime: what `surroundings` refers to outlives it.
#pragma once

#include "jobctl/controller/controller.hpp"
#include "jobctl/server/event_log.hpp"
#include "jobctl/server/server.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace jobctl {

class stops {
 public:
  struct surroundings {
    jobctl::controller& controller;
    event_log& events;
    server_counters& counters;
    std::function<std::string()> path;  ///< of the file
    std::function<std::optional<channel_no>(std::string_view)> find_channel;
    /// What the controller has recorded until now goes to those who watch.
    std::function<void()> take_transitions;
    std::function<void()> after_events;
  };

  explicit stops(surroundings s) : s_(std::move(s)) {}

  /// What was stopped when the last controller ended; before anything is given out. Errors: load_stops().
  mta::result<> restore(time_point now);
  stop_change impose(time_point now, const standing_stop&);
  stop_change lift(time_point now, const standing_stop& place);
  void carry_out(const action::stop_ended&, time_point now);

 private:
  bool keep();
  void tell(time_point now, bool stopped, const standing_stop&, const std::string& words);

  surroundings s_;
};

}  // namespace jobctl
