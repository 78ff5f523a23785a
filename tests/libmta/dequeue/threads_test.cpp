// Processing threads (Developer's Reference, Message Processing Procedure): their states, their ends, and
// what becomes of a message that was not finished.
#include "dequeue_fixture.hpp"

#include <map>
#include <set>
#include <stdexcept>

using namespace test;

namespace {

struct threads_fixture : dequeue_fixture {
  /// Each thread gives itself a state at its first message.
  void keep_state(std::function<mta::next_step(mta::message&)> then) {
    p.act = [this, then = std::move(then)](void*& state, mta::message& m) {
      if (state == nullptr) state = p.new_state();
      return then(m);
    };
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(thread_states, threads_fixture)

BOOST_AUTO_TEST_CASE(a_threads_state_is_null_once_and_then_what_it_stored) {
  keep_state([](mta::message& m) { return deliver(m); });
  auto& c = start();
  c.lease(commit_many(5));
  c.until_results(5);
  stop();
  const auto calls = p.calls();
  BOOST_REQUIRE(calls.size() == 5u);
  BOOST_TEST(calls[0].state == nullptr);
  for (std::size_t i = 1; i < calls.size(); ++i) {
    BOOST_TEST(calls[i].state != nullptr);
    BOOST_TEST(calls[i].state == calls[1].state);
  }
  BOOST_TEST((p.states_done() == std::vector{calls[1].state}));
}

BOOST_AUTO_TEST_CASE(every_thread_has_a_state_of_its_own_and_ends_once_with_it) {
  options.max_threads = 4;
  keep_state([&](mta::message& m) {
    blocked.pass();
    return deliver(m);
  });
  auto& c = start();
  c.threads = 4;
  c.pending = 4;
  c.lease(commit_many(20));
  c.until([&] { return p.begun() == 4; }, "four threads");
  blocked.open();
  c.pending = 0;
  c.until_results(20);
  stop();
  std::map<int, std::vector<void*>> states;  // by thread, in order
  for (const auto& call : p.calls()) states[call.thread].push_back(call.state);
  BOOST_TEST(states.size() >= 4u);
  std::set<void*> kept;
  for (const auto& [thread, of_thread] : states) {
    BOOST_TEST(of_thread[0] == nullptr);
    for (std::size_t i = 1; i < of_thread.size(); ++i) {
      BOOST_TEST(of_thread[i] != nullptr);
      BOOST_TEST(of_thread[i] == of_thread[1]);
    }
    if (of_thread.size() > 1) BOOST_TEST(kept.insert(of_thread[1]).second);
  }
  const auto done = p.states_done();
  BOOST_TEST(done.size() == states.size());
  BOOST_TEST(std::set<void*>(done.begin(), done.end()).size() == states.size());
}

BOOST_AUTO_TEST_CASE(a_thread_that_is_woken_from_waiting_begins_a_new_life) {
  keep_state([](mta::message& m) { return deliver(m); });
  auto& c = start();
  c.lease({commit()});
  c.until_results(1);
  c.until([&] { return p.states_done().size() == 1; }, "the end of the first life");
  c.lease({commit()});
  c.until_results(2);
  c.until([&] { return p.states_done().size() == 2; }, "the end of the second");
  stop();
  const auto calls = p.calls();
  BOOST_TEST(calls[1].state == nullptr);
  BOOST_TEST(calls[1].thread != calls[0].thread);
  const auto done = p.states_done();
  BOOST_REQUIRE(done.size() == 2u);
  BOOST_TEST(done[0] != done[1]);
}

BOOST_AUTO_TEST_CASE(a_message_is_unlocked_before_its_thread_begins_the_next) {
  std::vector<queue::message_id> ids;
  for (int i = 0; i < 6; ++i) ids.push_back(commit());
  std::atomic<int> n{0}, locked_now{0}, locked_before{0};
  p.act = [&](void*&, mta::message& m) {
    const auto at = static_cast<std::size_t>(n++);
    const auto is_locked = [&](const queue::message_id& id) {
      const auto f = store->open("x", id.file).value();
      return !f->try_lock(id.slot).value();
    };
    if (is_locked(ids[at])) ++locked_now;
    if (at > 0 && is_locked(ids[at - 1])) ++locked_before;
    if (at % 3 == 0) return deliver(m);
    if (at % 3 == 1) (void)m.defer("later");
    return mta::next_step::go_on;  // the third kind is not finished at all
  };
  auto& c = start();
  c.lease(ids);
  c.until_results(6);
  stop();
  BOOST_TEST(locked_now == 6);
  BOOST_TEST(locked_before == 0);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(ends_of_threads, threads_fixture)

BOOST_AUTO_TEST_CASE(end_thread_ends_that_thread_and_defers_its_message) {
  options.max_threads = 2;
  std::mutex m;
  std::string ending;
  gate other;
  p.act = [&](void*& state, mta::message& message) {
    if (state == nullptr) state = p.new_state();
    blocked.pass();
    {
      const std::scoped_lock guard(m);
      if (ending.empty()) {
        ending = message.id();
        return mta::next_step::end_thread;
      }
    }
    other.pass();
    return deliver(message);
  };
  auto& c = start();
  c.threads = 2;
  c.pending = 2;
  c.lease(commit_many(2));
  c.until([&] { return p.begun() == 2; }, "two threads");
  c.pending = 0;
  blocked.open();
  c.until([&] { return c.results.size() == 1 && !p.states_done().empty(); }, "the end of one");
  BOOST_TEST(to_string(c.results[0].id) == ending);
  BOOST_TEST((c.results[0].outcome == wire::outcome::deferred));
  BOOST_TEST(state(c.results[0].id).attempts == 1u);
  BOOST_TEST(p.states_done().size() == 1u);
  // The other goes on, with its own state.
  c.lease({commit()});
  other.open();
  c.until_results(3);
  stop();
  BOOST_TEST(c.count(wire::outcome::finished) == 2u);
}

BOOST_AUTO_TEST_CASE(a_message_that_was_finished_stays_finished_when_its_thread_ends) {
  p.act = [&](void*&, mta::message& m) {
    (void)deliver(m);
    return mta::next_step::end_thread;
  };
  auto& c = start();
  const auto id = commit();
  c.lease({id});
  c.until_results(1);
  stop();
  BOOST_TEST((c.outcomes() == std::vector{wire::outcome::finished}));
  BOOST_TEST((state(id).phase == queue::phase::finished));
}

// Not after MTA_JBC_RETRY_INTERVAL: here that is an hour.
BOOST_AUTO_TEST_CASE(a_thread_that_ends_is_replaced_while_there_is_work) {
  keep_state([](mta::message& m) {
    (void)deliver(m);
    return mta::next_step::end_thread;
  });
  auto& c = start();
  c.until([&] { return c.polls == 1; }, "the sleep");
  for (std::size_t i = 0; i < 10; ++i) {
    c.until([&] { return c.asked_for > i; }, "credit");
    c.lease({commit()});
    c.until_results(i + 1);
  }
  c.until([&] { return p.states_done().size() == 10; }, "ten ends");
  for (const auto& call : p.calls()) BOOST_TEST(call.state == nullptr);
  BOOST_TEST(p.peak() == 1);
  c.lease({commit()});  // when nothing was left at the last end
  c.until_results(11);
  stop();
}

// What was claimed together with the message at which the thread ended must not wait for the next round
// either.
BOOST_AUTO_TEST_CASE(messages_claimed_by_a_thread_that_ends_are_processed_by_another) {
  std::atomic<bool> end{false};
  keep_state([&](mta::message& m) {
    if (!end) return deliver(m);
    blocked.pass();
    (void)deliver(m);
    return mta::next_step::end_thread;
  });
  auto& c = start();
  std::size_t done = 0;
  for (; done < 48; done += 8) {  // quick: from now on many are claimed at a time
    c.lease(commit_many(8));
    c.until_results(done + 8);
  }
  end = true;
  c.lease(commit_many(5));
  c.until([&] { return p.begun() == done + 1; }, "the message");
  blocked.open();
  c.until_results(done + 5);
  stop();
  BOOST_TEST(c.count(wire::outcome::finished) == done + 5);
  BOOST_TEST(p.peak() == 1);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(unfinished_messages, threads_fixture)

BOOST_AUTO_TEST_CASE(a_message_that_is_not_finished_is_deferred) {
  p.act = [](void*&, mta::message&) { return mta::next_step::go_on; };
  auto& c = start();
  const auto id = commit();
  const auto before = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  c.lease({id});
  c.until_results(1);
  stop();
  const auto s = state(id);
  BOOST_TEST((s.phase == queue::phase::deferred));
  BOOST_TEST(s.attempts == 1u);
  BOOST_TEST((s.next_attempt >= before + 1h));
  BOOST_TEST((s.next_attempt < before + 1h + patience));
  BOOST_TEST((c.results[0].outcome == wire::outcome::deferred));
  BOOST_TEST((c.results[0].next_attempt == s.next_attempt));
  BOOST_TEST(
      history(id).find(
          R"("attempt":1,"recipient":"to@example.org","disposition":"deferred","reason":"not finished")") !=
      std::string::npos);
}

struct growing_backoff : dequeue_fixture {
  growing_backoff() : dequeue_fixture("backoff = PT1M PT1H\n") {}
};
BOOST_FIXTURE_TEST_CASE(the_next_attempt_is_due_by_the_channels_backoff, growing_backoff) {
  p.act = [](void*&, mta::message& m) {
    (void)m.defer("mailbox busy");
    return mta::next_step::go_on;
  };
  auto& c = start();
  const auto id = commit();
  std::size_t attempt = 0;
  for (const auto wait : {60s, 3600s, 3600s}) {
    c.lease({id});
    c.until_results(++attempt);
    const auto s = state(id);
    BOOST_TEST(s.attempts == attempt);
    BOOST_TEST((s.next_attempt == s.changed + wait));
    BOOST_TEST(p.calls().back().attempts == attempt - 1);
  }
  stop();
  BOOST_TEST(
      history(id).find(
          R"("attempt":3,"recipient":"to@example.org","disposition":"deferred","reason":"mailbox busy")") !=
      std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_exception_defers_the_message_with_its_words_and_ends_the_thread) {
  std::atomic<bool> first{true};
  p.act = [&](void*& state, mta::message& m) {
    if (state == nullptr) state = p.new_state();
    if (first.exchange(false)) throw std::runtime_error("the \"server\" is gone");
    return deliver(m);
  };
  auto& c = start();
  const auto ids = commit_many(2);
  c.lease(ids);
  c.until_results(2);
  stop();
  BOOST_TEST((c.outcomes() == std::vector{wire::outcome::deferred, wire::outcome::finished}));
  BOOST_TEST(state(ids[0]).attempts == 1u);
  BOOST_TEST(history(ids[0]).find(R"("reason":"the \"server\" is gone")") != std::string::npos);
  const auto calls = p.calls();
  BOOST_TEST(calls[1].state == nullptr);
  BOOST_TEST(calls[1].thread != calls[0].thread);
  BOOST_TEST(p.states_done().size() == 2u);
}

BOOST_AUTO_TEST_CASE(something_thrown_that_is_no_exception_defers_the_message_too) {
  p.act = [](void*&, mta::message&) -> mta::next_step { throw 42; };
  auto& c = start();
  const auto id = commit();
  c.lease({id});
  c.until_results(1);
  stop();
  BOOST_TEST((c.outcomes() == std::vector{wire::outcome::deferred}));
  BOOST_TEST(history(id).find(R"("reason":"unknown exception")") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_exception_after_finish_does_not_undo_it) {
  p.act = [](void*&, mta::message& m) -> mta::next_step {
    (void)deliver(m);
    throw std::runtime_error("too late");
  };
  auto& c = start();
  const auto id = commit();
  c.lease({id});
  c.until_results(1);
  stop();
  BOOST_TEST((c.outcomes() == std::vector{wire::outcome::finished}));
  BOOST_TEST((state(id).phase == queue::phase::finished));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(leased_messages, threads_fixture)

BOOST_AUTO_TEST_CASE(a_message_that_another_process_holds_is_reported_locked) {
  const auto ids = commit_many(3);
  const auto elsewhere = open(ids[1]);
  BOOST_REQUIRE(elsewhere->try_lock(ids[1].slot).value());
  auto& c = start();
  c.lease(ids);
  c.until_results(3);
  stop();
  for (const auto& r : c.results)
    BOOST_TEST((r.outcome == (r.id == ids[1] ? wire::outcome::locked : wire::outcome::finished)));
  BOOST_TEST(p.begun() == 2u);
  BOOST_TEST(state(ids[1]).attempts == 0u);
}

BOOST_AUTO_TEST_CASE(a_held_message_is_not_handed_out) {
  const auto id = commit();
  change(id, [](auto& s) { s.phase = queue::phase::held; });
  auto& c = start();
  c.lease({id});
  c.until_results(1);
  stop();
  BOOST_TEST((c.outcomes() == std::vector{wire::outcome::held}));
  BOOST_TEST(p.begun() == 0u);
  BOOST_TEST(open(id)->try_lock(id.slot).value());
}

BOOST_AUTO_TEST_CASE(a_message_that_is_no_longer_there_is_reported_gone) {
  const auto finished = commit();
  change(finished, [](auto& s) { s.phase = queue::phase::finished; });
  auto of_another_file = finished, of_another_use = finished, empty = finished, beyond = finished;
  of_another_file.file = queue::new_file_number();
  ++of_another_use.generation;
  empty.slot = 40;
  beyond.slot = 1'000'000;
  auto& c = start();
  c.lease({finished});
  c.lease({of_another_file});
  c.lease({of_another_use});
  c.lease({empty});
  c.lease({beyond});
  c.until_results(5);
  stop();
  for (const auto& r : c.results) BOOST_TEST((r.outcome == wire::outcome::gone));
  BOOST_TEST(p.begun() == 0u);
}

BOOST_AUTO_TEST_CASE(a_damaged_entry_is_reported_bad) {
  const auto ids = commit_many(2);
  damage(ids[0], queue::format::entry_offset(ids[0].slot) + 8);
  auto& c = start();
  c.lease(ids);
  c.until_results(2);
  stop();
  BOOST_TEST((c.outcomes() == std::vector{wire::outcome::bad, wire::outcome::finished}));
  BOOST_TEST(p.begun() == 1u);
}

BOOST_AUTO_TEST_CASE(a_damaged_envelope_is_reported_bad_and_one_message_only) {
  const auto ids = commit_many(2);
  const auto entry = open(ids[0])->read_entry(ids[0].slot).value().entry;
  damage(ids[0], entry.record_offset + queue::format::record_header_size + 4);
  auto& c = start();
  c.lease(ids);
  c.until_results(2);
  stop();
  BOOST_TEST((c.outcomes() == std::vector{wire::outcome::bad, wire::outcome::finished}));
  BOOST_TEST(p.begun() == 1u);
  BOOST_TEST(open(ids[0])->try_lock(ids[0].slot).value());
}

BOOST_AUTO_TEST_CASE(damaged_content_is_never_handed_out_and_the_message_reported_bad) {
  const auto id = commit();
  const auto entry = open(id)->read_entry(id.slot).value().entry;
  damage(id, entry.record_offset + queue::format::record_header_size + entry.envelope_length + 4);
  std::atomic<bool> refused{false};
  p.act = [&](void*&, mta::message& m) {
    const auto content = m.content();
    std::byte some[4];
    refused = !content && content.error().code == mta::errc::damaged && !m.next_line() && !m.read(0, some);
    return mta::next_step::go_on;
  };
  auto& c = start();
  c.lease({id});
  c.until_results(1);
  stop();
  BOOST_TEST(refused);
  BOOST_TEST((c.outcomes() == std::vector{wire::outcome::bad}));
}

BOOST_AUTO_TEST_SUITE_END()
