// A channel program as a process of its own: SIGTERM, death, and a start by hand.
#include "dequeue_fixture.hpp"

#include <csignal>
#include <spawn.h>
#include <sys/wait.h>

using namespace test;

namespace {

struct process_fixture : dequeue_fixture {
  process_fixture() {
    BOOST_REQUIRE_EQUAL(::pipe2(in, O_CLOEXEC), 0);
    BOOST_REQUIRE_EQUAL(::pipe2(out, O_CLOEXEC), 0);
  }
  ~process_fixture() {
    if (child > 0) {
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
    }
    for (const int fd : {in[0], in[1], out[0], out[1]}) ::close(fd);
  }

  /// Starts the program by hand: nothing but the channel's name in its environment.
  conversation& spawn() {
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_adddup2(&files, in[0], STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&files, out[1], STDOUT_FILENO);
    std::string name = GATED_CHANNEL, channel = "PMDF_CHANNEL=x", site = "JOBCTL_ROOT=" + root();
    char* const arguments[] = {name.data(), nullptr};
    char* const environment[] = {channel.data(), site.data(), nullptr};
    BOOST_REQUIRE_EQUAL(::posix_spawn(&child, name.c_str(), &files, nullptr, arguments, environment), 0);
    ::posix_spawn_file_actions_destroy(&files);
    return welcome();
  }
  /// Has the program begin with the first of the messages.
  void begin(const std::vector<queue::message_id>& ids) {
    with->answer_polls = false;
    with->until_asked();
    with->lease(ids);
    with->answer(ids.size(), 1);
    pollfd p_out{out[0], POLLIN, 0};
    std::string said;
    while (said.find("begin\n") == std::string::npos) {
      BOOST_REQUIRE_MESSAGE(::poll(&p_out, 1, patience_ms) == 1, "no message is begun");
      char some[256];
      const auto n = ::read(out[0], some, sizeof some);
      BOOST_REQUIRE(n > 0);
      said.append(some, static_cast<std::size_t>(n));
    }
  }
  void let_go_on() { BOOST_REQUIRE(::write(in[1], "\n", 1) == 1); }
  /// Its exit status as wait(2) gives it, once it has hung up.
  int status() {
    int s = -1;
    BOOST_REQUIRE(::waitpid(child, &s, 0) == child);
    child = 0;
    return s;
  }

  int in[2]{}, out[2]{};
  pid_t child = 0;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(processes, process_fixture)

BOOST_AUTO_TEST_CASE(a_program_started_by_hand_works_its_channel) {
  auto& c = spawn();
  const auto id = commit();
  begin({id});
  let_go_on();
  c.until_results(1);
  BOOST_TEST((state(id).phase == queue::phase::finished));
  c.stop();
  c.until_gone();
  BOOST_TEST(status() == 0);
}

BOOST_AUTO_TEST_CASE(sigterm_ends_the_sleep) {
  auto& c = spawn();
  c.until([&] { return c.polls == 1; }, "the sleep");
  ::kill(child, SIGTERM);
  c.until_gone();
  BOOST_TEST(c.stopping);
  BOOST_TEST(c.said_bye);
  BOOST_TEST(status() == 0);
}

BOOST_AUTO_TEST_CASE(sigterm_lets_the_message_in_hand_be_finished_and_hands_back_the_rest) {
  auto& c = spawn();
  const auto ids = commit_many(3);
  begin(ids);
  ::kill(child, SIGTERM);
  c.until_results(2);
  BOOST_TEST(c.count(wire::outcome::released) == 2u);
  let_go_on();
  c.until_gone();
  BOOST_TEST(c.results.size() == 3u);
  BOOST_TEST((c.results.back().id == ids[0]));
  BOOST_TEST((c.results.back().outcome == wire::outcome::finished));
  BOOST_TEST(status() == 0);
}

BOOST_AUTO_TEST_CASE(a_program_that_dies_leaves_its_message_unlocked_and_untried) {
  auto& c = spawn();
  const auto id = commit();
  begin({id});
  const auto f = open(id);
  BOOST_TEST(!f->try_lock(id.slot).value());
  ::kill(child, SIGKILL);
  BOOST_TEST(WIFSIGNALED(status()));
  c.until_gone();
  BOOST_TEST(!c.said_bye);
  BOOST_TEST(f->try_lock(id.slot).value());
  BOOST_TEST((state(id).phase == queue::phase::queued));
  BOOST_TEST(state(id).attempts == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
