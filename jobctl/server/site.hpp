// A site's directories, and the lock that makes sure that it has one controller (docs/architecture.md, A
// site's directories). Thread safety: none.
#pragma once

#include "base/error.hpp"
#include "config/settings.hpp"

#include <string>

namespace jobctl {

/// Makes root, queue, run and log where they are missing, mode 0750. Parents of the root must exist, except
/// its own parent. Errors: the system's, naming the directory.
mta::result<> make_site_directories(const mta::config::settings&);

/// Lets the controller's group write into queue/ and log/, and into what is there and belongs to the
/// controller: programs with users of their own are in that group. What is made there later is made so by
/// whoever makes it (queue/file_io). The root's own mode stays; error: the group may not enter it. Errors
/// otherwise: the system's, of the first thing that failed; the rest was done. Takes a few microseconds for
/// each message file.
mta::result<> open_to_group(const mta::config::settings&);

/// Held by the running controller; the kernel drops it when the process dies.
class site_lock {
 public:
  site_lock() = default;
  site_lock(site_lock&& other) noexcept : descriptor_(other.descriptor_) { other.descriptor_ = -1; }
  site_lock& operator=(site_lock&&) noexcept;
  ~site_lock();

  /// Locks <root>/run/jobctl.lock and writes our process id into it. errc::busy: another controller has it;
  /// the context says which process, and what to do. Waits up to 5 s where that process was killed and a
  /// child that it was just starting has the lock for a moment longer.
  static mta::result<site_lock> take(const mta::config::settings&);

 private:
  explicit site_lock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

}  // namespace jobctl
