// Limits of channels, on a plain directory that stands for the control group that systemd hands over.
#include "jobctl/launcher/control_groups.hpp"

#include "jobctl/launcher/control_group_file.hpp"
#include "temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <sys/wait.h>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;

// The kernel makes these files with a group; a plain directory has them only if somebody made them.
struct fixture {
  test::temporary_directory directory;
  std::string unit = directory.path() + "/jobctl.service";
  int asked = 0;
  jobctl::control_groups groups{[this] {
    ++asked;
    return jobctl::control_group_place{unit, {}};
  }};
  mta::config::settings settings = mta::config::defaults(directory.path());

  fixture() {
    make_group(unit, "cpu memory pids\n");
    write(unit + "/cgroup.procs", "4711\n");
  }

  static void make_group(const std::string& path, const std::string& controllers) {
    fs::create_directories(path);
    write(path + "/cgroup.controllers", controllers);
    for (const char* file : {"cgroup.procs", "cgroup.subtree_control", "memory.max", "cpu.max", "pids.max"})
      write(path + "/" + file, "");
  }
  static void write(const std::string& path, const std::string& text) {
    BOOST_REQUIRE(jobctl::write_group_file(path, text));
  }
  std::string text(const std::string& file) const { return jobctl::read_group_file(unit + "/" + file); }

  mta::config::resource_limits& limits(const std::string& channel) {
    for (auto& c : settings.channels)
      if (c.name == channel) return c.limits;
    throw std::invalid_argument(channel);
  }
  // For the second and later calls: the files are there now.
  std::vector<std::string> configure() { return groups.configure(settings); }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(control_groups)

BOOST_AUTO_TEST_CASE(the_group_of_a_process_is_read) {
  BOOST_TEST(jobctl::unified_group("0::/system.slice/jobctl.service\n").value() ==
             "/system.slice/jobctl.service");
  BOOST_TEST(jobctl::unified_group("4:memory:/a\n0::/b\n").value() == "/b");
  BOOST_TEST(!jobctl::unified_group("4:memory:/a\n1:name=systemd:/b\n").has_value());
  BOOST_TEST(!jobctl::unified_group("").has_value());
}

BOOST_AUTO_TEST_CASE(a_controller_that_has_moved_finds_the_group_of_its_unit_again) {
  const auto places = [](const char* group) {
    std::string all;
    for (const auto& place : jobctl::possible_places(group)) all += place + ";";
    return all;
  };
  BOOST_TEST(places("/system.slice/jobctl.service") == "/system.slice/jobctl.service;");
  BOOST_TEST(places("/s/jobctl.service/controller") == "/s/jobctl.service/controller;/s/jobctl.service;");
  BOOST_TEST(places("/s/jobctl.service/.control") == "/s/jobctl.service/.control;/s/jobctl.service;");
  BOOST_TEST(places("/") == ";");
}

BOOST_AUTO_TEST_CASE(limits_become_texts) {
  const auto all = [](mta::config::resource_limits limits) {
    std::string text;
    for (const auto& [file, value] : jobctl::texts_of_limits(limits)) text += file + "=" + value + ";";
    return text;
  };
  BOOST_TEST(all({64 << 20, 150, 30}) == "memory.max=67108864;cpu.max=150000 100000;pids.max=30;");
  BOOST_TEST(all({}) == "memory.max=max;cpu.max=max 100000;pids.max=max;");
  BOOST_TEST(all({0, 1, 0}) == "memory.max=max;cpu.max=1000 100000;pids.max=max;");
  BOOST_TEST(all({0, 100'000, 0}) == "memory.max=max;cpu.max=100000000 100000;pids.max=max;");
}

BOOST_AUTO_TEST_CASE(kills_for_want_of_memory_are_read) {
  BOOST_TEST(jobctl::oom_kills("low 0\nhigh 0\nmax 12\noom 2\noom_kill 3\noom_group_kill 0\n") == 3U);
  BOOST_TEST(jobctl::oom_kills("low 0\n") == 0U);
  BOOST_TEST(jobctl::oom_kills("") == 0U);
}

BOOST_FIXTURE_TEST_CASE(without_limits_nothing_is_touched, fixture) {
  BOOST_TEST(configure().empty());
  BOOST_TEST(asked == 0);
  BOOST_TEST(!fs::exists(unit + "/controller"));
}

BOOST_FIXTURE_TEST_CASE(a_channel_with_limits_gets_a_group_and_its_programs_start_there, fixture) {
  make_group(unit + "/channel-maildir", "");
  limits("maildir") = {1 << 20, 50, 0};
  BOOST_TEST(configure().empty());
  BOOST_TEST(text("controller/cgroup.procs") == "4711");
  BOOST_TEST(text("cgroup.subtree_control") == "+cpu");  // the last of "+memory" and "+cpu"
  BOOST_TEST(text("channel-maildir/memory.max") == "1048576");
  BOOST_TEST(text("channel-maildir/cpu.max") == "50000 100000");
  BOOST_TEST(text("channel-maildir/pids.max") == "max");

  jobctl::command what{"/bin/deliver", {"-x"}, {}, "/", true};
  groups.confine(what, "maildir");
  BOOST_TEST(what.program == "/proc/self/exe");
  const std::vector<std::string> expected{jobctl::control_groups::entry, unit + "/channel-maildir",
                                          "/bin/deliver", "-x"};
  BOOST_TEST(what.arguments == expected, boost::test_tools::per_element());
  BOOST_TEST(what.changes_user);

  jobctl::command other{"/bin/deliver", {}, {}, "/", false};
  groups.confine(other, "bitbucket");
  BOOST_TEST(other.program == "/bin/deliver");
}

BOOST_FIXTURE_TEST_CASE(a_changed_limit_is_written_and_one_that_is_taken_away_is_lifted, fixture) {
  make_group(unit + "/channel-maildir", "");
  make_group(unit + "/channel-pipe", "");
  limits("maildir").memory = 1 << 20;
  limits("pipe").tasks = 5;
  BOOST_TEST(configure().empty());
  limits("maildir").memory = 2 << 20;
  limits("pipe").tasks = 0;
  BOOST_TEST(configure().empty());
  BOOST_TEST(asked == 1);
  BOOST_TEST(text("channel-maildir/memory.max") == "2097152");
  BOOST_TEST(text("channel-pipe/pids.max") == "max");  // programs may still be there
  jobctl::command what{"/bin/deliver", {}, {}, "/", false};
  groups.confine(what, "pipe");
  BOOST_TEST(what.program == "/bin/deliver");
}

BOOST_FIXTURE_TEST_CASE(an_empty_group_of_a_channel_without_limits_is_removed, fixture) {
  limits("maildir").memory = 1 << 20;
  BOOST_TEST(configure().empty());
  BOOST_TEST(fs::exists(unit + "/channel-maildir"));
  limits("maildir").memory = 0;
  BOOST_TEST(configure().empty());
  BOOST_TEST(!fs::exists(unit + "/channel-maildir"));
}

BOOST_FIXTURE_TEST_CASE(what_is_missing_is_said_once_and_programs_run_without_limits, fixture) {
  jobctl::control_groups none{[] { return jobctl::control_group_place{{}, "there is no such thing"}; }};
  limits("maildir").memory = limits("pipe").memory = 1 << 20;
  const auto notes = none.configure(settings);
  BOOST_REQUIRE(notes.size() == 1U);
  BOOST_TEST(notes[0] ==
             "the limits of channels (maildir, pipe) have no effect, their programs run without: there is no "
             "such thing");
  jobctl::command what{"/bin/deliver", {}, {}, "/", false};
  none.confine(what, "maildir");
  BOOST_TEST(what.program == "/bin/deliver");
}

BOOST_FIXTURE_TEST_CASE(a_controller_that_the_kernel_does_not_offer_is_named, fixture) {
  write(unit + "/cgroup.controllers", "memory pids\n");
  limits("maildir") = {1 << 20, 50, 0};
  const auto notes = configure();
  BOOST_REQUIRE(notes.size() == 1U);
  BOOST_TEST(notes[0].starts_with("cpu_max has no effect: no controller 'cpu' in "));
}

BOOST_FIXTURE_TEST_CASE(a_kill_for_want_of_memory_is_told_once, fixture) {
  make_group(unit + "/channel-maildir", "");
  write(unit + "/channel-maildir/memory.events", "oom_kill 2\n");  // of earlier ones
  limits("maildir").memory = 1 << 20;
  BOOST_TEST(configure().empty());
  BOOST_TEST(!groups.ran_out_of_memory("maildir"));
  write(unit + "/channel-maildir/memory.events", "oom_kill 3\n");
  BOOST_TEST(groups.ran_out_of_memory("maildir"));
  BOOST_TEST(!groups.ran_out_of_memory("maildir"));
  BOOST_TEST(!groups.ran_out_of_memory("pipe"));
}

BOOST_FIXTURE_TEST_CASE(letting_go_takes_every_controller_away, fixture) {
  write(unit + "/cgroup.subtree_control", "memory\n");
  make_group(unit + "/channel-maildir/own", "");
  write(unit + "/channel-maildir/cgroup.subtree_control", "pids\n");
  BOOST_TEST(!!jobctl::release_control_group(unit));
  BOOST_TEST(text("cgroup.subtree_control") == "-memory");
  BOOST_TEST(text("channel-maildir/cgroup.subtree_control") == "-pids");
  BOOST_TEST(text("channel-maildir/own/cgroup.subtree_control").empty());
}

BOOST_FIXTURE_TEST_CASE(a_program_is_started_in_a_group_or_not_at_all, fixture) {
  const auto status_of = [&](std::string group) {
    std::string program = "/bin/true";
    char* words[] = {group.data(), program.data(), nullptr};
    const pid_t child = ::fork();
    if (child == 0) ::_exit(jobctl::run_in_control_group(words));
    int status = 0;
    BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
    return WEXITSTATUS(status);
  };
  BOOST_TEST(status_of(unit) == 0);
  BOOST_TEST(text("cgroup.procs").starts_with("0"));
  BOOST_TEST(status_of(directory.path() + "/not-there") == 75);
}

BOOST_AUTO_TEST_SUITE_END()
