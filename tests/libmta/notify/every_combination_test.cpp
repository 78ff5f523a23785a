// Every combination of NOTIFY, RET and disposition: who is told, what, and that the notification is
// well-formed.
#include "site.hpp"

#include <mta/dequeue.hpp>

using namespace test;
using mta::disposition;

namespace {

constexpr std::uint32_t full = 1, headers = 2, nothing = 4, delay = 8, failure = 16, success = 32;

/// What RFC 3461 and the reference of the SDK (5.5) say; "" for no notification.
std::string action_for(disposition d, std::uint32_t flags) {
  switch (d) {
    case disposition::deferred:
    case disposition::relayed: return "";
    case disposition::delivered: return (flags & success) != 0 ? "delivered" : "";
    case disposition::relayed_foreign: return (flags & success) != 0 ? "relayed" : "";
    case disposition::failed:
    case disposition::returned:
    case disposition::timed_out: return (flags & failure) != 0 ? "failed" : "";
  }
  return "";
}

constexpr disposition dispositions[] = {
    disposition::deferred,        disposition::delivered, disposition::failed,   disposition::relayed,
    disposition::relayed_foreign, disposition::returned,  disposition::timed_out};

}  // namespace

BOOST_AUTO_TEST_CASE(every_combination_of_notify_ret_and_disposition_gives_the_notification_that_it_should) {
  notify_site s;
  std::size_t before = 0, combinations = 0;
  for (const std::uint32_t notify : {0u, delay, failure, success, delay | failure, delay | success,
                                     failure | success, delay | failure | success})
    for (const std::uint32_t ret : {full, headers, nothing, full | headers | nothing})
      for (const disposition d : dispositions)
        for (const bool on_recipient : {false, true}) {
          ++combinations;
          const std::uint32_t flags = notify | ret;
          notify_site::message m;
          if (on_recipient)
            m.to[0].flags = flags;
          else
            m.flags = flags;
          m.envelope_id = "id " + std::to_string(combinations);
          m.to[0].original = "robert@elsewhere.example";
          const auto id = s.submit(m);
          const auto outcome = s.finish(id, d, "a reason");
          const std::string what = "flags " + std::to_string(flags) + ", disposition " +
                                   std::to_string(static_cast<int>(d)) +
                                   (on_recipient ? ", of the recipient" : "");
          BOOST_TEST((outcome.outcome ==
                      (d == disposition::deferred ? wire::outcome::deferred : wire::outcome::finished)),
                     what);
          const auto all = s.queued("back");
          const std::string action = action_for(d, flags);
          BOOST_TEST_REQUIRE(all.size() == before + (action.empty() ? 0 : 1), what);
          if (action.empty()) continue;
          ++before;
          const queued_message& sent = all.back();
          BOOST_TEST(sent.envelope.from == "");
          BOOST_TEST((sent.envelope.recipients.at(0).notify_flags & 0x38u) == 0u);  // NOTIFY=NEVER
          rfc3464::notification n;
          try {
            n = rfc3464::read(sent.content);
          } catch (const rfc3464::violation& v) {
            BOOST_ERROR(what << ": " << v.what() << "\n" << sent.content);
            continue;
          }
          BOOST_TEST(rfc3464::get(n.header, "To") == "<ann@sender.example>");
          BOOST_TEST(rfc3464::get(n.message, "Original-Envelope-Id") == m.envelope_id);
          BOOST_TEST(rfc3464::get(n.message, "Reporting-MTA") == "dns; mta.example");
          BOOST_TEST_REQUIRE(n.recipients.size() == 1u);
          const auto& r = n.recipients[0];
          BOOST_TEST(rfc3464::get(r, "Action") == action, what);
          BOOST_TEST(rfc3464::get(r, "Final-Recipient") == "rfc822; bob@x.example");
          BOOST_TEST(rfc3464::get(r, "Original-Recipient") == "rfc822; robert@elsewhere.example");
          BOOST_TEST(rfc3464::get(r, "Diagnostic-Code") == "x-jobctl; a reason");
          BOOST_TEST(rfc3464::get(r, "Status") == (action != "failed"            ? "2.0.0"
                                                   : d == disposition::timed_out ? "4.4.7"
                                                                                 : "5.0.0"));
          // RET=FULL is about failures; FULL counts before HDRS, that before none.
          const bool content = action == "failed" && (ret & full) != 0;
          const bool none = (ret & (full | headers)) == 0;
          BOOST_TEST(n.returned_type == (none      ? ""
                                         : content ? "message/rfc822"
                                                   : "text/rfc822-headers"),
                     what);
          if (content) {
            BOOST_TEST(n.returned.ends_with("\r\n\r\nHello.\r\n"));
          } else if (!none) {
            BOOST_TEST(n.returned.find("Subject: hello\r\n") != std::string::npos);
            BOOST_TEST(n.returned.find("Hello.") == std::string::npos);
          }
        }
  BOOST_TEST(combinations == 8u * 4 * 7 * 2);
}

BOOST_AUTO_TEST_CASE(every_combination_for_an_empty_sender_tells_nobody) {
  notify_site s;
  for (const std::uint32_t flags : {0u, full, full | failure | success | delay})
    for (const disposition d : dispositions) {
      notify_site::message m;
      m.sender = "";
      m.flags = flags;
      const auto id = s.submit(m);
      const auto outcome = s.finish(id, d, "a reason");
      BOOST_TEST((outcome.outcome ==
                  (d == disposition::deferred ? wire::outcome::deferred : wire::outcome::finished)));
    }
  BOOST_TEST(s.queued("back").empty());
  BOOST_TEST(s.queued("post").empty());
}

BOOST_AUTO_TEST_CASE(nothing_said_means_failures_and_full_content) {
  notify_site s;
  s.finish(s.submit({}), disposition::delivered);
  BOOST_TEST(s.queued("back").empty());
  s.finish(s.submit({}), disposition::failed, "550 5.1.1 no such user");
  const auto n = s.notification();
  BOOST_TEST(n.returned_type == "message/rfc822");
  BOOST_TEST(rfc3464::get(n.recipients.at(0), "Status") == "5.1.1");
  BOOST_TEST(rfc3464::get(n.recipients.at(0), "Diagnostic-Code") == "smtp; 550 5.1.1 no such user");
  BOOST_TEST(rfc3464::find(n.recipients.at(0), "Original-Recipient") == nullptr);
  BOOST_TEST(rfc3464::find(n.message, "Original-Envelope-Id") == nullptr);
}

// All mixtures of two recipients: one notification for both, or none.
BOOST_AUTO_TEST_CASE(the_recipients_of_a_message_share_one_notification) {
  for (const disposition a : dispositions)
    for (const disposition b : dispositions) {
      notify_site s;
      notify_site::message m;
      m.to = {{"a@x.example", full | failure | success}, {"b@x.example", headers | failure | success}};
      const auto id = s.submit(m);
      s.process(id, [&](mta::message& in_hand) {
        in_hand.dispose(in_hand.recipients()[0], a, "first");
        in_hand.dispose(in_hand.recipients()[1], b, "second");
        (void)in_hand.finish();
      });
      std::size_t expected = 0;
      for (const disposition d : {a, b}) expected += action_for(d, failure | success).empty() ? 0 : 1;
      const auto all = s.queued("back");
      BOOST_TEST_REQUIRE(all.size() == (expected == 0 ? 0u : 1u));
      if (expected > 0) BOOST_TEST(rfc3464::read(all[0].content).recipients.size() == expected);
      // Those that have their final disposition are not tried again.
      const auto state = s.state(id);
      BOOST_TEST(state.finished.test(0) == (a != disposition::deferred));
      BOOST_TEST(state.finished.test(1) == (b != disposition::deferred));
    }
}
