#include "jobctl/server/backlog_file.hpp"

#include "base/error.hpp"
#include "enqueue/backlog.hpp"
#include "jobctl/server/log.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

namespace jobctl {

namespace {

// No flush: after a crash of the machine it is removed anyway.
mta::result<> write_file(const std::string& path, const std::string& text) {
  const auto temporary = path + ".new";
  const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (file < 0) return mta::os_error("write " + temporary);
  const ssize_t written = ::write(file, text.data(), text.size());
  const int number = written < 0 ? errno : ENOSPC;
  ::close(file);
  if (written != static_cast<ssize_t>(text.size())) return mta::os_error("write " + temporary, number);
  if (::rename(temporary.c_str(), path.c_str()) != 0) return mta::os_error("write " + path);
  return {};
}

}  // namespace

backlog_file::backlog_file(boost::asio::io_context& io, const controller& core, std::string path)
    : core_(core), path_(std::move(path)), timer_(io) {}

void backlog_file::changed() {
  std::vector<mta::enqueue::full_channel> all;
  for (const full_backlog& f : core_.full_backlogs())
    all.push_back(
        {f.channel == no_channel ? std::string() : core_.channel_name(f.channel), f.messages, f.limit});
  if (all.empty()) return remove();
  const auto written = write_file(path_, mta::enqueue::backlog_text(all));
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
