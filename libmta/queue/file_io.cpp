#include "queue/file_io.hpp"

#include "base/descriptor.hpp"

#include <algorithm>
#include <array>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>
#include <utility>

namespace mta::queue {
namespace {

class real_file final : public file {
 public:
  real_file(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~real_file() override { ::close(fd_); }
  real_file(const real_file&) = delete;
  real_file& operator=(const real_file&) = delete;

  result<std::size_t> read(std::uint64_t offset, std::span<std::byte> buffer) override {
    std::size_t done = 0;
    while (done < buffer.size()) {
      const ssize_t n =
          ::pread(fd_, buffer.data() + done, buffer.size() - done, static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return os_error("read " + path_);
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    return done;
  }

  result<> write(std::uint64_t offset, std::span<const std::span<const std::byte>> pieces) override {
    std::array<iovec, 8> vectors{};
    std::size_t count = 0;
    for (const auto& piece : pieces) {
      if (piece.empty()) continue;
      if (count == vectors.size()) return error(errc::out_of_range, "write " + path_ + " in too many pieces");
      vectors[count++] = {const_cast<std::byte*>(piece.data()), piece.size()};
    }
    iovec* next = vectors.data();
    while (count > 0) {
      const ssize_t n = ::pwritev(fd_, next, static_cast<int>(count), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return os_error("write " + path_);
      offset += static_cast<std::uint64_t>(n);
      auto written = static_cast<std::size_t>(n);
      while (count > 0 && written >= next->iov_len) {
        written -= next->iov_len;
        ++next;
        --count;
      }
      if (count > 0) {
        next->iov_base = static_cast<char*>(next->iov_base) + written;
        next->iov_len -= written;
      }
    }
    return {};
  }

  result<> append(std::span<const std::byte> data) override {
    while (!data.empty()) {
      const ssize_t n = ::write(fd_, data.data(), data.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return os_error("append to " + path_);
      data = data.subspan(static_cast<std::size_t>(n));
    }
    return {};
  }

  result<> flush() override {
    if (::fdatasync(fd_) != 0) return os_error("flush " + path_);
    return {};
  }

  result<std::uint64_t> size() override {
    struct stat info {};
    if (::fstat(fd_, &info) != 0) return os_error("stat " + path_);
    return static_cast<std::uint64_t>(info.st_size);
  }

  result<> truncate(std::uint64_t to) override {
    if (::ftruncate(fd_, static_cast<off_t>(to)) != 0) return os_error("truncate " + path_);
    return {};
  }

  result<bool> try_lock(std::uint64_t first, std::uint64_t count) override {
    return set_lock(F_WRLCK, first, count);
  }

  result<> unlock(std::uint64_t first, std::uint64_t count) override {
    if (const auto done = set_lock(F_UNLCK, first, count); !done) return done.error();
    return {};
  }

  result<bool> is_unlocked(std::uint64_t first, std::uint64_t count) override {
    struct flock lock = range(F_WRLCK, first, count);
    if (::fcntl(fd_, F_OFD_GETLK, &lock) != 0) return os_error("test a lock of " + path_);
    return lock.l_type == F_UNLCK;
  }

 private:
  static struct flock range(short type, std::uint64_t first, std::uint64_t count) {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = static_cast<off_t>(first);
    lock.l_len = static_cast<off_t>(count);
    return lock;
  }

  result<bool> set_lock(short type, std::uint64_t first, std::uint64_t count) {
    struct flock lock = range(type, first, count);
    while (::fcntl(fd_, F_OFD_SETLK, &lock) != 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EACCES) return false;
      return os_error("lock " + path_);
    }
    return true;
  }

  int fd_;
  std::string path_;
};

/// What is made here can be used by whom the directory is for. What root makes belongs to the directory's
/// owner and group: mail that root submits (cron does) must be the site's user's to work off. Where the group
/// may write into the directory (channels have users of their own), it may write what is made in it, whatever
/// the umask of whoever makes it.
result<> share_as_directory(int fd, mode_t mode, const std::string& path) {
  struct stat directory {};
  if (::stat(path.substr(0, path.find_last_of('/') + 1).c_str(), &directory) != 0)
    return os_error("look up the owner of the directory of " + path);
  if (::geteuid() == 0 && (directory.st_uid != 0 || directory.st_gid != 0) &&
      ::fchown(fd, directory.st_uid, directory.st_gid) != 0)
    return os_error("give " + path + " to user " + std::to_string(directory.st_uid));
  if ((directory.st_mode & S_IWGRP) == 0) return {};
  struct stat about {};
  if (::fstat(fd, &about) != 0) return os_error("look up the mode of " + path);
  const bool ours = ::geteuid() == 0 || about.st_uid == ::geteuid();  // it may have been there before
  if (ours && (about.st_mode & mode) != mode && ::fchmod(fd, mode) != 0)
    return os_error("let the group write " + path);
  return {};
}

class real_io final : public file_io {
 public:
  result<std::unique_ptr<file>> open(const std::string& path, open_mode mode) override {
    int flags = O_CLOEXEC;
    switch (mode) {
      case open_mode::read_write: flags |= O_RDWR; break;
      case open_mode::create_new: flags |= O_RDWR | O_CREAT | O_EXCL; break;
      case open_mode::append_create: flags |= O_RDWR | O_CREAT | O_APPEND; break;
    }
    const int fd = above_standard(::open(path.c_str(), flags, 0640));
    if (fd < 0) return os_error("open " + path);
    auto opened = std::make_unique<real_file>(fd, path);
    if (mode != open_mode::read_write)
      if (const auto shared = share_as_directory(fd, 0660, path); !shared) return shared.error();
    return std::unique_ptr<file>(std::move(opened));
  }

  result<> rename(const std::string& from, const std::string& to) override {
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return {};
    int failure = errno;
    if (failure == EINVAL || failure == ENOSYS) {  // not every file system can do that
      failure = 0;
      if (::access(to.c_str(), F_OK) == 0)
        failure = EEXIST;
      else if (::rename(from.c_str(), to.c_str()) != 0)
        failure = errno;
    }
    if (failure != 0) return os_error("rename " + from + " to " + to, failure);
    return {};
  }

  result<> remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return os_error("remove " + path);
    return {};
  }

  result<std::vector<std::string>> list(const std::string& directory) override {
    DIR* const handle = ::opendir(directory.c_str());
    if (handle == nullptr) return os_error("list " + directory);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(handle)) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
      errno = 0;
    }
    const int failure = errno;
    ::closedir(handle);
    if (failure != 0) return os_error("list " + directory, failure);
    return names;
  }

  result<> make_directory(const std::string& directory) override {
    if (::mkdir(directory.c_str(), 0750) != 0) {
      if (errno == EEXIST) return {};
      return os_error("make directory " + directory);
    }
    const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return os_error("open directory " + directory);
    auto shared = share_as_directory(fd, 0770, directory);
    ::close(fd);
    return shared;
  }

  result<> flush_directory(const std::string& directory) override {
    const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return os_error("open directory " + directory);
    const int failure = ::fsync(fd) == 0 ? 0 : errno;
    ::close(fd);
    if (failure != 0) return os_error("flush directory " + directory, failure);
    return {};
  }

  result<std::uint64_t> free_space(const std::string& path) override {
    struct statvfs info {};
    if (::statvfs(path.c_str(), &info) != 0) return os_error("look up the free space of " + path);
    return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
  }
};

}  // namespace

file_io& real_file_io() {
  static real_io instance;
  return instance;
}

}  // namespace mta::queue
