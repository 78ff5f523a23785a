// An enqueuer's announcements, against a controller that follows a script.
#include "wire/announcer.hpp"

#include "fake_controller.hpp"
#include "wire/peer.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <future>
#include <set>
#include <thread>

namespace wire = mta::wire;
using namespace std::chrono_literals;
using mta::errc;
using mta::queue::file_number;

namespace {

constexpr auto long_time = std::chrono::milliseconds(test::patience_ms);
constexpr wire::file_key file{static_cast<file_number>(5), 1};

wire::new_message message(std::uint32_t slot) {
  wire::new_message m;
  m.slot = slot;
  m.host = "example.com";
  m.size = 4096;
  return m;
}

struct fixture {
  test::fake_controller controller;
  std::unique_ptr<test::program_connection> c;

  wire::announcer_options options() const {
    wire::announcer_options o;
    o.socket_path = controller.path();
    return o;
  }
  void accept() {
    c = controller.accept();
    const auto h = c->expect<wire::hello>();
    BOOST_CHECK(h.role == wire::role::enqueuer);
    c->send(wire::welcome{});
  }
  /// The next announcement of a message.
  std::uint32_t announced() {
    const auto q = c->expect<wire::queued>();
    BOOST_CHECK_EQUAL(q.channel, "l");
    BOOST_REQUIRE_EQUAL(q.messages.size(), 1u);
    return q.messages[0].slot;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(announcer, fixture)

BOOST_AUTO_TEST_CASE(an_announcement_is_written_before_announce_returns) {
  wire::announcer a(options());
  a.announce("l", file, 64, true, message(17));
  BOOST_CHECK_EQUAL(a.counters().announced, 1u);
  accept();
  const auto q = c->expect<wire::queued>();
  BOOST_CHECK_EQUAL(q.channel, "l");
  BOOST_CHECK(q.file == file);
  BOOST_CHECK_EQUAL(q.capacity, 64u);
  BOOST_CHECK(q.complete);
  BOOST_REQUIRE_EQUAL(q.messages.size(), 1u);
  BOOST_CHECK_EQUAL(q.messages[0].slot, 17u);
  BOOST_CHECK_EQUAL(q.messages[0].host, "example.com");
}

BOOST_AUTO_TEST_CASE(what_a_program_announced_is_read_after_its_exit) {
  { wire::announcer(options()).announce("l", file, 64, false, message(3)); }
  accept();
  BOOST_CHECK_EQUAL(announced(), 3u);
  c->expect_hang_up();
}

BOOST_AUTO_TEST_CASE(one_connection_serves_all) {
  wire::announcer a(options());
  for (std::uint32_t i = 0; i < 50; ++i) a.announce("l", file, 64, false, message(i));
  accept();
  for (std::uint32_t i = 0; i < 50; ++i) BOOST_CHECK_EQUAL(announced(), i);
  BOOST_CHECK_EQUAL(a.counters().connections, 1u);
}

BOOST_AUTO_TEST_CASE(without_a_controller_announcing_is_quick_and_counted) {
  controller.stop_listening();
  wire::announcer a(options());
  for (std::uint32_t i = 0; i < 1000; ++i) a.announce("l", file, 64, false, message(i % 64));
  BOOST_CHECK_EQUAL(a.counters().announced, 0u);
  BOOST_CHECK_EQUAL(a.counters().dropped, 1000u);
}

BOOST_AUTO_TEST_CASE(files_whose_announcements_were_dropped_are_named_when_the_controller_is_back) {
  controller.stop_listening();
  wire::announcer a(options());
  a.announce("l", file, 64, false, message(1));
  a.announce("m", {static_cast<file_number>(6), 2}, 32, true, message(2));
  a.announce("l", file, 64, true, message(3));
  controller.listen();
  a.announce("l", {static_cast<file_number>(7), 1}, 64, false, message(4));
  accept();
  BOOST_CHECK_EQUAL(announced(), 4u);
  auto q = c->expect<wire::queued>();
  BOOST_CHECK(q.file == file);
  BOOST_CHECK(q.messages.empty());
  BOOST_CHECK(q.complete);
  q = c->expect<wire::queued>();
  BOOST_CHECK_EQUAL(q.channel, "m");
  BOOST_CHECK_EQUAL(q.capacity, 32u);
  BOOST_CHECK(q.messages.empty());
}

BOOST_AUTO_TEST_CASE(the_last_chance_to_name_them_is_the_end) {
  controller.stop_listening();
  {
    wire::announcer a(options());
    a.announce("l", file, 64, false, message(1));
    controller.listen();
  }
  accept();
  BOOST_CHECK(c->expect<wire::queued>().messages.empty());
}

BOOST_AUTO_TEST_CASE(a_restarted_controller_gets_the_next_announcement_on_a_new_connection) {
  wire::announcer a(options());
  a.announce("l", file, 64, false, message(1));
  accept();
  announced();
  c->hang_up();
  a.announce("l", file, 64, false, message(2));
  accept();
  BOOST_CHECK_EQUAL(announced(), 2u);
  BOOST_CHECK_EQUAL(a.counters().dropped, 0u);
  BOOST_CHECK_EQUAL(a.counters().connections, 2u);
}

BOOST_AUTO_TEST_CASE(a_controller_that_does_not_read_holds_nobody_up) {
  auto o = options();
  o.retry_interval = 1h;
  wire::announcer a(o);
  const auto begin = std::chrono::steady_clock::now();
  for (std::uint32_t i = 0; i < 100'000; ++i) a.announce("l", file, 1u << 20, false, message(i));
  const auto counters = a.counters();
  BOOST_CHECK_GT(counters.dropped, 0u);
  BOOST_CHECK_EQUAL(counters.announced + counters.dropped, 100'000u);
  // Only one announcement waited for room; a generous bound, for slow machines.
  BOOST_CHECK(std::chrono::steady_clock::now() - begin < 10s);
  // What had been written is whole up to the frame that was cut, and the connection ends there.
  accept();
  for (std::uint32_t i = 0; i < counters.announced; ++i) BOOST_REQUIRE_EQUAL(announced(), i);
  c->expect_hang_up();
}

BOOST_AUTO_TEST_CASE(a_refusal_is_not_argued_with) {
  auto o = options();
  o.retry_interval = 1h;
  wire::announcer a(o);
  a.announce("l", file, 64, false, message(1));
  c = controller.accept();
  c->expect<wire::hello>();
  announced();
  c->send(wire::refused{wire::refusal::not_allowed, "uid 33 may not"});
  c->hang_up();
  for (std::uint32_t i = 0; i < 10; ++i) a.announce("l", file, 64, false, message(i));
  BOOST_CHECK_EQUAL(a.counters().connections, 1u);
  BOOST_CHECK_EQUAL(a.counters().dropped, 10u);
  const auto r = a.sync(1ms);
  BOOST_REQUIRE(!r);
  BOOST_CHECK(r.error().code == errc::rejected);
  BOOST_CHECK_NE(r.error().context.find("uid 33 may not"), std::string::npos);
}

BOOST_AUTO_TEST_CASE(sync_returns_when_everything_before_has_been_read) {
  wire::announcer a(options());
  a.announce("l", file, 64, false, message(1));
  auto syncing = std::async(std::launch::async, [&] { return a.sync(long_time); });
  accept();
  announced();
  const auto q = c->expect<wire::sync>();
  c->send(wire::synced{q.token});
  BOOST_CHECK(syncing.get());
}

BOOST_AUTO_TEST_CASE(sync_is_not_waited_for_for_ever_and_a_late_answer_is_not_mistaken) {
  wire::announcer a(options());
  a.announce("l", file, 64, false, message(1));
  BOOST_CHECK(a.sync(2ms).error().code == errc::timed_out);
  accept();
  announced();
  const auto first = c->expect<wire::sync>();
  auto syncing = std::async(std::launch::async, [&] { return a.sync(long_time); });
  const auto second = c->expect<wire::sync>();
  BOOST_CHECK_NE(first.token, second.token);
  c->send(wire::synced{first.token});
  c->send(wire::synced{second.token});
  BOOST_CHECK(syncing.get());
}

BOOST_AUTO_TEST_CASE(concurrent_committers_lose_no_announcement) {
  constexpr std::uint32_t threads = 8, each = 2000;
  wire::announcer_options o = options();
  o.effort = long_time;
  o.most_buffered = 64u << 20;
  wire::announcer a(o);
  std::vector<std::thread> committers;
  for (std::uint32_t t = 0; t < threads; ++t) {
    committers.emplace_back([&, t] {
      for (std::uint32_t i = 0; i < each; ++i) a.announce("l", file, 1u << 20, false, message(t * each + i));
    });
  }
  accept();
  std::set<std::uint32_t> seen;
  while (seen.size() < threads * each) BOOST_REQUIRE(seen.insert(announced()).second);
  for (auto& t : committers) t.join();
  BOOST_CHECK_EQUAL(a.counters().announced, threads * each);
  BOOST_CHECK_LE(a.counters().sends, std::uint64_t{threads} * each + 1000);
}

BOOST_AUTO_TEST_CASE(the_kernel_says_who_is_at_the_other_end) {
  wire::announcer a(options());
  a.announce("l", file, 64, false, message(1));
  accept();
  const auto p = wire::peer_of(c->fd());
  BOOST_REQUIRE(p);
  BOOST_CHECK_EQUAL(p->pid, ::getpid());
  BOOST_CHECK_EQUAL(p->uid, ::getuid());
  BOOST_CHECK_EQUAL(p->gid, ::getgid());
}

BOOST_AUTO_TEST_SUITE_END()
