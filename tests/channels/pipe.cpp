// Commands of the pipe channel: how a command line becomes arguments, and what an ending means.
#include "channels/pipe/command.hpp"

#include <boost/test/unit_test.hpp>

#include <csignal>
#include <fstream>
#include <string>
#include <thread>

using namespace pipe_channel;
using words = std::vector<std::string>;

namespace {

input_file message(std::string_view text) {
  auto file = input_file::make();
  BOOST_REQUIRE(file);
  BOOST_REQUIRE(file->write(text));
  BOOST_REQUIRE(file->finish());
  return std::move(*file);
}

ending shell(const std::string& script, std::string_view input = "",
             std::chrono::milliseconds limit = std::chrono::minutes(2)) {
  job j{{"/bin/sh", "-c", script}, {"PATH=/usr/bin:/bin", "RECIPIENT=r@x"}, "/", limit};
  return run(j, message(input));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(pipe_command)

BOOST_AUTO_TEST_CASE(a_command_line_is_split_at_blanks_outside_quotes) {
  BOOST_TEST((*split_command("  /bin/x  -a\tb ") == words{"/bin/x", "-a", "b"}));
  BOOST_TEST((*split_command(R"(x "a b" 'c "d' e\ f "" g"h i"j)") ==
              words{"x", "a b", "c \"d", "e f", "", "gh ij"}));
  BOOST_TEST((*split_command(R"(x "a\"b" 'a\b')") == words{"x", "a\"b", "a\\b"}));
}

BOOST_AUTO_TEST_CASE(a_broken_command_line_is_refused) {
  BOOST_TEST(!split_command(""));
  BOOST_TEST(!split_command("  "));
  BOOST_TEST(!split_command("x \"a"));
}

BOOST_AUTO_TEST_CASE(names_are_substituted_without_splitting_again) {
  substitutions s{"s@x", "a b@x; rm -rf /", "pipe", "ID.1.2", {"r1@x", "r 2@x"}};
  BOOST_TEST(
      (*substitute({"cmd", "-f", "${sender}", "<${recipient}>", "${recipients}", "${channel}/${id}"}, s) ==
       words{"cmd", "-f", "s@x", "<a b@x; rm -rf />", "r1@x", "r 2@x", "pipe/ID.1.2"}));
  BOOST_TEST((*substitute({"cmd", "$x", "${sender"}, s) == words{"cmd", "$x", "${sender"}));
}

BOOST_AUTO_TEST_CASE(what_an_address_holds_is_not_substituted_again) {
  substitutions s{"${id}", "r", "pipe", "ID", {"${id}"}};
  BOOST_TEST((*substitute({"cmd", "${sender}", "${recipients}"}, s) == words{"cmd", "${id}", "${id}"}));
}

BOOST_AUTO_TEST_CASE(unknown_names_are_an_error) {
  auto r = substitute({"cmd", "${nobody}"}, {});
  BOOST_REQUIRE(!r);
  BOOST_TEST(r.error().message().find("${nobody}") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_address_never_becomes_an_option) {
  substitutions s{"-oops@x", "-oops@x", "pipe", "ID", {"-oops@x"}};
  BOOST_TEST(!substitute({"cmd", "${sender}"}, s));
  BOOST_TEST(!substitute({"cmd", "${recipients}"}, s));
  BOOST_TEST((*substitute({"cmd", "-f${sender}"}, s) == words{"cmd", "-f-oops@x"}));
}

BOOST_AUTO_TEST_CASE(exit_statuses_mean_what_sysexits_says) {
  BOOST_TEST(int(shell("exit 0").verdict) == int(verdict::delivered));
  for (int status : {71, 72, 73, 74, 75, 78})
    BOOST_TEST(int(shell("exit " + std::to_string(status)).verdict) == int(verdict::deferred), status);
  for (int status : {1, 64, 65, 66, 67, 68, 69, 70, 76, 77, 99})
    BOOST_TEST(int(shell("exit " + std::to_string(status)).verdict) == int(verdict::failed), status);
  BOOST_TEST(shell("exit 67").reason == "/bin/sh ended with status 67, addressee unknown");
}

BOOST_AUTO_TEST_CASE(a_command_killed_by_a_signal_is_tried_again) {
  ending e = shell("kill -9 $$");
  BOOST_TEST(int(e.verdict) == int(verdict::deferred));
  BOOST_TEST(e.reason == "/bin/sh was killed by signal 9 (Killed)");
}

BOOST_AUTO_TEST_CASE(what_the_command_prints_is_the_reason) {
  BOOST_TEST(shell("echo quota exceeded >&2; echo 'by 3 MB'; exit 75").reason ==
             "/bin/sh ended with status 75, temporary failure: quota exceeded / by 3 MB");
}

BOOST_AUTO_TEST_CASE(much_output_is_cut_and_does_not_block_the_command) {
  ending e = shell("yes line | head -n 200000; exit 75");
  BOOST_TEST(int(e.verdict) == int(verdict::deferred));
  BOOST_TEST(e.reason.size() < 2000u);
}

BOOST_AUTO_TEST_CASE(the_message_is_on_standard_input_byte_for_byte) {
  std::string text = "Subject: x\n\n" + std::string(300'000, 'y') + "\n.\n\0z";
  BOOST_TEST(int(shell("test $(wc -c) = " + std::to_string(text.size()), text).verdict) ==
             int(verdict::delivered));
}

BOOST_AUTO_TEST_CASE(a_command_that_reads_nothing_is_no_trouble) {
  BOOST_TEST(int(shell("exit 0", std::string(3'000'000, 'x')).verdict) == int(verdict::delivered));
}

BOOST_AUTO_TEST_CASE(a_command_that_does_not_exist_is_a_deferral_that_names_it) {
  ending e = run(job{{"/nonexistent/x"}, {}, "/", std::chrono::minutes(1)}, message(""));
  BOOST_TEST(int(e.verdict) == int(verdict::deferred));
  BOOST_TEST(e.reason.find("/nonexistent/x") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(descriptors_and_group_are_its_own) {
  // 0, 1, 2 are open, and the one that ls lists the directory with.
  ending e = shell(
      "test \"$(ls /proc/self/fd | tr '\\n' ' ')\" = '0 1 2 3 ' || exit 65;"
      "test \"$(cut -d' ' -f5 /proc/$$/stat)\" = $$ || exit 66;"
      "test $RECIPIENT = r@x || exit 67");
  BOOST_TEST(int(e.verdict) == int(verdict::delivered), e.reason);
}

BOOST_AUTO_TEST_CASE(signals_that_the_channel_ignores_are_not_ignored_by_the_command) {
  std::signal(SIGPIPE, SIG_IGN);
  ending e = shell("kill -PIPE $$; exit 0");
  std::signal(SIGPIPE, SIG_DFL);
  BOOST_TEST(e.reason == "/bin/sh was killed by signal 13 (Broken pipe)");
}

BOOST_AUTO_TEST_CASE(an_overdue_command_is_stopped_with_its_children) {
  char name[] = "/tmp/jobctl-pipe-XXXXXX";
  BOOST_REQUIRE(::mkstemp(name) >= 0);
  auto before = std::chrono::steady_clock::now();
  ending e = shell(std::string("echo begun; sleep 1000 & echo $! > ") + name + "; wait", "",
                   std::chrono::seconds(1));
  BOOST_TEST(int(e.verdict) == int(verdict::deferred));
  BOOST_TEST(e.reason == "/bin/sh was stopped after its time limit of 1 s: begun");
  BOOST_TEST((std::chrono::steady_clock::now() - before < std::chrono::seconds(60)));
  pid_t child = 0;
  std::ifstream(name) >> child;
  BOOST_REQUIRE(child > 0);
  // It was killed; when it dies is the kernel's business.
  std::string state;
  const auto late = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  do {
    std::this_thread::yield();
    std::ifstream stat("/proc/" + std::to_string(child) + "/stat");
    std::string pid, program;
    state = "gone";
    stat >> pid >> program >> state;
  } while (state != "gone" && state != "Z" && std::chrono::steady_clock::now() < late);
  BOOST_TEST((state == "gone" || state == "Z"), "the child still runs: " << state);
  std::remove(name);
}

BOOST_AUTO_TEST_CASE(a_process_left_behind_does_not_hold_us) {
  auto before = std::chrono::steady_clock::now();
  ending e = shell("sleep 3 & exit 0");
  BOOST_TEST(int(e.verdict) == int(verdict::delivered));
  BOOST_TEST((std::chrono::steady_clock::now() - before < std::chrono::milliseconds(2500)));
}

BOOST_AUTO_TEST_SUITE_END()
