// mtaDequeue*: the loop, the callbacks' contract, items, order, errors. Developer's Reference ch. 4 and 6.
#include "sdk/contexts.hpp"
#include "sdk_fixture.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>

namespace {

using test::all_recipients;
using test::deliver;
using test::dequeue;
using test::enqueue;
using test::item_array;
using test::running_site;
using test::site;

/// Processes one message to bob@example.org (and others).
int with_one_message(const std::vector<std::string>& recipients, const test::process_function& process) {
  enqueue(recipients);
  int calls = 0;
  const int status = dequeue([&](void** ctx2, mta_dq_t* dq, std::string_view from) {
    ++calls;
    return process(ctx2, dq, from);
  });
  BOOST_TEST(calls == 1);
  return status;
}
int with_one_message(const test::process_function& process) {
  return with_one_message({"bob@example.org"}, process);
}

std::string info(mta_dq_t* dq, int item) {
  const char* value = nullptr;
  size_t length = 0;
  BOOST_TEST(mtaDequeueInfo(dq, item, &value, &length, 0) == MTA_OK);
  BOOST_TEST((value != nullptr));
  if (value == nullptr) return "NULL";
  BOOST_TEST(std::string_view(value).size() == length);
  return value;
}

class held_context {
 public:
  explicit held_context(mta_dq_t* dq) {
    std::promise<void> locked;
    thread_ = std::thread([this, dq, &locked] {
      const std::scoped_lock guard(static_cast<mta::sdk::dequeue_context*>(dq)->in_use);
      locked.set_value();
      release_.get_future().wait();
    });
    locked.get_future().wait();
  }
  ~held_context() {
    release_.set_value();
    thread_.join();
  }

 private:
  std::promise<void> release_;
  std::thread thread_;
};

extern "C" {
static int deliver_all(void**, void*, mta_dq_t* dq, const char*, size_t) {
  (void)all_recipients(dq);
  return deliver(dq);
}
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sdk_dequeue)

// --- mtaDequeueStart

BOOST_AUTO_TEST_CASE(a_process_routine_is_needed) {
  const site s;
  BOOST_TEST(mtaDequeueStart(nullptr, nullptr, nullptr, 0) == MTA_BADARGS);
}

BOOST_AUTO_TEST_CASE(without_a_controller_the_loop_is_a_network_error) {
  const site s;
  BOOST_TEST(mtaDequeueStart(nullptr, deliver_all, nullptr, 0) == MTA_NETWORK);
  BOOST_TEST(mtaErrno() == MTA_NETWORK);
}

BOOST_AUTO_TEST_CASE(bad_items_of_the_loop_are_refused_before_anything_is_done) {
  const site s;
  const char* const none = nullptr;
  const std::string too_long(CHANLENGTH + 1, 'c');
  BOOST_TEST(mtaDequeueStart(nullptr, deliver_all, nullptr, MTA_CHANNEL, none, static_cast<size_t>(0), 0) ==
             MTA_BADARGS);
  BOOST_TEST(mtaDequeueStart(nullptr, deliver_all, nullptr, MTA_ITEM_LIST,
                             static_cast<mta_item_list_t*>(nullptr), 0) == MTA_BADARGS);
  BOOST_TEST(mtaDequeueStart(nullptr, deliver_all, nullptr, MTA_ENV_TO, 0) == MTA_NOSUCHITEM);
  BOOST_TEST(mtaDequeueStart(nullptr, deliver_all, nullptr, MTA_CHANNEL, too_long.data(), too_long.size(),
                             0) == MTA_STRTRUERR);
}

BOOST_AUTO_TEST_CASE(the_loop_needs_a_configured_channel) {
  running_site s;
  BOOST_TEST(mtaDequeueStart(nullptr, deliver_all, nullptr, MTA_CHANNEL, "nowhere", static_cast<size_t>(0),
                             0) == MTA_NOSUCHCHAN);
  const test::environment_variable unknown("PMDF_CHANNEL", "nowhere");
  BOOST_TEST(mtaDequeueStart(nullptr, deliver_all, nullptr, 0) == MTA_NOSUCHCHAN);
}

BOOST_AUTO_TEST_CASE(the_loop_cannot_do_without_a_channels_name) {
  running_site s;
  const test::environment_variable none("PMDF_CHANNEL", nullptr);
  BOOST_TEST(mtaDequeueStart(nullptr, deliver_all, nullptr, 0) == MTA_NO);
  const test::environment_variable too_long("PMDF_CHANNEL", std::string(CHANLENGTH + 1, 'c').c_str());
  BOOST_TEST(mtaDequeueStart(nullptr, deliver_all, nullptr, 0) == MTA_STRTRUERR);
}

BOOST_AUTO_TEST_CASE(every_item_of_the_loop_is_taken) {
  running_site s;
  enqueue({"bob@other.example"});
  item_array items;
  items.add(MTA_THREAD_MAX_THREADS, nullptr, 1)
      .add(MTA_JBC_RETRY_INTERVAL, nullptr, 0)
      .add(MTA_JBC_TIMEOUT, nullptr, 10);
  test::process_function process = [](void**, mta_dq_t* dq, std::string_view) {
    BOOST_TEST(info(dq, MTA_CHANNEL) == "y");
    return deliver_all(nullptr, nullptr, dq, "", 0);
  };
  BOOST_TEST(mtaDequeueStart(&process, test::call_process_function, nullptr, MTA_CHANNEL, "yes", 1,
                             MTA_ITEM_LIST, items.get(), MTA_JBC_MAX_ATTEMPTS, 0, MTA_THREAD_MAX_MESSAGES, 5,
                             MTA_THREAD_STACK_SIZE, 300 * 1024, MTA_THREAD_WAIT_TIMEOUT, 20, 0) == MTA_OK);
  BOOST_TEST(s.figures("y").finished == 1u);
}

BOOST_AUTO_TEST_CASE(the_loop_returns_when_there_is_nothing_to_do) {
  running_site s;
  BOOST_TEST(dequeue([](void**, mta_dq_t*, std::string_view) {
               BOOST_ERROR("there is no message");
               return MTA_OK;
             }) == MTA_OK);
}

BOOST_AUTO_TEST_CASE(so_many_sleeps_in_a_row_come_before_the_loop_ends) {
  running_site s;
  const auto before = std::chrono::steady_clock::now();
  BOOST_TEST(mtaDequeueStart(nullptr, deliver_all, nullptr, MTA_JBC_MAX_ATTEMPTS, 2, MTA_JBC_RETRY_INTERVAL,
                             1, 0) == MTA_OK);
  const auto took = std::chrono::steady_clock::now() - before;
  BOOST_TEST((took >= std::chrono::milliseconds(1990)));
}

BOOST_AUTO_TEST_CASE(the_loop_can_be_run_again) {
  running_site s;
  for (int i = 0; i < 3; ++i)
    BOOST_TEST(with_one_message([](void**, mta_dq_t* dq, std::string_view) {
                 return deliver_all(nullptr, nullptr, dq, "", 0);
               }) == MTA_OK);
}

BOOST_AUTO_TEST_CASE(two_loops_of_one_program_may_work_two_channels) {
  running_site s;
  enqueue({"a@example.org", "b@other.example"});
  int other = -1;
  std::thread second([&] {
    other = mtaDequeueStart(nullptr, deliver_all, nullptr, MTA_CHANNEL, "y", static_cast<size_t>(0),
                            MTA_JBC_MAX_ATTEMPTS, 0, MTA_JBC_RETRY_INTERVAL, 0, 0);
  });
  BOOST_TEST(mtaDequeueStart(nullptr, deliver_all, nullptr, MTA_JBC_MAX_ATTEMPTS, 0, MTA_JBC_RETRY_INTERVAL,
                             0, 0) == MTA_OK);
  second.join();
  BOOST_TEST(other == MTA_OK);
  s.until([&](const auto& x) { return x.finished + s.figures("y").finished == 2; }, "both messages");
}

BOOST_AUTO_TEST_CASE(the_defaults_are_those_of_the_book) {
  const site s;
  size_t stack = 0, messages = 0, threads = 0, timeout = 0, wait = 0, attempts = 0, interval = 0;
  mtaDequeueDefaults(&stack, &messages, &threads, &timeout, &wait, &attempts, &interval);
  BOOST_TEST(stack == 1048576u);
  BOOST_TEST(messages == 20u);
  BOOST_TEST(threads == 20u);
  BOOST_TEST(timeout == 30u);
  BOOST_TEST(wait == 1800u);
  BOOST_TEST(attempts == 5u);
  BOOST_TEST(interval == 10u);
  mtaDequeueDefaults(nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr);
}

// --- threads and their state

BOOST_AUTO_TEST_CASE(a_threads_state_is_null_at_first_and_then_what_the_routine_stored) {
  running_site s;
  for (int i = 0; i < 10; ++i) enqueue({"bob@example.org"});
  int ours = 0, calls = 0, firsts = 0;
  BOOST_TEST(dequeue([&](void** ctx2, mta_dq_t* dq, std::string_view) {
               ++calls;
               if (*ctx2 == nullptr) {
                 ++firsts;
                 *ctx2 = &ours;
               }
               BOOST_TEST(*ctx2 == &ours);
               return deliver_all(nullptr, nullptr, dq, "", 0);
             }) == MTA_OK);
  BOOST_TEST(calls == 10);
  BOOST_TEST(firsts >= 1);
}

namespace {
struct thread_counts {
  std::atomic<int> begun{0}, ended{0}, messages{0}, wrong{0};
};
extern "C" {
static int count_message(void** ctx2, void* ctx1, mta_dq_t* dq, const char*, size_t) {
  auto* const counts = static_cast<thread_counts*>(ctx1);
  if (*ctx2 == nullptr) {
    ++counts->begun;
    *ctx2 = new int(mtaDequeueThreadId(dq));
  }
  if (*static_cast<int*>(*ctx2) != mtaDequeueThreadId(dq)) ++counts->wrong;
  ++counts->messages;
  return deliver_all(nullptr, nullptr, dq, "", 0);
}
static int count_message_and_end_thread(void** ctx2, void* ctx1, mta_dq_t* dq, const char* from,
                                        size_t length) {
  count_message(ctx2, ctx1, dq, from, length);
  return MTA_ABORT;
}
static void count_done(void* ctx2, void* ctx1) {
  if (ctx2 == nullptr) return;
  ++static_cast<thread_counts*>(ctx1)->ended;
  delete static_cast<int*>(ctx2);
}
}
}  // namespace

BOOST_AUTO_TEST_CASE(the_done_routine_is_called_once_for_each_thread_with_its_state) {
  running_site s;
  for (int i = 0; i < 50; ++i) enqueue({"bob@example.org"});
  thread_counts counts;
  BOOST_TEST(mtaDequeueStart(&counts, count_message, count_done, MTA_THREAD_MAX_THREADS, 4,
                             MTA_JBC_MAX_ATTEMPTS, 0, MTA_JBC_RETRY_INTERVAL, 0, 0) == MTA_OK);
  BOOST_TEST(counts.messages == 50);
  BOOST_TEST(counts.begun >= 1);
  BOOST_TEST(counts.ended == counts.begun);
  BOOST_TEST(counts.wrong == 0);
}

BOOST_AUTO_TEST_CASE(mta_abort_ends_the_thread_and_another_takes_the_next_message) {
  running_site s;
  for (int i = 0; i < 5; ++i) enqueue({"bob@example.org"});
  thread_counts counts;
  BOOST_TEST(mtaDequeueStart(&counts, count_message_and_end_thread, count_done, MTA_THREAD_MAX_THREADS, 1,
                             MTA_JBC_MAX_ATTEMPTS, 0, MTA_JBC_RETRY_INTERVAL, 0, 0) == MTA_OK);
  BOOST_TEST(counts.messages == 5);
  BOOST_TEST(counts.begun == 5);
  BOOST_TEST(counts.ended == 5);
}

BOOST_AUTO_TEST_CASE(any_other_return_value_goes_on_with_the_next_message) {
  running_site s;
  for (int i = 0; i < 4; ++i) enqueue({"bob@example.org"});
  int calls = 0;
  std::set<int> threads;
  BOOST_TEST(dequeue([&](void**, mta_dq_t* dq, std::string_view) {
               threads.insert(mtaDequeueThreadId(dq));
               deliver_all(nullptr, nullptr, dq, "", 0);
               const int answers[] = {MTA_OK, MTA_NO, -1, 4711};
               return answers[calls++ % 4];
             }) == MTA_OK);
  BOOST_TEST(calls == 4);
}

BOOST_AUTO_TEST_CASE(a_stressed_target_is_reported_while_messages_are_dequeued) {
  running_site s;
  BOOST_TEST(mtaReportStress("too early", 0) == MTA_ORDER);
  BOOST_TEST(with_one_message([&](void**, mta_dq_t* dq, std::string_view) {
               BOOST_TEST(mtaReportStress("checkpoints take long, and more", 21) == MTA_OK);
               BOOST_TEST(mtaReportStress(nullptr, 0) == MTA_OK);
               s.until([](const auto& f) { return f.stressed; }, "the report");
               return deliver_all(nullptr, nullptr, dq, "", 0);
             }) == MTA_OK);
  BOOST_TEST(mtaReportStress(nullptr, 0) == MTA_ORDER);
}

BOOST_AUTO_TEST_CASE(stress_cannot_be_reported_without_a_controller) {
  running_site s;
  with_one_message([&](void**, mta_dq_t* dq, std::string_view) {
    std::promise<void> gone;
    boost::asio::post(s.loop, [&] {
      s.server.reset();
      gone.set_value();
    });
    gone.get_future().wait();
    BOOST_TEST(mtaReportStress("nobody hears it", 0) == MTA_NETWORK);
    return deliver_all(nullptr, nullptr, dq, "", 0);
  });
}

BOOST_AUTO_TEST_CASE(messages_are_processed_on_several_threads_at_once_up_to_the_limit) {
  running_site s("[channel x]\nthreaddepth = 1\n[routes]\nexample.org = x\n");
  for (int i = 0; i < 12; ++i) enqueue({"bob@example.org"});
  std::mutex mutex;
  std::condition_variable changed;
  int present = 0, most = 0, met = 0;
  test::process_function process = [&](void**, mta_dq_t* dq, std::string_view) {
    {
      std::unique_lock guard(mutex);
      most = std::max(most, ++present);
      if (present == 3) {
        met = 3;
        changed.notify_all();
      }
      changed.wait_for(guard, std::chrono::seconds(30), [&] { return met == 3; });
      --present;
    }
    return deliver_all(nullptr, nullptr, dq, "", 0);
  };
  BOOST_TEST(mtaDequeueStart(&process, test::call_process_function, nullptr, MTA_THREAD_MAX_THREADS, 3,
                             MTA_JBC_MAX_ATTEMPTS, 0, MTA_JBC_RETRY_INTERVAL, 0, 0) == MTA_OK);
  BOOST_TEST(most == 3);
}

BOOST_AUTO_TEST_CASE(threads_that_outlive_the_wait_are_reported) {
  running_site s;
  enqueue({"bob@example.org"});
  struct slow_program {
    std::promise<void> begun, go_on, done;
    static int process(void**, void* ctx1, mta_dq_t* dq, const char*, size_t) {
      auto* const self = static_cast<slow_program*>(ctx1);
      self->begun.set_value();
      self->go_on.get_future().wait();
      return deliver_all(nullptr, nullptr, dq, "", 0);
    }
    static void finished(void*, void* ctx1) { static_cast<slow_program*>(ctx1)->done.set_value(); }
  } program;
  int status = -1;
  std::thread loop([&] {
    status = mtaDequeueStart(&program, &slow_program::process, &slow_program::finished,
                             MTA_THREAD_MAX_THREADS, 1, MTA_THREAD_WAIT_TIMEOUT, 0, 0);
  });
  program.begun.get_future().wait();
  boost::asio::post(s.loop, [&s] { s.server->stop("the test says so"); });
  loop.join();
  BOOST_TEST(status == MTA_TIMEDOUT);
  program.go_on.set_value();
  program.done.get_future().wait();
}

// --- unfinished messages

BOOST_AUTO_TEST_CASE(a_message_that_is_not_finished_is_deferred) {
  running_site s;
  BOOST_TEST(with_one_message([](void**, mta_dq_t*, std::string_view) { return MTA_OK; }) == MTA_OK);
  s.until([](const auto& x) { return x.deferred == 1 && x.in_hand == 0; }, "the deferral");
}

BOOST_AUTO_TEST_CASE(a_message_that_is_not_finished_is_deferred_when_the_thread_is_ended_too) {
  running_site s;
  BOOST_TEST(with_one_message([](void**, mta_dq_t* dq, std::string_view) {
               (void)all_recipients(dq);
               return MTA_ABORT;
             }) == MTA_OK);
  s.until([](const auto& x) { return x.deferred == 1 && x.in_hand == 0; }, "the deferral");
}

// --- contexts

BOOST_AUTO_TEST_CASE(what_is_no_dequeue_context_is_recognised) {
  running_site s;
  long place[64] = {};
  mta_dq_t* gone = nullptr;
  with_one_message([&](void**, mta_dq_t* dq, std::string_view) {
    gone = dq;
    return deliver_all(nullptr, nullptr, dq, "", 0);
  });
  mta_nq_t* const other = test::begin();
  mta_dq_t* const wrong[] = {nullptr, place, gone, other};
  for (mta_dq_t* dq : wrong) {
    const char* text = nullptr;
    BOOST_TEST(mtaDequeueRecipientNext(dq, nullptr, nullptr, 0) == MTA_BADARGS);
    BOOST_TEST(mtaDequeueInfo(dq, MTA_CHANNEL, &text, static_cast<size_t*>(nullptr), 0) == MTA_BADARGS);
    BOOST_TEST(mtaDequeueLineNext(dq, nullptr, nullptr) == MTA_BADARGS);
    BOOST_TEST(mtaDequeueRewind(dq) == MTA_BADARGS);
    BOOST_TEST(mtaDequeueRecipientDisposition(dq, "bob@example.org", 0, MTA_DISP_DELIVERED, 0) ==
               MTA_BADARGS);
    BOOST_TEST(mtaDequeueMessageFinish(dq, 0) == MTA_BADARGS);
    BOOST_TEST(mtaDequeueThreadId(dq) == -1);
    BOOST_TEST(mtaErrno() == MTA_BADARGS);
  }
  BOOST_TEST(mtaEnqueueFinish(other, MTA_ABORT, 0) == MTA_OK);
}

BOOST_AUTO_TEST_CASE(use_of_a_context_by_two_threads_at_once_is_mta_thread) {
  running_site s;
  with_one_message([](void**, mta_dq_t* dq, std::string_view) {
    {
      const held_context held(dq);
      const char* text = nullptr;
      BOOST_TEST(mtaDequeueRecipientNext(dq, nullptr, nullptr, 0) == MTA_THREAD);
      BOOST_TEST(mtaDequeueInfo(dq, MTA_CHANNEL, &text, static_cast<size_t*>(nullptr), 0) == MTA_THREAD);
      BOOST_TEST(mtaDequeueLineNext(dq, nullptr, nullptr) == MTA_THREAD);
      BOOST_TEST(mtaDequeueRewind(dq) == MTA_THREAD);
      BOOST_TEST(mtaDequeueRecipientDisposition(dq, "bob@example.org", 0, MTA_DISP_DELIVERED, 0) ==
                 MTA_THREAD);
      BOOST_TEST(mtaDequeueMessageFinish(dq, 0) == MTA_THREAD);
      mta_nq_t* nq = nullptr;
      BOOST_TEST(mtaEnqueueStart(&nq, "", 0, MTA_DQ_CONTEXT, dq, 0) == MTA_THREAD);
      BOOST_TEST(mtaEnqueueStart(&nq, "", 0, 0) == MTA_OK);
      BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, MTA_DQ_CONTEXT, dq, 0) == MTA_THREAD);
      BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, 0) == MTA_OK);
      BOOST_TEST(mtaEnqueueCopyMessage(nq, dq, 1) == MTA_THREAD);
      BOOST_TEST(mtaEnqueueFinish(nq, MTA_ABORT, 0) == MTA_OK);
    }
    return deliver_all(nullptr, nullptr, dq, "", 0);  // it has survived that
  });
  s.until([](const auto& x) { return x.finished == 1; }, "the message to be finished");
}

// --- mtaDequeueRecipientNext

BOOST_AUTO_TEST_CASE(the_recipients_come_one_by_one_and_then_mta_eof_for_ever) {
  running_site s;
  with_one_message({"a@example.org", "b@example.org"}, [](void**, mta_dq_t* dq, std::string_view from) {
    BOOST_TEST(from == "ann@example.org");
    BOOST_TEST(from.data()[from.size()] == '\0');
    const char* to = nullptr;
    size_t length = 0;
    BOOST_TEST(mtaDequeueRecipientNext(dq, &to, &length, 0) == MTA_OK);
    BOOST_TEST(std::string_view(to, length) == "a@example.org");
    BOOST_TEST(mtaDequeueRecipientNext(dq, nullptr, nullptr, 0) == MTA_OK);
    for (int i = 0; i < 3; ++i) BOOST_TEST(mtaDequeueRecipientNext(dq, &to, &length, 0) == MTA_EOF);
    BOOST_TEST(length == 0u);
    return deliver(dq);
  });
}

BOOST_AUTO_TEST_CASE(a_recipient_can_be_asked_about_in_the_same_call) {
  running_site s;
  with_one_message([](void**, mta_dq_t* dq, std::string_view) {
    const char *to = nullptr, *original = nullptr, *channel = nullptr;
    size_t length = 0, flags = 4711;
    item_array items;
    items.add(MTA_CHANNEL, &channel);
    BOOST_TEST(mtaDequeueRecipientNext(dq, &to, &length, MTA_ORCPT_TO, &original,
                                       static_cast<size_t*>(nullptr), MTA_ITEM_LIST, items.get(),
                                       MTA_DELIVERY_FLAGS, &flags, 0) == MTA_OK);
    BOOST_TEST((original != nullptr && std::string_view(original) == "bob@example.org"));
    BOOST_TEST((channel != nullptr && std::string_view(channel) == "x"));
    BOOST_TEST(flags == 0u);
    BOOST_TEST(mtaDequeueRecipientNext(dq, &to, &length, 0) == MTA_EOF);
    return deliver(dq);
  });
}

// --- mtaDequeueInfo

BOOST_AUTO_TEST_CASE(facts_about_the_message_can_be_asked_for_at_any_time) {
  running_site s;
  mta_nq_t* nq = nullptr;
  BOOST_REQUIRE_EQUAL(
      mtaEnqueueStart(&nq, "ann@example.org", 0, MTA_ENV_ID, "E1", 0, MTA_DELIVERY_FLAGS, 4, 0), MTA_OK);
  BOOST_REQUIRE_EQUAL(mtaEnqueueTo(nq, "bob@host1.example", 0, MTA_ENV_TO, MTA_DELIVERY_FLAGS, 2, 0), MTA_OK);
  BOOST_REQUIRE_EQUAL(mtaEnqueueWrite(nq, "Message-ID: <m1@example.org>\n\nHello.\n", 0, nullptr), MTA_OK);
  BOOST_REQUIRE_EQUAL(mtaEnqueueFinish(nq, 0), MTA_OK);
  const test::environment_variable far("PMDF_CHANNEL", "far");
  int calls = 0;
  dequeue([&](void**, mta_dq_t* dq, std::string_view) {
    ++calls;
    for (const bool before : {true, false}) {
      BOOST_TEST(info(dq, MTA_CHANNEL) == "far");
      BOOST_TEST(info(dq, MTA_DOMAIN) == "host1.example");
      BOOST_TEST(info(dq, MTA_ENV_ID) == "E1");
      BOOST_TEST(info(dq, MTA_MSG_ID) == "<m1@example.org>");
      size_t delivery = 0, notify = 0;
      int thread = -1;
      BOOST_TEST(mtaDequeueInfo(dq, MTA_DELIVERY_FLAGS, &delivery, MTA_NOTIFY_FLAGS, &notify, MTA_THREAD_ID,
                                &thread, 0) == MTA_OK);
      BOOST_TEST(delivery == (before ? 4u : 6u));
      BOOST_TEST(notify == size_t{MTA_NOTIFY_DEFAULT});
      BOOST_TEST(thread == mtaDequeueThreadId(dq));
      (void)all_recipients(dq);
    }
    return deliver(dq);
  });
  BOOST_TEST(calls == 1);
}

BOOST_AUTO_TEST_CASE(facts_about_a_recipient_need_a_recipient) {
  running_site s;
  with_one_message([](void**, mta_dq_t* dq, std::string_view) {
    const char* text = nullptr;
    size_t length = 0;
    BOOST_TEST(mtaDequeueInfo(dq, MTA_ORCPT_TO, &text, &length, 0) == MTA_NO);
    BOOST_TEST(mtaDequeueInfo(dq, MTA_IRCPT_TO, &text, &length, 0) == MTA_NO);
    (void)test::next_recipient(dq);
    BOOST_TEST(info(dq, MTA_ORCPT_TO) == "bob@example.org");
    BOOST_TEST(info(dq, MTA_IRCPT_TO) == "bob@example.org");
    (void)all_recipients(dq);
    return deliver(dq);
  });
}

BOOST_AUTO_TEST_CASE(questions_about_a_message_need_known_items_and_places_for_answers) {
  running_site s;
  with_one_message([](void**, mta_dq_t* dq, std::string_view) {
    size_t value = 0;
    BOOST_TEST(mtaDequeueInfo(dq, 0) == MTA_OK);
    BOOST_TEST(mtaDequeueInfo(dq, MTA_ADR_SORT, &value, 0) == MTA_NOSUCHITEM);
    BOOST_TEST(mtaDequeueInfo(dq, MTA_DELIVERY_FLAGS, static_cast<size_t*>(nullptr), 0) == MTA_BADARGS);
    BOOST_TEST(mtaDequeueInfo(dq, MTA_ENV_ID, static_cast<const char**>(nullptr), &value, 0) == MTA_BADARGS);
    BOOST_TEST(mtaDequeueInfo(dq, MTA_THREAD_ID, static_cast<int*>(nullptr), 0) == MTA_BADARGS);
    return deliver_all(nullptr, nullptr, dq, "", 0);
  });
}

// --- mtaDequeueLineNext, mtaDequeueRewind

BOOST_AUTO_TEST_CASE(lines_cannot_be_read_before_the_recipients) {
  running_site s;
  with_one_message([](void**, mta_dq_t* dq, std::string_view) {
    BOOST_TEST(mtaDequeueLineNext(dq, nullptr, nullptr) == MTA_ORDER);
    BOOST_TEST(mtaDequeueRewind(dq) == MTA_ORDER);
    (void)test::next_recipient(dq);  // the last one, but MTA_EOF has not been seen
    BOOST_TEST(mtaDequeueLineNext(dq, nullptr, nullptr) == MTA_ORDER);
    BOOST_TEST(mtaDequeueRecipientNext(dq, nullptr, nullptr, 0) == MTA_EOF);
    BOOST_TEST(mtaDequeueLineNext(dq, nullptr, nullptr) == MTA_OK);
    return deliver(dq);
  });
}

BOOST_AUTO_TEST_CASE(lines_come_in_order_without_terminators_and_again_after_a_rewind) {
  running_site s;
  with_one_message([](void**, mta_dq_t* dq, std::string_view) {
    (void)all_recipients(dq);
    const std::string all = test::rest_of_lines(dq);
    BOOST_TEST(all.starts_with("Received: "));
    BOOST_TEST(all.ends_with("Subject: test\n\nHello.\n"), all);
    BOOST_TEST(all.find('\r') == std::string::npos);
    BOOST_TEST(mtaDequeueLineNext(dq, nullptr, nullptr) == MTA_EOF);
    BOOST_TEST(mtaDequeueRewind(dq) == MTA_OK);
    BOOST_TEST(test::rest_of_lines(dq) == all);
    BOOST_TEST(mtaDequeueRewind(dq) == MTA_OK);
    BOOST_TEST(mtaDequeueLineNext(dq, nullptr, nullptr) == MTA_OK);  // only counted
    BOOST_TEST(mtaDequeueRewind(dq) == MTA_OK);
    BOOST_TEST(test::rest_of_lines(dq) == all);
    return deliver(dq);
  });
}

BOOST_AUTO_TEST_CASE(more_content_than_is_read_at_once_comes_in_lines_too) {
  running_site s;
  mta_nq_t* const nq = test::begin();
  BOOST_REQUIRE_EQUAL(mtaEnqueueTo(nq, "bob@example.org", 0, MTA_ENV_TO, 0), MTA_OK);
  std::string body;
  for (int i = 0; i < 100'000; ++i) body += "line " + std::to_string(i) + "\n";
  BOOST_REQUIRE_EQUAL(mtaEnqueueWrite(nq, "Subject: test\n\n", 0, body.data(), body.size(), nullptr), MTA_OK);
  BOOST_REQUIRE_EQUAL(mtaEnqueueFinish(nq, 0), MTA_OK);
  int calls = 0;
  dequeue([&](void**, mta_dq_t* dq, std::string_view) {
    ++calls;
    (void)all_recipients(dq);
    BOOST_TEST(test::rest_of_lines(dq).ends_with("\n\n" + body));
    return deliver(dq);
  });
  BOOST_TEST(calls == 1);
}

// --- mtaDequeueRecipientDisposition, mtaDequeueMessageFinish

BOOST_AUTO_TEST_CASE(a_message_whose_recipients_are_all_done_is_gone) {
  for (const size_t disposition : {MTA_DISP_DELIVERED, MTA_DISP_RELAYED, MTA_DISP_RELAYED_FOREIGN}) {
    running_site s;
    with_one_message({"a@example.org", "b@example.org"}, [&](void**, mta_dq_t* dq, std::string_view) {
      for (const std::string& r : all_recipients(dq))
        BOOST_TEST(mtaDequeueRecipientDisposition(dq, r.data(), r.size(), disposition, 0) == MTA_OK);
      return mtaDequeueMessageFinish(dq, 0);
    });
    s.until([](const auto& x) { return x.finished == 1; }, "the message to be finished");
    const auto x = s.figures();
    BOOST_TEST(x.ready + x.in_hand + x.deferred + x.held == 0u);
  }
}

BOOST_AUTO_TEST_CASE(a_message_is_kept_for_the_recipients_that_are_not_done) {
  running_site s("[channel x]\nbackoff = 1s\n[routes]\nexample.org = x\n");
  with_one_message(
      {"a@example.org", "b@example.org", "c@example.org"}, [](void**, mta_dq_t* dq, std::string_view) {
        (void)all_recipients(dq);
        BOOST_TEST(mtaDequeueRecipientDisposition(dq, "a@example.org", 0, MTA_DISP_DELIVERED, 0) == MTA_OK);
        BOOST_TEST(mtaDequeueRecipientDisposition(dq, "b@example.org", 0, MTA_DISP_DEFERRED, MTA_REASON,
                                                  "busy", static_cast<size_t>(0), 0) == MTA_OK);
        return mtaDequeueMessageFinish(dq, 0);  // c has no disposition: deferred
      });
  s.until([](const auto& x) { return x.ready == 1; }, "the second attempt's time");
  int calls = 0;
  dequeue([&](void**, mta_dq_t* dq, std::string_view) {
    ++calls;
    const std::vector<std::string> expected{"b@example.org", "c@example.org"};
    BOOST_TEST(all_recipients(dq) == expected, boost::test_tools::per_element());
    return deliver(dq);
  });
  BOOST_TEST(calls == 1);
}

BOOST_AUTO_TEST_CASE(the_last_disposition_of_a_recipient_counts) {
  running_site s;
  with_one_message([](void**, mta_dq_t* dq, std::string_view) {
    (void)all_recipients(dq);
    mtaDequeueRecipientDisposition(dq, "bob@example.org", 0, MTA_DISP_DEFERRED, 0);
    mtaDequeueRecipientDisposition(dq, "bob@example.org", 0, MTA_DISP_DELIVERED, 0);
    return mtaDequeueMessageFinish(dq, 0);
  });
  s.until([](const auto& x) { return x.finished == 1; }, "the message to be finished");
}

BOOST_AUTO_TEST_CASE(bad_dispositions_are_refused) {
  running_site s;
  with_one_message([](void**, mta_dq_t* dq, std::string_view) {
    (void)all_recipients(dq);
    const char* const none = nullptr;
    BOOST_TEST(mtaDequeueRecipientDisposition(dq, nullptr, 0, MTA_DISP_DELIVERED, 0) == MTA_BADARGS);
    BOOST_TEST(mtaDequeueRecipientDisposition(dq, "bob@example.org", 0, 7, 0) == MTA_BADARGS);
    BOOST_TEST(mtaDequeueRecipientDisposition(dq, "bob@example.org", 0, MTA_DISP_DELIVERED, MTA_REASON, none,
                                              static_cast<size_t>(0), 0) == MTA_BADARGS);
    BOOST_TEST(mtaDequeueRecipientDisposition(dq, "bob@example.org", 0, MTA_DISP_DELIVERED, MTA_DISP,
                                              static_cast<size_t>(1), 0) == MTA_NOSUCHITEM);
    BOOST_TEST(mtaDequeueRecipientDisposition(dq, "eve@example.org", 0, MTA_DISP_DELIVERED, 0) == MTA_NO);
    BOOST_TEST(mtaDequeueRecipientDisposition(dq, "BOB@example.org", 0, MTA_DISP_DELIVERED, 0) == MTA_NO);
    return mtaDequeueMessageFinish(dq, 0);
  });
  s.until([](const auto& x) { return x.deferred == 1; }, "the deferral");
}

BOOST_AUTO_TEST_CASE(permanent_failures_finish_the_message_and_notify_its_sender) {
  for (const size_t disposition : {MTA_DISP_FAILED, MTA_DISP_RETURN, MTA_DISP_TIMEDOUT}) {
    // The sender's mail goes to another channel.
    running_site s("[channel x]\nbackoff = 1h\n[channel y]\n[routes]\nhost.example = x\nexample.org = y\n");
    with_one_message({"bob@host.example"}, [&](void**, mta_dq_t* dq, std::string_view) {
      (void)all_recipients(dq);
      return mtaDequeueMessageFinish(dq, MTA_DISP, disposition, MTA_REASON, "no such user", 0, 0);
    });
    s.until([](const auto& x) { return x.finished == 1; }, "the message to be finished");
    s.until([&](const auto&) { return s.figures("y").ready == 1; }, "the notification");
  }
}

BOOST_AUTO_TEST_CASE(one_disposition_for_all_overrides_those_of_single_recipients) {
  running_site s;
  with_one_message({"a@example.org", "b@example.org"}, [](void**, mta_dq_t* dq, std::string_view) {
    (void)all_recipients(dq);
    mtaDequeueRecipientDisposition(dq, "a@example.org", 0, MTA_DISP_DEFERRED, 0);
    item_array items;
    items.add(MTA_DISP, nullptr, MTA_DISP_RELAYED);
    return mtaDequeueMessageFinish(dq, MTA_ITEM_LIST, items.get(), 0);
  });
  s.until([](const auto& x) { return x.finished == 1; }, "the message to be finished");
}

BOOST_AUTO_TEST_CASE(the_three_ways_to_defer_a_message_defer_it) {
  const test::process_function ways[] = {
      [](void**, mta_dq_t* dq, std::string_view) { return mtaDequeueMessageFinish(dq, MTA_ABORT, 0); },
      [](void**, mta_dq_t* dq, std::string_view) {
        return mtaDequeueMessageFinish(dq, MTA_DISP, MTA_DISP_DEFERRED, 0);
      },
      [](void**, mta_dq_t* dq, std::string_view) {
        return mtaDequeueMessageFinish(dq, MTA_ABORT, MTA_REASON, "the disk is full", 0, 0);
      }};
  for (const auto& way : ways) {
    running_site s;
    with_one_message([&](void** ctx2, mta_dq_t* dq, std::string_view from) {
      (void)all_recipients(dq);
      mtaDequeueRecipientDisposition(dq, "bob@example.org", 0, MTA_DISP_DELIVERED, 0);
      BOOST_TEST(way(ctx2, dq, from) == MTA_OK);
      return MTA_OK;
    });
    s.until([](const auto& x) { return x.deferred == 1; }, "the deferral");
    BOOST_TEST(s.figures().finished == 0u);
  }
}

BOOST_AUTO_TEST_CASE(a_finish_with_an_error_defers_the_message_for_all) {
  const char* const none = nullptr;
  const std::pair<int, std::function<int(mta_dq_t*)>> mistakes[] = {
      {MTA_NOSUCHITEM, [](mta_dq_t* dq) { return mtaDequeueMessageFinish(dq, MTA_ENV_TO, 0); }},
      {MTA_BADARGS, [](mta_dq_t* dq) { return mtaDequeueMessageFinish(dq, MTA_DISP, 7, 0); }},
      {MTA_BADARGS,
       [&](mta_dq_t* dq) {
         return mtaDequeueMessageFinish(dq, MTA_DISP, MTA_DISP_DELIVERED, MTA_REASON, none,
                                        static_cast<size_t>(0), 0);
       }},
      {MTA_BADARGS, [](mta_dq_t* dq) {
         return mtaDequeueMessageFinish(dq, MTA_ITEM_LIST, static_cast<mta_item_list_t*>(nullptr), 0);
       }}};
  for (const auto& [expected, finish] : mistakes) {
    running_site s;
    with_one_message([&expected = expected, &finish = finish](void**, mta_dq_t* dq, std::string_view) {
      (void)all_recipients(dq);
      mtaDequeueRecipientDisposition(dq, "bob@example.org", 0, MTA_DISP_DELIVERED, 0);
      BOOST_TEST(finish(dq) == expected);
      BOOST_TEST(deliver(dq) != MTA_OK);  // too late
      return MTA_OK;
    });
    s.until([](const auto& x) { return x.deferred == 1; }, "the deferral");
    BOOST_TEST(s.figures().finished == 0u);
  }
}

BOOST_AUTO_TEST_CASE(a_message_cannot_be_finished_before_its_recipients_are_read) {
  running_site s;
  with_one_message([](void**, mta_dq_t* dq, std::string_view) {
    BOOST_TEST(deliver(dq) == MTA_ORDER);
    return MTA_OK;
  });
  s.until([](const auto& x) { return x.deferred == 1; }, "the deferral");
}

BOOST_AUTO_TEST_CASE(nothing_can_be_done_with_a_finished_message) {
  running_site s;
  with_one_message([](void**, mta_dq_t* dq, std::string_view) {
    (void)all_recipients(dq);
    BOOST_TEST(deliver(dq) == MTA_OK);
    const char* text = nullptr;
    BOOST_TEST(deliver(dq) == MTA_ORDER);
    BOOST_TEST(mtaDequeueMessageFinish(dq, MTA_ABORT, 0) == MTA_ORDER);
    BOOST_TEST(mtaDequeueRecipientNext(dq, nullptr, nullptr, 0) == MTA_ORDER);
    BOOST_TEST(mtaDequeueLineNext(dq, nullptr, nullptr) == MTA_ORDER);
    BOOST_TEST(mtaDequeueRewind(dq) == MTA_ORDER);
    BOOST_TEST(mtaDequeueInfo(dq, MTA_CHANNEL, &text, static_cast<size_t*>(nullptr), 0) == MTA_BADARGS);
    BOOST_TEST(mtaDequeueRecipientDisposition(dq, "bob@example.org", 0, MTA_DISP_DEFERRED, 0) == MTA_BADARGS);
    return MTA_OK;
  });
  s.until([](const auto& x) { return x.finished == 1; }, "the message to be finished");
}

BOOST_AUTO_TEST_CASE(a_recipient_is_not_passed_over_when_a_question_about_it_is_wrong) {
  running_site s;
  with_one_message([](void**, mta_dq_t* dq, std::string_view) {
    const char* to = nullptr;
    size_t length = 0;
    BOOST_TEST(mtaDequeueRecipientNext(dq, &to, &length, MTA_DISP, static_cast<size_t>(1), 0) ==
               MTA_NOSUCHITEM);
    BOOST_TEST(test::next_recipient(dq) == "bob@example.org");
    (void)all_recipients(dq);
    return deliver(dq);
  });
}

namespace {
/// Enqueues for the same address twice, with different requests for notifications.
void enqueue_twice_the_same_address() {
  mta_nq_t* const nq = test::begin();
  for (const size_t notify : {MTA_NOTIFY_FAILURE, MTA_NOTIFY_DELAY})
    BOOST_REQUIRE_EQUAL(mtaEnqueueTo(nq, "bob@example.org", 0, MTA_ENV_TO, MTA_NOTIFY_FLAGS, notify, 0),
                        MTA_OK);
  BOOST_REQUIRE_EQUAL(test::write_and_finish(nq), MTA_OK);
}
}  // namespace

BOOST_AUTO_TEST_CASE(a_recipient_that_is_there_twice_can_be_disposed_of_by_a_copy_of_its_address) {
  running_site s;
  enqueue_twice_the_same_address();
  dequeue([](void**, mta_dq_t* dq, std::string_view) {
    const auto all = all_recipients(dq);
    BOOST_TEST(all.size() == 2u);
    for (const std::string& r : all)
      BOOST_TEST(mtaDequeueRecipientDisposition(dq, r.c_str(), 0, MTA_DISP_DELIVERED, 0) == MTA_OK);
    return mtaDequeueMessageFinish(dq, 0);
  });
  s.until([](const auto& x) { return x.finished + x.deferred == 1; }, "the outcome");
  BOOST_TEST(s.figures().finished == 1u);
}

BOOST_AUTO_TEST_CASE(a_recipient_that_is_there_twice_can_have_two_dispositions) {
  running_site s("[channel x]\nbackoff = 1s\n[routes]\nexample.org = x\n");
  enqueue_twice_the_same_address();
  const auto finish_first_and_count = [] {
    size_t count = 0;
    dequeue([&](void**, mta_dq_t* dq, std::string_view) {
      const char *first = nullptr, *other = nullptr;
      mtaDequeueRecipientNext(dq, &first, nullptr, 0);
      for (count = 1; mtaDequeueRecipientNext(dq, &other, nullptr, 0) == MTA_OK; ++count)
        mtaDequeueRecipientDisposition(dq, other, 0, MTA_DISP_DEFERRED, 0);
      mtaDequeueRecipientDisposition(dq, first, 0, MTA_DISP_DELIVERED, 0);
      return mtaDequeueMessageFinish(dq, 0);
    });
    return count;
  };
  BOOST_TEST(finish_first_and_count() == 2u);
  s.until([](const auto& x) { return x.ready == 1; }, "the second attempt's time");
  BOOST_TEST(finish_first_and_count() == 1u);
}

// --- intermediate channels

BOOST_AUTO_TEST_CASE(an_intermediate_channel_passes_message_and_envelope_on) {
  running_site s(
      "[channel x]\nbackoff = 1h\n[channel y]\n[routes]\nexample.org = x\n"
      "[routes from x]\nexample.org = y\n");
  mta_nq_t* nq = nullptr;
  {
    const test::environment_variable outside("PMDF_CHANNEL", "y");
    BOOST_REQUIRE_EQUAL(mtaEnqueueStart(&nq, "ann@example.org", 0, MTA_ENV_ID, "E7", 0, MTA_DELIVERY_FLAGS, 4,
                                        MTA_NOTIFY_FLAGS, MTA_NOTIFY_SUCCESS | MTA_NOTIFY_CONTENT_HEADER, 0),
                        MTA_OK);
  }
  BOOST_REQUIRE_EQUAL(mtaEnqueueTo(nq, "a@example.org", 0, MTA_ENV_TO, MTA_ORCPT_TO, "o@example.com", 0,
                                   MTA_DELIVERY_FLAGS, 1, 0),
                      MTA_OK);
  BOOST_REQUIRE_EQUAL(mtaEnqueueTo(nq, "b@example.org", 0, MTA_ENV_TO, MTA_NOTIFY_FLAGS,
                                   MTA_NOTIFY_FAILURE | MTA_NOTIFY_CONTENT_NONE, 0),
                      MTA_OK);
  BOOST_REQUIRE_EQUAL(test::write_and_finish(nq), MTA_OK);

  std::string before;
  BOOST_TEST(dequeue([&](void**, mta_dq_t* dq, std::string_view from) {
               mta_nq_t* next = nullptr;
               BOOST_TEST(mtaEnqueueStart(&next, from.data(), from.size(), MTA_DQ_CONTEXT, dq, 0) == MTA_OK);
               const char* to = nullptr;
               size_t length = 0;
               BOOST_TEST(mtaEnqueueCopyMessage(next, dq, 1) == MTA_ORDER);  // nobody to send it to
               while (mtaDequeueRecipientNext(dq, &to, &length, 0) == MTA_OK) {
                 BOOST_TEST(mtaEnqueueTo(next, to, length, MTA_ENV_TO, MTA_DQ_CONTEXT, dq, 0) == MTA_OK);
                 BOOST_TEST(mtaEnqueueTo(next, "eve@example.org", 0, MTA_DQ_CONTEXT, dq, 0) == MTA_NO);
                 BOOST_TEST(mtaEnqueueCopyMessage(next, dq, 1) ==
                            MTA_ORDER);  // recipients not read to the end
               }
               before = test::rest_of_lines(dq);
               BOOST_TEST(mtaEnqueueCopyMessage(next, nullptr, 1) == MTA_BADARGS);
               BOOST_TEST(mtaEnqueueCopyMessage(next, dq, 1) == MTA_OK);
               BOOST_TEST(mtaEnqueueFinish(next, 0) == MTA_OK);
               return mtaDequeueMessageFinish(dq, MTA_DISP, MTA_DISP_RELAYED, 0);
             }) == MTA_OK);

  const test::environment_variable next_channel("PMDF_CHANNEL", "y");
  int calls = 0;
  dequeue([&](void**, mta_dq_t* dq, std::string_view from) {
    ++calls;
    BOOST_TEST(from == "ann@example.org");
    BOOST_TEST(info(dq, MTA_ENV_ID) == "E7");
    size_t delivery = 0, notify = 0;
    BOOST_TEST(mtaDequeueRecipientNext(dq, nullptr, nullptr, MTA_DELIVERY_FLAGS, &delivery, MTA_NOTIFY_FLAGS,
                                       &notify, 0) == MTA_OK);
    BOOST_TEST(info(dq, MTA_ORCPT_TO) == "o@example.com");
    BOOST_TEST(delivery == 5u);
    BOOST_TEST(notify == size_t{MTA_NOTIFY_SUCCESS | MTA_NOTIFY_CONTENT_HEADER});
    BOOST_TEST(mtaDequeueRecipientNext(dq, nullptr, nullptr, MTA_DELIVERY_FLAGS, &delivery, MTA_NOTIFY_FLAGS,
                                       &notify, 0) == MTA_OK);
    BOOST_TEST(delivery == 4u);
    BOOST_TEST(notify == size_t{MTA_NOTIFY_FAILURE | MTA_NOTIFY_CONTENT_NONE});
    (void)all_recipients(dq);
    BOOST_TEST(test::rest_of_lines(dq).ends_with(before));
    return deliver(dq);
  });
  BOOST_TEST(calls == 1);
}

BOOST_AUTO_TEST_CASE(a_copy_begins_where_reading_has_come_to) {
  running_site s(
      "[channel x]\nbackoff = 1h\n[channel y]\n[routes]\nexample.org = x\n"
      "[routes from y]\nexample.org = x\n[routes from x]\nexample.org = y\n");
  {
    const test::environment_variable outside("PMDF_CHANNEL", "y");
    enqueue({"bob@example.org"});
  }
  dequeue([](void**, mta_dq_t* dq, std::string_view from) {
    mta_nq_t* nq = nullptr;
    BOOST_TEST(mtaEnqueueStart(&nq, from.data(), from.size(), MTA_DQ_CONTEXT, dq, 0) == MTA_OK);
    for (const std::string& r : all_recipients(dq))
      BOOST_TEST(mtaEnqueueTo(nq, r.data(), r.size(), MTA_ENV_TO, MTA_DQ_CONTEXT, dq, 0) == MTA_OK);
    const char* line = nullptr;
    size_t length = 0;
    do BOOST_TEST(mtaDequeueLineNext(dq, &line, &length) == MTA_OK);
    while (!std::string_view(line, length).starts_with("Subject:"));
    BOOST_TEST(mtaEnqueueWriteLine(nq, "Subject: changed", 0, nullptr) == MTA_OK);
    BOOST_TEST(mtaEnqueueCopyMessage(nq, dq, 0) == MTA_OK);
    BOOST_TEST(mtaEnqueueFinish(nq, 0) == MTA_OK);
    return mtaDequeueMessageFinish(dq, MTA_DISP, MTA_DISP_RELAYED, 0);
  });
  const test::environment_variable next_channel("PMDF_CHANNEL", "y");
  int calls = 0;
  dequeue([&](void**, mta_dq_t* dq, std::string_view) {
    ++calls;
    (void)all_recipients(dq);
    BOOST_TEST(test::rest_of_lines(dq).ends_with("Subject: changed\n\nHello.\n"));
    return deliver(dq);
  });
  BOOST_TEST(calls == 1);
}

BOOST_AUTO_TEST_SUITE_END()
