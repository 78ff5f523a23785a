#include "jobctl/server/backlog_file.hpp"

#include "enqueue/backlog.hpp"
#include "jobctl/server/log.hpp"
#include "jobctl/server/small_file.hpp"

#include <unistd.h>

namespace jobctl {

backlog_file::backlog_file(boost::asio::io_context& io, const controller& core, std::string path)
    : core_(core), path_(std::move(path)), timer_(io) {}

void backlog_file::changed() {
  std::vector<mta::enqueue::full_channel> all;
  for (const full_backlog& f : core_.full_backlogs())
    all.push_back(
        {f.channel == no_channel ? std::string() : core_.channel_name(f.channel), f.messages, f.limit});
  if (all.empty()) return remove();
  // Not flushed: after a crash of the machine it is removed anyway.
  const auto written = replace_file(path_, mta::enqueue::backlog_text(all), durability::of_the_kernel);
  if (!written && !failed_)
    log(log_level::error, "tell enqueuers what is full: {}; they go on", written.error().message());
  failed_ = !written;
  // It counts for a while only.
  timer_.expires_after(mta::enqueue::backlog_refresh);
  timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled) changed();
  });
}

void backlog_file::remove() {
  timer_.cancel();
  ::unlink(path_.c_str());
}

}  // namespace jobctl
