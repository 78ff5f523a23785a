// mtaEnqueue*: items, order, errors; and what arrives of all that. Developer's Reference ch. 3 and 6.
#include "sdk/contexts.hpp"
#include "sdk_fixture.hpp"

#include <algorithm>
#include <filesystem>

namespace {

using test::begin;
using test::item_array;
using test::running_site;
using test::site;

size_t number(mta_nq_t* nq, int item) {
  size_t value = 4711;
  BOOST_TEST(mtaEnqueueInfo(nq, item, &value, 0) == MTA_OK);
  return value;
}
std::string text(mta_nq_t* nq, int item) {
  const char* value = nullptr;
  size_t length = 0;
  BOOST_TEST(mtaEnqueueInfo(nq, item, &value, &length, 0) == MTA_OK);
  BOOST_REQUIRE(value != nullptr);
  BOOST_TEST(std::string_view(value).size() == length);  // NUL-terminated
  return value;
}

struct arrived {
  std::string from, env_id, lines;
  std::vector<std::string> recipients, originals;
  std::vector<size_t> delivery_flags, notify_flags;
  size_t message_delivery_flags = 0, message_notify_flags = 0;
};

/// Takes what is queued for channel x out of the queue.
std::vector<arrived> arrivals() {
  std::vector<arrived> all;
  BOOST_TEST(test::dequeue([&](void**, mta_dq_t* dq, std::string_view from) {
               arrived a;
               a.from = from;
               const char* id = nullptr;
               mtaDequeueInfo(dq, MTA_ENV_ID, &id, nullptr, MTA_DELIVERY_FLAGS, &a.message_delivery_flags,
                              MTA_NOTIFY_FLAGS, &a.message_notify_flags, 0);
               a.env_id = id != nullptr ? id : "NULL";
               const char *to = nullptr, *original = nullptr;
               size_t length = 0, original_length = 0, delivery = 0, notify = 0;
               while (mtaDequeueRecipientNext(dq, &to, &length, MTA_ORCPT_TO, &original, &original_length,
                                              MTA_DELIVERY_FLAGS, &delivery, MTA_NOTIFY_FLAGS, &notify,
                                              0) == MTA_OK) {
                 a.recipients.emplace_back(to, length);
                 a.originals.emplace_back(original, original_length);
                 a.delivery_flags.push_back(delivery);
                 a.notify_flags.push_back(notify);
               }
               a.lines = test::rest_of_lines(dq);
               all.push_back(a);
               return test::deliver(dq);
             }) == MTA_OK);
  return all;
}
arrived only_arrival() {
  const auto all = arrivals();
  BOOST_REQUIRE_EQUAL(all.size(), 1u);
  return all.front();
}
/// Without the trace lines that the MTA puts in front.
std::string without_trace(const std::string& lines) {
  std::string rest = lines;
  BOOST_TEST(rest.starts_with("Received: "));
  do rest.erase(0, rest.find('\n') + 1);
  while (rest.starts_with('\t') || rest.starts_with(' '));
  return rest;
}
bool has_line(const std::string& lines, const std::string& line) {
  return ('\n' + lines).find('\n' + line + '\n') != std::string::npos;
}

/// Holds a context as a call of another thread would.
class held_context {
 public:
  explicit held_context(mta_nq_t* nq) {
    std::promise<void> locked;
    thread_ = std::thread([this, nq, &locked] {
      const std::scoped_lock guard(static_cast<mta::sdk::enqueue_context*>(nq)->in_use);
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

}  // namespace

BOOST_AUTO_TEST_SUITE(sdk_enqueue)

// --- mtaEnqueueStart

BOOST_AUTO_TEST_CASE(a_message_needs_a_place_for_its_context) {
  const site s;
  BOOST_TEST(mtaEnqueueStart(nullptr, "ann@example.org", 0, 0) == MTA_BADARGS);
}

BOOST_AUTO_TEST_CASE(defaults_are_those_of_the_book) {
  const site s;
  mta_nq_t* const nq = begin();
  BOOST_TEST(number(nq, MTA_ADR_SORT) != 0u);
  BOOST_TEST(number(nq, MTA_ALIAS_EXPAND) != 0u);
  BOOST_TEST(text(nq, MTA_CHANNEL) == "x");
  BOOST_TEST(number(nq, MTA_DELIVERY_FLAGS) == 0u);
  BOOST_TEST(text(nq, MTA_ENV_FROM) == "ann@example.org");
  BOOST_TEST(text(nq, MTA_ENV_ID) == "");
  BOOST_TEST(number(nq, MTA_EXPAND_LIMIT) == static_cast<size_t>(-1) / 2);
  BOOST_TEST(number(nq, MTA_FRAGMENT_BLOCKS) == 0u);
  BOOST_TEST(number(nq, MTA_FRAGMENT_LINES) == 0u);
  BOOST_TEST(number(nq, MTA_NOTIFY_FLAGS) == size_t{MTA_NOTIFY_DEFAULT});
  BOOST_TEST(mtaEnqueueFinish(nq, MTA_ABORT, 0) == MTA_OK);
}

BOOST_AUTO_TEST_CASE(every_item_of_the_start_is_taken_and_can_be_asked_for) {
  const site s;
  mta_nq_t* nq = nullptr;
  BOOST_REQUIRE_EQUAL(mtaEnqueueStart(&nq, "ann@example.org", 3 + 12, MTA_ADR_NOSORT, MTA_ALIAS_NOEXPAND,
                                      MTA_CHANNEL, "yes", 1, MTA_DELIVERY_FLAGS, 6, MTA_ENV_ID, "id-1", 0,
                                      MTA_EXPAND_LIMIT, 10, MTA_FRAGMENT_BLOCKS, 20, MTA_FRAGMENT_LINES, 30,
                                      MTA_NOTIFY_FLAGS, MTA_NOTIFY_SUCCESS, 0),
                      MTA_OK);
  BOOST_TEST(number(nq, MTA_ADR_SORT) == 0u);
  BOOST_TEST(number(nq, MTA_ALIAS_EXPAND) == 0u);
  BOOST_TEST(text(nq, MTA_CHANNEL) == "y");
  BOOST_TEST(number(nq, MTA_DELIVERY_FLAGS) == 6u);
  BOOST_TEST(text(nq, MTA_ENV_ID) == "id-1");
  BOOST_TEST(number(nq, MTA_EXPAND_LIMIT) == 10u);
  BOOST_TEST(number(nq, MTA_FRAGMENT_BLOCKS) == 20u);
  BOOST_TEST(number(nq, MTA_FRAGMENT_LINES) == 30u);
  BOOST_TEST(number(nq, MTA_NOTIFY_FLAGS) == size_t{MTA_NOTIFY_SUCCESS});
  BOOST_TEST(mtaEnqueueFinish(nq, MTA_ABORT, 0) == MTA_OK);
}

BOOST_AUTO_TEST_CASE(items_of_the_start_may_come_in_an_array_between_others) {
  const site s;
  item_array inner, items;
  inner.add(MTA_FRAGMENT_LINES, nullptr, 30);
  items.add(MTA_CHANNEL, "yes", 1)
      .add(MTA_ITEM_LIST, inner.get())
      .add(MTA_ENV_ID, "id-2")
      .add(MTA_ADR_NOSORT);
  mta_nq_t* nq = nullptr;
  BOOST_REQUIRE_EQUAL(
      mtaEnqueueStart(&nq, nullptr, 0, MTA_DELIVERY_FLAGS, static_cast<size_t>(1), MTA_ITEM_LIST, items.get(),
                      MTA_FRAGMENT_BLOCKS, static_cast<size_t>(2), 0),
      MTA_OK);
  BOOST_TEST(text(nq, MTA_CHANNEL) == "y");
  BOOST_TEST(text(nq, MTA_ENV_ID) == "id-2");
  BOOST_TEST(text(nq, MTA_ENV_FROM) == "");
  BOOST_TEST(number(nq, MTA_ADR_SORT) == 0u);
  BOOST_TEST(number(nq, MTA_DELIVERY_FLAGS) == 1u);
  BOOST_TEST(number(nq, MTA_FRAGMENT_BLOCKS) == 2u);
  BOOST_TEST(number(nq, MTA_FRAGMENT_LINES) == 30u);
  BOOST_TEST(mtaEnqueueFinish(nq, MTA_ABORT, 0) == MTA_OK);
}

BOOST_AUTO_TEST_CASE(nothing_is_read_behind_the_closing_0) {
  const site s;
  mta_nq_t* nq = nullptr;
  BOOST_TEST(mtaEnqueueStart(&nq, "ann@example.org", 0, 0, MTA_ENV_ID, nullptr) == MTA_OK);
  BOOST_TEST(mtaEnqueueFinish(nq, MTA_ABORT, 0) == MTA_OK);
}

BOOST_AUTO_TEST_CASE(bad_items_of_the_start_give_no_context) {
  const site s;
  int place = 0;
  mta_nq_t* nq = &place;
  const char* const none = nullptr;
  BOOST_TEST(mtaEnqueueStart(&nq, "a@example.org", 0, MTA_CHANNEL, none, static_cast<size_t>(0), 0) ==
             MTA_BADARGS);
  BOOST_TEST(nq == nullptr);
  BOOST_TEST(mtaEnqueueStart(&nq, "a@example.org", 0, MTA_ENV_ID, none, static_cast<size_t>(0), 0) ==
             MTA_BADARGS);
  BOOST_TEST(mtaEnqueueStart(&nq, "a@example.org", 0, MTA_DQ_CONTEXT, static_cast<mta_dq_t*>(nullptr), 0) ==
             MTA_BADARGS);
  BOOST_TEST(mtaEnqueueStart(&nq, "a@example.org", 0, MTA_DQ_CONTEXT, static_cast<mta_dq_t*>(&place), 0) ==
             MTA_BADARGS);
  BOOST_TEST(mtaEnqueueStart(&nq, "a@example.org", 0, MTA_ITEM_LIST, static_cast<mta_item_list_t*>(nullptr),
                             0) == MTA_BADARGS);
  BOOST_TEST(mtaEnqueueStart(&nq, "a@example.org", 0, MTA_NOTIFY_FLAGS, static_cast<size_t>(0x40), 0) ==
             MTA_BADARGS);
  BOOST_TEST(mtaEnqueueStart(&nq, "a@example.org", 0, MTA_HDR_TO, 0) == MTA_NOSUCHITEM);
  BOOST_TEST(mtaErrno() == MTA_NOSUCHITEM);
  BOOST_TEST(nq == nullptr);
}

BOOST_AUTO_TEST_CASE(texts_of_the_start_that_are_too_long_are_refused) {
  const site s;
  mta_nq_t* nq = nullptr;
  const std::string longest = std::string(ALFA_SIZE - 12, 'a') + "@example.org";
  BOOST_TEST(mtaEnqueueStart(&nq, longest.c_str(), 0, 0) == MTA_OK);
  BOOST_TEST(mtaEnqueueFinish(nq, MTA_ABORT, 0) == MTA_OK);
  BOOST_TEST(mtaEnqueueStart(&nq, ('a' + longest).c_str(), 0, 0) == MTA_STRTRUERR);
  const std::string channel(CHANLENGTH + 1, 'c'), id(ALFA_SIZE + 1, 'i');
  BOOST_TEST(mtaEnqueueStart(&nq, "a@example.org", 0, MTA_CHANNEL, channel.data(), channel.size(), 0) ==
             MTA_STRTRUERR);
  BOOST_TEST(mtaEnqueueStart(&nq, "a@example.org", 0, MTA_ENV_ID, id.data(), id.size(), 0) == MTA_STRTRUERR);
}

BOOST_AUTO_TEST_CASE(the_source_channel_must_be_known_and_configured) {
  const site s;
  mta_nq_t* nq = nullptr;
  BOOST_TEST(mtaEnqueueStart(&nq, "a@example.org", 0, MTA_CHANNEL, "nowhere", static_cast<size_t>(0), 0) ==
             MTA_NOSUCHCHAN);
  const test::environment_variable none("PMDF_CHANNEL", nullptr);
  BOOST_TEST(mtaEnqueueStart(&nq, "a@example.org", 0, 0) == MTA_NO);
  BOOST_TEST(mtaEnqueueStart(&nq, "a@example.org", 0, MTA_CHANNEL, "y", static_cast<size_t>(0), 0) == MTA_OK);
  BOOST_TEST(mtaEnqueueFinish(nq, MTA_ABORT, 0) == MTA_OK);
  const test::environment_variable unknown("PMDF_CHANNEL", "nowhere");
  BOOST_TEST(mtaEnqueueStart(&nq, "a@example.org", 0, 0) == MTA_NOSUCHCHAN);
}

BOOST_AUTO_TEST_CASE(a_sender_that_is_no_address_is_refused) {
  const site s;
  mta_nq_t* nq = nullptr;
  BOOST_TEST(mtaEnqueueStart(&nq, "not an address @@", 0, 0) == MTA_NO);
}

// --- contexts

BOOST_AUTO_TEST_CASE(what_is_no_enqueue_context_is_recognised) {
  const site s;
  long place[64] = {};
  mta_nq_t* const gone = begin();
  BOOST_TEST(mtaEnqueueFinish(gone, MTA_ABORT, 0) == MTA_OK);
  mta_nq_t* const wrong[] = {nullptr, place, gone};
  for (mta_nq_t* nq : wrong) {
    size_t value = 0;
    BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, 0) == MTA_BADARGS);
    BOOST_TEST(mtaEnqueueWrite(nq, "x\n", 0, nullptr) == MTA_BADARGS);
    BOOST_TEST(mtaEnqueueWriteLine(nq, "x", 0, nullptr) == MTA_BADARGS);
    BOOST_TEST(mtaEnqueueCopyMessage(nq, place, 0) == MTA_BADARGS);
    BOOST_TEST(mtaEnqueueInfo(nq, MTA_ADR_SORT, &value, 0) == MTA_BADARGS);
    BOOST_TEST(mtaEnqueueError(nq, nullptr, nullptr, 0) == nullptr);
    BOOST_TEST(mtaErrno() == MTA_BADARGS);
    BOOST_TEST(mtaEnqueueFinish(nq, 0) == MTA_BADARGS);
  }
}

BOOST_AUTO_TEST_CASE(use_of_a_context_by_two_threads_at_once_is_mta_thread) {
  const site s;
  mta_nq_t* const nq = begin();
  {
    const held_context held(nq);
    size_t value = 0;
    BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, 0) == MTA_THREAD);
    BOOST_TEST(mtaEnqueueWrite(nq, "x\n", 0, nullptr) == MTA_THREAD);
    BOOST_TEST(mtaEnqueueWriteLine(nq, "x", 0, nullptr) == MTA_THREAD);
    BOOST_TEST(mtaEnqueueCopyMessage(nq, &value, 0) == MTA_THREAD);
    BOOST_TEST(mtaEnqueueInfo(nq, MTA_ADR_SORT, &value, 0) == MTA_THREAD);
    BOOST_TEST(mtaEnqueueError(nq, nullptr, nullptr, 0) == nullptr);
    BOOST_TEST(mtaErrno() == MTA_THREAD);
    BOOST_TEST(mtaEnqueueFinish(nq, 0) == MTA_THREAD);
  }
  BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, 0) == MTA_OK);  // it has survived that
  BOOST_TEST(test::write_and_finish(nq) == MTA_OK);
}

BOOST_AUTO_TEST_CASE(contexts_may_be_used_one_after_another_by_different_threads_and_many_at_once) {
  const site s;
  std::vector<mta_nq_t*> open;
  for (int i = 0; i < 50; ++i) open.push_back(begin());
  std::thread([&] {
    for (mta_nq_t* nq : open) BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, MTA_ENV_TO, 0) == MTA_OK);
  }).join();
  for (mta_nq_t* nq : open) BOOST_TEST(test::write_and_finish(nq) == MTA_OK);
}

// --- mtaEnqueueTo, mtaEnqueueError

BOOST_AUTO_TEST_CASE(bad_arguments_for_a_recipient_are_refused_and_the_message_stays_usable) {
  const site s;
  mta_nq_t* const nq = begin();
  const std::string too_long(ALFA_SIZE + 1, 'o');
  const char* const none = nullptr;
  BOOST_TEST(mtaEnqueueTo(nq, nullptr, 0, 0) == MTA_BADARGS);
  BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, MTA_ORCPT_TO, none, static_cast<size_t>(0), 0) ==
             MTA_BADARGS);
  BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, MTA_DQ_CONTEXT, static_cast<mta_dq_t*>(nullptr), 0) ==
             MTA_BADARGS);
  BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, MTA_REASON, static_cast<const char**>(nullptr),
                          static_cast<size_t*>(nullptr), 0) == MTA_BADARGS);
  BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, MTA_NOTIFY_FLAGS, 0x40, 0) == MTA_BADARGS);
  BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, MTA_ENV_ID, "x", static_cast<size_t>(0), 0) ==
             MTA_NOSUCHITEM);
  BOOST_TEST(mtaEnqueueTo(nq, too_long.c_str(), 0, 0) == MTA_STRTRUERR);
  BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, MTA_ORCPT_TO, too_long.data(), too_long.size(), 0) ==
             MTA_STRTRUERR);
  BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, 0) == MTA_OK);
  BOOST_TEST(test::write_and_finish(nq) == MTA_OK);
}

BOOST_AUTO_TEST_CASE(a_refused_recipient_is_explained_and_others_may_be_added) {
  const site s;
  mta_nq_t* const nq = begin();
  for (const char* address : {"bob@nowhere.example", "no address @@"}) {
    const char *reason = nullptr, *message = nullptr;
    size_t reason_length = 0, message_length = 0;
    BOOST_TEST(mtaEnqueueTo(nq, address, 0, MTA_REASON, &reason, &reason_length, 0) == MTA_NO);
    BOOST_REQUIRE(reason != nullptr);
    BOOST_TEST(std::string_view(reason).find(address) != std::string_view::npos, reason);
    BOOST_TEST(std::string_view(reason).size() == reason_length);
    BOOST_TEST(std::string_view(mtaEnqueueError(nq, &message, &message_length, 0)) == reason);
    BOOST_TEST(std::string_view(message, message_length) == reason);
  }
  BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, 0) == MTA_OK);
  BOOST_TEST(test::write_and_finish(nq) == MTA_OK);
}

BOOST_AUTO_TEST_CASE(recipients_cannot_follow_content) {
  const site s;
  for (const bool by_line : {true, false}) {
    mta_nq_t* const nq = begin();
    BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, 0) == MTA_OK);
    if (by_line)
      BOOST_TEST(mtaEnqueueWriteLine(nq, "Subject: test", 0, nullptr) == MTA_OK);
    else
      BOOST_TEST(mtaEnqueueWrite(nq, "Subject", 0, nullptr) == MTA_OK);
    BOOST_TEST(mtaEnqueueTo(nq, "eve@example.org", 0, 0) == MTA_ORDER);
    BOOST_TEST(mtaEnqueueFinish(nq, MTA_ABORT, 0) == MTA_OK);
  }
}

BOOST_AUTO_TEST_CASE(only_some_kinds_of_recipients_are_in_the_envelope) {
  running_site s;
  mta_nq_t* const nq = begin();
  for (const auto& [item, name] :
       {std::pair(MTA_TO, "a"), std::pair(MTA_CC, "b"), std::pair(MTA_BCC, "c"), std::pair(MTA_ENV_TO, "d"),
        std::pair(MTA_HDR_TO, "e"), std::pair(MTA_HDR_CC, "f"), std::pair(MTA_HDR_BCC, "g")})
    BOOST_TEST(mtaEnqueueTo(nq, (name + std::string("@example.org")).c_str(), 0, item, 0) == MTA_OK);
  BOOST_TEST(test::write_and_finish(nq) == MTA_OK);
  const arrived a = only_arrival();
  const std::vector<std::string> expected{"a@example.org", "b@example.org", "c@example.org", "d@example.org"};
  BOOST_TEST(a.recipients == expected, boost::test_tools::per_element());
  BOOST_TEST(has_line(a.lines, "To: a@example.org,\n e@example.org"), a.lines);
  BOOST_TEST(has_line(a.lines, "Cc: b@example.org,\n f@example.org"), a.lines);
  BOOST_TEST(a.lines.find("c@example.org") == std::string::npos, "a blind copy is not blind:\n" << a.lines);
  BOOST_TEST(a.lines.find("g@example.org") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(header_recipients_alone_are_nobody_to_deliver_to) {
  const site s;
  mta_nq_t* const nq = begin();
  BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, MTA_HDR_TO, 0) == MTA_OK);
  BOOST_TEST(mtaEnqueueWriteLine(nq, "Subject: test", 0, nullptr) == MTA_ORDER);
  BOOST_TEST(mtaEnqueueWrite(nq, "Subject: test\n", 0, nullptr) == MTA_ORDER);
  BOOST_TEST(mtaEnqueueFinish(nq, 0) == MTA_ORDER);
}

BOOST_AUTO_TEST_CASE(the_last_item_that_says_where_a_recipient_belongs_counts) {
  running_site s;
  mta_nq_t* const nq = begin();
  item_array items;
  items.add(MTA_CC);
  BOOST_TEST(mtaEnqueueTo(nq, "bob@example.orgXXX", 15, MTA_ITEM_LIST, items.get(), MTA_ENV_TO, 0) == MTA_OK);
  BOOST_TEST(test::write_and_finish(nq) == MTA_OK);
  const arrived a = only_arrival();
  BOOST_TEST(a.recipients.at(0) == "bob@example.org");
  BOOST_TEST(a.lines.find("bob@example.org") == std::string::npos, a.lines);
}

BOOST_AUTO_TEST_CASE(fields_of_the_envelope_arrive) {
  running_site s;
  mta_nq_t* nq = nullptr;
  BOOST_REQUIRE_EQUAL(
      mtaEnqueueStart(&nq, "ann@example.org", 0, MTA_ENV_ID, "envelope 1", 0, MTA_DELIVERY_FLAGS, 1,
                      MTA_NOTIFY_FLAGS, MTA_NOTIFY_CONTENT_HEADER | MTA_NOTIFY_FAILURE, 0),
      MTA_OK);
  BOOST_TEST(mtaEnqueueTo(nq, "a@example.org", 0, MTA_ENV_TO, 0) == MTA_OK);
  item_array items;
  items.add(MTA_DELIVERY_FLAGS, nullptr, 2)
      .add(MTA_NOTIFY_FLAGS, nullptr, MTA_NOTIFY_DELAY | MTA_NOTIFY_CONTENT_NONE)
      .add(MTA_ORCPT_TO, "original@example.com", 0);
  BOOST_TEST(mtaEnqueueTo(nq, "b@example.org", 0, MTA_ENV_TO, MTA_ITEM_LIST, items.get(), 0) == MTA_OK);
  BOOST_TEST(test::write_and_finish(nq) == MTA_OK);
  const arrived a = only_arrival();
  BOOST_TEST(a.from == "ann@example.org");
  BOOST_TEST(a.env_id == "envelope 1");
  BOOST_TEST(a.message_delivery_flags == 1u);
  BOOST_TEST(a.message_notify_flags == size_t{MTA_NOTIFY_CONTENT_HEADER | MTA_NOTIFY_FAILURE});
  BOOST_TEST(a.originals.at(0) == "a@example.org");
  BOOST_TEST(a.delivery_flags.at(0) == 1u);
  BOOST_TEST(a.notify_flags.at(0) == size_t{MTA_NOTIFY_CONTENT_HEADER | MTA_NOTIFY_FAILURE});
  BOOST_TEST(a.originals.at(1) == "original@example.com");
  BOOST_TEST(a.delivery_flags.at(1) == 3u);  // merged
  BOOST_TEST(a.notify_flags.at(1) == size_t{MTA_NOTIFY_DELAY | MTA_NOTIFY_CONTENT_NONE});
}

BOOST_AUTO_TEST_CASE(the_delivery_flags_of_the_channel_are_added) {
  running_site s("[channel x]\ndeliveryflags = 8\n[routes]\nexample.org = x\n");
  mta_nq_t* const nq = begin();
  BOOST_TEST(mtaEnqueueTo(nq, "a@example.org", 0, MTA_ENV_TO, MTA_DELIVERY_FLAGS, 2, 0) == MTA_OK);
  BOOST_TEST(test::write_and_finish(nq) == MTA_OK);
  const arrived a = only_arrival();
  BOOST_TEST(a.message_delivery_flags == 8u);
  BOOST_TEST(a.delivery_flags.at(0) == 10u);
}

BOOST_AUTO_TEST_CASE(recipients_are_sorted_unless_the_program_objects) {
  for (const int item : {MTA_ADR_SORT, MTA_ADR_NOSORT}) {
    running_site s;
    mta_nq_t* nq = nullptr;
    BOOST_REQUIRE_EQUAL(mtaEnqueueStart(&nq, "ann@example.org", 0, item, 0), MTA_OK);
    for (const char* to : {"c@example.org", "a@example.org", "b@example.org"})
      BOOST_TEST(mtaEnqueueTo(nq, to, 0, MTA_ENV_TO, 0) == MTA_OK);
    BOOST_TEST(test::write_and_finish(nq) == MTA_OK);
    const std::vector<std::string> sorted{"a@example.org", "b@example.org", "c@example.org"},
        as_given{"c@example.org", "a@example.org", "b@example.org"};
    const arrived a = only_arrival();
    BOOST_TEST(a.recipients == (item == MTA_ADR_SORT ? sorted : as_given), boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(an_empty_sender_arrives_empty) {
  for (const char* from : {static_cast<const char*>(nullptr), ""}) {
    running_site s;
    mta_nq_t* const nq = begin(from);
    BOOST_TEST(text(nq, MTA_ENV_FROM) == "");
    BOOST_TEST(mtaEnqueueTo(nq, "a@example.org", 0, MTA_ENV_TO, 0) == MTA_OK);
    BOOST_TEST(test::write_and_finish(nq) == MTA_OK);
    BOOST_TEST(only_arrival().from == "");
  }
}

// --- mtaEnqueueWrite, mtaEnqueueWriteLine

BOOST_AUTO_TEST_CASE(content_cannot_come_before_a_recipient) {
  const site s;
  mta_nq_t* const nq = begin();
  BOOST_TEST(mtaEnqueueWrite(nq, "Subject: test\n", 0, nullptr) == MTA_ORDER);
  BOOST_TEST(mtaEnqueueWriteLine(nq, "Subject: test", 0, nullptr) == MTA_ORDER);
  BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, 0) == MTA_OK);  // that closed nothing
  BOOST_TEST(mtaEnqueueFinish(nq, MTA_ABORT, 0) == MTA_OK);
}

BOOST_AUTO_TEST_CASE(what_is_written_arrives) {
  running_site s;
  mta_nq_t* const nq = begin();
  BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, MTA_ENV_TO, 0) == MTA_OK);
  const size_t all = 0, four = 4;
  BOOST_TEST(mtaEnqueueWrite(nq, "Subj", all, "ect: xxx", four, " te", all, "st\nX-Two: 2\n", all, nullptr) ==
             MTA_OK);
  BOOST_TEST(mtaEnqueueWriteLine(nq, "X-Thre", all, "e: 3 and more", four, nullptr) == MTA_OK);
  BOOST_TEST(mtaEnqueueWriteLine(nq, nullptr, 0, nullptr) == MTA_OK);
  BOOST_TEST(mtaEnqueueWriteLine(nq, ".dot", 0, nullptr) == MTA_OK);
  BOOST_TEST(mtaEnqueueWriteLine(nq, "", 0, nullptr) == MTA_OK);
  BOOST_TEST(mtaEnqueueWrite(nq, "unfinished", 0, nullptr) == MTA_OK);
  BOOST_TEST(mtaEnqueueFinish(nq, 0) == MTA_OK);
  BOOST_TEST(without_trace(only_arrival().lines) ==
             "Subject: test\nX-Two: 2\nX-Three: 3\n\n.dot\n\nunfinished\n");
}

BOOST_AUTO_TEST_CASE(a_message_may_be_a_header_alone) {
  running_site s;
  mta_nq_t* const nq = begin();
  BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, MTA_ENV_TO, 0) == MTA_OK);
  BOOST_TEST(mtaEnqueueWriteLine(nq, "Subject: test", 0, nullptr) == MTA_OK);
  BOOST_TEST(mtaEnqueueFinish(nq, 0) == MTA_OK);
  BOOST_TEST(without_trace(only_arrival().lines) == "Subject: test\n");
}

BOOST_AUTO_TEST_CASE(every_byte_and_long_lines_survive) {
  running_site s;
  std::string body;
  for (int c = 0; c < 256; ++c)
    if (c != '\n' && c != '\r') body += static_cast<char>(c);
  body += '\n' + std::string(100'000, 'l') + '\n';
  mta_nq_t* const nq = begin();
  BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, MTA_ENV_TO, 0) == MTA_OK);
  BOOST_TEST(mtaEnqueueWrite(nq, "Subject: test\n\n", 0, body.data(), body.size(), nullptr) == MTA_OK);
  BOOST_TEST(mtaEnqueueFinish(nq, 0) == MTA_OK);
  BOOST_TEST((without_trace(only_arrival().lines) == "Subject: test\n\n" + body));
}

BOOST_AUTO_TEST_CASE(content_that_cannot_be_kept_is_an_error_of_files_and_nothing_is_queued) {
  running_site s;
  mta_nq_t* const nq = begin();
  BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, MTA_ENV_TO, 0) == MTA_OK);
  std::filesystem::remove_all(s.root() + "/queue");
  const std::string much(8u << 20, 'm');  // more than is kept in memory
  const int status = mtaEnqueueWrite(nq, "Subject: test\n\n", 0, much.data(), much.size(), nullptr);
  BOOST_TEST(status == MTA_FCREATE);
  const char* reason = nullptr;
  const int finished = mtaEnqueueFinish(nq, MTA_REASON, &reason, static_cast<size_t*>(nullptr), 0);
  BOOST_TEST(finished == MTA_FCREATE);
  BOOST_REQUIRE(reason != nullptr);
  BOOST_TEST(std::string_view(reason) != "");
}

// --- mtaEnqueueInfo

BOOST_AUTO_TEST_CASE(questions_about_an_enqueue_need_known_items_and_places_for_answers) {
  const site s;
  mta_nq_t* const nq = begin();
  BOOST_TEST(mtaEnqueueInfo(nq, 0) == MTA_OK);
  BOOST_TEST(mtaEnqueueInfo(nq, MTA_ADR_SORT, static_cast<size_t*>(nullptr), 0) == MTA_BADARGS);
  BOOST_TEST(mtaEnqueueInfo(nq, MTA_CHANNEL, static_cast<const char**>(nullptr),
                            static_cast<size_t*>(nullptr), 0) == MTA_BADARGS);
  size_t value = 0;
  BOOST_TEST(mtaEnqueueInfo(nq, MTA_MSG_ID, &value, 0) == MTA_NOSUCHITEM);
  const char *channel = nullptr, *from = nullptr;
  item_array items;
  items.add(MTA_CHANNEL, &channel).add(MTA_ADR_SORT, &value);
  BOOST_TEST(mtaEnqueueInfo(nq, MTA_ENV_FROM, &from, static_cast<size_t*>(nullptr), MTA_ITEM_LIST,
                            items.get(), 0) == MTA_OK);
  BOOST_REQUIRE((channel != nullptr && from != nullptr));
  BOOST_TEST(std::string_view(channel) == "x");
  BOOST_TEST(std::string_view(from) == "ann@example.org");
  BOOST_TEST(value == 1u);
  BOOST_TEST(mtaEnqueueFinish(nq, MTA_ABORT, 0) == MTA_OK);
}

// --- mtaEnqueueFinish

BOOST_AUTO_TEST_CASE(a_finished_message_is_queued_once_and_its_context_is_gone) {
  running_site s;
  mta_nq_t* const nq = begin();
  BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, 0) == MTA_OK);
  BOOST_TEST(test::write_and_finish(nq) == MTA_OK);
  BOOST_TEST(mtaEnqueueFinish(nq, 0) == MTA_BADARGS);
  BOOST_TEST(arrivals().size() == 1u);
}

BOOST_AUTO_TEST_CASE(an_aborted_message_is_not_queued) {
  running_site s;
  mta_nq_t* const nq = begin();
  BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, 0) == MTA_OK);
  BOOST_TEST(mtaEnqueueWriteLine(nq, "Subject: test", 0, nullptr) == MTA_OK);
  BOOST_TEST(mtaEnqueueFinish(nq, MTA_ABORT, 0) == MTA_OK);
  BOOST_TEST(mtaEnqueueFinish(nq, 0) == MTA_BADARGS);
  test::enqueue({"other@example.org"});
  BOOST_TEST(only_arrival().recipients.at(0) == "other@example.org");
}

BOOST_AUTO_TEST_CASE(a_message_without_recipients_cannot_be_finished) {
  const site s;
  BOOST_TEST(mtaEnqueueFinish(begin(), 0) == MTA_ORDER);
}

BOOST_AUTO_TEST_CASE(a_message_without_content_cannot_be_finished) {
  const site s;
  mta_nq_t* const nq = begin();
  BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, 0) == MTA_OK);
  BOOST_TEST(mtaEnqueueFinish(nq, 0) == MTA_ORDER);
  BOOST_TEST(mtaEnqueueFinish(nq, 0) == MTA_BADARGS);
}

BOOST_AUTO_TEST_CASE(a_bad_item_of_the_finish_drops_the_message_and_its_context) {
  running_site s;
  mta_nq_t* nq = begin();
  BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, 0) == MTA_OK);
  BOOST_TEST(mtaEnqueueWriteLine(nq, "Subject: test", 0, nullptr) == MTA_OK);
  BOOST_TEST(mtaEnqueueFinish(nq, MTA_DISP, static_cast<size_t>(1), 0) == MTA_NOSUCHITEM);
  BOOST_TEST(mtaEnqueueFinish(nq, 0) == MTA_BADARGS);
  nq = begin();
  BOOST_TEST(mtaEnqueueFinish(nq, MTA_REASON, static_cast<const char**>(nullptr),
                              static_cast<size_t*>(nullptr), 0) == MTA_BADARGS);
  BOOST_TEST(mtaEnqueueFinish(nq, 0) == MTA_BADARGS);
  BOOST_TEST(arrivals().size() == 0u);
}

BOOST_AUTO_TEST_CASE(items_of_the_finish_may_come_in_an_array) {
  running_site s;
  mta_nq_t* const nq = begin();
  BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, 0) == MTA_OK);
  BOOST_TEST(mtaEnqueueWriteLine(nq, "Subject: test", 0, nullptr) == MTA_OK);
  item_array items;
  items.add(MTA_ABORT);
  BOOST_TEST(mtaEnqueueFinish(nq, MTA_ITEM_LIST, items.get(), 0) == MTA_OK);
  BOOST_TEST(arrivals().size() == 0u);
}

BOOST_AUTO_TEST_CASE(too_little_space_is_an_error_of_the_finish_and_nothing_is_queued) {
  running_site s(std::string("[queue]\nreserve = 1000T\n") + site::channels);
  mta_nq_t* const nq = begin();
  BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, 0) == MTA_OK);
  BOOST_TEST(mtaEnqueueWriteLine(nq, "Subject: test", 0, nullptr) == MTA_OK);
  const char* reason = nullptr;
  size_t length = 0;
  BOOST_TEST(mtaEnqueueFinish(nq, MTA_REASON, &reason, &length, 0) == MTA_FCREATE);
  BOOST_REQUIRE(reason != nullptr);
  BOOST_TEST(std::string_view(reason).size() == length);
  BOOST_TEST(length > 0u);
  BOOST_TEST(arrivals().size() == 0u);
}

BOOST_AUTO_TEST_CASE(one_message_becomes_a_copy_for_each_channel) {
  running_site s;
  test::enqueue({"a@example.org", "b@other.example", "c@example.org"});
  const arrived here = only_arrival();
  const std::vector<std::string> expected{"a@example.org", "c@example.org"};
  BOOST_TEST(here.recipients == expected, boost::test_tools::per_element());
  const test::environment_variable other("PMDF_CHANNEL", "y");
  BOOST_TEST(only_arrival().recipients.at(0) == "b@other.example");
}

BOOST_AUTO_TEST_CASE(a_write_of_nothing_is_no_content) {
  const site s;
  mta_nq_t* const nq = begin();
  BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, 0) == MTA_OK);
  BOOST_TEST(mtaEnqueueWrite(nq, nullptr, 0, nullptr) == MTA_OK);
  BOOST_TEST(mtaEnqueueTo(nq, "eve@example.org", 0, 0) == MTA_OK);
  BOOST_TEST(mtaEnqueueFinish(nq, 0) == MTA_ORDER);
}

BOOST_AUTO_TEST_CASE(lists_of_strings_may_be_ended_by_a_plain_0_and_have_plain_lengths) {
  running_site s;
  mta_nq_t* const nq = begin();
  BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, MTA_ENV_TO, 0) == MTA_OK);
  // What the upper halves of plain ints may hold when they are passed in memory.
  const auto dirty = [](std::uint32_t low) { return std::uint64_t{0x7FFF'5555'0000'0000} | low; };
  BOOST_TEST(mtaEnqueueWriteLine(nq, "Sub", 0, "jectXX", dirty(4), ": ", dirty(0), "test", dirty(0),
                                 dirty(0)) == MTA_OK);
  BOOST_TEST(mtaEnqueueFinish(nq, 0) == MTA_OK);
  BOOST_TEST(without_trace(only_arrival().lines) == "Subject: test\n");
}

BOOST_AUTO_TEST_CASE(a_reason_is_given_for_every_failure_and_none_for_success) {
  const site s;
  mta_nq_t* nq = begin();
  const char* reason = nullptr;
  size_t length = 4711;
  BOOST_TEST(mtaEnqueueTo(nq, std::string(ALFA_SIZE + 1, 'a').c_str(), 0, MTA_REASON, &reason, &length, 0) ==
             MTA_STRTRUERR);
  BOOST_TEST((reason != nullptr && std::string_view(reason) == mtaStrError(MTA_STRTRUERR, 0)));
  BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, MTA_REASON, &reason, &length, 0) == MTA_OK);
  BOOST_TEST((reason != nullptr && std::string_view(reason) == ""));
  BOOST_TEST(length == 0u);
  reason = nullptr;
  BOOST_TEST(mtaEnqueueFinish(nq, MTA_REASON, &reason, &length, 0) == MTA_ORDER);
  BOOST_TEST((reason != nullptr && std::string_view(reason) == mtaStrError(MTA_ORDER, 0)));
  nq = begin();
  BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, 0) == MTA_OK);
  BOOST_TEST(mtaEnqueueWriteLine(nq, "Subject: test", 0, nullptr) == MTA_OK);
  BOOST_TEST(mtaEnqueueFinish(nq, MTA_REASON, &reason, &length, 0) == MTA_OK);
  BOOST_TEST(std::string_view(reason) == "");
}

BOOST_AUTO_TEST_CASE(mtaDone_drops_the_messages_that_are_being_submitted) {
  running_site s;
  mta_nq_t* const nq = begin();
  BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org", 0, 0) == MTA_OK);
  BOOST_TEST(mtaEnqueueWriteLine(nq, "Subject: test", 0, nullptr) == MTA_OK);
  mtaDone();
  BOOST_TEST(mtaEnqueueWriteLine(nq, "X-Late: yes", 0, nullptr) == MTA_BADARGS);
  BOOST_TEST(mtaEnqueueFinish(nq, 0) == MTA_BADARGS);
  BOOST_TEST(arrivals().size() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
