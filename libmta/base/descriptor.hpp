// Descriptors of files that hold something to keep.
#pragma once

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace mta {

/// The same file under a descriptor above those of standard input, output and error. A program may have been
/// started with one of these closed; a file that took its place would be written over by the next error text.
/// Takes over `fd` (closed if another one is returned); negative: passed through, or there is none free, and
/// errno says why. Any thread.
inline int above_standard(int fd) noexcept {
  if (fd < 0 || fd > STDERR_FILENO) return fd;
  const int other = ::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  const int why = errno;
  ::close(fd);
  errno = why;
  return other;
}

}  // namespace mta
