#include "jobctl/server/site.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace jobctl {
namespace {

mta::result<> make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0750) == 0) return {};
  const int number = errno;
  struct stat s {};
  if (number == EEXIST && ::stat(path.c_str(), &s) == 0) {
    if (S_ISDIR(s.st_mode)) return {};
    return mta::os_error("make directory " + path, ENOTDIR);
  }
  return mta::os_error("make directory " + path, number);
}

std::string holder(int descriptor) {
  char text[32];
  const ssize_t n = ::pread(descriptor, text, sizeof text, 0);
  std::string pid(text, n > 0 ? static_cast<std::size_t>(n) : 0);
  while (!pid.empty() && (pid.back() < '0' || pid.back() > '9')) pid.pop_back();
  return pid.empty() ? "another process" : "process " + pid;
}

}  // namespace

mta::result<> make_site_directories(const mta::config::settings& s) {
  struct stat existing {};
  if (::stat(s.root.c_str(), &existing) != 0) {
    if (const auto slash = s.root.rfind('/'); slash != std::string::npos && slash > 0) {
      if (auto made = make_directory(s.root.substr(0, slash)); !made) return made.error();
    }
  }
  for (const auto& path : {s.root, s.queue_root(), s.run_directory(), s.log_directory()}) {
    if (auto made = make_directory(path); !made) return made.error();
  }
  return {};
}

site_lock& site_lock::operator=(site_lock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

site_lock::~site_lock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

mta::result<site_lock> site_lock::take(const mta::config::settings& s) {
  const auto path = s.lock_file();
  site_lock lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  if (lock.descriptor_ < 0) return mta::os_error("open " + path);
  if (::flock(lock.descriptor_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return mta::os_error("lock " + path);
    return mta::error(mta::errc::busy,
                      fmt::format("{} is the controller of {} already (it holds {}); stop it first",
                                  holder(lock.descriptor_), s.root, path));
  }
  const auto pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(lock.descriptor_, 0) != 0 ||
      ::pwrite(lock.descriptor_, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return mta::os_error("write " + path);
  }
  return lock;
}

}  // namespace jobctl
