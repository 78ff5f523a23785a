#include "dequeue/log.hpp"

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <new>
#include <string>
#include <sys/time.h>
#include <unistd.h>

namespace mta::dequeueing {

void write_log_line(std::string_view text) noexcept {
  try {
    timeval now{};
    ::gettimeofday(&now, nullptr);
    std::tm local{};
    ::localtime_r(&now.tv_sec, &local);
    char stamp[32];
    const int n = std::snprintf(stamp, sizeof stamp, "%02d:%02d:%02d.%02d: ", local.tm_hour, local.tm_min,
                                local.tm_sec, static_cast<int>(now.tv_usec / 10'000));
    std::string line;
    line.reserve(static_cast<std::size_t>(n) + text.size() + 1);
    line.assign(stamp, static_cast<std::size_t>(n));
    for (const char c : text)
      line += (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f ? ' ' : c;
    line += '\n';
    while (::write(STDOUT_FILENO, line.data(), line.size()) < 0 && errno == EINTR) {
    }
  } catch (const std::bad_alloc&) {
    // A line less.
  }
}

void log_problem(const error& e) noexcept {
  try {
    write_log_line(e.message());
  } catch (const std::bad_alloc&) {
    // A line less.
  }
}

}  // namespace mta::dequeueing
