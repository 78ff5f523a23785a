// jobctl stop: the controller, or some of its channels.
#include "jobctl/admin/target.hpp"
#include "jobctl/cli/controller_link.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace jobctl::cli {
namespace {

namespace po = boost::program_options;
using std::chrono::milliseconds;

void describe(po::options_description& options) {
  options.add_options()  //
      ("channel", po::value<std::vector<std::string>>()->value_name("CHANNEL"),
       "stop only this channel: start no program for it, tell those that run to finish; may be repeated")  //
      ("now", po::bool_switch(), "do not wait for programs to finish what they have in hand")              //
      ("leave-programs", po::bool_switch(),
       "leave the programs running with what they hold; the next controller takes them over. For upgrades")  //
      ("timeout", po::value<std::string>()->value_name("TIME"),
       "longest wait for the controller to be gone (default: its own stop_timeout and 15 s)");
}

int stop_channels(const invocation& in, admin::client& controller, const std::vector<std::string>& names) {
  int status = success;
  if (!check_channels(in, controller, names, status)) return status;
  for (const std::string& name : names) {
    const auto body =
        post(in, controller, fmt::format("/v1/channels/{}/stop", admin::percent_encode(name)), status);
    if (!body || !body->is_object()) return status;
    fmt::print(in.io.out, "{}: {}\n", name,
               flag_field(body->get_object(), "changed") ? "stopped" : "was stopped already");
  }
  return success;
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
  if (in.has("channel") && (now || leave || timeout))
    return in.fail(usage,
                   "--now, --leave-programs and --timeout are for stopping the controller, not a channel.");
  if (now && leave)
    return in.fail(usage, "--now ends the programs, and --leave-programs leaves them running.");
  const auto site = find_running_site(in, status);
  if (!site) return status;
  auto controller = connect(in, status);
  if (!controller) return status;
  if (in.has("channel")) return stop_channels(in, *controller, in.get<std::vector<std::string>>("channel"));
  return stop_controller(in, *controller,
                         timeout.value_or(site->controller.stop_timeout + std::chrono::seconds(15)));
}

}  // namespace

const command stop_command = {"stop",
                              "Stop the controller, or a channel",
                              "[--now | --leave-programs] [--timeout TIME] | --channel CHANNEL...",
                              "Tells channel programs to finish what they have in hand, then ends the "
                              "controller, and waits until its process is\n"
                              "gone. Messages can still be submitted; the next controller finds them. With "
                              "--leave-programs, programs go on\n"
                              "with what they hold, and connect to the next controller. With "
                              "--channel, the controller goes on, and\n"
                              "only starts nothing for these channels until 'jobctl start'.",
                              "  jobctl stop\n"
                              "  jobctl stop --now --timeout 5s\n"
                              "  jobctl stop --leave-programs && jobctl serve   a new version takes over\n"
                              "  jobctl stop --channel fax             the fax line is down",
                              "  0    stopped\n"
                              "  1    no such channel\n"
                              "  69   no controller runs for this site\n"
                              "  75   still stopping when the time was over",
                              describe,
                              nullptr,
                              run};

}  // namespace jobctl::cli
