// The header of mail that a program originates (recipients given as MTA_TO, MTA_CC, …) and of mail that it
// passes on (MTA_ENV_TO): Developer's Reference ch. 3, "Originating Messages".
#include "sdk_fixture.hpp"

#include <sstream>

namespace {

using test::running_site;

/// Content of the one message that is queued for channel x.
std::string arrived() {
  std::string lines;
  int calls = 0;
  BOOST_TEST(test::dequeue([&](void**, mta_dq_t* dq, std::string_view) {
               ++calls;
               (void)test::all_recipients(dq);
               lines = test::rest_of_lines(dq);
               return test::deliver(dq);
             }) == MTA_OK);
  BOOST_REQUIRE_EQUAL(calls, 1);
  return lines;
}
/// What arrives of `content`, sent with this item for bob@example.org.
std::string arrived(int item, const std::string& content, const char* from = "ann@example.org") {
  running_site s;
  mta_nq_t* const nq = test::begin(from);
  BOOST_REQUIRE_EQUAL(mtaEnqueueTo(nq, "bob@example.org", 0, item, 0), MTA_OK);
  BOOST_REQUIRE_EQUAL(mtaEnqueueWrite(nq, content.data(), content.size(), nullptr), MTA_OK);
  BOOST_REQUIRE_EQUAL(mtaEnqueueFinish(nq, 0), MTA_OK);
  return arrived();
}

/// The header's lines of that name; folded lines are one.
std::vector<std::string> fields(const std::string& message, const std::string& name) {
  std::vector<std::string> found;
  std::istringstream in(message.substr(0, message.find("\n\n")));
  bool ours = false;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(' ') || line.starts_with('\t')) {
      if (ours) found.back() += line;
      continue;
    }
    ours = line.starts_with(name + ": ");
    if (ours) found.push_back(line.substr(name.size() + 2));
  }
  return found;
}
std::size_t count(const std::string& message, const std::string& name) {
  return fields(message, name).size();
}
std::string body(const std::string& message) { return message.substr(message.find("\n\n") + 2); }

}  // namespace

BOOST_AUTO_TEST_SUITE(sdk_origination)

BOOST_AUTO_TEST_CASE(originated_mail_is_given_what_its_header_lacks) {
  const std::string m = arrived(MTA_TO, "Subject: test\n\nHello.\n");
  BOOST_TEST(fields(m, "From") == std::vector<std::string>{"ann@example.org"},
             boost::test_tools::per_element());
  BOOST_TEST(fields(m, "To") == std::vector<std::string>{"bob@example.org"},
             boost::test_tools::per_element());
  BOOST_TEST(count(m, "Date") == 1u);
  BOOST_TEST(count(m, "Message-ID") == 1u);
  BOOST_TEST(count(m, "Received") == 1u);
  BOOST_TEST(count(m, "Subject") == 1u);
  BOOST_TEST(body(m) == "Hello.\n");
}

BOOST_AUTO_TEST_CASE(what_the_program_wrote_is_kept) {
  const std::string m = arrived(MTA_TO,
                                "From: Ann <ann@example.com>\nDate: Sat, 1 Jan 2000 00:00:00 +0000\n"
                                "message-id: <1@example.com>\nSubject: folded\n subject\n\nHello.\n");
  BOOST_TEST(fields(m, "From") == std::vector<std::string>{"Ann <ann@example.com>"},
             boost::test_tools::per_element());
  BOOST_TEST(fields(m, "Date") == std::vector<std::string>{"Sat, 1 Jan 2000 00:00:00 +0000"},
             boost::test_tools::per_element());
  BOOST_TEST(count(m, "message-id") + count(m, "Message-ID") == 1u);
  BOOST_TEST(fields(m, "Subject") == std::vector<std::string>{"folded subject"},
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(mail_with_a_destination_of_its_own_is_resent) {
  const std::string m =
      arrived(MTA_TO, "From: x@example.com\nTo: list@example.com\nSubject: test\n\nHello.\n");
  BOOST_TEST(fields(m, "To") == std::vector<std::string>{"list@example.com"},
             boost::test_tools::per_element());
  BOOST_TEST(fields(m, "Resent-To") == std::vector<std::string>{"bob@example.org"},
             boost::test_tools::per_element());
  BOOST_TEST(fields(m, "Resent-From") == std::vector<std::string>{"ann@example.org"},
             boost::test_tools::per_element());
  BOOST_TEST(count(m, "Resent-Date") == 1u);
  BOOST_TEST(m.find("Resent-") < m.find("From: x@"), "resent fields go in front (RFC 5322 3.6.6)");
}

BOOST_AUTO_TEST_CASE(mail_that_is_passed_on_is_left_alone) {
  for (const std::string content :
       {"Subject: test\n\nHello.\n", "To: list@example.com\n\nHello.\n", "no header\n"}) {
    const std::string m = arrived(MTA_ENV_TO, content);
    BOOST_TEST(m.ends_with('\n' + content), m);
    BOOST_TEST(count(m, "From") == 0u);
  }
}

BOOST_AUTO_TEST_CASE(originated_mail_of_nobody_is_from_the_mailer_daemon) {
  BOOST_TEST(fields(arrived(MTA_TO, "Subject: test\n\nHello.\n", ""), "From").at(0) ==
             "MAILER-DAEMON@mta.example");
}

BOOST_AUTO_TEST_CASE(originated_mail_without_a_body_has_its_header_completed) {
  const std::string m = arrived(MTA_TO, "Subject: test");
  BOOST_TEST(count(m, "From") == 1u);
  BOOST_TEST(count(m, "Subject") == 1u);
}

BOOST_AUTO_TEST_CASE(a_line_that_is_no_header_line_begins_the_body_of_originated_mail) {
  const std::string m = arrived(MTA_TO, "Hello: there\nfellow citizens,\n\nbye\n");
  BOOST_TEST(count(m, "Hello") == 1u);
  BOOST_TEST(body(m) == "fellow citizens,\n\nbye\n");
}

BOOST_AUTO_TEST_CASE(the_pieces_that_a_header_is_written_in_do_not_matter) {
  running_site s;
  mta_nq_t* const nq = test::begin();
  BOOST_REQUIRE_EQUAL(mtaEnqueueTo(nq, "bob@example.org", 0, MTA_HDR_TO, 0), MTA_OK);
  BOOST_REQUIRE_EQUAL(mtaEnqueueTo(nq, "bob@example.org", 0, MTA_ENV_TO, 0), MTA_OK);
  const std::string content = "Subject: test\nfrom: me@example.com\n\nHello.\n\nbye\n";
  for (const char c : content) BOOST_REQUIRE_EQUAL(mtaEnqueueWrite(nq, &c, size_t{1}, nullptr), MTA_OK);
  BOOST_REQUIRE_EQUAL(mtaEnqueueFinish(nq, 0), MTA_OK);
  const std::string m = arrived();
  BOOST_TEST(count(m, "from") == 1u);
  BOOST_TEST(count(m, "From") == 0u);
  BOOST_TEST(count(m, "To") == 1u);
  BOOST_TEST(body(m) == "Hello.\n\nbye\n");
}

BOOST_AUTO_TEST_CASE(a_very_long_header_arrives_whole) {
  std::string header;
  for (int i = 0; i < 20'000; ++i) header += "X-Line: number " + std::to_string(i) + "\n";
  const std::string m = arrived(MTA_TO, header + "\nHello.\n");
  BOOST_TEST(count(m, "X-Line") == 20'000u);
  BOOST_TEST(body(m) == "Hello.\n");
}

BOOST_AUTO_TEST_CASE(a_very_long_header_written_line_by_line_is_treated_as_a_short_one) {
  running_site s;
  mta_nq_t* const nq = test::begin();
  BOOST_REQUIRE_EQUAL(mtaEnqueueTo(nq, "bob@example.org", 0, MTA_TO, 0), MTA_OK);
  const std::string field = "X-Line: " + std::string(60, 'x');
  constexpr int count_of_fields = 40'000;  // one look at all so far for each would take minutes
  for (int i = 0; i < count_of_fields; ++i)
    BOOST_REQUIRE_EQUAL(mtaEnqueueWriteLine(nq, field.data(), field.size(), nullptr), MTA_OK);
  for (const char* const line : {"Bcc: blind@example.org", "", "Hello."})
    BOOST_REQUIRE_EQUAL(mtaEnqueueWriteLine(nq, line, size_t{0}, nullptr), MTA_OK);
  BOOST_REQUIRE_EQUAL(mtaEnqueueFinish(nq, 0), MTA_OK);
  const std::string m = arrived();
  BOOST_TEST(count(m, "X-Line") == std::size_t{count_of_fields});
  BOOST_TEST(count(m, "Bcc") == 0u);
  BOOST_TEST(body(m) == "Hello.\n");
}

BOOST_AUTO_TEST_CASE(a_header_over_the_limit_is_refused_however_it_is_written) {
  const test::site s;
  const std::string field = "X-Line: " + std::string(1 << 20, 'x') + '\n';
  const std::string header = field + field + field + field;
  for (const bool in_pieces : {false, true}) {
    mta_nq_t* const nq = test::begin();
    BOOST_REQUIRE_EQUAL(mtaEnqueueTo(nq, "bob@example.org", 0, MTA_TO, 0), MTA_OK);
    if (in_pieces) {
      for (int i = 0; i < 3; ++i)
        BOOST_TEST(mtaEnqueueWrite(nq, field.data(), field.size(), nullptr) == MTA_OK);
      BOOST_TEST(mtaEnqueueWrite(nq, field.data(), field.size(), nullptr) == MTA_NO);
      BOOST_TEST(mtaEnqueueWrite(nq, "\nHello.\n", size_t{0}, nullptr) == MTA_NO);
    } else {
      const std::string whole = header + "\nHello.\n";
      BOOST_TEST(mtaEnqueueWrite(nq, whole.data(), whole.size(), nullptr) == MTA_NO);
    }
    const char* why = nullptr;
    BOOST_TEST(mtaEnqueueFinish(nq, MTA_REASON, &why, static_cast<size_t*>(nullptr), 0) == MTA_NO);
    BOOST_TEST(std::string(why).find("the header is over 4 MiB") != std::string::npos, why);
  }
}

BOOST_AUTO_TEST_CASE(an_address_cannot_smuggle_lines_into_the_header) {
  const test::site s;
  mta_nq_t* const nq = test::begin();
  for (const int item : {MTA_TO, MTA_CC, MTA_HDR_TO, MTA_HDR_CC, MTA_HDR_BCC}) {
    const char* reason = nullptr;
    BOOST_TEST(mtaEnqueueTo(nq, "bob@example.org\nX-Evil: yes", 0, item, MTA_REASON, &reason,
                            static_cast<size_t*>(nullptr), 0) == MTA_NO,
               "item " << item);
  }
  BOOST_TEST(mtaEnqueueFinish(nq, MTA_ABORT, 0) == MTA_OK);
}

BOOST_AUTO_TEST_SUITE_END()
