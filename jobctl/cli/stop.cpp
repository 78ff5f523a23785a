// jobctl stop: the controller, or some of its channels and hosts.
#include "jobctl/cli/controller_link.hpp"
#include "jobctl/cli/stop_order.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace jobctl::cli {
namespace {

namespace po = boost::program_options;
using std::chrono::milliseconds;
using names = std::vector<std::string>;

constexpr stop_words words{"stop", "stopped", "was stopped already"};

void describe(po::options_description& options) {
  options.add_options()  //
      ("channel", po::value<names>()->value_name("CHANNEL"),
       "stop only this channel: start no program for it, tell those that run to finish; may be repeated")  //
      ("host", po::value<names>()->value_name("HOST"),
       "stop only this destination host ('.example.org': it and its subdomains), of --channel or of every "
       "channel; may be repeated")  //
      ("reason", po::value<std::string>()->value_name("TEXT"),
       "why; for other operators")  //
      ("until", po::value<std::string>()->value_name("TIME"),
       "start it by itself then: a time (2026-11-21T14:30:00Z, +2h) or a duration (2h, 3d)")       //
      ("json", po::bool_switch(), "print one JSON object for each channel or host (docs/api.md)")  //
      ("now", po::bool_switch(), "do not wait for programs to finish what they have in hand")      //
      ("leave-programs", po::bool_switch(),
       "leave the programs running with what they hold; the next controller takes them over. For upgrades")  //
      ("timeout", po::value<std::string>()->value_name("TIME"),
       "longest wait for the controller to be gone (default: its own stop_timeout and 15 s)");
}

// Waits for the end of the process itself, so that whoever starts the next controller finds the site free.
bool wait_for_end(admin::client& controller, int process, milliseconds timeout) {
  if (process < 0) return controller.wait_until_closed(timeout);
  pollfd p{process, POLLIN, 0};
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (true) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
    const int n = ::poll(&p, 1, static_cast<int>(std::max<std::int64_t>(0, left.count())));
    if (n > 0) return true;
    if (n == 0) return false;
    if (errno != EINTR) return controller.wait_until_closed(left);
  }
}

int stop_controller(const invocation& in, admin::client& controller, milliseconds timeout) {
  // Opened while the connection proves that the process is the one that answers.
  const auto pid = controller.peer_process();
  const int process = pid > 0 ? static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0)) : -1;
  int status = success;
  const auto target = in.get<bool>("now")              ? "/v1/stop?now=true"
                      : in.get<bool>("leave-programs") ? "/v1/stop?leave_programs=true"
                                                       : "/v1/stop";
  if (!post(in, controller, target, status)) {
    if (process >= 0) ::close(process);
    return status;
  }
  const bool gone = wait_for_end(controller, process, timeout);
  if (process >= 0) ::close(process);
  if (!gone)
    return in.fail(
        temporary_failure,
        fmt::format("the controller (process {}) is still stopping after {}; 'jobctl stop --now' hurries it",
                    pid, human_duration(timeout)));
  fmt::print(in.io.out, "stopped\n");
  return success;
}

int run(const invocation& in) {
  int status = success;
  std::optional<milliseconds> timeout;
  if (in.has("timeout")) {
    const auto given = parse_duration(in.text("timeout"));
    if (!given) return in.fail(usage, "--timeout: " + given.error().context);
    // poll() counts milliseconds in an int.
    timeout = std::min<milliseconds>(*given, std::chrono::hours(24 * 20));
  }
  const bool now = in.get<bool>("now"), leave = in.get<bool>("leave-programs");
  const bool part = in.has("channel") || in.has("host");
  if (part && (now || leave || timeout))
    return in.fail(
        usage,
        "--now, --leave-programs and --timeout are for stopping the controller, not a channel or host.");
  if (!part && (in.has("reason") || in.has("until") || in.get<bool>("json")))
    return in.fail(usage, "--reason, --until and --json are for stopping a channel or host; name one.");
  if (now && leave)
    return in.fail(usage, "--now ends the programs, and --leave-programs leaves them running.");
  if (part)
    return give_stop_order(in, words, in.has("channel") ? in.get<names>("channel") : names(),
                           in.has("host") ? in.get<names>("host") : names());
  const auto site = find_running_site(in, status);
  if (!site) return status;
  auto controller = connect(in, status);
  if (!controller) return status;
  return stop_controller(in, *controller,
                         timeout.value_or(site->controller.stop_timeout + std::chrono::seconds(15)));
}

}  // namespace

const command stop_command = {
    "stop",
    "Stop the controller, a channel, or a destination host",
    "[--now | --leave-programs] | {--channel CHANNEL | --host HOST}... [OPTIONS]",
    "Tells channel programs to finish what they have in hand, then ends the controller, and waits until its "
    "process is "
    "gone. Messages can still be submitted; the next controller finds them. With --leave-programs, programs "
    "go "
    "on "
    "with what they hold, and connect to the next controller.\n"
    "With --channel, the controller goes on, and only starts nothing for these channels; with --host, it "
    "gives "
    "nothing "
    "out for these destination hosts, of the channels that are named or of every channel: neither what waits "
    "now nor "
    "what comes later. That lasts until 'jobctl start', or until --until, over restarts, too. Who did it, "
    "why and "
    "since "
    "when is shown by 'jobctl why' and 'jobctl summary'. What programs have in hand is finished. Messages go "
    "on "
    "growing "
    "old meanwhile, and are returned when they have waited too long; 'jobctl hold' keeps messages from that.",
    "  jobctl stop\n"
    "  jobctl stop --now --timeout 5s\n"
    "  jobctl stop --leave-programs && jobctl serve   a new version takes over\n"
    "  jobctl stop --channel fax --reason 'the line is down' --until 2h\n"
    "  jobctl stop --host .example.org --reason 'asked for by their postmaster'\n"
    "  jobctl stop --channel smtp --host mx.example.org",
    "  0    stopped\n"
    "  1    no such channel\n"
    "  64   not the name of a host, not a time, or it is over; nothing was done\n"
    "  69   no controller runs for this site\n"
    "  74   stopped, but it could not be written\n"
    "  75   the controller is still stopping, or was when the time was over",
    describe,
    nullptr,
    run};

}  // namespace jobctl::cli
