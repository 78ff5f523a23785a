#include "jobctl/server/site.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <optional>
#include <sys/file.h>
#include <sys/stat.h>
#include <thread>
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

/// The process that noted itself in the lock file; 0: none.
pid_t holder(int descriptor) {
  char text[32];
  const ssize_t n = ::pread(descriptor, text, sizeof text, 0);
  pid_t pid = 0;
  std::from_chars(text, text + std::max<ssize_t>(n, 0), pid);
  return pid;
}

bool is_running(pid_t pid) { return ::kill(pid, 0) == 0 || errno != ESRCH; }

/// Takes the lock. A controller that was killed while it launched a program leaves the lock with the child
/// until that has become the program, a moment later: so for a holder that is gone, some time. Else the error
/// is EWOULDBLOCK.
int take_lock(int descriptor) {
  constexpr std::chrono::milliseconds patience = std::chrono::seconds(5), step = std::chrono::milliseconds(5);
  const auto late = std::chrono::steady_clock::now() + patience;
  while (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    const int failure = errno;
    const pid_t who = holder(descriptor);
    if (failure != EWOULDBLOCK || who == 0 || is_running(who) || std::chrono::steady_clock::now() > late)
      return failure;
    std::this_thread::sleep_for(step);
  }
  return 0;
}

/// Adds `mode` to what there is, if it is ours. Symbolic links are not followed: others may write into the
/// directories by now.
mta::result<> add_mode(const std::string& path, mode_t for_directory, mode_t for_file) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ENOENT || errno == ELOOP) return {};
    return mta::os_error("open " + path);
  }
  struct stat s {};
  int failure = ::fstat(fd, &s) == 0 ? 0 : errno;
  const mode_t mode = S_ISDIR(s.st_mode) ? for_directory : S_ISREG(s.st_mode) ? for_file : 0;
  const bool ours = s.st_uid == ::geteuid() || ::geteuid() == 0;
  if (failure == 0 && ours && (s.st_mode & mode) != mode && ::fchmod(fd, (s.st_mode & 07777) | mode) != 0)
    failure = errno;
  ::close(fd);
  if (failure != 0) return mta::os_error("let the group write " + path, failure);
  return {};
}

}  // namespace

mta::result<> open_to_group(const mta::config::settings& s) {
  namespace fs = std::filesystem;
  std::optional<mta::error> first;
  const auto add = [&](const std::string& path) {
    if (auto done = add_mode(path, 0770, 0660); !done && !first) first = done.error();
  };
  // A directory before what is in it: what somebody makes meanwhile is either made open, or found here.
  std::error_code failed;
  add(s.queue_root());
  for (fs::recursive_directory_iterator each(s.queue_root(), fs::directory_options::none, failed), end;
       !failed && each != end; each.increment(failed))
    add(each->path().string());
  if (failed && !first) first = mta::error(failed, "list " + s.queue_root());
  add(s.log_directory());
  add(s.log_directory() + "/mail.log_current");
  add(s.log_directory() + "/mail.log.json");
  struct stat root {};
  if (::stat(s.root.c_str(), &root) != 0) return mta::os_error("look at " + s.root);
  if (!first && (root.st_mode & S_IXOTH) == 0 &&
      (root.st_gid != ::getegid() || (root.st_mode & S_IXGRP) == 0))
    first =
        mta::error(std::make_error_code(std::errc::permission_denied),
                   fmt::format("programs with a `user` of their own cannot enter {}: let the controller's "
                               "group in (chgrp {} {}; chmod g+x {})",
                               s.root, ::getegid(), s.root, s.root));
  if (first) return *first;
  return {};
}

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
  if (const int failure = take_lock(lock.descriptor_); failure != 0) {
    if (failure != EWOULDBLOCK) return mta::os_error("lock " + path, failure);
    const pid_t who = holder(lock.descriptor_);
    return mta::error(
        mta::errc::busy,
        fmt::format("{} is the controller of {} already (it holds {}); stop it first",
                    who == 0 ? "another process" : fmt::format("process {}", who), s.root, path));
  }
  const auto pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(lock.descriptor_, 0) != 0 ||
      ::pwrite(lock.descriptor_, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return mta::os_error("write " + path);
  }
  return lock;
}

}  // namespace jobctl
