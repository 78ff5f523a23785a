// The processes of channel programs: starting them, keeping what they print, noticing how they end, stopping
// them.
//
// A program outlives its controller: it is in a process group of its own, and it holds both ends of the pipe
// that it prints to, so that a controller that is killed does not take it along (no SIGPIPE). The next
// controller takes over that pipe with adopt_output() when the program reconnects.
//
// Thread safety: none; everything happens on the thread that runs the io_context. Lifetime: the io_context
// must outlive it. Destroying it kills nobody and calls no handler.
#pragma once

#include "base/error.hpp"
#include "jobctl/launcher/process.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <sys/types.h>

namespace boost::asio {
class io_context;
}

namespace jobctl {

struct launcher_options {
  std::string log_directory;            ///< output of channel `x` goes to <log_directory>/x.log
  std::uint64_t log_limit = 10u << 20;  ///< bytes; see output_log.hpp
};

class launcher {
 public:
  /// How a process ended, after everything it had printed until then was logged. `wait_status` as from
  /// waitpid(2).
  using exit_handler = std::function<void(std::uint64_t job, pid_t pid, int wait_status)>;

  launcher(boost::asio::io_context&, launcher_options, exit_handler);
  ~launcher();
  launcher(const launcher&) = delete;
  launcher& operator=(const launcher&) = delete;

  /// Starts a program for `channel` under the caller's number `job`, which must be unused. Returns its
  /// process id; the exit handler is called once, later. Errors: as spawn(), and the system's for want of
  /// descriptors; then nothing was started.
  mta::result<pid_t> start(std::uint64_t job, const std::string& channel, const command&);
  /// SIGTERM to its process group now, SIGKILL after `patience` if it is still there (zero: SIGKILL now).
  /// Repeated calls can only shorten the wait. Unknown jobs are ignored.
  void stop(std::uint64_t job, std::chrono::milliseconds patience);
  /// Is a process of that number running (started, and its end not yet reported)?
  bool running(std::uint64_t job) const;
  std::size_t running_count() const;

  /// Logs what a program that an earlier controller started prints from now on, and what it printed
  /// meanwhile. Does nothing when its standard output is no pipe. Error: it may not be opened, which
  /// is so for a program of another user, unless we are root.
  mta::result<> adopt_output(pid_t pid, const std::string& channel);

  /// Opens the log files anew, after they were moved away.
  void reopen_logs();

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace jobctl
