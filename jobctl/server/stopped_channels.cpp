#include "jobctl/server/stopped_channels.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

namespace jobctl {

mta::result<std::set<std::string>> load_stopped_channels(const std::string& path) {
  std::set<std::string> names;
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    if (errno == ENOENT) return names;
    return mta::os_error("read " + path);
  }
  std::string text;
  char buffer[4096];
  ssize_t n;
  while ((n = ::read(file, buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<std::size_t>(n));
  const int number = errno;
  ::close(file);
  if (n < 0) return mta::os_error("read " + path, number);
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    if (end > at) names.insert(text.substr(at, end - at));
    at = end + 1;
  }
  return names;
}

mta::result<> save_stopped_channels(const std::string& path, const std::set<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += name + '\n';
  const auto temporary = path + ".new";
  const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (file < 0) return mta::os_error("write " + temporary);
  const ssize_t written = ::write(file, text.data(), text.size());
  int number = written < 0 ? errno : ENOSPC;
  bool good = written == static_cast<ssize_t>(text.size());
  if (good && ::fsync(file) != 0) {
    number = errno;
    good = false;
  }
  ::close(file);
  if (!good) return mta::os_error("write " + temporary, number);
  if (::rename(temporary.c_str(), path.c_str()) != 0) return mta::os_error("write " + path);
  return {};
}

}  // namespace jobctl
