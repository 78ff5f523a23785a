// The controller's totals, kept in a file (counters_file.hpp) in the turn in which they change: nothing that
// was told to anybody is forgotten with a kill -9.
//
// Thread safety: the loop's thread. Lifetime: what it is made with outlives it.
#pragma once

#include "jobctl/controller/controller.hpp"
#include "jobctl/server/counters_file.hpp"
#include "jobctl/server/work_pool.hpp"

#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jobctl {

class kept_totals {
 public:
  kept_totals(boost::asio::io_context& io, work_pool& pool, controller& core)
      : pool_(pool), core_(core), timer_(io) {}

  /// Takes up the totals of the last controller. What is wrong with the file is logged; counting begins anew.
  void open(const std::string& path, time_point now,
            const std::function<std::optional<channel_no>(std::string_view)>& find_channel);
  time_point since() const { return file_.since(); }
  /// At the end of each turn.
  void keep();
  /// Nothing is started any more.
  void stop() { timer_.cancel(); }

 private:
  void sync_soon();

  work_pool& pool_;
  controller& core_;
  counters_file file_;
  std::vector<channel_totals> kept_;  // by channel_no: what is in the file
  bool changed_ = false;              // since it was written to the disk
  boost::asio::steady_timer timer_;
};

}  // namespace jobctl
