#include "jobctl/server/log.hpp"

#include "jobctl/server/journal.hpp"

#include <cstdio>
#include <fcntl.h>
#include <memory>
#include <mutex>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <syslog.h>
#include <unistd.h>

namespace jobctl {
namespace {

// A file that lines are appended to, one write a line, so that nothing of a line is lost when the process is
// killed after it.
class appending_sink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  ~appending_sink() override {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  mta::result<> open(const std::string& path) {
    const int opened = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
    if (opened < 0) return mta::os_error("open the log " + path);
    const std::lock_guard guard(mutex_);
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = opened;
    return {};
  }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    if (descriptor_ < 0) return;
    spdlog::memory_buf_t text;
    formatter_->format(message, text);
    for (std::size_t done = 0; done < text.size();) {
      const ssize_t n = ::write(descriptor_, text.data() + done, text.size() - done);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return;  // a full disk must not stop the mail; standard error has the line too
      done += static_cast<std::size_t>(n);
    }
  }
  void flush_() override {}

  int descriptor_ = -1;
};

// Standard error, or the journal with fields when it is that: never both.
class stderr_sink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  stderr_sink() : to_journal_(standard_error_is_journal()) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::string_view line(message.payload.data(), message.payload.size());
    if (to_journal_ && journal_.send(priority_of(message.level), line)) return;
    spdlog::memory_buf_t text;
    formatter_->format(message, text);
    std::fwrite(text.data(), 1, text.size(), stderr);
  }
  void flush_() override { std::fflush(stderr); }

  static int priority_of(spdlog::level::level_enum level) {
    switch (level) {
      case spdlog::level::debug: return LOG_DEBUG;
      case spdlog::level::warn: return LOG_WARNING;
      case spdlog::level::err: return LOG_ERR;
      default: return LOG_INFO;
    }
  }

  const bool to_journal_;
  journal journal_;
};

struct sinks {
  std::shared_ptr<appending_sink> file = std::make_shared<appending_sink>();
  spdlog::logger logger;

  sinks() : logger("jobctl", {std::make_shared<stderr_sink>(), file}) {
    logger.set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l: %v", spdlog::pattern_time_type::utc);
    logger.flush_on(spdlog::level::trace);
  }
};

sinks& all() {
  static sinks instance;
  return instance;
}

spdlog::level::level_enum to_spdlog(log_level level) {
  switch (level) {
    case log_level::debug: return spdlog::level::debug;
    case log_level::info: return spdlog::level::info;
    case log_level::warning: return spdlog::level::warn;
    case log_level::error: return spdlog::level::err;
  }
  return spdlog::level::info;
}

}  // namespace

void write_log(log_level level, std::string_view line) { all().logger.log(to_spdlog(level), line); }
bool log_enabled(log_level level) noexcept { return all().logger.should_log(to_spdlog(level)); }
mta::result<> open_log(const std::string& path) { return all().file->open(path); }

void set_log_level(std::string_view name, bool verbose) {
  auto level = log_level::info;
  if (name == "debug" || verbose)
    level = log_level::debug;
  else if (name == "warning")
    level = log_level::warning;
  else if (name == "error")
    level = log_level::error;
  all().logger.set_level(to_spdlog(level));
}

}  // namespace jobctl
