// The program itself: a controller is started, used from the command line, stopped and started again.
#include "jobctl/admin/client.hpp"
#include "temporary_directory.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sstream>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace json = boost::json;
using strings = std::vector<std::string>;

namespace {

struct outcome {
  int status;
  std::string out, err;
};

std::string read_file(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::size_t lines_in(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

int wait_for(pid_t pid) {
  int status = 0;
  BOOST_REQUIRE(::waitpid(pid, &status, 0) == pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// A site below a temporary directory, with channels that only let messages wait.
class site {
 public:
  site() {
    std::filesystem::create_directory(root());
    write_configuration("[channel mail]\n");
  }
  ~site() {
    if (controller_ > 0) {
      ::kill(controller_, SIGKILL);
      ::waitpid(controller_, nullptr, 0);
    }
    if (notify_ >= 0) ::close(notify_);
  }

  std::string root() const { return directory_.path() + "/site"; }
  void write_configuration(const std::string& channels) {
    std::ofstream(root() + "/jobctl.conf") << "[jobctl]\nroot = " + root() +
                                                  "\nhost = here.example\nbuiltin = no\n" + channels +
                                                  "[routes]\n* = mail\n";
  }

  pid_t spawn(const strings& arguments, const std::string& in, const std::string& out,
              const std::string& err) {
    strings all = {JOBCTL_PROGRAM};
    all.insert(all.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& a : all) argv.push_back(a.data());
    argv.push_back(nullptr);
    strings environment = {"JOBCTL_ROOT=" + root(), "NOTIFY_SOCKET=" + notify_path()};
    std::vector<char*> envp;
    for (std::string& e : environment) envp.push_back(e.data());
    envp.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, in.c_str(), O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&files, 2, err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    pid_t pid = -1;
    const int failed = ::posix_spawn(&pid, JOBCTL_PROGRAM, &files, nullptr, argv.data(), envp.data());
    posix_spawn_file_actions_destroy(&files);
    BOOST_REQUIRE_MESSAGE(failed == 0, JOBCTL_PROGRAM << ": " << std::generic_category().message(failed));
    return pid;
  }

  outcome run(const strings& arguments, const std::string& input = {}) {
    const std::string base = directory_.path() + "/io" + std::to_string(++runs_);
    std::ofstream(base + ".in") << input;
    const pid_t pid = spawn(arguments, base + ".in", base + ".out", base + ".err");
    const int status = wait_for(pid);
    return {status, read_file(base + ".out"), read_file(base + ".err")};
  }

  // Starts the controller, and waits until it says that it is ready and then until it has read the queue.
  void serve() {
    if (notify_ < 0) listen_for_notification();
    controller_ = spawn({"serve"}, "/dev/null", "/dev/null", directory_.path() + "/serve.err");
    while (true) {
      pollfd p{notify_, POLLIN, 0};
      BOOST_REQUIRE_MESSAGE(::poll(&p, 1, 60'000) == 1, read_file(directory_.path() + "/serve.err"));
      char text[256];
      const ssize_t n = ::recv(notify_, text, sizeof text, 0);
      if (n > 0 && contains(std::string(text, static_cast<std::size_t>(n)), "READY=1")) break;
    }
    auto api = jobctl::admin::client::connect(root() + "/run/api.sock").value();
    while (api.get("/v1/status").value().body.at("state") != "running") {
    }
  }
  int end_of_controller() {
    const int status = wait_for(controller_);
    controller_ = -1;
    return status;
  }

 private:
  std::string notify_path() const { return directory_.path() + "/notify"; }
  void listen_for_notification() {
    notify_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    notify_path().copy(address.sun_path, sizeof address.sun_path - 1);
    BOOST_REQUIRE(::bind(notify_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }

  test::temporary_directory directory_;
  pid_t controller_ = -1;
  int notify_ = -1;
  int runs_ = 0;
};

const std::string message = "Subject: x\n\nbody\n";

}  // namespace

BOOST_FIXTURE_TEST_SUITE(program, site)

BOOST_AUTO_TEST_CASE(what_is_submitted_is_listed_shown_and_survives_a_restart) {
  serve();
  const auto first = run({"submit", "--raw", "-v", "-f", "me@here.example", "you@there.example"}, message);
  BOOST_TEST(first.status == 0, first.err);
  const std::string id = first.out.substr(0, first.out.find(' '));
  const auto listed = run({"ls", "--json"});
  BOOST_TEST(listed.status == 0, listed.err);
  BOOST_REQUIRE(lines_in(listed.out) == 1u);
  BOOST_TEST(json::parse(listed.out).at("id").as_string() == id);
  BOOST_TEST(contains(run({"summary"}).out, "\nmail         1"));
  BOOST_TEST(run({"show", "--raw", id}).out == "Subject: x\r\n\r\nbody\r\n");

  const auto stopped = run({"stop"});
  BOOST_TEST(stopped.status == 0, stopped.err);
  BOOST_TEST(end_of_controller() == 0);
  BOOST_TEST(run({"ls"}).status == 69);

  // Without a controller, messages are queued all the same.
  const auto second = run({"submit", "-v", "-f", "", "you@there.example"}, message);
  BOOST_TEST(second.status == 0, second.err);
  serve();
  BOOST_TEST(lines_in(run({"ls", "--json"}).out) == 2u);
  BOOST_TEST(run({"stop", "--now"}).status == 0);
  BOOST_TEST(end_of_controller() == 0);
}

BOOST_AUTO_TEST_CASE(a_deferred_message_waits_until_it_is_run) {
  serve();
  BOOST_TEST(run({"submit", "--at", "+2h", "-f", "", "you@there.example"}, message).status == 0);
  const auto waiting = run({"ls", "--json", "--state", "deferred"});
  BOOST_REQUIRE(lines_in(waiting.out) == 1u);
  BOOST_TEST(!json::parse(waiting.out).at("due").is_null());
  BOOST_TEST(run({"run", "mail"}).out == "mail: 1 deferred message is due now\n");
  BOOST_TEST(lines_in(run({"ls", "--json", "--state", "ready"}).out) == 1u);
}

BOOST_AUTO_TEST_CASE(a_reload_takes_what_is_right_and_nothing_that_is_wrong) {
  serve();
  write_configuration("[channel mail]\nmaxjobs = none\n[channel fax]\nthreddepth = 3\n");
  const auto wrong = run({"reload"});
  BOOST_TEST(wrong.status == 78);
  BOOST_TEST(contains(wrong.err, "jobctl.conf:6:"));
  BOOST_TEST(contains(wrong.err, "jobctl.conf:8:"));
  BOOST_TEST(run({"run", "fax"}).status == 1);
  // A mistake in the file keeps nobody from the controller that runs.
  BOOST_TEST(run({"summary"}).status == 0);
  write_configuration("[channel mail]\n[channel fax]\n");
  const auto right = run({"reload"});
  BOOST_TEST(right.status == 0, right.err);
  BOOST_TEST(contains(right.out, "fax"));
  BOOST_TEST(run({"run", "fax"}).status == 0);
}

BOOST_AUTO_TEST_CASE(a_second_controller_is_refused) {
  serve();
  const auto second = run({"serve"});
  BOOST_TEST(second.status == 75);
  BOOST_TEST(contains(second.err, root()));
  BOOST_TEST(run({"summary"}).status == 0);
}

BOOST_AUTO_TEST_CASE(a_stopped_channel_stays_stopped_until_it_is_started) {
  serve();
  BOOST_TEST(run({"stop", "--channel", "mail"}).out == "mail: stopped\n");
  BOOST_TEST(run({"stop"}).status == 0);
  BOOST_TEST(end_of_controller() == 0);
  serve();
  BOOST_TEST(json::parse(run({"summary", "--json"}).out).at("channels").at(0).at("stopped").as_bool());
  BOOST_TEST(run({"start", "mail"}).out == "mail: started\n");
}

BOOST_AUTO_TEST_SUITE_END()
