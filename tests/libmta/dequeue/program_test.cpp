// What programs call: mta::dequeue() in its forms, and mtaDequeue*(), which find their site by themselves.
#include "dequeue/site.hpp"
#include "dequeue_fixture.hpp"

#include <mtasdk.h>

#include <cstdlib>
#include <thread>

using namespace test;

namespace {

struct site_of_program : dequeue_fixture {
  site_of_program() {
    mta::dequeueing::forget_site();
    ::setenv("JOBCTL_ROOT", root().c_str(), 1);  // NOLINT(concurrency-mt-unsafe): no other thread yet
    ::setenv("PMDF_CHANNEL", "x", 1);            // NOLINT(concurrency-mt-unsafe): no other thread yet
    ::unsetenv("JOBCTL_CONFIG");                 // NOLINT(concurrency-mt-unsafe): no other thread yet
  }
  ~site_of_program() {
    if (running.valid()) {
      blocked.open();
      if (running.wait_for(0s) != std::future_status::ready && with) with->stop();
      running.wait();
    }
    if (answering.valid()) {
      blocked.open();
      if (answering.wait_for(0s) != std::future_status::ready && with) with->stop();
      answering.wait();
    }
    mta::dequeueing::forget_site();
  }

  // --- C
  struct c_program {
    site_of_program* site = nullptr;
    std::function<int(void** ctx2, mta_dq_t* dq, std::string_view from)> act;
  };
  static int process_message(void** ctx2, void* ctx1, mta_dq_t* dq, const char* from, size_t length) {
    auto& program = *static_cast<c_program*>(ctx1);
    program.site->calls.fetch_add(1);
    const int answer = from[length] == '\0' ? program.act(ctx2, dq, {from, length}) : -1;
    program.site->p.rang.ring();
    return answer;
  }
  static void process_done(void* ctx2, void* ctx1) {
    auto& site = *static_cast<c_program*>(ctx1)->site;
    {
      const std::scoped_lock guard(site.mutex);
      if (ctx2 == nullptr)
        ++site.done_without_state;
      else
        site.done.push_back(ctx2);
    }
    site.p.rang.ring();
  }
  conversation& start_c(std::function<int(void**, mta_dq_t*, std::string_view)> act) {
    c.site = this;
    c.act = std::move(act);
    answering = std::async(std::launch::async, [this] {
      return mtaDequeueStart(&c, &process_message, &process_done, MTA_THREAD_MAX_THREADS, max_threads,
                             MTA_JBC_RETRY_INTERVAL, static_cast<size_t>(3600), MTA_THREAD_WAIT_TIMEOUT,
                             wait_timeout, 0);
    });
    return welcome();
  }
  int answer() {
    BOOST_REQUIRE_MESSAGE(answering.wait_for(patience) == std::future_status::ready, "mtaDequeueStart stays");
    return answering.get();
  }
  void stop_c() {
    with->stop();
    with->until_gone();
    BOOST_TEST(answer() == MTA_OK);
  }
  /// Has one message processed; returns what was reported.
  wire::message_result attempt(const queue::message_id& id, std::function<int(mta_dq_t*)> how) {
    auto& said = start_c([how = std::move(how)](void**, mta_dq_t* dq, std::string_view) { return how(dq); });
    said.lease({id});
    said.until_results(1);
    const auto r = said.results.at(0);
    stop_c();
    return r;
  }
  static std::vector<std::string> all_recipients(mta_dq_t* dq) {
    std::vector<std::string> all;
    const char* to = nullptr;
    size_t length = 0;
    while (mtaDequeueRecipientNext(dq, &to, &length, 0) == MTA_OK) all.emplace_back(to, length);
    return all;
  }
  static int deliver_c(mta_dq_t* dq) {
    all_recipients(dq);
    return mtaDequeueMessageFinish(dq, MTA_DISP, static_cast<size_t>(MTA_DISP_DELIVERED), 0);
  }

  c_program c;
  size_t max_threads = 1, wait_timeout = 20;
  std::atomic<int> calls{0};
  std::mutex mutex;
  std::vector<void*> done;     // what process_done got
  int done_without_state = 0;  // and how often NULL
  std::future<int> answering;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(cxx_programs, site_of_program)

BOOST_AUTO_TEST_CASE(a_function_of_a_message_is_a_program) {
  std::atomic<int> n{0};
  running = std::async(std::launch::async, [&] {
    return mta::dequeue(options, [&](mta::message& m) {
      ++n;
      (void)m.finish(mta::disposition::delivered);
    });
  });
  auto& said = welcome();
  said.lease(commit_many(3));
  said.until_results(3);
  stop();
  BOOST_TEST(n == 3);
}

BOOST_AUTO_TEST_CASE(a_function_may_end_its_thread) {
  running = std::async(std::launch::async, [&] {
    return mta::dequeue(options, [&](mta::message& m) {
      ++calls;
      (void)m.finish(mta::disposition::delivered);
      return mta::next_step::end_thread;
    });
  });
  auto& said = welcome();
  said.lease(commit_many(3));
  said.until_results(3);
  stop();
  BOOST_TEST(calls == 3);
}

BOOST_AUTO_TEST_CASE(a_state_is_made_for_each_thread_and_destroyed_with_it) {
  static std::atomic<int> made, destroyed;
  made = destroyed = 0;
  struct kept {
    kept() { ++made; }
    kept(kept&& other) noexcept : messages(other.messages) { ++made; }
    kept(const kept&) = delete;
    ~kept() { ++destroyed; }
    int messages = 0;
  };
  std::atomic<int> most{0};
  running = std::async(std::launch::async, [&] {
    return mta::dequeue(
        options, [] { return kept(); },
        [&](kept& k, mta::message& m) {
          most = ++k.messages;
          (void)m.finish(mta::disposition::delivered);
        });
  });
  auto& said = welcome();
  said.lease(commit_many(4));
  said.until_results(4);
  stop();
  BOOST_TEST(most == 4);
  BOOST_TEST(made == 1);
  BOOST_TEST(destroyed == 1);
}

// The threads that are left behind go on using the function and the state's maker.
BOOST_AUTO_TEST_CASE(a_program_outlives_a_wait_in_vain_for_its_threads) {
  options.wait_timeout = 0ms;
  const auto text = std::make_shared<std::string>("kept");
  std::string seen;
  running = std::async(std::launch::async, [this, &seen, text = std::weak_ptr(text), copy = text]() mutable {
    return mta::dequeue(options, [this, &seen, copy = std::move(copy)](mta::message& m) {
      ++calls;
      p.rang.ring();
      blocked.pass();
      seen = *copy;
      (void)m.finish(mta::disposition::delivered);
    });
  });
  auto& said = welcome();
  said.lease({commit()});
  said.until([&] { return calls == 1; }, "the message");
  said.stop();
  const auto r = outcome();
  BOOST_REQUIRE(!r);
  BOOST_TEST((r.error().code == mta::errc::timed_out));
  BOOST_TEST(text.use_count() == 2);
  blocked.open();
  said.until_gone();
  BOOST_TEST(seen == "kept");
  BOOST_TEST((said.outcomes() == std::vector{wire::outcome::finished}));
}

BOOST_AUTO_TEST_CASE(a_function_is_gone_when_dequeue_has_returned) {
  const auto text = std::make_shared<std::string>("kept");
  long uses = 0;
  running = std::async(std::launch::async, [this, &uses, &text] {
    auto r = mta::dequeue(options,
                          [copy = text](mta::message& m) { (void)m.finish(mta::disposition::delivered); });
    uses = text.use_count();
    return r;
  });
  auto& said = welcome();
  said.lease({commit()});
  said.until_results(1);
  stop();
  BOOST_TEST(uses == 1);
}

BOOST_AUTO_TEST_CASE(a_channel_that_is_not_configured_is_an_error) {
  options.channel = "nosuch";
  const auto r = mta::dequeue(options, p);
  BOOST_REQUIRE(!r);
  BOOST_TEST((r.error().code == mta::errc::not_configured));
  BOOST_TEST(r.error().context == "channel \"nosuch\"");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(c_programs, site_of_program)

BOOST_AUTO_TEST_CASE(ctx2_is_null_once_for_each_thread_and_process_done_gets_it) {
  std::vector<void*> before;
  auto& said = start_c([&](void** ctx2, mta_dq_t* dq, std::string_view from) {
    before.push_back(*ctx2);
    if (*ctx2 == nullptr) *ctx2 = p.new_state();
    return from == "sender@example.org" ? deliver_c(dq) : MTA_NO;
  });
  BOOST_TEST(said.max_threads == 1u);
  said.lease(commit_many(3));
  said.until_results(3);
  stop_c();
  BOOST_REQUIRE(before.size() == 3u);
  BOOST_TEST(before[0] == nullptr);
  BOOST_TEST(before[1] != nullptr);
  BOOST_TEST(before[2] == before[1]);
  BOOST_TEST((done == std::vector{before[1]}));
  BOOST_TEST(said.count(wire::outcome::finished) == 3u);
}

BOOST_AUTO_TEST_CASE(mta_abort_ends_the_thread_and_any_other_answer_goes_on) {
  std::vector<void*> before;
  std::vector<int> threads;
  const int answers[] = {MTA_NO, MTA_ABORT, -1, MTA_OK};
  auto& said = start_c([&](void** ctx2, mta_dq_t* dq, std::string_view) {
    before.push_back(*ctx2);
    threads.push_back(mtaDequeueThreadId(dq));
    if (*ctx2 == nullptr) *ctx2 = p.new_state();
    return answers[before.size() - 1];
  });
  said.lease(commit_many(4));
  said.until_results(4);
  stop_c();
  BOOST_TEST(before[0] == nullptr);
  BOOST_TEST(before[1] != nullptr);
  BOOST_TEST(before[2] == nullptr);
  BOOST_TEST(before[3] != nullptr);
  BOOST_TEST(threads[0] == threads[1]);
  BOOST_TEST(threads[1] != threads[2]);
  BOOST_TEST((done == std::vector{before[1], before[3]}));
  BOOST_TEST(said.count(wire::outcome::deferred) == 4u);  // none was finished
}

BOOST_AUTO_TEST_CASE(process_done_may_be_missing) {
  c.site = this;
  c.act = [](void**, mta_dq_t* dq, std::string_view) { return deliver_c(dq); };
  answering = std::async(std::launch::async, [this] {
    return mtaDequeueStart(&c, &process_message, nullptr, MTA_JBC_MAX_ATTEMPTS, static_cast<size_t>(0), 0);
  });
  auto& said = welcome();
  said.answer_polls = false;
  said.until_asked();
  said.lease({commit()});
  said.answer(1, 1);
  said.until_results(1);
  said.answer_polls = true;
  while (!said.questions.empty()) said.answer(0, 1);
  stop_c();
}

BOOST_AUTO_TEST_CASE(recipients_are_read_to_the_end_before_anything_else) {
  std::vector<int> codes;
  const auto id = commit({"a@example.org", "b@example.org"});
  const auto r = attempt(id, [&](mta_dq_t* dq) {
    const char* text = nullptr;
    size_t length = 0;
    codes.push_back(mtaDequeueInfo(dq, MTA_ORCPT_TO, &text, &length, 0));
    codes.push_back(mtaDequeueRecipientNext(dq, &text, &length, 0));
    codes.push_back(mtaDequeueLineNext(dq, &text, &length));
    codes.push_back(mtaDequeueRewind(dq));
    codes.push_back(mtaDequeueMessageFinish(dq, MTA_DISP, static_cast<size_t>(MTA_DISP_DELIVERED), 0));
    codes.push_back(mtaDequeueMessageFinish(dq, 0));
    return MTA_OK;
  });
  BOOST_TEST((codes == std::vector<int>{MTA_NO, MTA_OK, MTA_ORDER, MTA_ORDER, MTA_ORDER, MTA_ORDER}));
  BOOST_TEST((r.outcome == wire::outcome::deferred));
  BOOST_TEST(state(id).finished.none());
}

BOOST_AUTO_TEST_CASE(recipients_and_lines_come_in_order_and_end_with_mta_eof) {
  std::vector<std::string> to, lines, again;
  std::vector<int> codes;
  attempt(commit({"a@example.org", "b@example.org"}, "Subject: x\r\n\r\nbody\r\n"), [&](mta_dq_t* dq) {
    to = all_recipients(dq);
    codes.push_back(mtaDequeueRecipientNext(dq, nullptr, nullptr, 0));
    const char* line = nullptr;
    size_t length = 0;
    while (mtaDequeueLineNext(dq, &line, &length) == MTA_OK) lines.emplace_back(line, length);
    codes.push_back(mtaDequeueLineNext(dq, nullptr, nullptr));
    codes.push_back(mtaDequeueRewind(dq));
    while (mtaDequeueLineNext(dq, &line, &length) == MTA_OK) again.emplace_back(line, length);
    return mtaDequeueMessageFinish(dq, MTA_DISP, static_cast<size_t>(MTA_DISP_DELIVERED), 0);
  });
  BOOST_TEST((to == std::vector<std::string>{"a@example.org", "b@example.org"}));
  BOOST_TEST((lines == std::vector<std::string>{"Subject: x", "", "body"}));
  BOOST_TEST((again == lines));
  BOOST_TEST((codes == std::vector<int>{MTA_EOF, MTA_EOF, MTA_OK}));
}

BOOST_AUTO_TEST_CASE(each_recipient_has_its_disposition_and_reason) {
  const auto id = commit({"a@example.org", "b@example.org", "c@example.org"});
  std::vector<int> codes;
  const auto disposition = [&](mta_dq_t* dq, const char* to, size_t what) {
    codes.push_back(
        mtaDequeueRecipientDisposition(dq, to, 0, what, MTA_REASON, "greylisted", static_cast<size_t>(0), 0));
  };
  auto r = attempt(id, [&](mta_dq_t* dq) {
    all_recipients(dq);
    disposition(dq, "a@example.org", MTA_DISP_DELIVERED);
    disposition(dq, "b@example.org", MTA_DISP_DEFERRED);
    disposition(dq, "c@example.org", MTA_DISP_DEFERRED);
    disposition(dq, "c@example.org", MTA_DISP_RELAYED);
    disposition(dq, "d@example.org", MTA_DISP_DELIVERED);
    disposition(dq, "b@example.org", 7);
    return mtaDequeueMessageFinish(dq, 0);
  });
  BOOST_TEST((codes == std::vector<int>{MTA_OK, MTA_OK, MTA_OK, MTA_OK, MTA_NO, MTA_BADARGS}));
  BOOST_TEST((r.outcome == wire::outcome::deferred));
  BOOST_TEST(
      history(id).find(R"("recipient":"b@example.org","disposition":"deferred","reason":"greylisted")") !=
      std::string::npos);
  std::vector<std::string> left;
  r = attempt(id, [&](mta_dq_t* dq) {
    left = all_recipients(dq);
    return mtaDequeueMessageFinish(dq, MTA_DISP, static_cast<size_t>(MTA_DISP_DELIVERED), 0);
  });
  BOOST_TEST((left == std::vector<std::string>{"b@example.org"}));
  BOOST_TEST((r.outcome == wire::outcome::finished));
}

BOOST_AUTO_TEST_CASE(finish_with_mta_abort_defers_for_all_with_its_reason) {
  const auto id = commit({"a@example.org", "b@example.org"});
  int code = -1;
  const auto r = attempt(id, [&](mta_dq_t* dq) {
    const char* to = nullptr;
    size_t length = 0;
    (void)mtaDequeueRecipientNext(dq, &to, &length, 0);
    (void)mtaDequeueRecipientDisposition(dq, to, length, MTA_DISP_DELIVERED, 0);
    code = mtaDequeueMessageFinish(dq, MTA_ABORT, MTA_REASON, "no memory", static_cast<size_t>(0), 0);
    return MTA_OK;
  });
  BOOST_TEST(code == MTA_OK);
  BOOST_TEST((r.outcome == wire::outcome::deferred));
  BOOST_TEST(state(id).finished.none());
  BOOST_TEST(history(id).find(R"("reason":"no memory")") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_finish_that_fails_defers_for_all) {
  for (const bool unknown_item : {true, false}) {
    const auto id = commit();
    int code = MTA_OK;
    const auto r = attempt(id, [&](mta_dq_t* dq) {
      all_recipients(dq);
      code = unknown_item
                 ? mtaDequeueMessageFinish(dq, MTA_DISP, static_cast<size_t>(MTA_DISP_DELIVERED), MTA_USER, 0)
                 : mtaDequeueMessageFinish(dq, MTA_DISP, static_cast<size_t>(7), 0);
      return MTA_OK;
    });
    BOOST_TEST(code == (unknown_item ? MTA_NOSUCHITEM : MTA_BADARGS));
    BOOST_TEST((r.outcome == wire::outcome::deferred));
  }
}

BOOST_AUTO_TEST_CASE(a_context_is_of_no_use_once_its_message_is_done_with) {
  mta_dq_t* stale = nullptr;
  std::vector<int> after_finish;
  attempt(commit(), [&](mta_dq_t* dq) {
    stale = dq;
    deliver_c(dq);
    size_t number = 0;
    after_finish.push_back(mtaDequeueInfo(dq, MTA_DELIVERY_FLAGS, &number, 0));
    after_finish.push_back(mtaDequeueRecipientNext(dq, nullptr, nullptr, 0));
    after_finish.push_back(mtaDequeueLineNext(dq, nullptr, nullptr));
    after_finish.push_back(mtaDequeueRecipientDisposition(dq, "to@example.org", 0, MTA_DISP_DEFERRED, 0));
    return MTA_OK;
  });
  BOOST_TEST((after_finish == std::vector<int>{MTA_BADARGS, MTA_ORDER, MTA_ORDER, MTA_BADARGS}));
  BOOST_TEST(mtaDequeueRecipientNext(stale, nullptr, nullptr, 0) == MTA_BADARGS);
  BOOST_TEST(mtaDequeueMessageFinish(stale, 0) == MTA_BADARGS);
  BOOST_TEST(mtaDequeueThreadId(stale) == -1);
  BOOST_TEST(mtaDequeueThreadId(nullptr) == -1);
}

BOOST_AUTO_TEST_CASE(a_context_is_used_by_one_thread_at_a_time) {
  // One call is made to last by a message so large that its check takes a while; the others must be turned
  // away.
  std::atomic<bool> in_use{false};
  attempt(commit({"to@example.org"}, "Subject: x\r\n\r\n" + std::string(8 << 20, 'x') + "\r\n"),
          [&](mta_dq_t* dq) {
            all_recipients(dq);
            const auto until = steady::now() + patience;
            std::atomic<bool> enough{false};
            std::thread other([&] {
              while (!enough)
                if (mtaDequeueRewind(dq) == MTA_THREAD) in_use = true;
            });
            while (!in_use && steady::now() < until) {
              (void)mtaDequeueRewind(dq);
              if (mtaDequeueLineNext(dq, nullptr, nullptr) == MTA_THREAD) in_use = true;
            }
            enough = true;
            other.join();
            return MTA_OK;
          });
  BOOST_TEST(in_use);
}

BOOST_AUTO_TEST_CASE(start_says_what_is_wrong) {
  c.site = this;
  const auto process = &process_message;
  BOOST_TEST(mtaDequeueStart(&c, nullptr, nullptr, 0) == MTA_BADARGS);
  BOOST_TEST(mtaDequeueStart(&c, process, nullptr, MTA_USER, 0) == MTA_NOSUCHITEM);
  BOOST_TEST(mtaDequeueStart(&c, process, nullptr, MTA_CHANNEL, "nosuch", static_cast<size_t>(0), 0) ==
             MTA_NOSUCHCHAN);
  controller->stop_listening();
  BOOST_TEST(mtaDequeueStart(&c, process, nullptr, 0) == MTA_NETWORK);
}

BOOST_AUTO_TEST_CASE(a_controller_that_does_not_answer_is_a_network_error) {
  c.site = this;
  BOOST_TEST(mtaDequeueStart(&c, &process_message, nullptr, MTA_JBC_TIMEOUT, static_cast<size_t>(1), 0) ==
             MTA_NETWORK);
}

BOOST_AUTO_TEST_CASE(threads_that_do_not_end_are_told_as_timed_out) {
  wait_timeout = 0;
  auto& said = start_c([&](void**, mta_dq_t* dq, std::string_view) {
    p.rang.ring();
    blocked.pass();
    return deliver_c(dq);
  });
  said.lease({commit()});
  said.until([&] { return calls == 1; }, "the message");
  said.stop();
  BOOST_TEST(answer() == MTA_TIMEDOUT);
  blocked.open();
  said.until_gone();
  BOOST_TEST(done_without_state == 1);
}

BOOST_AUTO_TEST_CASE(items_come_in_a_list_too) {
  mta_item_list_t items[3] = {};
  items[0].item_code = MTA_THREAD_MAX_THREADS;
  items[0].item_length = 7;
  items[1].item_code = MTA_JBC_MAX_ATTEMPTS;
  items[1].item_length = 0;
  c.site = this;
  answering = std::async(std::launch::async, [&] {
    return mtaDequeueStart(&c, &process_message, nullptr, MTA_ITEM_LIST, items, 0);
  });
  auto& said = welcome();
  BOOST_TEST(said.max_threads == 7u);
  said.until_gone();
  BOOST_TEST(said.polls == 1u);
  BOOST_TEST(answer() == MTA_OK);
}

BOOST_AUTO_TEST_CASE(the_defaults_are_the_documented_ones) {
  size_t stack = 0, messages = 0, threads = 0, timeout = 0, wait = 0, attempts = 0, interval = 0;
  mtaDequeueDefaults(&stack, &messages, &threads, &timeout, &wait, &attempts, &interval);
  BOOST_TEST(stack == 1u << 20);
  BOOST_TEST(messages == 20u);
  BOOST_TEST(threads == 20u);
  BOOST_TEST(timeout == 30u);
  BOOST_TEST(wait == 1800u);
  BOOST_TEST(attempts == 5u);
  BOOST_TEST(interval == 10u);
  mtaDequeueDefaults(nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr);
}

BOOST_AUTO_TEST_SUITE_END()
