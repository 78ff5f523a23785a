// The calling thread's loop (Developer's Reference, Thread Creation Loop): when it asks, sleeps, creates
// threads, and returns.
#include "dequeue_fixture.hpp"

#include <thread>

using namespace test;

BOOST_FIXTURE_TEST_SUITE(thread_creation_loop, dequeue_fixture)

BOOST_AUTO_TEST_CASE(without_work_it_sleeps_as_often_as_there_are_attempts_and_returns) {
  options.max_attempts = 3;
  options.retry_interval = 40ms;
  auto& c = start();
  c.answer_polls = false;
  c.until_asked();
  for (int sleep = 0; sleep < 3; ++sleep) {
    const auto answered = steady::now();
    c.answer(0, 1);
    c.until_asked();
    BOOST_TEST((steady::now() - answered >= options.retry_interval));
  }
  c.answer(0, 1);
  c.until_gone();
  BOOST_TEST(c.polls == 4u);
  BOOST_TEST(c.stopping);
  BOOST_TEST(c.said_bye);
  BOOST_TEST(p.done().empty());  // there was no thread
  must_succeed();
}

BOOST_AUTO_TEST_CASE(without_attempts_it_returns_at_the_first_empty_answer) {
  options.max_attempts = 0;
  auto& c = start();
  c.until_gone();
  BOOST_TEST(c.polls == 1u);
  must_succeed();
}

namespace {
struct configured : dequeue_fixture {
  configured() : dequeue_fixture("backoff = 1h\n[dequeue]\nmax_attempts = 0\n") { options = {}; }
};
}  // namespace

BOOST_FIXTURE_TEST_CASE(what_the_options_do_not_say_the_configuration_says, configured) {
  auto& c = start();
  c.until_gone();
  BOOST_TEST(c.polls == 1u);
  must_succeed();
}

BOOST_FIXTURE_TEST_CASE(what_the_options_say_counts_whatever_the_configuration_says, configured) {
  options.max_attempts = 2;
  options.retry_interval = 1ms;
  auto& c = start();
  c.until_gone();
  BOOST_TEST(c.polls == 3u);
  must_succeed();
}

BOOST_AUTO_TEST_CASE(an_answer_with_work_resets_the_attempts) {
  options.max_attempts = 2;
  options.retry_interval = 1ms;
  options.max_threads = 2;
  auto& c = start();
  c.answer_polls = false;
  // One attempt used, work, and then again two sleeps before the end.
  for (const int pending : {0, 1, 0, 0, 0}) {
    c.until_asked();
    c.answer(static_cast<std::uint64_t>(pending), 1);
  }
  c.until_gone();
  BOOST_TEST(c.polls == 5u);
  must_succeed();
}

BOOST_AUTO_TEST_CASE(a_message_processed_between_two_empty_answers_resets_the_attempts) {
  options.max_attempts = 1;
  options.retry_interval = 1ms;
  options.max_threads = 2;
  auto& c = start();
  c.answer_polls = false;
  c.until_asked();
  c.answer(1, 1);
  c.until_asked();
  c.answer(0, 1);  // the only attempt
  c.until_asked();
  c.lease({commit()});
  c.until_results(1);
  c.answer(0, 1);  // again the only attempt
  c.until_asked();
  c.answer(0, 1);
  c.until_gone();
  BOOST_TEST(c.polls == 4u);
  must_succeed();
}

BOOST_AUTO_TEST_CASE(a_message_in_hand_keeps_the_loop_from_returning) {
  options.max_attempts = 0;
  options.retry_interval = 1ms;
  options.max_threads = 2;
  p.act = [&](void*&, mta::message& m) {
    blocked.pass();
    return deliver(m);
  };
  auto& c = start();
  c.answer_polls = false;
  c.until_asked();
  c.lease({commit()});
  c.answer(1, 1);
  c.until([&] { return p.begun() == 1; }, "the message");
  for (int i = 0; i < 3; ++i) {
    c.until_asked();
    c.answer(0, 1);
  }
  c.answer_polls = true;
  blocked.open();
  c.until_gone();
  BOOST_TEST((c.outcomes() == std::vector{wire::outcome::finished}));
  must_succeed();
}

BOOST_AUTO_TEST_CASE(a_message_that_comes_during_the_sleep_is_processed_at_once) {
  auto& c = start();
  c.until([&] { return c.polls == 1; }, "the sleep");
  c.lease({commit()});
  c.until_results(1);
  stop();
}

BOOST_AUTO_TEST_CASE(messages_that_come_while_a_thread_is_parked_are_processed_at_once) {
  auto& c = start();
  for (std::size_t i = 1; i <= 50; ++i) {
    c.lease({commit()});
    c.until_results(i);
  }
  stop();
  BOOST_TEST(c.count(wire::outcome::finished) == 50u);
}

BOOST_AUTO_TEST_CASE(so_many_threads_are_created_as_the_controller_finds_needed) {
  options.max_threads = 8;
  p.act = [&](void*&, mta::message& m) {
    blocked.pass();
    return deliver(m);
  };
  auto& c = start();
  c.threads = 3;
  c.pending = 1;
  c.lease(commit_many(6));
  c.until([&] { return p.begun() == 3; }, "three threads");
  const auto asked = c.polls;
  c.until([&] { return c.polls > asked + 1; }, "another look at the backlog");
  BOOST_TEST(p.begun() == 3u);
  c.threads = 5;  // the backlog has grown
  c.until([&] { return p.begun() == 5; }, "five threads");
  BOOST_TEST(p.peak() == 5);
  c.pending = 0;
  blocked.open();
  c.until_results(6);
  stop();
}

BOOST_AUTO_TEST_CASE(threads_that_find_nothing_are_not_created_again_before_the_controller_is_asked_again) {
  options.max_threads = 300;
  options.max_attempts = 0;
  auto& c = start();
  c.answer_polls = false;
  c.until_asked();
  c.answer(300, 300);  // and then others take them all: every thread but the parked one ends at once
  c.until_asked();
  c.answer(0, 0);
  c.until_gone();
  must_succeed();
  BOOST_TEST(p.done().size() <= 300u);
}

BOOST_AUTO_TEST_CASE(the_controller_is_told_how_many_threads_run) {
  options.max_threads = 8;
  p.act = [&](void*&, mta::message& m) {
    blocked.pass();
    return deliver(m);
  };
  auto& c = start();
  c.answer_polls = false;
  c.until_asked();
  BOOST_TEST(c.questions.front().running == 0u);
  c.lease(commit_many(3));
  c.answer(3, 3);
  c.until_asked();
  BOOST_TEST(c.questions.front().running == 3u);
  c.answer_polls = true;
  c.answer(0, 3);
  blocked.open();
  c.until_results(3);
  stop();
}

BOOST_AUTO_TEST_CASE(never_do_more_threads_run_than_max_threads) {
  options.max_threads = 3;
  auto& c = start();
  c.threads = 100;
  c.pending = 100;
  p.act = [&](void*&, mta::message& m) {
    blocked.pass();
    return deliver(m);
  };
  c.lease(commit_many(40));
  c.until([&] { return p.begun() == 3; }, "three threads");
  blocked.open();
  c.until_results(40);
  c.pending = 0;
  stop();
  BOOST_TEST(p.peak() == 3);
}

// While the loop asks, knowing of no thread, the parked one begins to work: it counts.
BOOST_AUTO_TEST_CASE(a_thread_that_is_woken_while_the_loop_asks_counts_against_max_threads) {
  options.max_threads = 1;
  options.retry_interval = 1ms;
  options.max_attempts = 1'000'000;
  p.act = [&](void*&, mta::message& m) {
    blocked.pass();
    return deliver(m);
  };
  auto& c = start();
  blocked.open();
  c.lease({commit()});
  c.until_results(1);
  blocked.shut();
  c.answer_polls = false;
  c.until(
      [&] {
        if (c.questions.empty()) return false;
        if (c.questions.front().running == 0) return true;
        c.answer(0, 1);
        return false;
      },
      "a question when no thread runs");
  const auto ids = commit_many(2);
  c.lease({ids[0]});
  c.until([&] { return p.begun() == 2; }, "the parked thread");
  c.lease({ids[1]});
  c.answer(2, 1);
  // A second thread would take the second message now, and nobody else can: give it the time to.
  const auto watched = steady::now() + 200ms;
  while (steady::now() < watched && p.begun() == 2) std::this_thread::yield();
  BOOST_TEST(p.begun() == 2u);
  blocked.open();
  c.answer_polls = true;
  c.until_results(3);
  stop();
  BOOST_TEST(p.peak() == 1);
}

// MTA_THREAD_MAX_MESSAGES tells how many messages deserve a thread, not how many a thread may process.
BOOST_AUTO_TEST_CASE(a_thread_goes_on_beyond_messages_per_thread) {
  options.messages_per_thread = 1;
  p.act = [&](void*& state, mta::message& m) {
    if (state == nullptr) state = p.new_state();
    return deliver(m);
  };
  auto& c = start();
  c.lease(commit_many(5));
  c.until_results(5);
  stop();
  const auto calls = p.calls();
  BOOST_REQUIRE(calls.size() == 5u);
  for (const auto& call : calls) BOOST_TEST(call.thread == calls.front().thread);
  BOOST_TEST(p.states_done().size() == 1u);
}

BOOST_AUTO_TEST_CASE(more_is_asked_for_as_messages_are_finished) {
  auto& c = start();
  c.until([&] { return c.asked_for > 0 && c.polls > 0; }, "credit");
  for (std::size_t n = 0; n < 100;) {
    const auto allowed = std::min<std::size_t>(c.asked_for - n, 10);
    if (allowed > 0) c.lease(commit_many(allowed));
    n += allowed;
    c.until_results(n);
    c.until([&] { return c.asked_for > n; }, "more credit");
  }
  stop();
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(the_end, dequeue_fixture)

BOOST_AUTO_TEST_CASE(the_controllers_stop_ends_the_sleep) {
  auto& c = start();
  c.until([&] { return c.polls == 1; }, "the sleep");
  c.stop();
  c.until_gone();
  BOOST_TEST(c.said_bye);
  must_succeed();
}

BOOST_AUTO_TEST_CASE(a_stop_hands_back_untried_what_nobody_has_begun) {
  p.act = [&](void*&, mta::message& m) {
    blocked.pass();
    return deliver(m);
  };
  auto& c = start();
  const auto ids = commit_many(4);
  c.lease(ids);
  c.until([&] { return p.begun() == 1; }, "the first message");
  c.stop();
  c.until_results(3);  // while the first is still in hand
  BOOST_TEST(c.stopping);
  BOOST_TEST(c.count(wire::outcome::released) == 3u);
  blocked.open();
  c.until_gone();
  must_succeed();
  BOOST_TEST(c.results.size() == 4u);
  BOOST_TEST((c.results.back().id == ids[0]));
  BOOST_TEST((c.results.back().outcome == wire::outcome::finished));
  BOOST_TEST(p.begun() == 1u);
  for (std::size_t i = 1; i < ids.size(); ++i) {
    BOOST_TEST(state(ids[i]).attempts == 0u);
    BOOST_TEST((state(ids[i]).phase == queue::phase::queued));
  }
}

// Messages that are quick to process are locked many at a time: these go back as well, and unlocked.
BOOST_AUTO_TEST_CASE(a_stop_hands_back_at_once_what_was_claimed_ahead) {
  std::atomic<bool> slow{false};
  p.act = [&](void*&, mta::message& m) {
    if (slow) blocked.pass();
    return deliver(m);
  };
  auto& c = start();
  std::size_t done = 0;
  for (; done < 48; done += 8) {
    c.lease(commit_many(8));
    c.until_results(done + 8);
  }
  slow = true;
  const auto ids = commit_many(4);
  c.lease(ids);
  c.until([&] { return p.begun() == done + 1; }, "the first slow message");
  c.stop();
  c.until_results(done + 3);
  BOOST_TEST(c.count(wire::outcome::released) == 3u);
  std::size_t unlocked = 0;  // all but the one at work, whichever that is
  for (const auto& id : ids) unlocked += open(id)->try_lock(id.slot).value() ? 1 : 0;
  BOOST_TEST(unlocked == 3u);
  blocked.open();
  c.until_gone();
  must_succeed();
}

BOOST_AUTO_TEST_CASE(the_end_waits_for_threads_that_are_at_work) {
  p.act = [&](void*&, mta::message& m) {
    blocked.pass();
    return deliver(m);
  };
  auto& c = start();
  c.lease({commit()});
  c.until([&] { return p.begun() == 1; }, "the message");
  c.stop();
  c.until([&] { return c.stopping; }, "the end of the loop");
  BOOST_TEST((running.wait_for(20ms) == std::future_status::timeout));
  blocked.open();
  c.until_gone();
  must_succeed();
  BOOST_TEST(!p.done().empty());
  BOOST_TEST((c.outcomes() == std::vector{wire::outcome::finished}));
}

BOOST_AUTO_TEST_CASE(wait_timeout_bounds_the_end_when_a_thread_hangs) {
  options.wait_timeout = 50ms;
  p.act = [&](void*&, mta::message& m) {
    blocked.pass();
    return deliver(m);
  };
  auto& c = start();
  const auto id = commit();
  c.lease({id});
  c.until([&] { return p.begun() == 1; }, "the message");
  const auto stopped = steady::now();
  c.stop();
  const auto r = outcome();
  BOOST_TEST((steady::now() - stopped >= options.wait_timeout));
  BOOST_REQUIRE(!r);
  BOOST_TEST((r.error().code == mta::errc::timed_out));
  BOOST_TEST(r.error().context == "wait for 1 processing threads of channel x");
  // A thread that comes back after all finds everything that it needs.
  blocked.open();
  c.until_gone();
  BOOST_TEST(p.done().size() == 1u);
  BOOST_TEST((c.outcomes() == std::vector{wire::outcome::finished}));
  BOOST_TEST((state(id).phase == queue::phase::finished));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(connection, dequeue_fixture)

BOOST_AUTO_TEST_CASE(without_a_controller_the_loop_says_so) {
  controller->stop_listening();
  launch();
  const auto r = outcome();
  BOOST_REQUIRE(!r);
  BOOST_TEST((r.error().code == mta::errc::disconnected));
}

BOOST_AUTO_TEST_CASE(a_controller_that_refuses_the_channel_ends_the_loop_with_its_words) {
  launch();
  auto c = controller->accept();
  c->expect<wire::hello>();
  c->send(wire::refused{wire::refusal::unknown_channel, "no such channel"});
  const auto r = outcome();
  BOOST_REQUIRE(!r);
  BOOST_TEST((r.error().code == mta::errc::rejected));
  BOOST_TEST(r.error().message().find("no such channel") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(after_a_lost_connection_the_program_comes_back_with_what_it_holds) {
  options.max_threads = 2;
  p.act = [&](void*&, mta::message& m) {
    blocked.pass();
    return deliver(m);
  };
  auto& first = start();
  first.threads = 2;
  first.pending = 2;
  auto ids = commit_many(2);
  first.lease(ids);
  first.until([&] { return p.begun() == 2; }, "both messages");
  first.connection->hang_up();
  std::vector<queue::message_id> holding;
  auto& second = welcome(&holding);
  std::ranges::sort(ids);
  BOOST_TEST((holding == ids));
  blocked.open();
  second.until_results(2);
  BOOST_TEST(second.count(wire::outcome::finished) == 2u);
  BOOST_TEST(p.begun() == 2u);  // nothing was begun twice
  stop();
}

BOOST_AUTO_TEST_CASE(what_was_finished_without_a_controller_is_reported_to_the_next) {
  p.act = [&](void*&, mta::message& m) {
    blocked.pass();
    return deliver(m);
  };
  auto& first = start();
  const auto id = commit();
  first.lease({id});
  first.until([&] { return p.begun() == 1; }, "the message");
  controller->stop_listening();
  first.connection->hang_up();
  first.hung_up = true;
  blocked.open();
  first.until([&] { return !p.done().empty(); }, "the end of the message");
  BOOST_TEST((state(id).phase == queue::phase::finished));
  controller->listen();
  std::vector<queue::message_id> holding;
  auto& second = welcome(&holding);
  BOOST_TEST((holding == std::vector{id}));
  second.until_results(1);
  BOOST_TEST((second.results[0].id == id));
  BOOST_TEST((second.results[0].outcome == wire::outcome::finished));
  stop();
}

BOOST_AUTO_TEST_CASE(work_goes_on_after_a_reconnection) {
  auto& first = start();
  first.lease({commit()});
  first.until_results(1);
  first.connection->hang_up();
  auto& second = welcome();
  second.lease({commit()});
  second.until_results(1);
  stop();
}

// Patience is attempts × interval, at least a second: longer than a question waits for its answer here.
BOOST_AUTO_TEST_CASE(a_controller_that_stays_away_ends_the_loop_with_an_error) {
  options.max_attempts = 20;
  options.retry_interval = 20ms;
  options.controller_timeout = 30ms;
  auto& c = start();
  c.until([&] { return c.polls == 1; }, "the sleep");
  controller->stop_listening();
  const auto left = steady::now();
  c.connection->hang_up();
  const auto r = outcome();
  BOOST_REQUIRE(!r);
  BOOST_TEST((r.error().code == mta::errc::disconnected));
  BOOST_TEST((steady::now() - left >= 900ms));
}

BOOST_AUTO_TEST_SUITE_END()
