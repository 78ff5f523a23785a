#include "jobctl/server/small_file.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

namespace jobctl {
namespace {

// The name of a file is on the disk when its directory is.
mta::result<> flush_directory_of(const std::string& path) {
  const std::string directory = path.substr(0, path.rfind('/'));
  const int file = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return mta::os_error("flush " + directory);
  const bool good = ::fsync(file) == 0;
  const int number = errno;
  ::close(file);
  return good ? mta::result<>() : mta::os_error("flush " + directory, number);
}

}  // namespace

mta::result<std::string> read_small_file(const std::string& path, std::size_t most) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0)
    return errno == ENOENT ? mta::result<std::string>(std::string()) : mta::os_error("read " + path);
  std::string text;
  char buffer[4096];
  ssize_t n = 0;
  while (text.size() < most && (n = ::read(file, buffer, std::min(sizeof buffer, most - text.size()))) > 0)
    text.append(buffer, static_cast<std::size_t>(n));
  const int number = errno;
  ::close(file);
  if (n < 0) return mta::os_error("read " + path, number);
  return text;
}

mta::result<> replace_file(const std::string& path, const std::string& text, durability how) {
  const auto temporary = path + ".new";
  const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (file < 0) return mta::os_error("write " + temporary);
  const ssize_t written = ::write(file, text.data(), text.size());
  int number = written < 0 ? errno : ENOSPC;
  bool good = written == static_cast<ssize_t>(text.size());
  if (good && how == durability::of_the_disk && ::fsync(file) != 0) {
    number = errno;
    good = false;
  }
  ::close(file);
  if (!good) return mta::os_error("write " + temporary, number);
  if (::rename(temporary.c_str(), path.c_str()) != 0) return mta::os_error("write " + path);
  return how == durability::of_the_disk ? flush_directory_of(path) : mta::result<>();
}

}  // namespace jobctl
