// jobctl serve: the job controller itself, in the foreground.
#include "enqueue/aliases.hpp"
#include "jobctl/admin/api.hpp"
#include "jobctl/cli/command.hpp"
#include "jobctl/cli/site.hpp"
#include "jobctl/launcher/control_group_place.hpp"
#include "jobctl/launcher/program_user.hpp"
#include "jobctl/server/log.hpp"
#include "jobctl/server/server.hpp"
#include "jobctl/server/service_manager.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <fcntl.h>
#include <fmt/format.h>
#include <functional>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace jobctl::cli {
namespace {

namespace po = boost::program_options;
namespace asio = boost::asio;

void describe(po::options_description& options) {
  options.add_options()("verbose", po::bool_switch(), "log what is of interest to developers, too")(
      "release-groups", po::bool_switch(),
      "do not serve: take away the limits of channels, so that systemd can start a controller while programs "
      "run (ExecStopPost= of a unit with Delegate=)");
}

// What a daemon takes for granted about its process, however it was started.
void prepare_process() {
  // Descriptors 0 to 2 are open, so that no socket or message file is ever taken for standard output.
  int null;
  do null = ::open("/dev/null", O_RDWR);
  while (null >= 0 && null <= STDERR_FILENO);
  if (null >= 0) ::close(null);
  ::signal(SIGPIPE, SIG_IGN);
  ::umask(027);
  keep_capabilities_to_ourselves();
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = std::max(files.rlim_cur, std::min<rlim_t>(files.rlim_max, 65536));
    (void)::setrlimit(RLIMIT_NOFILE, &files);
  }
}

void open_log_file(const mta::config::settings& s, bool verbose) {
  set_log_level(s.controller.log_level, verbose);
  if (const auto opened = open_log(s.log_directory() + "/jobctl.log"); !opened)
    log(log_level::error, "{} (the log goes to standard error only)", opened.error().message());
}

int exit_status_of_open(const mta::error& e) {
  if (e.code == mta::errc::busy) return temporary_failure;
  if (e.code == mta::errc::out_of_range) return config_error;
  const int status = exit_status_of(e.code);
  return status == no_permission ? status : io_error;
}

class daemon {
 public:
  daemon(const invocation& in, mta::config::settings s)
      : verbose_(in.get<bool>("verbose")), server_(io_, std::move(s), options(in)), api_(io_, server_) {}

  mta::result<> open() {
    // Signals first: one that comes early is not lost.
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) signals_.add(number);
    wait_for_signal();
    if (auto opened = server_.open(); !opened) return opened.error();
    open_log_file(server_.settings(), verbose_);
    try {
      api_.listen(server_.settings().api_socket());
    } catch (const mta::exception& e) {
      return e.why();
    }
    listen_tcp(server_.settings());
    for (const std::string& problem : mta::enqueue::problems_of_aliases(server_.settings()))
      log(log_level::error, "aliases: {}; mail for this host is refused for the time being", problem);
    log(log_level::info, "serving {} as process {}", server_.settings().root, ::getpid());
    if (const auto interval = watchdog_interval(); interval.count() > 0) feed_watchdog(interval / 2);
    notify_service_manager("READY=1");
    return {};
  }

  void run() { io_.run(); }

 private:
  server_options options(const invocation& in) {
    server_options o;
    o.explicit_config = in.config();
    o.explicit_root = in.root();
    o.notify = notify_service_manager;
    o.reopen_logs = [this](const mta::config::settings& s) {
      open_log_file(s, verbose_);
      listen_tcp(s);
    };
    o.on_stopped = [this] {
      api_.close();
      io_.stop();
    };
    return o;
  }

  // Mail goes on without it.
  void listen_tcp(const mta::config::settings& s) {
    const auto listening = api_.listen_tcp(s.http);
    if (!listening)
      log(log_level::error, "the API is not to be had over TCP: {}", listening.error().message());
    else if (!listening->empty())
      log(log_level::info, "the API is on {}, too", *listening);
  }

  void wait_for_signal() {
    signals_.async_wait([this](const boost::system::error_code& cancelled, int number) {
      if (cancelled) return;
      if (number == SIGHUP) {
        notify_reloading();
        server_.reload();
        notify_service_manager("READY=1");
      } else {
        server_.stop(fmt::format("signal {} ({})", number, ::sigdescr_np(number)));
      }
      wait_for_signal();
    });
  }

  // From the loop, so that a loop that hangs is noticed.
  void feed_watchdog(std::chrono::microseconds interval) {
    notify_service_manager("WATCHDOG=1");
    watchdog_.expires_after(interval);
    watchdog_.async_wait([this, interval](const boost::system::error_code& cancelled) {
      if (!cancelled) feed_watchdog(interval);
    });
  }

  asio::io_context io_{1};
  asio::signal_set signals_{io_};
  asio::steady_timer watchdog_{io_};
  bool verbose_;
  server server_;
  api api_;
};

// After the end of a controller, whatever it was. The next one gives its channels their limits again.
int release_groups(const invocation& in) {
  const auto place = find_control_group();
  if (!place.missing.empty()) return success;  // so there are no limits
  if (const auto done = release_control_group(place.directory); !done) return in.fail(done.error());
  return success;
}

int run(const invocation& in) {
  if (in.get<bool>("release-groups")) return release_groups(in);
  prepare_process();
  int status = success;
  auto site = find_site(in, status);
  if (!site) return status;
  set_log_level(site->controller.log_level, in.get<bool>("verbose"));
  daemon d(in, std::move(*site));
  if (const auto opened = d.open(); !opened) {
    notify_service_manager("STATUS=could not start; see the log");
    return in.fail(exit_status_of_open(opened.error()), opened.error().message());
  }
  d.run();
  return success;
}

}  // namespace

const command serve_command = {
    "serve",
    "Run the job controller, in the foreground",
    "[OPTIONS]",
    "Runs the controller of one site until SIGTERM or SIGINT (twice: at once). Directories that are\n"
    "missing are made; without a configuration file the built-in channels are there. SIGHUP or\n"
    "'jobctl reload' makes it read its configuration again. It logs to standard error and to\n"
    "log/jobctl.log of the site. Under systemd, use Type=notify.",
    "  jobctl serve --root ~/site        # a complete controller, nothing else needed\n"
    "  jobctl serve --config /etc/jobctl/jobctl.conf",
    "  0    stopped as asked\n"
    "  74   a directory, socket or log cannot be made\n"
    "  75   another controller serves this site\n"
    "  77   not permitted\n"
    "  78   the configuration is wrong",
    describe,
    nullptr,
    run};

}  // namespace jobctl::cli
