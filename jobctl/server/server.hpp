// The running job controller of one site: sockets, timers, scans, maintenance and processes around the pure
// controller. Events from all of them become controller calls; what the controller wants done (its actions)
// is carried out before the event's handler returns.
//
// Thread safety: every member is to be called on the thread that runs the io_context, except background() and
// now(). Lifetime: the io_context and whatever the handlers capture outlive the server. Nothing here blocks,
// apart from open() and the destructor.
//
//   boost::asio::io_context io;
//   server s(io, settings, options);
//   if (auto opened = s.open(); !opened) …;   // lock, directories, sockets; the scan begins
//   io.run();                                 // returns after stop() has come to its end
#pragma once

#include "base/error.hpp"
#include "config/settings.hpp"
#include "jobctl/controller/controller.hpp"
#include "jobctl/controller/periodic.hpp"
#include "jobctl/server/event_log.hpp"
#include "jobctl/server/order_note.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace boost::asio {
class io_context;
}
namespace mta::queue {
class store;
class file_io;
}  // namespace mta::queue

namespace jobctl {

struct server_options {
  std::string explicit_config;  ///< --config, for reload(); as for mta::config::find_site()
  std::string explicit_root;    ///< --root, likewise
  unsigned pool_threads = 2;    ///< for scans and maintenance
  /// Called once, when stop() has come to its end. Default: the io_context is stopped.
  std::function<void()> on_stopped;
  /// Messages for the service manager ("READY=1" …), as for sd_notify(3).
  std::function<void(const char*)> notify;
  /// Opens log files anew, at reload; and takes the log level of new settings.
  std::function<void(const mta::config::settings&)> reopen_logs;
};

/// A process that the controller launched and that has not ended.
struct job_info {
  job_no job{};
  channel_no channel{};
  pid_t pid = 0;
  bool connected = false;  ///< it has said hello
  bool stopping = false;   ///< it was told to stop
  time_point started{};
};

/// A launched process that has ended, or could not be started (pid 0).
struct ended_job {
  job_no job{};
  channel_no channel{};
  pid_t pid = 0;
  time_point started{}, ended{};
  bool clean = false;
  std::string status;  ///< "exited with status 3"
};

/// A connected channel program, launched or started by hand.
struct worker_info {
  worker_no worker{};
  channel_no channel{};
  job_no job{};  ///< 0: not launched by this controller
  pid_t pid = 0;
  std::uint32_t max_threads = 0;
  bool stopping = false;
  time_point connected{};
  std::uint64_t leased = 0;   ///< messages given to it
  std::uint64_t results = 0;  ///< results received from it
};

/// How far the index is. Times are epoch until they have happened.
struct scan_progress {
  bool complete = false;            ///< every file that was there at the start has been read
  std::uint64_t files = 0;          ///< message files known at present
  std::uint64_t files_to_read = 0;  ///< of the scan at the start
  std::uint64_t files_read = 0;
  std::uint64_t messages_found = 0;  ///< by scans, since the start
  std::uint64_t damaged = 0;         ///< entries and files found damaged
  std::uint64_t syncs = 0;           ///< periodic comparisons of directories and index that are done
  time_point started{}, first_lease{}, completed{}, last_sync{};
};

/// Since the start.
struct server_counters {
  std::uint64_t connections = 0, refused = 0, protocol_errors = 0;
  std::uint64_t frames_received = 0, frames_sent = 0;
  std::uint64_t announced = 0;  ///< messages named by enqueuers
  std::uint64_t leased = 0, results = 0;
  std::uint64_t launches = 0, launch_failures = 0, unclean_exits = 0;
  std::uint64_t files_reset = 0, files_removed = 0, messages_moved = 0, set_aside = 0, states_written = 0;
  std::uint64_t states_delayed = 0;  ///< attempts to write a state that found the message in hand
  std::uint64_t flushes = 0;
  std::uint64_t warned = 0, expired = 0;  ///< messages that waited too long: senders told, messages returned
  std::uint64_t io_errors = 0;            ///< of scans and maintenance, each with a line in the log
};

/// An order on messages, and who gives it.
struct message_order {
  jobctl::verb verb{};
  order_note note;
  time_point until{};                  ///< hold: when it ends by itself; epoch: it does not
  std::string to_channel;              ///< route; empty: it stays
  std::optional<std::string> to_host;  ///< route; nothing: it stays
  bool dry_run = false;                ///< only counted; nothing is changed
};
struct order_counts {
  std::uint64_t changed = 0, unchanged = 0;
  std::uint64_t in_hand = 0;  ///< hold: held when they come back; else left as they are
  std::uint64_t failed = 0;   ///< left as they are, with a line in the log
};
struct order_outcome {
  std::map<std::string, order_counts> channels;
  std::uint64_t not_found = 0;
  /// States that could not be written, each with a line in the log: it is done, and would be undone by a
  /// restart.
  std::uint64_t write_errors = 0;
};

/// What became of an order to stop or start a channel or a host.
struct stop_change {
  bool changed = false;  ///< false: it was so already
  bool written = true;   ///< false: in force, but a restart would undo it; the log says why
};

struct reload_report {
  bool ok = false;
  std::vector<std::string> lines;    ///< every problem ("FILE:LINE: TEXT"), or what was changed
  std::vector<std::string> notes{};  ///< what somebody who changed something should know besides
};

class server {
 public:
  server(boost::asio::io_context&, mta::config::settings, server_options = {});
  ~server();
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  /// Makes the site's directories, takes its lock, listens for programs, begins to scan. Errors: errc::busy,
  /// another controller has the site (the context says which process); the system's.
  mta::result<> open();
  /// Programs are told to finish and to leave; those that take longer than `stop_timeout` get SIGTERM, then
  /// SIGKILL. Ends with on_stopped. A second call shortens the waiting to a second or so.
  void stop(std::string_view why);
  /// The same, but programs are told nothing: they go on with what they hold and connect to the next
  /// controller (docs/protocol.md, "When the connection is lost"). For upgrades. While it is stopping
  /// already: nothing.
  void leave(std::string_view why);
  bool stopping() const;
  /// Reads the configuration again and applies it at once; with any error everything stays as it was. Reopens
  /// logs either way.
  reload_report reload();

  // --- what operators see
  // ------------------------------------------------------------------------------------------
  /// For questions. What changes something goes through the members below, which carry out what follows from
  /// it.
  const controller& state() const;
  /// The settings in force; replaced as a whole by reload().
  const mta::config::settings& settings() const;
  std::vector<job_info> jobs() const;
  /// The latest first, at most 100.
  std::vector<ended_job> ended_jobs() const;
  std::vector<worker_info> workers() const;
  /// Periodic jobs, sorted by name.
  const std::vector<periodic_status>& periodic() const;
  scan_progress progress() const;
  server_counters counters() const;
  /// When counting of what controller::totals() says began.
  time_point counting_since() const;
  /// What happened lately. Changed by the server only.
  event_log& events();
  /// The path of the program that serves a channel, with its arguments; empty: none is configured.
  std::string program_of(channel_no) const;
  /// The number of a channel that is configured or has a queue directory. False: neither.
  bool find_channel(std::string_view name, channel_no&);

  // --- what operators do
  // -------------------------------------------------------------------------------------------
  /// Makes every deferred message due now, and launches a program even if the last one died.
  void run_channel(channel_no);
  /// controller::impose() and lift(), kept across restarts. Of the latter's order channel, host and `by`
  /// count.
  stop_change impose(const standing_stop&);
  stop_change lift(const standing_stop&);
  void hold(std::span<const message_id>);
  void release(std::span<const message_id>);
  /// Any order, on any number of messages; `done` is called later, when everything is on the disk.
  void order(message_order, std::vector<message_id>, std::function<void(order_outcome)> done);
  /// Starts a periodic job now. Errors: errc::not_configured; errc::busy, it runs already; why it cannot be
  /// started.
  mta::result<> run_periodic(std::string_view name);
  /// Compares the queue directories with the index now instead of at the next interval.
  void sync();

  // --- for what runs beside it (the admin API)
  // -----------------------------------------------------------------------
  boost::asio::io_context& io();
  mta::queue::store& store();
  /// Runs `work` on a thread of the pool, for file access. It must not throw, must not touch the server, and
  /// hands its outcome back with boost::asio::post(io, …). Any thread.
  void background(std::function<void()> work);
  static time_point now();

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace jobctl
