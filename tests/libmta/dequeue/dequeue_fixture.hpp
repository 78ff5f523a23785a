// A site with a queue, a dequeue engine at work on it in this process, and a job controller made of a script.
// The test's own thread is the controller: it says what is leased, how every question is answered and when
// the connection ends. Every wait has a limit, so that a test fails instead of hanging.
#pragma once

#include "dequeue/engine.hpp"
#include "queue/format.hpp"
#include "queue/store.hpp"
#include "queue/writer.hpp"
#include "temporary_directory.hpp"
#include "tests/libmta/wire/fake_controller.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <poll.h>
#include <set>
#include <string>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace test {

namespace queue = mta::queue;
namespace wire = mta::wire;
using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

inline constexpr auto patience = std::chrono::milliseconds(patience_ms);

/// Rings when a program did something; the test waits for it and for the connection at once.
class bell {
 public:
  bell() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~bell() { ::close(fd_); }
  bell(const bell&) = delete;
  bell& operator=(const bell&) = delete;
  int fd() const { return fd_; }
  void ring() const { (void)!::eventfd_write(fd_, 1); }
  void silence() const {
    eventfd_t rings = 0;
    (void)!::eventfd_read(fd_, &rings);
  }

 private:
  int fd_;
};

/// Messages wait at it, in process(), until the test opens it.
class gate {
 public:
  void pass() {
    std::unique_lock guard(mutex_);
    changed_.wait_for(guard, 3 * patience, [this] { return open_; });
  }
  void open() { set(true); }
  void shut() { set(false); }

 private:
  void set(bool to) {
    const std::scoped_lock guard(mutex_);
    open_ = to;
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

/// One call of process(), as it began.
struct call {
  std::string id;
  void* state = nullptr;  ///< *ctx2 at entry
  int thread = 0;
  unsigned attempts = 0;
  std::vector<std::string> recipients;
};

/// What the program under test does with its messages, and what it saw.
/// Thread safety: all members from any thread, but `act`, which is set before the program starts.
class program final : public mta::dequeue_handler {
 public:
  /// By default every message is delivered.
  std::function<mta::next_step(void*& state, mta::message&)> act = [](void*&, mta::message& m) {
    (void)m.finish(mta::disposition::delivered);
    return mta::next_step::go_on;
  };

  mta::next_step process(void*& state, mta::message& m) override {
    {
      const std::scoped_lock guard(mutex_);
      call c{std::string(m.id()), state, m.thread_id(), m.attempts(), {}};
      for (const auto& r : m.recipients()) c.recipients.emplace_back(r.address);
      calls_.push_back(std::move(c));
      peak_ = std::max(peak_, ++inside_);
    }
    rang.ring();
    struct leaving {
      program& p;
      ~leaving() {
        const std::scoped_lock guard(p.mutex_);
        --p.inside_;
      }
    } at_end{*this};
    return act(state, m);
  }
  void thread_done(void* state) noexcept override {
    {
      const std::scoped_lock guard(mutex_);
      done_.push_back(state);
    }
    rang.ring();
  }

  std::vector<call> calls() const {
    const std::scoped_lock guard(mutex_);
    return calls_;
  }
  std::size_t begun() const { return calls().size(); }
  /// The states with which threads ended. One that found nothing to do ends with null, at any time.
  std::vector<void*> done() const {
    const std::scoped_lock guard(mutex_);
    return done_;
  }
  /// Those of threads that had given themselves one.
  std::vector<void*> states_done() const {
    auto all = done();
    std::erase(all, nullptr);
    return all;
  }
  /// Most calls of process() at the same time.
  int peak() const {
    const std::scoped_lock guard(mutex_);
    return peak_;
  }
  /// Something to point a thread's state to, different each time.
  void* new_state() {
    const std::scoped_lock guard(mutex_);
    return states_.emplace_back(std::make_unique<char>()).get();
  }

  bell rang;

 private:
  mutable std::mutex mutex_;
  std::vector<call> calls_;
  std::vector<void*> done_;
  std::vector<std::unique_ptr<char>> states_;
  int inside_ = 0, peak_ = 0;
};

/// The controller's side of one connection: what the program said so far, and the answers to its questions.
class conversation {
 public:
  conversation(std::unique_ptr<program_connection> c, const bell& b) : connection(std::move(c)), bell_(b) {}

  /// Reads what the program says until `happened()`.
  template <class Condition>
  void until(Condition happened, const char* what) {
    const auto late = steady::now() + patience;
    while (!happened()) {
      BOOST_REQUIRE_MESSAGE(steady::now() < late, "waited in vain for: " << what);
      if (!hung_up && !connection->silent()) {
        take_in(connection->next());
        continue;
      }
      pollfd p[2] = {{bell_.fd(), POLLIN, 0}, {hung_up ? -1 : connection->fd(), POLLIN, 0}};
      ::poll(p, 2, patience_ms);
      bell_.silence();
    }
  }
  void until_results(std::size_t n) {
    until([&] { return results.size() >= n; }, "results");
    BOOST_TEST(results.size() == n);
  }
  /// Returns when there is a question that has not been answered; for `answer_polls = false`.
  void until_asked() {
    until([&] { return !questions.empty(); }, "a question");
  }
  void until_gone() {
    until([&] { return hung_up; }, "the program's leave");
  }
  void answer(std::uint64_t waiting, std::uint32_t needed) {
    BOOST_REQUIRE(!questions.empty());
    const wire::poll q = questions.front();
    questions.pop_front();
    connection->send(wire::polled{q.token, waiting, needed});
  }
  void lease(const std::vector<queue::message_id>& ids) {
    wire::lease l{"x", {}};
    for (const auto& id : ids) l.messages.push_back({id, 0, queue::priority::normal});
    connection->send(l);
  }
  void stop() { connection->send(wire::stop{"the test says so"}); }

  std::vector<wire::outcome> outcomes() const {
    std::vector<wire::outcome> all;
    for (const auto& r : results) all.push_back(r.outcome);
    return all;
  }
  std::size_t count(wire::outcome o) const {
    return static_cast<std::size_t>(std::ranges::count(results, o, &wire::message_result::outcome));
  }

  std::unique_ptr<program_connection> connection;
  std::uint32_t max_threads = 0;  ///< as HELLO said
  std::vector<wire::message_result> results;
  std::deque<wire::poll> questions;
  bool answer_polls = true;  ///< at once, with these two:
  std::uint64_t pending = 0;
  std::uint32_t threads = 1;
  unsigned polls = 0;
  std::uint64_t asked_for = 0;  ///< credit
  bool stopping = false, said_bye = false, hung_up = false;

 private:
  template <class Message>
  static Message read(const wire::frame& f) {
    Message m;
    BOOST_REQUIRE(decode(f, m));
    return m;
  }
  void take_in(const wire::frame& f) {
    if (f.body.data() == nullptr) {
      hung_up = true;
      return;
    }
    switch (f.type) {
      case wire::frame_type::ask: asked_for += read<wire::ask>(f).more; break;
      case wire::frame_type::results: {
        const auto some = read<wire::results>(f).messages;
        results.insert(results.end(), some.begin(), some.end());
        break;
      }
      case wire::frame_type::poll:
        ++polls;
        questions.push_back(read<wire::poll>(f));
        if (answer_polls) answer(pending, threads);
        break;
      case wire::frame_type::stopping: stopping = true; break;
      case wire::frame_type::bye: said_bye = true; break;
      default: BOOST_FAIL("a program says " << name_of(f.type));
    }
  }

  const bell& bell_;
};

struct dequeue_fixture {
  explicit dequeue_fixture(const std::string& of_channel = "backoff = 1h\n") {
    std::ofstream(root() + "/jobctl.conf") << "[jobctl]\nbuiltin = no\n[channel x]\n" << of_channel;
    auto found = mta::config::find_site({}, root());
    BOOST_REQUIRE_MESSAGE(found, found.error().text());
    settings = std::make_shared<const mta::config::settings>(std::move(*found));
    std::filesystem::create_directories(root() + "/run");
    store.emplace(queue::real_file_io(), settings->queue_root());
    BOOST_REQUIRE(store->make_channel("x"));
    controller = std::make_unique<fake_controller>(settings->program_socket());
    // An hour: what happens within a test's patience did not wait for the next round of the loop.
    options.retry_interval = 1h;
    options.max_threads = 1;
    options.controller_timeout = patience;
    options.wait_timeout = patience;
  }
  ~dequeue_fixture() {
    blocked.open();
    if (running.valid()) {
      if (running.wait_for(0s) != std::future_status::ready && with) with->stop();
      running.wait();
    }
    // Threads that outlive the loop write what became of their messages, into a directory that is to be
    // removed.
    const auto late = steady::now() + patience;
    while (!at_work.expired() && steady::now() < late) std::this_thread::sleep_for(1ms);
    BOOST_CHECK_MESSAGE(at_work.expired(), "a thread does not end");
  }
  dequeue_fixture(const dequeue_fixture&) = delete;
  dequeue_fixture& operator=(const dequeue_fixture&) = delete;

  const std::string& root() const { return directory.path(); }

  // --- the program

  void launch() {
    running = std::async(std::launch::async, [this] {
      const std::shared_ptr<mta::dequeue_handler> handler(std::shared_ptr<void>(), &p);
      const auto engine =
          std::make_shared<mta::dequeueing::engine>(settings, *settings->find_channel("x"), options, handler);
      at_work = engine;
      return engine->run();
    });
  }
  /// Launches the program, and welcomes it.
  conversation& start() {
    launch();
    return welcome();
  }
  conversation& welcome(std::vector<queue::message_id>* holding = nullptr) {
    wire::hello said;
    auto c = controller->welcome(&said);
    with = std::make_unique<conversation>(std::move(c), p.rang);
    with->max_threads = said.max_threads;
    if (holding != nullptr) *holding = std::move(said.holding);
    return *with;
  }
  /// What the loop returned; it must be about to.
  mta::result<> outcome() {
    BOOST_REQUIRE_MESSAGE(running.wait_for(patience) == std::future_status::ready, "the loop does not end");
    return running.get();
  }
  void must_succeed() {
    const auto r = outcome();
    BOOST_TEST(r.has_value(), (r ? std::string() : r.error().message()));
  }
  /// Tells the program to stop, and waits until it has returned.
  void stop() {
    with->stop();
    with->until_gone();
    must_succeed();
  }
  static mta::next_step deliver(mta::message& m) {
    (void)m.finish(mta::disposition::delivered);
    return mta::next_step::go_on;
  }

  // --- the queue

  queue::message_id commit(const std::vector<std::string>& recipients = {"to@example.org"},
                           const std::string& content = "Subject: test\r\n\r\nHello.\r\n") {
    queue::envelope e;
    e.from = "sender@example.org";
    for (const auto& r : recipients) e.recipients.push_back({r, "", "", 0, 0});
    return commit_envelope(e, content);
  }
  queue::message_id commit_envelope(const queue::envelope& e, const std::string& content,
                                    const std::string& host = "example.org") {
    if (!writer) {
      queue::writer_options o;
      o.one_shot = true;  // files of 64 messages
      o.reserve_bytes = 0;
      writer.emplace(queue::real_file_io(), settings->queue_root(), o);
    }
    queue::commit_request r;
    r.channel = "x";
    r.envelope = &e;
    r.host = host;
    r.now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    r.content.memory = content;
    r.content.length = content.size();
    const auto done = writer->commit(r);
    BOOST_REQUIRE_MESSAGE(done, done.error().message());
    return done->id;
  }
  std::vector<queue::message_id> commit_many(std::size_t n) {
    std::vector<queue::message_id> ids;
    while (ids.size() < n) ids.push_back(commit());
    return ids;
  }
  std::shared_ptr<queue::message_file> open(const queue::message_id& id) {
    auto f = store->open("x", id.file);
    BOOST_REQUIRE_MESSAGE(f, f.error().message());
    return *f;
  }
  queue::message_state state(const queue::message_id& id) {
    return open(id)->read_entry(id.slot).value().state;
  }
  void change(const queue::message_id& id, const std::function<void(queue::message_state&)>& how) {
    const auto f = open(id);
    BOOST_REQUIRE(f->try_lock(id.slot).value());
    auto s = f->read_entry(id.slot).value().state;
    how(s);
    BOOST_REQUIRE(f->change_state(id.slot, s));
  }
  std::string history(const queue::message_id& id) {
    std::string all;
    for (const auto& line : open(id)->read_history(id.slot).value()) all += line + "\n";
    return all;
  }
  /// Overwrites 8 bytes of the message's file.
  void damage(const queue::message_id& id, std::uint64_t offset) {
    const int f = ::open(store->path("x", id.file).c_str(), O_RDWR | O_CLOEXEC);
    BOOST_REQUIRE(f >= 0);
    BOOST_REQUIRE(::pwrite(f, "damaged!", 8, static_cast<off_t>(offset)) == 8);
    ::close(f);
  }

  temporary_directory directory;
  std::shared_ptr<const mta::config::settings> settings;
  std::optional<queue::store> store;
  std::optional<queue::writer> writer;
  std::unique_ptr<fake_controller> controller;
  mta::dequeue_options options;
  program p;
  gate blocked;
  std::unique_ptr<conversation> with;
  std::future<mta::result<>> running;
  std::weak_ptr<mta::dequeueing::engine> at_work;  ///< until its last thread has ended
};

}  // namespace test
