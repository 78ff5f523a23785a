// Starting programs, what they are given, what they print, and how they end.
#include "jobctl/launcher/launcher.hpp"

#include "jobctl/launcher/channel_command.hpp"
#include "jobctl/launcher/output_log.hpp"
#include "jobctl/launcher/program_user.hpp"
#include "temporary_directory.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <pwd.h>
#include <set>
#include <signal.h>
#include <sstream>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

using test::temporary_directory;

std::string contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Lines of a channel's log without time and process.
std::vector<std::string> lines_of(const std::string& path) {
  std::vector<std::string> all;
  std::istringstream in(contents(path));
  for (std::string line; std::getline(in, line);) {
    const auto after = line.find("] ");
    all.push_back(after == line.npos ? line : line.substr(after + 2));
  }
  return all;
}

struct ended {
  pid_t pid = 0;
  int status = 0;
  std::string words() const { return jobctl::describe_status(status); }
};

// A launcher on a loop that runs until a program has ended.
struct fixture {
  temporary_directory directory;
  boost::asio::io_context io;
  std::map<std::uint64_t, ended> ends;
  jobctl::launcher launcher{io, {directory.path()}, [this](std::uint64_t job, pid_t pid, int status) {
                              ends[job] = {pid, status};
                            }};

  static jobctl::command shell(const std::string& script) {
    return {"/bin/sh", {"-c", script}, {"PATH=/usr/bin:/bin"}, "/"};
  }
  ended run(std::uint64_t job) {
    io.restart();
    while (!ends.contains(job) && io.run_one() > 0) {
    }
    return ends[job];
  }
  ended run(const jobctl::command& what) {
    const auto pid = launcher.start(1, "test", what);
    BOOST_REQUIRE_MESSAGE(pid, pid.error().message());
    BOOST_TEST(launcher.running(1));
    auto how = run(1);
    BOOST_TEST(how.pid == *pid);
    BOOST_TEST(!launcher.running(1));
    return how;
  }
  std::string log() const { return directory.path() + "/test.log"; }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(launching, fixture)

BOOST_AUTO_TEST_CASE(an_exit_status_is_told_in_words) {
  const auto how = run(shell("exit 3"));
  BOOST_TEST(how.words() == "exited with status 3");
  BOOST_TEST(!jobctl::clean_status(how.status));
}

BOOST_AUTO_TEST_CASE(status_0_is_a_clean_end) {
  const auto how = run(shell("exit 0"));
  BOOST_TEST(how.words() == "exited with status 0");
  BOOST_TEST(jobctl::clean_status(how.status));
}

BOOST_AUTO_TEST_CASE(a_signal_is_told_in_words) {
  const auto how = run(shell("kill -9 $$"));
  BOOST_TEST(how.words() == "killed by signal 9 (Killed)");
  BOOST_TEST(!jobctl::clean_status(how.status));
}

BOOST_AUTO_TEST_CASE(both_streams_are_captured_line_by_line_before_the_end_is_told) {
  const auto how = run(shell("echo one; echo two >&2; printf 'no line end'"));
  BOOST_TEST(how.words() == "exited with status 0");
  io.poll();  // the end of the stream completes the last line
  const auto lines = lines_of(log());
  const std::vector<std::string> expected{"one", "two", "no line end"};
  BOOST_TEST(lines == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(each_line_names_the_process) {
  const auto how = run(shell("echo hello"));
  BOOST_TEST(contents(log()).find("Z [" + std::to_string(how.pid) + "] hello\n") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_environment_is_exactly_the_given_one) {
  ::setenv("A_SECRET_OF_OURS", "1", 1);
  jobctl::command what{"/usr/bin/env", {}, {"ONE=1", "TWO=two words"}, "/"};
  run(what);
  const auto lines = lines_of(log());
  const std::vector<std::string> expected{"ONE=1", "TWO=two words"};
  BOOST_TEST(lines == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(arguments_reach_the_program_unexpanded) {
  jobctl::command what{"/usr/bin/printf", {"%s\\n", "$HOME", "a b", "*", "'"}, {}, "/"};
  run(what);
  const auto lines = lines_of(log());
  const std::vector<std::string> expected{"$HOME", "a b", "*", "'"};
  BOOST_TEST(lines == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(no_other_descriptor_is_open_in_the_program) {
  const int leaked = ::open("/dev/null", O_RDONLY);  // on purpose without O_CLOEXEC
  BOOST_REQUIRE(leaked >= 0);
  // 3 is the directory that ls reads.
  run({"/bin/ls", {"/proc/self/fd"}, {}, "/"});
  ::close(leaked);
  const auto lines = lines_of(log());
  const std::vector<std::string> expected{"0", "1", "2", "3"};
  BOOST_TEST(lines == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(standard_input_is_empty) {
  run({"/bin/readlink", {"/proc/self/fd/0"}, {}, "/"});
  BOOST_TEST(lines_of(log()).at(0) == "/dev/null");
}

BOOST_AUTO_TEST_CASE(signals_are_as_a_fresh_process_has_them) {
  ::signal(SIGPIPE, SIG_IGN);
  run(shell("grep -E '^Sig(Ign|Blk)' /proc/self/status"));
  const auto lines = lines_of(log());
  BOOST_TEST(lines.at(0) == "SigBlk:\t0000000000000000");
  // Signals 32 and 33 belong to the C library, which does not let anybody change them.
  const auto ignored = std::stoull(lines.at(1).substr(lines.at(1).find('\t') + 1), nullptr, 16);
  BOOST_TEST((ignored & ~0x180000000ull) == 0u);
}

BOOST_AUTO_TEST_CASE(it_is_in_a_process_group_of_its_own) {
  const auto how = run(shell("ps -o pgid= -p $$ 2>/dev/null || cut -d' ' -f5 /proc/$$/stat"));
  BOOST_TEST(std::stol(lines_of(log()).at(0)) == how.pid);
}

BOOST_AUTO_TEST_CASE(a_program_that_is_missing_is_named) {
  const auto started = launcher.start(1, "test", {"/no/such/program", {}, {}, "/"});
  BOOST_REQUIRE(!started);
  BOOST_TEST(started.error().message() == "program /no/such/program: No such file or directory");
  BOOST_TEST(!launcher.running(1));
}

BOOST_AUTO_TEST_CASE(a_file_that_is_not_executable_is_named) {
  const auto path = directory.path() + "/plain";
  std::ofstream(path) << "text\n";
  const auto started = launcher.start(1, "test", {path, {}, {}, "/"});
  BOOST_REQUIRE(!started);
  BOOST_TEST(started.error().message().find(path + " cannot be executed") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_directory_is_no_program) {
  const auto started = launcher.start(1, "test", {directory.path(), {}, {}, "/"});
  BOOST_REQUIRE(!started);
  BOOST_TEST(started.error().message().find("is not a regular file") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_text_without_interpreter_is_not_given_to_a_shell) {
  const auto path = directory.path() + "/script";
  std::ofstream(path) << "exit 0\n";
  ::chmod(path.c_str(), 0755);
  const auto started = launcher.start(1, "test", {path, {}, {}, "/"});
  BOOST_REQUIRE(!started);
  BOOST_TEST((started.error().code == std::errc::executable_format_error));
}

BOOST_AUTO_TEST_CASE(stop_sends_sigterm) {
  BOOST_REQUIRE(launcher.start(1, "test", {"/bin/sleep", {"1000"}, {}, "/"}));
  launcher.stop(1, 60s);
  BOOST_TEST(run(1).words() == "killed by signal 15 (Terminated)");
}

BOOST_AUTO_TEST_CASE(stop_reaches_the_whole_process_group) {
  // The shell waits for its child; both get the signal. The pipe ends only when the child is gone, too.
  BOOST_REQUIRE(launcher.start(1, "test", shell("sleep 1000 & echo started; wait")));
  while (contents(log()).find("started") == std::string::npos) io.run_one();
  launcher.stop(1, 60s);
  run(1);
  while (io.run_one() > 0) {  // returns once the output has ended
  }
  BOOST_TEST(launcher.running_count() == 0u);
}

BOOST_AUTO_TEST_CASE(what_ignores_sigterm_is_killed) {
  BOOST_REQUIRE(
      launcher.start(1, "test", shell("trap '' TERM; echo ready; while :; do read x </dev/null; done")));
  while (contents(log()).find("ready") == std::string::npos) io.run_one();
  launcher.stop(1, 50ms);
  BOOST_TEST(run(1).words() == "killed by signal 9 (Killed)");
}

BOOST_AUTO_TEST_CASE(a_program_outlives_its_launcher_without_sigpipe) {
  // It prints before and after its controller has died; a file tells that it got to the end.
  const auto witness = directory.path() + "/alive";
  const auto fifo = directory.path() + "/go";
  BOOST_REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  pid_t pid = 0;
  {
    boost::asio::io_context first;
    jobctl::launcher doomed(first, {directory.path()}, [](std::uint64_t, pid_t, int) {});
    const auto started =
        doomed.start(1, "test", shell("read x <" + fifo + "; echo still here; echo done >" + witness));
    BOOST_REQUIRE(started);
    pid = *started;
  }
  // The next controller takes the output over.
  jobctl::launcher next(io, {directory.path()}, [](std::uint64_t, pid_t, int) {});
  next.adopt_output(pid, "test");
  std::ofstream(fifo) << "go\n";
  while (contents(log()).find("still here") == std::string::npos && io.run_one() > 0) {
  }
  int status = 0;
  BOOST_REQUIRE(::waitpid(pid, &status, 0) == pid);
  BOOST_TEST(jobctl::describe_status(status) == "exited with status 0");
  BOOST_TEST(contents(witness) == "done\n");
  BOOST_TEST(lines_of(log()).back() == "still here");
}

BOOST_AUTO_TEST_CASE(a_flood_of_output_is_logged_whole_and_in_order) {
  run(shell("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done"));
  while (io.run_one() > 0) {
  }
  const auto lines = lines_of(log());
  BOOST_REQUIRE(lines.size() == 20000u);
  BOOST_TEST(lines.front() == "line 0");
  BOOST_TEST(lines.back() == "line 19999");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(output)

BOOST_AUTO_TEST_CASE(a_full_log_becomes_the_old_one) {
  const temporary_directory d;
  jobctl::output_log log(d.path() + "/x.log", 1000);
  for (int i = 0; i < 100; ++i) {
    log.add(1, "0123456789012345678901234567890123456789");
    log.write();
  }
  BOOST_TEST(fs::file_size(d.path() + "/x.log") <= 1000u);
  BOOST_TEST(fs::file_size(d.path() + "/x.log.1") <= 1000u);
  BOOST_TEST(fs::file_size(d.path() + "/x.log.1") > 900u);
}

BOOST_AUTO_TEST_CASE(a_log_that_was_moved_away_is_made_again_when_reopened) {
  const temporary_directory d;
  jobctl::output_log log(d.path() + "/x.log", 1000);
  log.add(1, "before");
  log.write();
  fs::rename(d.path() + "/x.log", d.path() + "/old");
  log.reopen();
  log.add(1, "after");
  log.write();
  BOOST_TEST(lines_of(d.path() + "/x.log").at(0) == "after");
}

BOOST_AUTO_TEST_CASE(lost_lines_are_told_when_writing_works_again) {
  const temporary_directory d;
  jobctl::output_log log(d.path() + "/later/x.log", 1000);
  log.add(1, "lost");
  log.write();
  fs::create_directory(d.path() + "/later");
  log.add(1, "kept");
  log.write();
  const auto lines = lines_of(d.path() + "/later/x.log");
  BOOST_REQUIRE(lines.size() == 2u);
  BOOST_TEST(lines[0] == "jobctl: 1 lines could not be written here");
  BOOST_TEST(lines[1] == "kept");
}

BOOST_AUTO_TEST_CASE(lines_are_cut_at_line_ends_wherever_reads_end) {
  jobctl::output_lines lines;
  std::vector<std::string> seen;
  const auto take = [&](std::string_view line) { seen.emplace_back(line); };
  for (const char c : std::string("one\n\ntwo\nrest")) lines.feed({&c, 1}, take);
  lines.finish(take);
  const std::vector<std::string> expected{"one", "", "two", "rest"};
  BOOST_TEST(seen == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_endless_line_is_cut) {
  jobctl::output_lines lines;
  std::vector<std::string> seen;
  const auto take = [&](std::string_view line) { seen.emplace_back(line); };
  lines.feed(std::string(20000, 'x'), take);
  lines.finish(take);
  BOOST_REQUIRE(seen.size() == 3u);
  BOOST_TEST(seen[0].size() == jobctl::output_lines::longest);
  BOOST_TEST(seen[2].size() == 20000 - 2 * jobctl::output_lines::longest);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(channel_commands)

struct site : temporary_directory {
  site() {
    settings = mta::config::defaults(path());
    fs::create_directory(path() + "/run");
    channel.name = "test";
    channel.program = {"/bin/echo", "-n", "two words"};
  }
  mta::config::settings settings;
  mta::config::channel channel;

  std::set<std::string> environment(std::uint64_t job = 7) const {
    const auto made = jobctl::channel_command(settings, channel, job);
    BOOST_REQUIRE_MESSAGE(made, made.error().message());
    return {made->environment.begin(), made->environment.end()};
  }
};

BOOST_FIXTURE_TEST_CASE(program_and_arguments_are_those_of_the_settings, site) {
  const auto made = jobctl::channel_command(settings, channel, 7);
  BOOST_REQUIRE(made);
  BOOST_TEST(made->program == "/bin/echo");
  const std::vector<std::string> expected{"-n", "two words"};
  BOOST_TEST(made->arguments == expected, boost::test_tools::per_element());
  BOOST_TEST(made->directory == settings.root);
}

BOOST_FIXTURE_TEST_CASE(the_environment_names_channel_site_and_job_and_keeps_path_and_locale, site) {
  ::clearenv();
  ::setenv("PATH", "/some/where", 1);
  ::setenv("LC_ALL", "C.UTF-8", 1);
  ::setenv("LD_PRELOAD", "", 1);
  ::setenv("PMDF_CHANNEL", "another", 1);
  const std::set<std::string> expected{"PATH=/some/where", "LC_ALL=C.UTF-8", "PMDF_CHANNEL=test",
                                       "JOBCTL_ROOT=" + settings.root, "JOBCTL_JOB=7"};
  const auto made = environment();
  BOOST_TEST(made == expected, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(a_configuration_file_is_passed_on, site) {
  settings.config_file = "/etc/some.conf";
  BOOST_TEST(environment().contains("JOBCTL_CONFIG=/etc/some.conf"));
}

BOOST_FIXTURE_TEST_CASE(options_are_written_to_a_file_that_the_program_is_told_of, site) {
  channel.options = {{"first", "1"}, {"second", "x y"}};
  const auto file = path() + "/run/test.option";
  BOOST_TEST(environment().contains("PMDF_CHANNEL_OPTION=" + file));
  BOOST_TEST(contents(file) == "first=1\nsecond=x y\n");
}

BOOST_FIXTURE_TEST_CASE(an_option_file_of_the_site_is_left_alone, site) {
  channel.options = {{"first", "1"}};
  channel.option_file = path() + "/mine";
  BOOST_TEST(environment().contains("PMDF_CHANNEL_OPTION=" + path() + "/mine"));
  BOOST_TEST(!fs::exists(path() + "/mine"));
}

BOOST_FIXTURE_TEST_CASE(an_option_file_that_cannot_be_written_is_an_error, site) {
  channel.options = {{"first", "1"}};
  fs::remove(path() + "/run");
  const auto made = jobctl::channel_command(settings, channel, 7);
  BOOST_REQUIRE(!made);
  BOOST_TEST(made.error().message().find("write the option file") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(our_own_user_changes_nothing, site) {
  channel.user = ::getpwuid(::geteuid())->pw_name;
  const auto made = jobctl::channel_command(settings, channel, 7);
  BOOST_REQUIRE_MESSAGE(made, made.error().message());
  BOOST_TEST(made->program == "/bin/echo");
  BOOST_TEST(!made->changes_user);
}

BOOST_FIXTURE_TEST_CASE(an_unknown_user_is_an_error_that_names_it, site) {
  channel.user = "no-such-user";
  const auto made = jobctl::channel_command(settings, channel, 7);
  BOOST_REQUIRE(!made);
  BOOST_TEST(made.error().message().find("user 'no-such-user'") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(unknown_users_and_root_are_problems_of_their_channels, site) {
  settings.channels.clear();
  for (const auto& [name, user] :
       std::map<std::string, std::string>{{"a", ""}, {"b", "nobody"}, {"c", "no-such-user"}, {"d", "root"}}) {
    channel.name = name;
    channel.user = user;
    settings.channels.push_back(channel);
  }
  const auto problems = jobctl::problems_of_users(settings);
  BOOST_REQUIRE(problems.size() == 2u);
  BOOST_TEST(problems[0].starts_with("[channel c] user: "));
  BOOST_TEST(problems[1].starts_with("[channel d] user: 'root' is root"));
}

BOOST_AUTO_TEST_CASE(another_user_is_taken_by_setpriv_which_keeps_no_capability) {
  jobctl::command what{"/bin/echo", {"-n", "two words"}, {"PATH=/bin"}, "/"};
  jobctl::run_as(what, {"fax", "/home/fax", 1234, {1234, 20, 7}}, 20);
  BOOST_TEST(what.program == "/usr/bin/setpriv");
  const std::vector<std::string> expected{"--reuid",
                                          "1234",
                                          "--regid",
                                          "20",
                                          "--groups",
                                          "20,1234,7",
                                          "--inh-caps=-all",
                                          "--ambient-caps=-all",
                                          "--",
                                          "/bin/echo",
                                          "-n",
                                          "two words"};
  BOOST_TEST(what.arguments == expected, boost::test_tools::per_element());
  const std::vector<std::string> environment{"PATH=/bin", "HOME=/home/fax", "USER=fax", "LOGNAME=fax"};
  BOOST_TEST(what.environment == environment, boost::test_tools::per_element());
  BOOST_TEST(what.changes_user);
}

BOOST_AUTO_TEST_SUITE_END()
