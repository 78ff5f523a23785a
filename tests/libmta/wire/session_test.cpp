// A channel program's session, against a controller that follows a script.
#include "wire/session.hpp"

#include "fake_controller.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <csignal>
#include <fstream>
#include <future>
#include <set>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

namespace wire = mta::wire;
using namespace std::chrono_literals;
using mta::errc;
using mta::queue::file_number;
using clock_type = std::chrono::steady_clock;
using woken = wire::session::woken;

namespace {

constexpr auto long_time = std::chrono::milliseconds(test::patience_ms);

wire::message_id id(std::uint32_t slot, std::uint64_t file = 1) {
  return {static_cast<file_number>(file), 1, slot};
}

wire::lease lease_of(std::uint32_t first, std::uint32_t count, std::string_view channel = "l") {
  wire::lease l{channel, {}};
  for (std::uint32_t i = 0; i < count; ++i)
    l.messages.push_back({id(first + i), 2, mta::queue::priority::urgent});
  return l;
}

wire::message_result finished(const wire::message_id& m) { return {m, wire::outcome::finished, {}}; }
clock_type::time_point later() { return clock_type::now() + long_time; }
clock_type::time_point past() { return clock_type::time_point::min(); }

/// Waits until the thread waits in epoll_wait(2), as the kernel tells.
void wait_until_parked(const std::atomic<pid_t>& thread) {
  const auto until = later();
  while (thread == 0) std::this_thread::yield();
  const std::string path = "/proc/self/task/" + std::to_string(thread) + "/syscall";
  for (long number = -1; number != SYS_epoll_pwait;) {
#ifdef SYS_epoll_wait
    if (number == SYS_epoll_wait) return;
#endif
    BOOST_REQUIRE_MESSAGE(clock_type::now() < until, "the thread never waits");
    std::this_thread::yield();
    std::ifstream file(path);
    if (!(file >> number)) number = -1;  // "running"
  }
}

struct fixture {
  test::fake_controller controller;
  std::unique_ptr<test::program_connection> c;
  std::unique_ptr<wire::session> s;
  wire::hello said;

  wire::session_options options() const {
    wire::session_options o;
    o.socket_path = controller.path();
    o.channel = "l";
    o.job = 12;
    o.max_threads = 4;
    o.reply_timeout = long_time;
    o.first_backoff = 1ms;
    o.last_backoff = 20ms;
    return o;
  }
  void connect() { connect(options()); }
  void connect(const wire::session_options& o) {
    auto making = std::async(std::launch::async, [&] { return wire::session::connect(o); });
    c = controller.welcome(&said);
    auto made = making.get();
    BOOST_REQUIRE(made);
    s = std::move(*made);
  }
  /// Takes `n` messages that have been leased already, or are about to be.
  std::vector<wire::message_id> take(std::size_t n) {
    std::vector<wire::message_id> ids;
    for (std::size_t i = 0; i < n; ++i) {
      ids.push_back(s->take(later()).value().id);  // throws; Boost.Test's own checks are for one thread only
    }
    return ids;
  }
  /// Results until there are as many as expected, in order.
  std::vector<wire::message_result> results(std::size_t n) {
    std::vector<wire::message_result> all;
    while (all.size() < n) {
      const auto some = c->expect<wire::results>().messages;
      all.insert(all.end(), some.begin(), some.end());
    }
    BOOST_CHECK_EQUAL(all.size(), n);
    return all;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(session, fixture)

BOOST_AUTO_TEST_CASE(hello_says_who_it_is) {
  connect();
  BOOST_CHECK(said.role == wire::role::channel_program);
  BOOST_CHECK_EQUAL(said.job, 12u);
  BOOST_CHECK_EQUAL(said.max_threads, 4u);
  BOOST_CHECK_EQUAL(said.pid, static_cast<std::uint32_t>(::getpid()));
  BOOST_CHECK(said.holding.empty());
  BOOST_CHECK(s->connected());
}

BOOST_AUTO_TEST_CASE(without_a_controller_connect_says_so) {
  controller.stop_listening();
  const auto r = wire::session::connect(options());
  BOOST_REQUIRE(!r);
  BOOST_CHECK(r.error().code == errc::disconnected);
  BOOST_CHECK_NE(r.error().context.find(controller.path()), std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_refusal_is_reported_in_the_controllers_words) {
  for (const auto& [code, expected] : {std::pair{wire::refusal::version, errc::wrong_version},
                                       {wire::refusal::not_allowed, errc::rejected},
                                       {wire::refusal::unknown_channel, errc::rejected}}) {
    auto making = std::async(std::launch::async, [&] { return wire::session::connect(options()); });
    auto other = controller.accept();
    other->expect<wire::hello>();
    other->send(wire::refused{code, "because of this"});
    other->hang_up();
    const auto r = making.get();
    BOOST_REQUIRE(!r);
    BOOST_CHECK(r.error().code == expected);
    BOOST_CHECK_NE(r.error().context.find("because of this"), std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_controller_that_says_nothing_is_not_waited_for_for_ever) {
  auto o = options();
  o.reply_timeout = 20ms;
  const auto r = wire::session::connect(o);  // is never accepted
  BOOST_REQUIRE(!r);
  BOOST_CHECK(r.error().code == errc::timed_out);
}

BOOST_AUTO_TEST_CASE(credit_is_sent_before_waiting_and_leases_are_taken_in_order) {
  connect();
  s->give_credit(3);
  s->give_credit(2);
  auto taking = std::async(std::launch::async, [&] { return take(5); });
  BOOST_CHECK_EQUAL(c->expect<wire::ask>().more, 5u);
  c->send(lease_of(0, 2));
  c->send(lease_of(2, 3));
  BOOST_CHECK((taking.get() == std::vector{id(0), id(1), id(2), id(3), id(4)}));
  BOOST_CHECK_EQUAL(s->in_hand(), 5u);
  BOOST_CHECK_EQUAL(s->credit(), 0u);
}

BOOST_AUTO_TEST_CASE(attempts_and_priority_come_along) {
  connect();
  c->send(lease_of(7, 1));
  const auto m = s->take(later());
  BOOST_REQUIRE(m);
  BOOST_CHECK_EQUAL(m->attempts, 2);
  BOOST_CHECK(m->priority == mta::queue::priority::urgent);
}

BOOST_AUTO_TEST_CASE(a_lease_that_comes_in_one_piece_with_welcome_is_not_overlooked) {
  auto making = std::async(std::launch::async, [&] { return wire::session::connect(options()); });
  c = controller.accept();
  c->expect<wire::hello>();
  std::string both;
  append(both, wire::welcome{});
  append(both, lease_of(1, 1));
  c->write(both);
  auto made = making.get();
  BOOST_REQUIRE(made);
  s = std::move(*made);
  BOOST_CHECK((take(1) == std::vector{id(1)}));
}

BOOST_AUTO_TEST_CASE(nothing_to_take_until_the_deadline_is_timed_out) {
  connect();
  BOOST_CHECK(s->take(past()).error().code == errc::timed_out);
  BOOST_CHECK(s->take(clock_type::now() + 2ms).error().code == errc::timed_out);
}

BOOST_AUTO_TEST_CASE(results_go_out_together_when_a_batch_is_full) {
  auto o = options();
  o.linger = 1h;
  o.batch = 8;
  connect(o);
  c->send(lease_of(0, 20));
  const auto ids = take(20);
  const auto before = s->counters().sends;
  s->report({ids[0], wire::outcome::deferred, mta::queue::time_point(123ms)});
  for (std::size_t i = 1; i < 8; ++i) s->report(finished(ids[i]));
  // The first is later than `linger` after the last send, there being none: it went out alone.
  const auto first = results(1);
  BOOST_CHECK(first[0].outcome == wire::outcome::deferred);
  BOOST_CHECK(first[0].next_attempt == mta::queue::time_point(123ms));
  BOOST_CHECK_EQUAL(s->counters().sends, before + 1);
  BOOST_CHECK(c->silent());
  s->report(finished(ids[8]));
  BOOST_CHECK_EQUAL(c->expect<wire::results>().messages.size(), 8u);
  s->report(finished(ids[9]));
  BOOST_CHECK(c->silent());
  BOOST_CHECK(s->flush());
  BOOST_CHECK_EQUAL(c->expect<wire::results>().messages.size(), 1u);
  BOOST_CHECK_EQUAL(s->in_hand(), 10u);
}

BOOST_AUTO_TEST_CASE(waiting_sends_what_is_unsent) {
  auto o = options();
  o.linger = 1h;
  connect(o);
  c->send(lease_of(0, 2));
  const auto ids = take(2);
  s->report(finished(ids[0]));
  results(1);
  s->report(finished(ids[1]));
  BOOST_CHECK(c->silent());
  BOOST_CHECK(!s->take(past()));
  BOOST_CHECK(results(1)[0].id == ids[1]);
}

BOOST_AUTO_TEST_CASE(only_what_is_in_hand_can_be_reported_and_only_once) {
  connect();
  c->send(lease_of(0, 1));
  const auto ids = take(1);
  s->report(finished(id(99)));
  s->report(finished(ids[0]));
  s->report(finished(ids[0]));
  BOOST_CHECK(s->flush());
  BOOST_CHECK(results(1)[0].id == ids[0]);
  BOOST_CHECK(c->silent());
}

BOOST_AUTO_TEST_CASE(a_parked_thread_is_woken_once_by_a_lease_and_the_sleeping_one_not_at_all) {
  connect();
  std::atomic<pid_t> sleeper{0}, taker{0};
  auto sleeping = std::async(std::launch::async, [&] {
    sleeper = ::gettid();
    return s->sleep_until(later(), true);
  });
  auto taking = std::async(std::launch::async, [&] {
    taker = ::gettid();
    return take(1);
  });
  wait_until_parked(sleeper);
  wait_until_parked(taker);
  const auto before = s->counters().wake_ups;
  c->send(lease_of(0, 1));
  taking.get();
  BOOST_CHECK_EQUAL(s->counters().wake_ups, before + 1);
  s->request_stop();
  BOOST_CHECK(sleeping.get() == woken::stop);
}

BOOST_AUTO_TEST_CASE(several_leases_wake_several_parked_threads) {
  connect();
  constexpr int threads = 6;
  std::vector<std::future<std::vector<wire::message_id>>> taking;
  for (int i = 0; i < threads; ++i) taking.push_back(std::async(std::launch::async, [&] { return take(1); }));
  c->send(lease_of(0, threads));
  std::set<wire::message_id> all;
  for (auto& t : taking) all.insert(t.get().at(0));
  BOOST_CHECK_EQUAL(all.size(), static_cast<std::size_t>(threads));
}

BOOST_AUTO_TEST_CASE(a_sleeper_is_told_of_a_lease_that_nobody_takes) {
  connect();
  auto sleeping = std::async(std::launch::async, [&] { return s->sleep_until(later(), true); });
  c->send(lease_of(0, 1));
  BOOST_CHECK(sleeping.get() == woken::lease);
  BOOST_CHECK_EQUAL(s->buffered(), 1u);
  BOOST_CHECK(s->sleep_until(past(), false) == woken::deadline);
}

BOOST_AUTO_TEST_CASE(poll_is_answered_and_comes_after_the_results) {
  auto o = options();
  o.linger = 1h;
  connect(o);
  c->send(lease_of(0, 2));
  const auto ids = take(2);
  s->report(finished(ids[0]));
  results(1);
  s->report(finished(ids[1]));
  auto asking = std::async(std::launch::async, [&] { return s->poll(3, long_time); });
  results(1);
  const auto q = c->expect<wire::poll>();
  BOOST_CHECK_EQUAL(q.running, 3u);
  c->send(wire::polled{q.token + 1, 1, 1});  // answers nothing
  c->send(wire::polled{q.token, 1000, 20});
  const auto a = asking.get();
  BOOST_REQUIRE(a);
  BOOST_CHECK_EQUAL(a->pending, 1000u);
  BOOST_CHECK_EQUAL(a->threads, 20u);
}

BOOST_AUTO_TEST_CASE(stress_is_reported_at_once_and_at_most_once_a_second) {
  connect();
  BOOST_CHECK(s->report_stress("slow"));
  BOOST_CHECK(s->report_stress("slow again"));
  BOOST_CHECK_EQUAL(c->expect<wire::stress>().why, "slow");
  s->give_credit(1);
  BOOST_CHECK(s->flush());
  BOOST_CHECK_EQUAL(c->expect<wire::ask>().more, 1u);  // and no second report before it
}

BOOST_AUTO_TEST_CASE(poll_is_answered_while_another_thread_is_parked) {
  connect();
  auto taking = std::async(std::launch::async, [&] { return take(1); });
  for (int i = 0; i < 20; ++i) {
    auto asking = std::async(std::launch::async, [&] { return s->pending(long_time); });
    const auto q = c->expect<wire::poll>();
    c->send(wire::polled{q.token, 5, 0});
    BOOST_CHECK_EQUAL(asking.get().value(), 5u);
  }
  c->send(lease_of(0, 1));
  taking.get();
}

BOOST_AUTO_TEST_CASE(an_unanswered_poll_times_out) {
  connect();
  BOOST_CHECK(s->poll(1, 5ms).error().code == errc::timed_out);
}

BOOST_AUTO_TEST_CASE(stop_hands_back_what_nobody_took) {
  connect();
  s->give_credit(10);
  c->send(lease_of(0, 3));
  const auto ids = take(1);
  c->expect<wire::ask>();
  auto sleeping = std::async(std::launch::async, [&] { return s->sleep_until(later(), false); });
  c->send(wire::stop{"the operator says so"});
  BOOST_CHECK(sleeping.get() == woken::stop);
  BOOST_CHECK(s->stop_requested());
  BOOST_CHECK_EQUAL(s->stop_reason(), "the operator says so");
  c->expect<wire::stopping>();
  for (const auto& r : results(2)) BOOST_CHECK(r.outcome == wire::outcome::released);
  BOOST_CHECK(s->take(later()).error().code == errc::cancelled);

  // One that crosses with STOPPING, and the one in hand.
  c->send(lease_of(50, 1));
  BOOST_CHECK(s->take(later()).error().code == errc::cancelled);
  (void)s->sleep_until(past(), false);
  s->report(finished(ids[0]));
  s->close();
  const auto last = results(2);
  BOOST_CHECK((std::set{last[0].id, last[1].id} == std::set{ids[0], id(50)}));
  c->expect<wire::bye>();
  c->expect_hang_up();
}

BOOST_AUTO_TEST_CASE(a_stop_request_ends_every_wait) {
  connect();
  std::vector<std::future<errc>> waiting;
  for (int i = 0; i < 4; ++i) {
    waiting.push_back(std::async(std::launch::async, [&] {
      return static_cast<errc>(s->take(clock_type::time_point::max()).error().code.value());
    }));
  }
  for (int i = 0; i < 2; ++i) {
    waiting.push_back(std::async(std::launch::async, [&] {
      return s->sleep_until(clock_type::time_point::max(), false) == woken::stop ? errc::cancelled
                                                                                 : errc::busy;
    }));
    waiting.push_back(std::async(std::launch::async,
                                 [&] { return static_cast<errc>(s->poll(0, 1h).error().code.value()); }));
  }
  c->expect<wire::poll>();
  s->request_stop();
  for (auto& w : waiting) BOOST_CHECK(w.get() == errc::cancelled);
}

wire::session* to_stop = nullptr;

BOOST_AUTO_TEST_CASE(a_signal_handler_may_request_the_stop) {
  connect();
  to_stop = s.get();
  struct sigaction action {};
  action.sa_handler = [](int) { to_stop->request_stop(); };
  struct sigaction before {};
  BOOST_REQUIRE_EQUAL(::sigaction(SIGUSR1, &action, &before), 0);
  auto waiting = std::async(std::launch::async, [&] { return s->take(later()).error().code; });
  BOOST_REQUIRE_EQUAL(::raise(SIGUSR1), 0);
  BOOST_CHECK(waiting.get() == errc::cancelled);
  ::sigaction(SIGUSR1, &before, nullptr);
}

BOOST_AUTO_TEST_CASE(an_interrupt_ends_the_waits_in_progress_and_no_later_one) {
  connect();
  std::atomic<int> left{0};
  std::vector<std::future<std::error_code>> waiting;
  for (int i = 0; i < 5; ++i) {
    waiting.push_back(std::async(std::launch::async, [&] {
      const auto code = s->take(later()).error().code;
      ++left;
      return code;
    }));
  }
  while (left != 5) s->interrupt();  // whenever they come to wait
  for (auto& w : waiting) BOOST_CHECK(w.get() == errc::cancelled);
  BOOST_CHECK(s->take(clock_type::now() + 1ms).error().code == errc::timed_out);
}

BOOST_AUTO_TEST_CASE(after_a_restart_everything_held_is_named_and_credit_is_asked_for_anew) {
  auto o = options();
  o.linger = 1h;
  connect(o);
  s->give_credit(10);
  c->send(lease_of(0, 4));
  const auto ids = take(3);  // one stays in the buffer
  BOOST_CHECK_EQUAL(c->expect<wire::ask>().more, 10u);
  s->report(finished(ids[0]));
  BOOST_CHECK(s->flush());
  results(1);
  s->report(finished(ids[1]));  // stays unsent
  controller.stop_listening();
  c->hang_up();
  controller.listen();

  auto sleeping = std::async(std::launch::async, [&] { return s->sleep_until(later(), false); });
  c = controller.welcome(&said);
  BOOST_CHECK((said.holding == std::vector{ids[1], ids[2], id(3)}));
  BOOST_CHECK_EQUAL(c->expect<wire::ask>().more, 6u);
  BOOST_CHECK(results(1)[0].id == ids[1]);

  // And it goes on: what was in the buffer, and what is leased on the new connection.
  BOOST_CHECK((take(1) == std::vector{id(3)}));
  c->send(lease_of(10, 1));
  BOOST_CHECK((take(1) == std::vector{id(10)}));
  BOOST_CHECK_EQUAL(s->counters().reconnects, 1u);
  s->request_stop();
  sleeping.get();
}

BOOST_AUTO_TEST_CASE(without_a_controller_work_in_hand_goes_on) {
  connect();
  c->send(lease_of(0, 2));
  take(1);
  controller.stop_listening();
  c->hang_up();
  BOOST_CHECK((take(1) == std::vector{id(1)}));
  s->report(finished(id(0)));
  s->report(finished(id(1)));
  BOOST_CHECK(!s->take(clock_type::now() + 5ms));
  BOOST_CHECK(!s->connected());
  controller.listen();
  auto taking = std::async(std::launch::async, [&] { return take(1); });
  c = controller.welcome(&said);
  BOOST_CHECK((said.holding == std::vector{id(0), id(1)}));
  BOOST_CHECK_EQUAL(results(2).size(), 2u);
  c->send(lease_of(5, 1));
  taking.get();
}

BOOST_AUTO_TEST_CASE(a_poll_is_repeated_on_the_new_connection) {
  connect();
  auto asking = std::async(std::launch::async, [&] { return s->poll(1, long_time); });
  c->expect<wire::poll>();
  c->hang_up();
  c = controller.welcome();
  const auto q = c->expect<wire::poll>();
  c->send(wire::polled{q.token, 42, 2});
  BOOST_CHECK_EQUAL(asking.get().value().pending, 42u);
}

BOOST_AUTO_TEST_CASE(when_patience_is_over_every_wait_ends) {
  auto o = options();
  o.patience = 30ms;
  connect(o);
  c->send(lease_of(0, 1));
  take(1);
  controller.stop_listening();
  c->hang_up();
  auto sleeping = std::async(std::launch::async, [&] { return s->sleep_until(later(), false); });
  auto asking = std::async(std::launch::async, [&] { return s->poll(1, long_time); });
  BOOST_CHECK(s->take(later()).error().code == errc::disconnected);
  BOOST_CHECK(sleeping.get() == woken::failed);
  BOOST_CHECK(asking.get().error().code == errc::disconnected);
  BOOST_CHECK(s->why().code == errc::disconnected);
  s->report(finished(id(0)));  // goes nowhere, harmlessly
  BOOST_CHECK(!s->flush());
}

BOOST_AUTO_TEST_CASE(a_new_controller_that_refuses_ends_the_session) {
  connect();
  c->hang_up();
  auto taking = std::async(std::launch::async, [&] { return s->take(later()).error(); });
  c = controller.accept();
  c->expect<wire::hello>();
  c->send(wire::refused{wire::refusal::version, "version 2 only"});
  BOOST_CHECK(taking.get().code == errc::wrong_version);
}

BOOST_AUTO_TEST_CASE(one_that_is_only_stopping_is_tried_again) {
  connect();
  c->hang_up();
  auto taking = std::async(std::launch::async, [&] { return take(1); });
  c = controller.accept();
  c->expect<wire::hello>();
  c->send(wire::refused{wire::refusal::stopping, "going down"});
  c->hang_up();
  c = controller.welcome();
  c->send(lease_of(0, 1));
  taking.get();
}

BOOST_AUTO_TEST_CASE(a_malformed_frame_ends_that_connection_only) {
  connect();
  auto taking = std::async(std::launch::async, [&] { return take(1); });
  const std::vector<std::string> bad{
      std::string("\xFF\xFF\xFF\xFF", 4),                         // too long
      std::string("\0\0\0\0", 4),                                 // too short
      std::string("\x02\0\0\0\x63\0", 6),                         // unknown type
      std::string("\x03\0\0\0\x83\0x", 7),                        // LEASE cut off
      std::string("\x0C\0\0\0\x81\0\x01\0\0\0\0\0\0\0\0\0", 16),  // a second WELCOME
  };
  for (const std::string& b : bad) {
    c->write(b);
    c->expect_hang_up();
    c = controller.welcome();
  }
  c->send(lease_of(0, 1, "other"));  // of a channel that is not ours
  c->expect_hang_up();
  c = controller.welcome();
  c->send(lease_of(0, 1));
  taking.get();
}

BOOST_AUTO_TEST_CASE(credit_is_bounded_so_that_everything_held_fits_into_a_hello) {
  connect();
  s->give_credit(0xFFFFFFFF);
  s->give_credit(1);
  BOOST_CHECK_EQUAL(s->credit(), wire::max_in_hand);
}

BOOST_AUTO_TEST_CASE(many_threads_through_restarts_lose_nothing_and_do_nothing_twice) {
  auto o = options();
  o.max_threads = 8;
  connect(o);
  constexpr std::uint32_t total = 20'000;
  std::vector<std::thread> threads;
  std::atomic<std::uint32_t> taken{0};
  std::vector<std::atomic<int>> times(total);
  s->give_credit(256);
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (;;) {
        const auto m = s->take(later());
        if (!m) return;
        ++times[m->id.slot];
        ++taken;
        s->report(finished(m->id));
        s->give_credit(1);
      }
    });
  }
  std::thread primal([&] {
    while (s->sleep_until(later(), false) != woken::stop) {
    }
  });

  // The controller: leases as far as credit goes, restarts now and then, and keeps the books as a real one
  // would.
  enum class state : char { waiting, leased, done };
  std::vector<state> book(total, state::waiting);
  std::uint32_t done = 0, next = 0, since_restart = 0;
  std::uint64_t credit = 0;
  std::vector<std::uint32_t> again;
  int restarts = 0;
  const auto restart = [&] {
    c->hang_up();
    c = controller.welcome(&said);
    credit = 0;
    since_restart = 0;
    ++restarts;
    // Messages that the program does not name it has reported, and we may not have read it: the file would
    // say finished.
    std::set<std::uint32_t> held;
    for (const auto& m : said.holding) held.insert(m.slot);
    for (std::uint32_t i = 0; i < next; ++i) {
      if (book[i] == state::leased && held.count(i) == 0) {
        if (times[i] != 0) {
          book[i] = state::done;
          ++done;
        } else {
          book[i] = state::waiting;  // the lease was never read
          again.push_back(i);
        }
      }
      BOOST_REQUIRE(held.count(i) == 0 || book[i] == state::leased || book[i] == state::done);
    }
  };
  while (done < total) {
    wire::lease l{"l", {}};
    while (credit != 0 && (next < total || !again.empty())) {
      std::uint32_t slot;
      if (!again.empty()) {
        slot = again.back();
        again.pop_back();
      } else {
        slot = next++;
      }
      book[slot] = state::leased;
      l.messages.push_back({id(slot), 0, {}});
      --credit;
    }
    c->send(l);
    const wire::frame f = c->next();
    BOOST_REQUIRE(f.body.data() != nullptr);
    if (f.type == wire::frame_type::ask) {
      wire::ask a;
      BOOST_REQUIRE(decode(f, a));
      credit += a.more;
    } else {
      wire::results r;
      BOOST_REQUIRE(decode(f, r));
      for (const auto& m : r.messages) {
        if (book[m.id.slot] != state::done) ++done;
        book[m.id.slot] = state::done;
        ++since_restart;
      }
      if (since_restart > 3000 && done < total) restart();
    }
  }
  BOOST_CHECK_GT(restarts, 3);
  s->request_stop();
  for (auto& t : threads) t.join();
  primal.join();
  int wrong = 0;
  for (const auto& t : times) wrong += t == 1 ? 0 : 1;
  BOOST_CHECK_EQUAL(wrong, 0);
}

BOOST_AUTO_TEST_SUITE_END()
