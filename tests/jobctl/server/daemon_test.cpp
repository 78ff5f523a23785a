// The server's own life: one per site, start, stop, reload, programs that it launches.
#include "jobctl/server/site.hpp"
#include "site_fixture.hpp"

#include <fcntl.h>
#include <future>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

using namespace test;
using namespace std::chrono_literals;

namespace {

// A channel whose program is a script of the test's.
struct launching_fixture : site_fixture {
  explicit launching_fixture(const std::string& script = "exit 0", const std::string& more = "")
      : site_fixture(channel_of(more)) {
    std::ofstream(root() + "/program") << "#!/bin/sh\n" << script << '\n';
    ::chmod((root() + "/program").c_str(), 0755);
    global = "relaunch_first = 1s\nrelaunch_last = 1s\n";
    configure("[channel x]\nprogram = " + root() + "/program\n" + more);
    BOOST_REQUIRE(server->reload().ok);
    until_indexed();
  }
  static std::string channel_of(const std::string& more) { return "[channel x]\n" + more; }

  void queue_one() { enqueuer().send(announcement(commit())); }
  jobctl::job_info launched() {
    queue_one();
    until([&] { return !server->jobs().empty(); }, "a launch");
    return server->jobs().front();
  }
  std::string log() const { return contents(root() + "/log/x.log"); }
};

struct sleeping_program : launching_fixture {
  sleeping_program() : launching_fixture("echo job=$JOBCTL_JOB\nexec sleep 1000") {}
  // What the program was told: its JOBCTL_JOB.
  std::uint64_t job_of_environment() {
    until([&] { return log().find("job=") != std::string::npos && log().back() == '\n'; },
          "the program's line");
    return std::stoull(log().substr(log().find("job=") + 4));
  }
};

struct failing_program : launching_fixture {
  failing_program() : launching_fixture("exit 3") {}
};

}  // namespace

BOOST_AUTO_TEST_SUITE(daemon_life)

BOOST_AUTO_TEST_CASE(what_a_killed_controller_was_just_starting_delays_its_successor_and_does_not_refuse_it) {
  const temporary_directory directory;
  const auto settings = mta::config::defaults(directory.path() + "/site");
  BOOST_REQUIRE(jobctl::make_site_directories(settings));
  // The killed one left its process id, and the lock to a child between fork and exec: to us.
  const pid_t killed = ::fork();
  BOOST_REQUIRE(killed >= 0);
  if (killed == 0) ::_exit(0);
  BOOST_REQUIRE(::waitpid(killed, nullptr, 0) == killed);
  std::ofstream(settings.lock_file()) << killed << '\n';
  const int child = ::open(settings.lock_file().c_str(), O_RDWR | O_CLOEXEC);
  BOOST_REQUIRE(::flock(child, LOCK_EX | LOCK_NB) == 0);
  auto successor = std::async(std::launch::async, [&] { return jobctl::site_lock::take(settings); });
  BOOST_TEST((successor.wait_for(100ms) == std::future_status::timeout));
  ::close(child);
  BOOST_TEST(successor.get().has_value());
}

BOOST_FIXTURE_TEST_CASE(a_second_controller_of_a_site_is_refused_by_name, site_fixture) {
  auto second = make_server(server->settings());
  const auto opened = second->open();
  BOOST_REQUIRE(!opened);
  BOOST_TEST((opened.error().code == mta::errc::busy));
  BOOST_TEST(opened.error().message().find("process " + std::to_string(::getpid())) != std::string::npos);
  // The first is not disturbed.
  second.reset();
  enqueuer();
}

BOOST_FIXTURE_TEST_CASE(directories_of_a_new_site_are_private, site_fixture) {
  for (const char* name : {"/queue", "/run", "/log"}) {
    struct stat s {};
    BOOST_REQUIRE(::stat((root() + name).c_str(), &s) == 0);
    BOOST_TEST((s.st_mode & 0027) == 0u);
  }
}

BOOST_FIXTURE_TEST_CASE(a_socket_left_by_a_killed_controller_is_replaced, site_fixture) {
  kill_server();
  std::ofstream(root() + "/run/jobctl.sock") << "left over";
  start();
  enqueuer();
}

BOOST_FIXTURE_TEST_CASE(stop_without_programs_ends_at_once, site_fixture) {
  server->stop("test");
  until([&] { return stopped; }, "the end");
  BOOST_TEST(!fs::exists(root() + "/run/jobctl.sock"));
}

BOOST_FIXTURE_TEST_CASE(stop_waits_for_programs_to_finish, site_fixture) {
  auto& p = channel_program();
  server->stop("test");
  BOOST_TEST((next(p).type == wire::frame_type::stop));
  settle(p);
  BOOST_TEST(!stopped);
  p.send(wire::bye{});
  until([&] { return stopped; }, "the end");
}

BOOST_FIXTURE_TEST_CASE(a_program_that_connects_during_the_stop_is_refused, site_fixture) {
  channel_program();
  server->stop("test");
  auto& late = connect();
  wire::hello h;
  h.role = wire::role::channel_program;
  h.channel = "x";
  late.send(h);
  BOOST_TEST(refusal(late) == "the job controller is stopping");
}

BOOST_FIXTURE_TEST_CASE(a_second_stop_does_not_wait_for_a_program_that_stays, site_fixture) {
  auto& p = channel_program();
  server->stop("test");
  next(p);
  server->stop("test");
  until([&] { return stopped; }, "the end");
}

BOOST_FIXTURE_TEST_CASE(a_stopped_channel_stays_stopped_over_a_restart, site_fixture) {
  server->impose({"x", {}, {}, {}, {}, {}});
  kill_server();
  start();
  BOOST_TEST(figures().stopped);
  server->lift({"x", {}, {}, {}, {}, {}});
  kill_server();
  start();
  BOOST_TEST(!figures().stopped);
}

BOOST_FIXTURE_TEST_CASE(reload_takes_new_channels, site_fixture) {
  configure("[channel x]\n[channel y]\n");
  const auto report = server->reload();
  BOOST_TEST(report.ok);
  BOOST_TEST(report.lines.front() == "[channel y]: new");
  channel_program("y");
}

BOOST_FIXTURE_TEST_CASE(reload_with_errors_names_them_all_and_changes_nothing, site_fixture) {
  configure("[channel x]\nmaxjobs = many\nnosuchkey = 1\n[channel y]\n");
  const auto report = server->reload();
  BOOST_TEST(!report.ok);
  BOOST_REQUIRE(report.lines.size() == 2u);
  BOOST_TEST(report.lines[0].find("maxjobs") != std::string::npos);
  BOOST_TEST(report.lines[1].find("nosuchkey") != std::string::npos);
  BOOST_TEST(server->settings().find_channel("y") == nullptr);
}

BOOST_FIXTURE_TEST_CASE(reload_does_not_move_to_another_root, site_fixture) {
  // The root that was given on the command line wins over the file's, so the file cannot move it.
  global = "root = /elsewhere\n";
  configure("[channel x]\n");
  BOOST_TEST(server->reload().ok);
  BOOST_TEST(server->settings().root == root());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(launches)

BOOST_FIXTURE_TEST_CASE(a_waiting_message_launches_the_program, sleeping_program) {
  const auto job = launched();
  BOOST_TEST(job.pid > 0);
  BOOST_TEST(!job.connected);
  BOOST_TEST(server->counters().launches == 1u);
}

BOOST_FIXTURE_TEST_CASE(a_launched_program_is_known_by_its_job_number, sleeping_program) {
  const auto job = launched();
  auto& p = channel_program("x", {}, job_of_environment());
  BOOST_TEST(server->jobs().front().connected);
  BOOST_TEST((server->workers().front().job == job.job));
  p.send(wire::ask{1});
  BOOST_TEST(leased(p).size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(a_job_number_of_an_earlier_controller_is_not_taken_for_ours, sleeping_program) {
  const auto job = launched();
  const auto number_then = job_of_environment();
  kill_server();
  start();
  auto& p = channel_program("x", {}, number_then);
  settle(p);
  BOOST_TEST((server->workers().front().job == jobctl::job_no{}));
  ::kill(job.pid, SIGKILL);
}

BOOST_FIXTURE_TEST_CASE(a_program_that_fails_is_told_in_words_and_launched_again_later, failing_program) {
  queue_one();
  const auto begun = std::chrono::steady_clock::now();
  until([&] { return server->ended_jobs().size() == 2; }, "two ends");
  BOOST_TEST((std::chrono::steady_clock::now() - begun >= 900ms));
  BOOST_TEST(server->ended_jobs().front().status == "exited with status 3");
  BOOST_TEST(!server->ended_jobs().front().clean);
  BOOST_TEST(server->counters().unclean_exits == 2u);
}

BOOST_FIXTURE_TEST_CASE(a_program_that_is_missing_is_named_and_tried_again, launching_fixture) {
  fs::remove(root() + "/program");
  queue_one();
  until([&] { return server->counters().launch_failures == 2; }, "two attempts");
  const auto end = server->ended_jobs().front();
  BOOST_TEST(end.pid == 0);
  BOOST_TEST(end.status.find(root() + "/program") != std::string::npos);
  BOOST_TEST(end.status.find("No such file or directory") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(stop_terminates_a_program_that_never_connected, sleeping_program) {
  launched();
  server->stop("test");
  until([&] { return stopped; }, "the end");
  BOOST_TEST(server->ended_jobs().front().status == "killed by signal 15 (Terminated)");
}

BOOST_FIXTURE_TEST_CASE(stop_terminates_a_program_that_does_not_leave_in_time, sleeping_program) {
  global += "stop_timeout = 1s\n";
  configure("[channel x]\nprogram = " + root() + "/program\n");
  BOOST_REQUIRE(server->reload().ok);
  launched();
  auto& p = channel_program("x", {}, job_of_environment());
  server->stop("test");
  BOOST_TEST((next(p).type == wire::frame_type::stop));
  until([&] { return !server->ended_jobs().empty(); }, "the program's end");
  BOOST_TEST(server->ended_jobs().front().status == "killed by signal 15 (Terminated)");
  p.close();
  until([&] { return stopped; }, "the end");
}

BOOST_FIXTURE_TEST_CASE(what_a_program_prints_is_in_its_channels_log, launching_fixture) {
  std::ofstream(root() + "/program") << "#!/bin/sh\necho for $PMDF_CHANNEL at $JOBCTL_ROOT\n";
  queue_one();
  until([&] { return log().find("\n") != std::string::npos; }, "the line");
  BOOST_TEST(log().find("for x at " + root()) != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
