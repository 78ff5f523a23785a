// Delivery and notification flags of message and recipients, from enqueue to dequeue, and through a channel
// that passes a message on. Developer's Reference ch. 3 and 6.
#include "sdk_fixture.hpp"

namespace {

using test::running_site;

constexpr const char* two_channels =
    "[channel x]\n[channel y]\n[routes from y]\nexample.org = x\n"
    "[routes from x]\nexample.org = y\n";

struct flags {
  size_t delivery = 0, notify = 0;
};
/// Flags of the one message queued for channel x: of the message, then of its recipients.
std::vector<flags> arrived() {
  std::vector<flags> all;
  BOOST_TEST(test::dequeue([&](void**, mta_dq_t* dq, std::string_view) {
               do {
                 flags f;
                 BOOST_TEST(mtaDequeueInfo(dq, MTA_DELIVERY_FLAGS, &f.delivery, MTA_NOTIFY_FLAGS, &f.notify,
                                           0) == MTA_OK);
                 all.push_back(f);
               } while (!test::next_recipient(dq).empty());
               return test::deliver(dq);
             }) == MTA_OK);
  BOOST_REQUIRE(all.size() >= 2);
  return all;
}

template <class... Items>
mta_nq_t* begin_with(Items... items) {
  mta_nq_t* nq = nullptr;
  BOOST_REQUIRE_EQUAL(mtaEnqueueStart(&nq, "ann@example.org", 0, items..., 0), MTA_OK);
  return nq;
}
template <class... Items>
void add(mta_nq_t* nq, const char* to, Items... items) {
  BOOST_REQUIRE_EQUAL(mtaEnqueueTo(nq, to, 0, MTA_ENV_TO, items..., 0), MTA_OK);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sdk_flags)

BOOST_AUTO_TEST_CASE(absolute_delivery_flags_replace_those_of_the_message) {
  running_site s;
  mta_nq_t* const nq = begin_with(MTA_DELIVERY_FLAGS, size_t{4});
  add(nq, "a@example.org", MTA_DELIVERY_FLAGS, size_t{1});
  add(nq, "b@example.org", MTA_DELIVERY_FLAGS_ABS, size_t{1});
  add(nq, "c@example.org", MTA_DELIVERY_FLAGS_ABS, size_t{0});
  BOOST_REQUIRE_EQUAL(test::write_and_finish(nq), MTA_OK);
  const auto f = arrived();
  BOOST_TEST(f.at(0).delivery == 4u);
  BOOST_TEST(f.at(1).delivery == 5u);
  BOOST_TEST(f.at(2).delivery == 1u);
  BOOST_TEST(f.at(3).delivery == 0u);
}

BOOST_AUTO_TEST_CASE(delivery_flags_survive_a_channel_that_passes_the_message_on) {
  running_site s(two_channels);
  {
    const test::environment_variable other("PMDF_CHANNEL", "y");
    mta_nq_t* const nq = begin_with(MTA_DELIVERY_FLAGS, size_t{4});
    add(nq, "a@example.org", MTA_DELIVERY_FLAGS, size_t{1});
    add(nq, "b@example.org", MTA_DELIVERY_FLAGS_ABS, size_t{1});
    BOOST_REQUIRE_EQUAL(test::write_and_finish(nq), MTA_OK);
  }
  test::dequeue([](void**, mta_dq_t* dq, std::string_view) {
    mta_nq_t* nq = nullptr;
    BOOST_TEST(mtaEnqueueStart(&nq, "", 0, MTA_DQ_CONTEXT, dq, MTA_DELIVERY_FLAGS, size_t{16}, 0) == MTA_OK);
    size_t all = 0;
    BOOST_TEST(mtaEnqueueInfo(nq, MTA_DELIVERY_FLAGS, &all, 0) == MTA_OK);
    BOOST_TEST(all == 20u);
    for (const std::string& to : test::all_recipients(dq))
      BOOST_TEST(mtaEnqueueTo(nq, to.c_str(), 0, MTA_ENV_TO, MTA_DQ_CONTEXT, dq, 0) == MTA_OK);
    BOOST_TEST(mtaEnqueueCopyMessage(nq, dq, 1) == MTA_OK);
    BOOST_TEST(mtaEnqueueFinish(nq, 0) == MTA_OK);
    return mtaDequeueMessageFinish(dq, MTA_DISP, MTA_DISP_RELAYED, 0);
  });
  const test::environment_variable other("PMDF_CHANNEL", "y");
  const auto f = arrived();
  BOOST_TEST(f.at(0).delivery == 20u);
  BOOST_TEST(f.at(1).delivery == 21u);
  BOOST_TEST(f.at(2).delivery == 17u);
}

BOOST_AUTO_TEST_CASE(without_notification_flags_the_default_counts) {
  running_site s;
  test::enqueue({"a@example.org"});
  for (const flags& f : arrived()) BOOST_TEST(f.notify == size_t{MTA_NOTIFY_DEFAULT});
}

BOOST_AUTO_TEST_CASE(a_request_for_no_notification_at_all_is_not_the_default) {
  running_site s;
  mta_nq_t* const nq = begin_with(MTA_NOTIFY_FLAGS, size_t{0});
  add(nq, "a@example.org");
  add(nq, "b@example.org", MTA_NOTIFY_FLAGS, size_t{MTA_NOTIFY_FAILURE});
  BOOST_REQUIRE_EQUAL(test::write_and_finish(nq), MTA_OK);
  const auto f = arrived();
  constexpr size_t never = MTA_NOTIFY_CONTENT_FULL;  // a content bit is always set
  BOOST_TEST(f.at(0).notify == never);
  BOOST_TEST(f.at(1).notify == never);
  BOOST_TEST(f.at(2).notify == (never | size_t{MTA_NOTIFY_FAILURE}));
}

BOOST_AUTO_TEST_CASE(a_recipient_may_ask_for_no_notification) {
  running_site s;
  mta_nq_t* const nq = begin_with();
  add(nq, "a@example.org", MTA_NOTIFY_FLAGS, size_t{0});
  BOOST_REQUIRE_EQUAL(test::write_and_finish(nq), MTA_OK);
  const auto f = arrived();
  BOOST_TEST(f.at(0).notify == size_t{MTA_NOTIFY_DEFAULT});
  BOOST_TEST(f.at(1).notify == size_t{MTA_NOTIFY_CONTENT_FULL});
}

BOOST_AUTO_TEST_CASE(how_much_content_to_return_is_the_messages_business) {
  running_site s;
  mta_nq_t* const nq = begin_with(MTA_NOTIFY_FLAGS, size_t{MTA_NOTIFY_CONTENT_HEADER | MTA_NOTIFY_DELAY});
  add(nq, "a@example.org", MTA_NOTIFY_FLAGS, size_t{MTA_NOTIFY_SUCCESS});
  BOOST_REQUIRE_EQUAL(test::write_and_finish(nq), MTA_OK);
  BOOST_TEST(arrived().at(1).notify == size_t{MTA_NOTIFY_CONTENT_HEADER | MTA_NOTIFY_SUCCESS});
}

BOOST_AUTO_TEST_CASE(the_envelope_id_and_flags_of_a_message_in_hand_are_those_of_its_successor) {
  running_site s(two_channels);
  {
    const test::environment_variable other("PMDF_CHANNEL", "y");
    mta_nq_t* const nq = begin_with(MTA_ENV_ID, "E1", size_t{0}, MTA_NOTIFY_FLAGS, size_t{MTA_NOTIFY_SUCCESS},
                                    MTA_FRAGMENT_BLOCKS, size_t{7});
    add(nq, "a@example.org");
    BOOST_REQUIRE_EQUAL(test::write_and_finish(nq), MTA_OK);
  }
  test::dequeue([](void**, mta_dq_t* dq, std::string_view) {
    mta_nq_t* nq = nullptr;
    BOOST_TEST(mtaEnqueueStart(&nq, "", 0, MTA_DQ_CONTEXT, dq, MTA_ENV_ID, "other", size_t{0}, 0) == MTA_OK);
    const char* id = nullptr;
    size_t notify = 0, blocks = 0;
    BOOST_TEST(mtaEnqueueInfo(nq, MTA_ENV_ID, &id, static_cast<size_t*>(nullptr), MTA_NOTIFY_FLAGS, &notify,
                              MTA_FRAGMENT_BLOCKS, &blocks, 0) == MTA_OK);
    BOOST_TEST((id != nullptr && std::string_view(id) == "E1"));
    BOOST_TEST(notify == size_t{MTA_NOTIFY_SUCCESS | MTA_NOTIFY_CONTENT_FULL});
    BOOST_TEST(blocks == 7u);
    BOOST_TEST(mtaEnqueueFinish(nq, MTA_ABORT, 0) == MTA_OK);
    (void)test::all_recipients(dq);
    return test::deliver(dq);
  });
}

BOOST_AUTO_TEST_SUITE_END()
