// Tells enqueuers which channels are full: keeps the file that enqueue/backlog.hpp describes.
//
// Thread safety: none; the loop's thread. Lifetime: what it is given outlives it.
#pragma once

#include "jobctl/controller/controller.hpp"

#include <boost/asio/steady_timer.hpp>

#include <string>

namespace jobctl {

class backlog_file {
 public:
  backlog_file(boost::asio::io_context&, const controller&, std::string path);

  /// A channel has become full, or is not any more. The file says so when this returns; what cannot be
  /// written is in the log, and enqueuers are not refused.
  void changed();
  /// At the start and at the end: without a controller nothing is full.
  void remove();

 private:
  const controller& core_;
  const std::string path_;
  boost::asio::steady_timer timer_;
  bool failed_ = false;  // and it is in the log
};

}  // namespace jobctl
