// What the storm's programs agree on: the shared log, and message bodies that can be told from torn ones.
//
// The log is one file that everybody appends to, a whole event per write(2), so that its order is the order
// of events and a killed process leaves whole lines:
//   A id recipients          acknowledged: the enqueuer was told that it is queued
//   B id recipient pid       process_message was entered with this recipient
//   D id recipient pid       it is about to be deferred
//   F id recipient pid       it was finished: mtaDequeueMessageFinish() returned MTA_OK
//   N id recipient notification   a notification says that this recipient failed
//   X what                   something that must not happen
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <unistd.h>

namespace storm {

class event_log {
 public:
  explicit event_log(const char* path)
      : descriptor_(::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {
    if (descriptor_ < 0) {
      std::perror(path);
      std::_Exit(2);
    }
  }
  void write(std::string_view lines) const {
    if (::write(descriptor_, lines.data(), lines.size()) != static_cast<ssize_t>(lines.size())) std::_Exit(2);
  }

 private:
  int descriptor_;
};

/// Lines of body that follow from the id alone.
inline std::string body_line(std::string_view id, unsigned number) {
  std::uint64_t x = 0x9E3779B97F4A7C15u + number;
  for (unsigned char c : id) x = (x ^ c) * 0x100000001b3u;
  std::string line;
  for (unsigned i = 0; i < 8 + number % 9; ++i) {
    x ^= x >> 29;
    x *= 0xBF58476D1CE4E5B9u;
    char text[20];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(x));
    line += text;
  }
  return line;
}

}  // namespace storm
