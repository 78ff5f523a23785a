// mta::channel: coroutines, many messages on few threads.
#include "dequeue/pump.hpp"
#include "dequeue_fixture.hpp"

#include <mta/channel.hpp>

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <map>

using namespace test;
namespace asio = boost::asio;
using mta::awaitable;
using mta::disposition;

namespace {

/// Waits on the loop; without end if nobody cancels it.
awaitable<void> pause(std::chrono::milliseconds how_long) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  timer.expires_after(how_long);
  co_await timer.async_wait(asio::use_awaitable);
}

struct channel_fixture : dequeue_fixture {
  channel_fixture() {
    static_cast<mta::dequeue_options&>(how) = options;
    how.wait_timeout = patience;
  }
  ~channel_fixture() { released = true; }

  template <class Process>
  conversation& start(Process process) {
    running = std::async(std::launch::async, [this, process]() -> mta::result<> {
      mta::detail::coroutine_program<Process> program(how, process);
      return mta::dequeueing::pump({settings, settings->find_channel("x")}, how, program).run();
    });
    return welcome();
  }
  /// In a coroutine: it has begun; waits until the test releases it.
  awaitable<void> gathered() {
    const int now = ++inside;
    for (int most = peak; now > most && !peak.compare_exchange_weak(most, now);) {
    }
    rang.ring();
    while (!released) co_await pause(1ms);
    --inside;
  }
  void until_inside(int n) {
    with->until([&] { return inside >= n; }, "messages in hand");
  }
  queue::message_id commit_to(const std::string& host) {
    queue::envelope e;
    e.from = "sender@example.org";
    e.recipients.push_back({"to@" + host, "", "", 0, 0});
    return commit_envelope(e, "Subject: test\r\n\r\nHello.\r\n", host);
  }

  mta::channel_options how;
  const bell& rang = p.rang;
  std::atomic<int> inside{0}, peak{0};
  std::atomic<bool> released{false};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(coroutine_channels, channel_fixture)

BOOST_AUTO_TEST_CASE(one_thread_has_hundreds_of_messages_in_hand) {
  constexpr int many = 300;
  const auto ids = commit_many(many);
  std::atomic<int> foreign{0};
  std::mutex mutex;
  std::set<std::thread::id> threads;
  auto& c = start([&](mta::message& m) -> awaitable<disposition> {
    {
      const std::scoped_lock guard(mutex);
      threads.insert(std::this_thread::get_id());
    }
    if (m.thread_id() != 1) ++foreign;
    co_await gathered();
    co_return disposition::delivered;
  });
  c.lease(ids);
  until_inside(many);
  released = true;
  c.until_results(many);
  BOOST_TEST(c.count(wire::outcome::finished) == static_cast<std::size_t>(many));
  BOOST_TEST(threads.size() == 1u);
  BOOST_TEST(foreign == 0);
  for (const auto& id : ids) BOOST_TEST((state(id).phase == queue::phase::finished));
  stop();
}

BOOST_AUTO_TEST_CASE(what_is_returned_is_for_those_of_whom_nothing_was_said) {
  const auto id = commit({"a@example.org", "b@example.org", "c@example.org"});
  auto& c = start([](mta::message& m) -> awaitable<disposition> {
    m.dispose(m.recipients()[1], disposition::deferred, "mailbox is busy");
    co_await pause(1ms);
    co_return disposition::delivered;
  });
  c.lease({id});
  c.until_results(1);
  BOOST_TEST((c.results[0].outcome == wire::outcome::deferred));
  BOOST_TEST(state(id).finished.count() == 2);
  BOOST_TEST(state(id).attempts == 1);
  BOOST_TEST(history(id).find("mailbox is busy") != std::string::npos, history(id));
  stop();
}

BOOST_AUTO_TEST_CASE(who_returns_nothing_defers_all_but_what_was_said) {
  const auto id = commit({"a@example.org", "b@example.org"});
  auto& c = start([](mta::message& m) -> awaitable<void> {
    m.dispose(m.recipients()[0], disposition::delivered);
    co_return;
  });
  c.lease({id});
  c.until_results(1);
  BOOST_TEST((c.results[0].outcome == wire::outcome::deferred));
  BOOST_TEST(state(id).finished.count() == 1);
  BOOST_TEST(history(id).find("not finished") != std::string::npos, history(id));
  stop();
}

BOOST_AUTO_TEST_CASE(an_exception_defers_whatever_was_said) {
  const auto id = commit({"a@example.org", "b@example.org"});
  auto& c = start([](mta::message& m) -> awaitable<disposition> {
    m.dispose(disposition::delivered);
    co_await pause(1ms);
    throw std::runtime_error("the line was cut");
  });
  c.lease({id});
  c.until_results(1);
  BOOST_TEST((c.results[0].outcome == wire::outcome::deferred));
  BOOST_TEST(state(id).finished.count() == 0);
  BOOST_TEST(history(id).find("the line was cut") != std::string::npos, history(id));
  stop();
}

BOOST_AUTO_TEST_CASE(a_coroutine_may_finish_its_message_itself) {
  const auto ids = commit_many(2);
  std::atomic<int> errors{0};
  auto& c = start([&](mta::message& m) -> awaitable<disposition> {
    const auto written = m.id() == to_string(ids[0]) ? m.finish(disposition::delivered) : m.defer("mine");
    if (!written) ++errors;
    co_return disposition::failed;  // too late
  });
  c.lease(ids);
  c.until_results(2);
  BOOST_TEST(errors == 0);
  BOOST_TEST((state(ids[0]).phase == queue::phase::finished));
  BOOST_TEST((state(ids[1]).phase == queue::phase::deferred));
  stop();
}

BOOST_AUTO_TEST_CASE(what_takes_too_long_is_cancelled_and_deferred) {
  how.deadline = 50ms;
  const auto ids = commit_many(2);
  auto& c = start([&](mta::message& m) -> awaitable<disposition> {
    if (m.id() == to_string(ids[0])) co_await pause(1h);
    co_return disposition::delivered;
  });
  c.lease(ids);
  c.until_results(2);
  BOOST_TEST((state(ids[0]).phase == queue::phase::deferred));
  BOOST_TEST(history(ids[0]).find("its time is over") != std::string::npos, history(ids[0]));
  BOOST_TEST((state(ids[1]).phase == queue::phase::finished));
  stop();
}

BOOST_AUTO_TEST_CASE(so_many_are_in_hand_and_no_more) {
  how.in_hand = 8;
  const auto ids = commit_many(8);
  auto& c = start([&](mta::message&) -> awaitable<disposition> {
    co_await gathered();
    co_return disposition::delivered;
  });
  BOOST_TEST(c.max_threads == 8u);
  c.until([&] { return c.asked_for >= 8; }, "credit");
  c.lease(ids);
  until_inside(8);
  BOOST_TEST(c.asked_for == 8u);
  released = true;
  c.until_results(8);
  // A quarter of it may be outstanding: a busy program asks seldom.
  c.until([&] { return c.asked_for >= 14; }, "credit for more");
  BOOST_TEST(c.asked_for <= 16u);
  stop();
}

BOOST_AUTO_TEST_CASE(a_host_gets_so_many_at_a_time_and_others_do_not_wait_for_it) {
  how.per_host = 2;
  std::vector<queue::message_id> ids;
  for (int i = 0; i < 10; ++i) ids.push_back(commit_to("slow.example"));
  for (int i = 0; i < 5; ++i) ids.push_back(commit_to("h" + std::to_string(i) + ".example"));
  std::mutex mutex;
  int slow = 0, most = 0, others = 0;
  auto& c = start([&](mta::message& m) -> awaitable<disposition> {
    const bool is_slow = m.host() == "slow.example";
    {
      const std::scoped_lock guard(mutex);
      if (is_slow) most = std::max(most, ++slow);
      if (!is_slow) ++others;
    }
    if (is_slow) co_await gathered();
    const std::scoped_lock guard(mutex);
    if (is_slow) --slow;
    co_return disposition::delivered;
  });
  c.lease(ids);
  c.until_results(5);  // the others
  BOOST_TEST(others == 5);
  BOOST_TEST(inside == 2);
  released = true;
  c.until_results(15);
  BOOST_TEST(c.count(wire::outcome::finished) == 15u);
  BOOST_TEST(most == 2);
  stop();
}

BOOST_AUTO_TEST_CASE(threads_share_the_messages_and_are_told_when_they_begin_and_end) {
  how.threads = 3;
  std::mutex mutex;
  std::map<std::thread::id, int> begun, ended, messages;
  how.thread_begin = [&] {
    const std::scoped_lock guard(mutex);
    ++begun[std::this_thread::get_id()];
  };
  how.thread_done = [&] {
    const std::scoped_lock guard(mutex);
    ++ended[std::this_thread::get_id()];
  };
  const auto ids = commit_many(30);
  auto& c = start([&](mta::message&) -> awaitable<disposition> {
    {
      const std::scoped_lock guard(mutex);
      ++messages[std::this_thread::get_id()];
    }
    co_await gathered();
    co_return disposition::delivered;
  });
  c.lease(ids);
  until_inside(30);
  released = true;
  c.until_results(30);
  stop();
  BOOST_TEST(messages.size() == 3u);
  for (const auto& [thread, count] : messages) {
    BOOST_TEST(count == 10);
    BOOST_TEST(begun[thread] == 1);
    BOOST_TEST(ended[thread] == 1);
  }
  BOOST_TEST(begun.size() == 3u);
}

BOOST_AUTO_TEST_CASE(at_a_stop_what_is_in_hand_may_end) {
  const auto ids = commit_many(3);
  auto& c = start([&](mta::message&) -> awaitable<disposition> {
    co_await gathered();
    co_return disposition::delivered;
  });
  c.lease(ids);
  until_inside(3);
  c.stop();
  c.until([&] { return c.stopping; }, "its answer");
  released = true;
  c.until_gone();
  BOOST_TEST(c.count(wire::outcome::finished) == 3u);
  must_succeed();
}

BOOST_AUTO_TEST_CASE(at_a_stop_what_takes_too_long_is_cancelled_and_what_waits_goes_back) {
  how.wait_timeout = 50ms;
  how.per_host = 1;
  const auto ids = commit_many(2);
  auto& c = start([&](mta::message&) -> awaitable<disposition> {
    ++inside;
    rang.ring();
    co_await pause(1h);
    co_return disposition::delivered;
  });
  c.lease(ids);
  until_inside(1);
  c.stop();
  c.until_gone();
  BOOST_TEST(c.count(wire::outcome::deferred) == 1u);
  BOOST_TEST(c.count(wire::outcome::released) == 1u);
  BOOST_TEST(history(ids[0]).find("stopping") != std::string::npos, history(ids[0]));
  BOOST_TEST(state(ids[1]).attempts == 0);
  must_succeed();
}

BOOST_AUTO_TEST_CASE(a_coroutine_that_cannot_be_cancelled_is_destroyed_and_its_message_left) {
  how.wait_timeout = 20ms;
  how.cancel_timeout = 20ms;
  const auto ids = commit_many(1);
  struct witness {
    std::atomic<int>& count;
    explicit witness(std::atomic<int>& c) : count(c) { ++count; }
    ~witness() { --count; }
  };
  std::atomic<int> alive{0};
  auto& c = start([&](mta::message&) -> awaitable<disposition> {
    const witness here(alive);
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    ++inside;
    rang.ring();
    co_await pause(1h);
    co_return disposition::delivered;
  });
  c.lease(ids);
  until_inside(1);
  c.stop();
  c.until_gone();
  const auto r = outcome();
  BOOST_REQUIRE(!r);
  BOOST_TEST((r.error().code == mta::errc::timed_out));
  BOOST_TEST(alive == 0);
  BOOST_TEST(c.results.empty());
  BOOST_TEST(state(ids[0]).attempts == 0);
  BOOST_TEST(open(ids[0])->try_lock(ids[0].slot).value());
}

BOOST_AUTO_TEST_CASE(without_work_it_returns) {
  how.retry_interval = 10ms;
  how.max_attempts = 2;
  auto& c = start([](mta::message&) -> awaitable<disposition> { co_return disposition::delivered; });
  c.until_gone();
  BOOST_TEST(c.said_bye);
  BOOST_TEST(c.polls == 3u);
  must_succeed();
}

BOOST_AUTO_TEST_CASE(a_damaged_message_is_told_and_the_next_one_begins) {
  how.per_host = 1;
  const auto ids = commit_many(3);
  damage(ids[1], open(ids[1])->read_entry(ids[1].slot).value().entry.record_offset);
  auto& c = start([](mta::message&) -> awaitable<disposition> {
    co_await pause(1ms);
    co_return disposition::delivered;
  });
  c.lease(ids);
  c.until_results(3);
  BOOST_TEST(c.count(wire::outcome::finished) == 2u);
  BOOST_TEST(c.count(wire::outcome::bad) == 1u);
  stop();
}

BOOST_AUTO_TEST_SUITE_END()
