// docs/protocol.md and docs/queue-format.md are enough to write a channel program: docs/channel.py was
// written from them, with nothing but Python's standard library. Here it works on a queue made by libmta, for
// a controller that follows a script.
#include "fake_controller.hpp"
#include "queue/store.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <set>
#include <sys/wait.h>
#include <unistd.h>

namespace queue = mta::queue;
namespace wire = mta::wire;

namespace {

struct fixture {
  test::temporary_directory directory;
  queue::store store{queue::real_file_io(), directory.path() + "/queue"};
  std::unique_ptr<test::fake_controller> controller;
  std::unique_ptr<test::program_connection> c;
  pid_t pid = -1;
  int output = -1;
  std::vector<queue::committed> messages;

  fixture() {
    BOOST_REQUIRE(store.make_channel("l"));
    std::filesystem::create_directory(directory.path() + "/run");
    controller = std::make_unique<test::fake_controller>(directory.path() + "/run/jobctl.sock");
  }
  ~fixture() {
    if (output >= 0) ::close(output);
    if (pid > 0) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
  }

  void commit(std::size_t recipients) {
    queue::writer_options options;
    options.reserve_bytes = 0;
    options.one_shot = true;
    queue::writer writer(queue::real_file_io(), store.root(), options);
    queue::envelope e;
    e.from = "s%@a.example";
    for (std::size_t i = 0; i < recipients; ++i)
      e.recipients.push_back({"r" + std::to_string(i) + "@b.example", {}, {}});
    queue::commit_request request;
    request.channel = "l";
    request.envelope = &e;
    request.host = "b.example";
    request.content.memory = "Subject: x\r\n\r\nhello\r\n";
    const auto done = writer.commit(request);
    BOOST_REQUIRE(done);
    messages.push_back(*done);
  }

  void start(const char* idle) {
    int ends[2];
    BOOST_REQUIRE_EQUAL(::pipe(ends), 0);
    const std::string root = directory.path();
    pid = ::fork();
    if (pid == 0) {
      ::dup2(ends[1], STDOUT_FILENO);
      ::close(ends[0]);
      ::close(ends[1]);
      ::setenv("PMDF_CHANNEL", "l", 1);
      ::setenv("JOBCTL_ROOT", root.c_str(), 1);
      ::setenv("JOBCTL_JOB", "77", 1);
      ::unsetenv("JOBCTL_CONFIG");
      ::execlp("python3", "python3", DOCS_DIRECTORY "/channel.py", "--idle", idle,
               static_cast<char*>(nullptr));
      ::_exit(127);
    }
    ::close(ends[1]);
    output = ends[0];
    BOOST_REQUIRE_GT(pid, 0);
    c = controller->accept();
    const auto h = c->expect<wire::hello>();
    BOOST_CHECK(h.role == wire::role::channel_program);
    BOOST_CHECK_EQUAL(h.channel, "l");
    BOOST_CHECK_EQUAL(h.job, 77u);
    BOOST_CHECK_EQUAL(h.pid, static_cast<std::uint32_t>(pid));
    c->send(wire::welcome{});
    BOOST_CHECK_EQUAL(c->expect<wire::ask>().more, 16u);
  }

  wire::message_result process(const wire::message_id& id) {
    c->send(wire::lease{"l", {{id, 0, {}}}});
    const auto r = c->expect<wire::results>();
    BOOST_REQUIRE_EQUAL(r.messages.size(), 1u);
    BOOST_CHECK(r.messages[0].id == id);
    BOOST_CHECK_EQUAL(c->expect<wire::ask>().more, 1u);
    return r.messages[0];
  }

  queue::message_state state(const wire::message_id& id) {
    auto f = store.open("l", id.file);
    BOOST_REQUIRE(f);
    const auto listed = (*f)->read_entry(id.slot);
    BOOST_REQUIRE(listed);
    return listed->state;
  }

  std::string printed() {
    std::string all;
    char part[4096];
    ssize_t n;
    while ((n = ::read(output, part, sizeof part)) > 0) all.append(part, static_cast<std::size_t>(n));
    return all;
  }

  void expect_clean_exit() {
    int status = -1;
    BOOST_REQUIRE_EQUAL(::waitpid(pid, &status, 0), pid);
    pid = -1;
    BOOST_CHECK_EQUAL(status, 0);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(python_program, fixture)

BOOST_AUTO_TEST_CASE(it_delivers_what_is_leased_and_libmta_reads_what_it_wrote) {
  commit(1);
  commit(100);
  start("600");
  for (const auto& m : messages) {
    BOOST_CHECK(process(m.id).outcome == wire::outcome::finished);
    const auto s = state(m.id);
    BOOST_CHECK(s.phase == queue::phase::finished);
    BOOST_CHECK_EQUAL(s.attempts, 1);
    BOOST_CHECK_EQUAL(s.finished.count(), m.entry.recipients);
  }
  BOOST_CHECK(process(messages[0].id).outcome == wire::outcome::gone);
  c->send(wire::stop{"enough"});
  c->expect<wire::stopping>();
  c->expect<wire::bye>();
  const std::string lines = printed();
  BOOST_CHECK_EQUAL(std::count(lines.begin(), lines.end(), '\n'), 101);
  BOOST_CHECK_NE(lines.find(to_string(messages[0].id) + " <s%@a.example> <r0@b.example> 21\n"),
                 std::string::npos);
  expect_clean_exit();
}

BOOST_AUTO_TEST_CASE(it_respects_locks_holds_finished_recipients_and_generations) {
  commit(3);
  commit(1);
  start("600");
  auto f = store.open("l", messages[0].id.file);
  BOOST_REQUIRE(f);
  BOOST_REQUIRE((*f)->try_lock(messages[0].id.slot).value());
  BOOST_CHECK(process(messages[0].id).outcome == wire::outcome::locked);

  queue::message_state s;
  s.phase = queue::phase::deferred;
  s.attempts = 4;
  s.finished.set(0);
  s.finished.set(2);
  BOOST_REQUIRE((*f)->change_state(messages[0].id.slot, s));
  BOOST_REQUIRE((*f)->unlock(messages[0].id.slot));
  BOOST_CHECK(process(messages[0].id).outcome == wire::outcome::finished);
  BOOST_CHECK_EQUAL(state(messages[0].id).attempts, 5);
  BOOST_CHECK_EQUAL(state(messages[0].id).finished.count(), 3u);

  auto g = store.open("l", messages[1].id.file);
  BOOST_REQUIRE(g);
  s = {};
  s.phase = queue::phase::held;
  BOOST_REQUIRE((*g)->try_lock(messages[1].id.slot).value());
  BOOST_REQUIRE((*g)->change_state(messages[1].id.slot, s));
  BOOST_REQUIRE((*g)->unlock(messages[1].id.slot));
  BOOST_CHECK(process(messages[1].id).outcome == wire::outcome::held);

  auto other = messages[1].id;
  other.generation += 1;
  BOOST_CHECK(process(other).outcome == wire::outcome::gone);
  other = messages[1].id;
  other.slot += 1;
  BOOST_CHECK(process(other).outcome == wire::outcome::bad);
  c->send(wire::stop{"enough"});
  c->expect<wire::stopping>();
  c->expect<wire::bye>();
  BOOST_CHECK_NE(printed().find("<r1@b.example>"), std::string::npos);
  expect_clean_exit();
}

BOOST_AUTO_TEST_CASE(it_leaves_after_five_empty_answers) {
  start("0.001");
  for (int i = 0; i < 5; ++i) {
    const auto q = c->expect<wire::poll>();
    BOOST_CHECK_EQUAL(q.running, 1u);
    c->send(wire::polled{q.token, 0, 0});
  }
  c->expect<wire::stopping>();
  c->expect<wire::bye>();
  c->expect_hang_up();
  expect_clean_exit();
}

BOOST_AUTO_TEST_SUITE_END()
