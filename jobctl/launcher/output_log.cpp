#include "jobctl/launcher/output_log.hpp"

#include <chrono>
#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

namespace jobctl {
namespace {

std::string utc_now() {
  using namespace std::chrono;
  const auto now = floor<milliseconds>(system_clock::now());
  const auto seconds_part = floor<seconds>(now);
  const std::time_t t = system_clock::to_time_t(seconds_part);
  std::tm broken{};
  ::gmtime_r(&t, &broken);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", broken.tm_year + 1900, broken.tm_mon + 1,
                     broken.tm_mday, broken.tm_hour, broken.tm_min, broken.tm_sec,
                     (now - seconds_part).count());
}

}  // namespace

output_log::output_log(std::string path, std::uint64_t limit) : path_(std::move(path)), limit_(limit) {}

output_log::~output_log() {
  write();
  reopen();
}

void output_log::add(pid_t pid, std::string_view line) {
  fmt::format_to(std::back_inserter(pending_), "{} [{}] {}\n", utc_now(), pid, line);
  ++pending_lines_;
}

void output_log::write() {
  if (pending_.empty()) return;
  if (descriptor_ >= 0 && size_ > 0 && size_ + pending_.size() > limit_) rotate();
  if (descriptor_ < 0) open();
  if (descriptor_ >= 0 && lost_lines_ != 0) {
    pending_.insert(0, fmt::format("{} [{}] jobctl: {} lines could not be written here\n", utc_now(),
                                   ::getpid(), lost_lines_));
  }
  std::size_t done = 0;
  while (descriptor_ >= 0 && done < pending_.size()) {
    const ssize_t n = ::write(descriptor_, pending_.data() + done, pending_.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += static_cast<std::size_t>(n);
  }
  size_ += done;
  lost_lines_ = done == pending_.size() ? 0 : lost_lines_ + pending_lines_;
  pending_.clear();
  pending_lines_ = 0;
}

void output_log::open() {
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
  if (descriptor_ < 0) return;
  struct stat s {};
  size_ = ::fstat(descriptor_, &s) == 0 ? static_cast<std::uint64_t>(s.st_size) : 0;
  if (size_ >= limit_) {
    rotate();
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
  }
}

void output_log::rotate() {
  reopen();
  // If the rename fails the file grows past its limit, which is better than losing what it says.
  (void)::rename(path_.c_str(), (path_ + ".1").c_str());
}

void output_log::reopen() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
  size_ = 0;
}

void output_lines::feed(std::string_view bytes, const line_handler& handle) {
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const auto part = bytes.substr(0, end);
    if (partial_.size() + part.size() > longest) {
      const auto room = longest - partial_.size();
      partial_.append(part.substr(0, room));
      handle(partial_);
      partial_.clear();
      bytes.remove_prefix(room);
      continue;
    }
    if (end == std::string_view::npos) {
      partial_.append(part);
      return;
    }
    if (partial_.empty()) {
      handle(part);
    } else {
      partial_.append(part);
      handle(partial_);
      partial_.clear();
    }
    bytes.remove_prefix(end + 1);
  }
}

void output_lines::finish(const line_handler& handle) {
  if (!partial_.empty()) handle(partial_);
  partial_.clear();
}

}  // namespace jobctl
