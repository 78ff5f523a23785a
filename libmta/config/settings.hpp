// Typed settings of a site: what docs/configuration.md describes, after parsing, checking and filling in of
// defaults. This header is light on purpose: whoever only reads settings does not pay for the parser
// (load.cpp).
//
// Thread safety: values; reading one object from many threads is safe. A reload makes a new object and swaps
// it in.
#pragma once

#include "base/error.hpp"
#include "config/schedule.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mta::config {

inline constexpr std::size_t max_channel_name = 32;  ///< CHANLENGTH, bytes
inline constexpr std::size_t max_address = 256;      ///< ALFA_SIZE, bytes
inline constexpr std::size_t max_backoff_steps = 8;
inline constexpr std::size_t max_notices = 5;

/// Waits after the 1st, 2nd, … failed attempt; the last one repeats. Never empty.
using backoff_schedule = std::vector<std::chrono::seconds>;

/// The channel that puts fragments together again.
inline constexpr std::string_view defragment_channel = "defragment";

/// Ages, increasing, at which the sender of a message is told that it still waits; at the last one it is
/// returned. Empty: never.
using notice_schedule = std::vector<std::chrono::seconds>;

/// When the postmaster gets a copy of a notification (`sendpost`, `warnpost`).
enum class post_copy : std::uint8_t {
  never,
  errors,        ///< if its sender cannot be told: there is none, or no way to him
  unless_empty,  ///< of each, unless the sender is empty
  always,
};

/// A pool of processes. The first pool of a site serves the channels that name none.
struct pool {
  std::string name;
  std::uint32_t job_limit = 10;  ///< simultaneous processes of all channels of the pool
};

/// What makes two recipients of one submission share a message record.
enum class grouping : std::uint8_t {
  channel,  ///< going to the same channel
  host,     ///< going to the same channel and destination host (`single_sys`)
};

/// So many messages in a time; 0: no limit.
struct rate {
  std::uint32_t messages = 0;
  std::chrono::milliseconds period{1000};
};

/// How fast messages go to one destination host: `host_…` of a channel, for all of its destinations, and
/// [host NAME], for that host in all channels. What is not given comes from the former, then from the
/// defaults.
struct host_settings {
  std::optional<std::uint32_t> concurrency;        ///< most messages in hand at a time; 0: no limit
  std::optional<bool> adaptive;                    ///< less as long as attempts fail
  std::optional<config::rate> rate;                ///< most messages in a time
  std::optional<std::uint32_t> run;                ///< to one program in a row, while other hosts wait
  std::optional<std::uint32_t> weight;             ///< multiplies `run`
  std::optional<std::uint32_t> failures;           ///< attempts in a row that failed: it is dead; 0: never
  std::optional<std::chrono::milliseconds> probe;  ///< then one message is tried so often
};

struct host {
  std::string pattern;  ///< "example.org", ".example.org" (those below it), "[192.0.2.1]"
  host_settings settings;
};

/// What a program's report of an overloaded target does to its channel (`stressblackout` …), and how that
/// ends.
struct stress_settings {
  std::chrono::seconds blackout{60}, time{120}, untime{120};
  std::uint32_t factor = 5, jobs = 2, unfactor = 5, unjobs = 2;
};

/// What the programs of a channel may use together; 0: no limit.
struct resource_limits {
  std::uint64_t memory = 0;  ///< `memory_max`, bytes
  std::uint32_t cpu = 0;     ///< `cpu_max`, percent of one processor
  std::uint32_t tasks = 0;   ///< `tasks_max`, processes and threads

  bool any() const { return memory != 0 || cpu != 0 || tasks != 0; }
};

struct channel {
  std::string name;  ///< lower case, at most max_channel_name bytes
  std::vector<std::string>
      program;              ///< argv; empty: messages only wait here. See find_program() for program[0]
  std::string option_file;  ///< absolute path for PMDF_CHANNEL_OPTION; empty: written from `options`, if any
  std::vector<std::pair<std::string, std::string>>
      options;                              ///< `option.NAME = value`, in file order; NAME lower case
  std::string pool;                         ///< always the name of a pool of these settings
  std::string host;                         ///< the channel's official host name; never empty
  std::uint32_t max_jobs = 100;             ///< `maxjobs`
  std::uint32_t thread_depth = 10;          ///< `threaddepth`: waiting messages that deserve one more thread
  std::uint32_t threads_per_job = 20;       ///< `threads`: assumed for a program that is not yet connected
  std::uint32_t weight = 1;                 ///< its share of its pool's places, when they are scarce
  host_settings hosts;                      ///< of its destinations
  std::array<backoff_schedule, 3> backoff;  ///< by priority: urgent, normal, nonurgent
  std::array<notice_schedule, 3> notices;   ///< by priority
  std::uint32_t backoff_jitter = 0;         ///< percent by which a wait is longer or shorter, up to
  std::array<delivery_window, 3> windows;   ///< `window`: when messages are handed out, by priority
  /// `urgentblocklimit`, `normalblocklimit`: larger messages get the next lower priority. Blocks; 0: no
  /// limit.
  std::array<std::uint32_t, 2> block_limits{};
  std::chrono::seconds max_life_time{
      0};  ///< a program that is connected for so long is told to finish; 0: never
  std::uint32_t max_life_askwork = 0;  ///< likewise after so many messages
  std::uint32_t files_per_job = 0;  ///< `filesperjob`: messages that deserve a process of their own; 0: none
  std::string user;                 ///< that its program and slave command run as; empty: the controller's
  std::vector<std::string> slave;   ///< command that fetches mail, run every `poll`; empty: none
  std::chrono::seconds poll{0};
  post_copy send_post = post_copy::never;  ///< `sendpost`: of failures
  post_copy warn_post = post_copy::never;  ///< `warnpost`: of delays
  grouping group = grouping::channel;
  std::uint32_t delivery_flags =
      0;                 ///< `deliveryflags`: ORed into the flags of what is enqueued to this channel
  bool logging = true;   ///< write accounting records
  bool stopped = false;  ///< `stop`: start no program
  /// Enqueuers are told to try again later while the channel holds so many messages; 0: no limit.
  std::uint32_t backlog_limit = 0;
  stress_settings stress;
  resource_limits limits;
  /// Larger messages to this channel are divided into message/partial ones (RFC 2046 5.2.2); 0: no limit.
  std::uint32_t max_blocks = 0;  ///< `maxblocks`, of settings::block_size bytes
  std::uint32_t max_lines = 0;   ///< `maxlines`
  /// Fragments for this channel go to the channel `defragment_channel` first, to be put together again.
  bool defragment = false;
};

/// Where a route leads.
struct route_target {
  std::string channel;
  std::string via;  ///< destination host to note instead of the address's own domain; empty: the domain
};

/// One line of a [routes] section.
struct route {
  std::string from;  ///< source channel that it applies to; empty: any
  std::string
      pattern;  ///< "example.org", ".example.org" (subdomains), "[10.0.0.1]", "[*]" (any literal) or "*"
  route_target target;
};

/// Free space that enqueueing must leave; whichever is more.
struct free_reserve {
  std::uint64_t bytes = 64ull << 20;
  std::uint32_t percent = 0;  ///< of the file system's size
};

struct queue_settings {
  free_reserve reserve;
  std::chrono::seconds sync_interval{60};  ///< how often the directories are compared with the index
  std::uint32_t keep_spare_files = 4;      ///< finished files kept per channel for reuse
  std::uint32_t backlog_limit = 0;         ///< as a channel's, of all channels together
};

struct controller_settings {
  std::chrono::seconds stop_timeout{30};  ///< for programs to finish, when the controller or a job is stopped
  std::uint32_t lease_batch = 64;         ///< most messages handed to a program at once
  std::chrono::milliseconds relaunch_first{1000},
      relaunch_last{300'000};      ///< delay after a program that died at once
  std::string log_level = "info";  ///< debug, info, warning, error
};

/// Delivery status notifications.
struct notify_settings {
  std::string templates;  ///< absolute path of the directory with the texts; empty: <root>/templates
  std::uint64_t content_limit = 1u << 20;     ///< larger content is not returned, only its header; bytes
  std::string name = "Mail Delivery System";  ///< display name of the postmaster who sends them
};

/// The API over TCP, beside the Unix socket.
struct http_settings {
  std::string listen;      ///< "127.0.0.1:9925", "[::1]:9925"; empty: not at all
  std::string token_file;  ///< absolute path of the file with the token that clients have to send
};

/// Defaults of mtaDequeueStart() and its C++ form; items given in code win.
struct dequeue_settings {
  std::chrono::seconds retry_interval{10};  ///< MTA_JBC_RETRY_INTERVAL
  std::uint32_t max_attempts = 5;           ///< MTA_JBC_MAX_ATTEMPTS
  std::chrono::seconds reply_timeout{30};   ///< MTA_JBC_TIMEOUT
  std::uint32_t max_threads = 20;           ///< MTA_THREAD_MAX_THREADS
  std::uint32_t max_messages = 20;          ///< MTA_THREAD_MAX_MESSAGES
  std::uint64_t stack_size = 1ull << 20;    ///< MTA_THREAD_STACK_SIZE, bytes
  std::chrono::seconds wait_timeout{1800};  ///< MTA_THREAD_WAIT_TIMEOUT
};

/// A command that is run at certain times.
struct periodic_job {
  std::string name;                  ///< as a channel's; of a channel's slave command: CHANNEL.slave
  std::vector<std::string> command;  ///< argv, never empty
  run_schedule schedule;
  bool run_missed = false;  ///< when it was not run because no controller was there: run it once afterwards
  std::chrono::seconds timeout{3600};
  std::string channel;  ///< of a slave command: its channel; else empty
};

/// In which forms accounting records are written (docs/accounting.md).
enum class accounting_form : std::uint8_t { none, text, json, both };

struct settings {
  std::string root;         ///< absolute
  std::string config_file;  ///< absolute path of the file they come from; empty: built-in defaults
  std::string host;         ///< official host name of the MTA, lower case
  std::string postmaster;   ///< address, default postmaster@<host>
  bool builtin = true;      ///< built-in channels and routes are present where the file does not replace them
  std::uint32_t block_size = 1024;  ///< mtaBlockSize(), bytes
  std::string aliases;              ///< absolute path of the aliases file; empty: there are no aliases
  accounting_form accounting = accounting_form::text;
  /// What unlabelled 8-bit text is called when it is submitted: a charset's name; "auto": utf-8 if it is
  /// that, else unknown-8bit; "no": it is not labelled.
  std::string charset8 = "auto";
  queue_settings queue;
  controller_settings controller;
  dequeue_settings dequeue;
  notify_settings notify;
  http_settings http;
  /// Messages with more Received: lines are put on hold when they are enqueued; 0: never.
  std::uint32_t loop_limit = 50;
  std::vector<pool> pools;          ///< never empty
  std::vector<channel> channels;    ///< sorted by name
  std::vector<config::host> hosts;  ///< in file order
  std::vector<route> routes;        ///< in file order, built-in ones last
  std::vector<periodic_job>
      periodic;  ///< of [periodic NAME], and of channels' slave commands; sorted by name

  std::string queue_root() const { return root + "/queue"; }
  std::string run_directory() const { return root + "/run"; }
  std::string log_directory() const { return root + "/log"; }
  std::string program_socket() const { return root + "/run/jobctl.sock"; }
  std::string api_socket() const { return root + "/run/api.sock"; }
  std::string templates_directory() const {
    return notify.templates.empty() ? root + "/templates" : notify.templates;
  }
  /// Which channels are full: see enqueue/backlog.hpp.
  std::string backlog_file() const { return root + "/run/full"; }
  std::string lock_file() const { return root + "/run/jobctl.lock"; }

  /// nullptr: not configured. Lifetime: that of the settings.
  const channel* find_channel(std::string_view name) const;
  const pool* find_pool(std::string_view name) const;

  /// The route for a domain or address literal, lower case, of mail that `source_channel` enqueues. Routes of
  /// the source channel are looked at first, then the general ones; in each: the exact name, then the longest
  /// subdomain pattern, then the default. nullptr: no route.
  const route_target* find_route(std::string_view domain, std::string_view source_channel) const;

  /// Path for PMDF_CHANNEL_OPTION: `option_file` if given; else, for a channel with options, the file that
  /// the controller writes with option_file_text() before it launches a program; else empty.
  std::string option_path(const channel&) const;

  /// To be called after `routes` was changed by hand; load() and defaults() have done it.
  void index_routes();

 private:
  using route_index = std::map<std::string, std::size_t, std::less<>>;  // pattern → place in routes
  std::map<std::string, route_index, std::less<>> index_;               // by source channel, "" = any
};

/// Everything wrong with a file, in file order.
struct load_error {
  struct problem {
    int line = 0;      ///< 0: the file as a whole
    std::string text;  ///< names the key and what was expected
  };
  std::string file;
  std::error_code code;  ///< errc::syntax, or why the file could not be read
  std::vector<problem> problems;

  /// "FILE:LINE: TEXT", one problem a line, no newline at the end.
  std::string text() const;
  /// For callers that pass on one error.
  error to_error() const { return {code, text()}; }
};

template <class T>
using load_result = boost::system::result<T, load_error>;
[[noreturn]] void throw_exception_from_error(const load_error&, const boost::source_location&);

/// Reads and checks a configuration file. `root_override`, if not empty, wins over the file's `root`.
load_result<settings> load(const std::string& path, std::string_view root_override = {});

/// The same of text; `path` is only named in messages and taken for `config_file`.
load_result<settings> parse(std::string_view text, const std::string& path,
                            std::string_view root_override = {});

/// A complete working site below `root` (absolute): built-in pools, channels and routes
/// (docs/configuration.md).
settings defaults(std::string root);

/// Which site? In this order: the file `explicit_config`; the directory `explicit_root`; JOBCTL_CONFIG;
/// JOBCTL_ROOT; /etc/jobctl/jobctl.conf. (Both explicit ones: the file, with its root replaced.) A directory
/// means its jobctl.conf, or the defaults if there is none. A relative path is taken from the current
/// directory.
load_result<settings> find_site(std::string_view explicit_config = {}, std::string_view explicit_root = {});

/// Effective settings in the syntax of the file; loading the text gives the same settings.
std::string to_text(const settings&);

/// Contents of a channel's option file: `NAME=value` lines.
std::string option_file_text(const channel&);

/// The absolute path of a channel program: a name with a slash as it is; a bare name is looked up in the
/// directories of JOBCTL_CHANNEL_PATH (colon-separated) or, without it, where the build or the installation
/// puts channel programs, seen from the running executable. Error: ENOENT naming the places that were looked
/// at; EACCES: not executable.
result<std::string> find_program(std::string_view name);

/// The wait after failure number `attempts` (1 = the first).
inline std::chrono::seconds backoff_after(const backoff_schedule& schedule, std::uint32_t attempts) {
  const std::size_t step = attempts == 0 ? 0 : attempts - 1;
  return step < schedule.size() ? schedule[step] : schedule.back();
}

}  // namespace mta::config
