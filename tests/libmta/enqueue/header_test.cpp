#include "enqueue/header.hpp"

#include "base/time.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

using namespace mta::enqueue;

namespace {

const std::chrono::sys_seconds moment{std::chrono::seconds(1795230245)};

header_completion completion() {
  header_completion with;
  with.host = "mail.example.org";
  with.sender = "joe@example.org";
  with.id = "ID42";
  with.now = moment;
  return with;
}

const std::string received =
    "Received: by mail.example.org (jobctl) with local id ID42;\n\t" + mta::rfc5322_date(moment) + "\n";

}  // namespace

BOOST_AUTO_TEST_SUITE(where_the_header_ends)

BOOST_AUTO_TEST_CASE(a_blank_line_ends_the_header) {
  for (const bool complete : {false, true}) {
    const auto lf = split_header("A: 1\n b\nB: 2\n\nbody\n", complete);
    BOOST_REQUIRE(lf.has_value());
    BOOST_TEST(lf->header == "A: 1\n b\nB: 2\n");
    BOOST_TEST(lf->body == "body\n");
    BOOST_TEST(lf->has_blank_line);
    const auto crlf = split_header("A: 1\r\n\r\nbody", complete);
    BOOST_REQUIRE(crlf.has_value());
    BOOST_TEST(crlf->header == "A: 1\r\n");
    BOOST_TEST(crlf->body == "body");
  }
}

BOOST_AUTO_TEST_CASE(a_message_may_have_no_body_or_no_header) {
  const auto header_only = split_header("A: 1\nB: 2", true);
  BOOST_REQUIRE(header_only.has_value());
  BOOST_TEST(header_only->header == "A: 1\nB: 2");
  BOOST_TEST(!header_only->has_blank_line);
  const auto body_only = split_header("\nbody", true);
  BOOST_REQUIRE(body_only.has_value());
  BOOST_TEST(body_only->header == "");
  BOOST_TEST(body_only->body == "body");
  BOOST_TEST(split_header("", true)->header == "");
}

BOOST_AUTO_TEST_CASE(the_first_line_that_is_no_header_line_begins_the_body) {
  const auto split = split_header("A: 1\nhello there: you\nB: 2\n", false);
  BOOST_REQUIRE(split.has_value());
  BOOST_TEST(split->header == "A: 1\n");
  BOOST_TEST(split->body == "hello there: you\nB: 2\n");
  BOOST_TEST(!split->has_blank_line);
  BOOST_TEST(split_header(" indented\nA: 1\n", false)->body == " indented\nA: 1\n");
}

BOOST_AUTO_TEST_CASE(a_mailbox_line_at_the_start_is_dropped) {
  const auto split = split_header("From joe@x.org Sat Nov 21 03:04:05 2026\nA: 1\n\nbody", true);
  BOOST_REQUIRE(split.has_value());
  BOOST_TEST(split->header == "A: 1\n");
  BOOST_TEST(split->body == "body");
  BOOST_TEST(split_header("From: joe@x.org\n\n", true)->header == "From: joe@x.org\n");
}

BOOST_AUTO_TEST_CASE(nothing_is_decided_before_the_end_of_the_header_is_there) {
  const std::string text = "From joe\nA: 1\n b\nB: 2\n\nx";
  for (std::size_t n = 0; n + 1 < text.size(); ++n) {
    BOOST_TEST(!split_header(std::string_view(text).substr(0, n), false).has_value(),
               "after " << n << " bytes");
  }
  BOOST_TEST(split_header(text, false).has_value());
}

BOOST_AUTO_TEST_CASE(fields_have_names_and_values_with_their_folds) {
  const auto fields = header_fields("Subject : one\r\n two\r\nX:\n y\nTo:z");
  BOOST_REQUIRE(fields.size() == 3u);
  BOOST_TEST(fields[0].name == "Subject");
  BOOST_TEST(fields[0].value == "one\r\n two");
  BOOST_TEST(fields[0].whole == "Subject : one\r\n two\r\n");
  BOOST_TEST(fields[1].name == "X");
  BOOST_TEST(fields[1].value == "\n y");
  BOOST_TEST(fields[2].value == "z");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(completing)

BOOST_AUTO_TEST_CASE(a_complete_header_gets_only_a_received_line) {
  const std::string header = "DATE: x\r\nmessage-id: <y>\nFrom: z\nSubject: s";
  BOOST_TEST(complete_headers(header, completion()) == received + header + "\n");
}

BOOST_AUTO_TEST_CASE(what_is_missing_is_added) {
  const std::string done = complete_headers("Subject: s\n", completion());
  const std::string start = received + "Subject: s\nDate: " + mta::rfc5322_date(moment) + "\nMessage-ID: <";
  BOOST_TEST(done.substr(0, start.size()) == start);
  BOOST_TEST(done.ends_with("@mail.example.org>\nFrom: joe@example.org\n"));
}

BOOST_AUTO_TEST_CASE(the_name_of_the_sender_is_quoted_where_needed) {
  auto with = completion();
  with.sender_name = "Joe User";
  BOOST_TEST(complete_headers("", with).ends_with("From: Joe User <joe@example.org>\n"));
  with.sender_name = "Joe \"J.\" User";
  BOOST_TEST(complete_headers("", with).ends_with("From: \"Joe \\\"J.\\\" User\" <joe@example.org>\n"));
  with.sender = {};
  with.sender_name = {};
  BOOST_TEST(complete_headers("", with).ends_with("From: MAILER-DAEMON@mail.example.org\n"));
}

BOOST_AUTO_TEST_CASE(blind_copies_are_stripped_on_request_with_their_folds) {
  const std::string header = "Date: d\nMessage-ID: m\nFrom: f\nBcc: a@x,\n\tb@x\nTo: c@x\nRESENT-BCC: d@x\n";
  auto with = completion();
  BOOST_TEST(complete_headers(header, with) == received + header);
  with.strip_bcc = true;
  BOOST_TEST(complete_headers(header, with) == received + "Date: d\nMessage-ID: m\nFrom: f\nTo: c@x\n");
}

BOOST_AUTO_TEST_CASE(the_received_line_says_from_and_with_when_known) {
  auto with = completion();
  with.received_from = "client.example ([192.0.2.1])";
  with.received_with = "ESMTP";
  BOOST_TEST(received_line(with) ==
             "Received: from client.example ([192.0.2.1])\n\tby mail.example.org (jobctl) with ESMTP id "
             "ID42;\n\t" +
                 mta::rfc5322_date(moment) + "\n");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(parts_of_a_header)

BOOST_AUTO_TEST_CASE(who_submitted_is_told_in_the_trace) {
  auto with = completion();
  with.received_from = "tcp_in";
  with.received_with = "ESMTPS";
  with.submitter = "from userid 7";
  BOOST_TEST(received_line(with) ==
             "Received: from tcp_in\n\tby mail.example.org (jobctl, from userid 7) with ESMTPS id ID42;\n\t" +
                 mta::rfc5322_date(moment) + "\n");
}

BOOST_AUTO_TEST_CASE(blind_copies_are_taken_out_with_their_folds) {
  BOOST_TEST(without_bcc("A: 1\nBCC: x@y,\n z@y\nResent-Bcc : w@y\nX-Bcc: stays\nbcc:\n") ==
             "A: 1\nX-Bcc: stays\n");
}

BOOST_AUTO_TEST_CASE(any_of_three_fields_is_a_label) {
  BOOST_TEST(!has_mime_labels("Subject: MIME-Version: 1.0\n Content-Type: x\n"));
  for (const char* const name : {"mime-version", "CONTENT-TYPE", "Content-transfer-encoding"})
    BOOST_TEST(has_mime_labels("A: 1\n" + std::string(name) + ": x\n"));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(recipients_in_the_header)

BOOST_AUTO_TEST_CASE(those_of_to_cc_and_bcc_once_each_in_order) {
  const auto found =
      header_recipients("To: a@x, B <b@x>\ncc: c@x,\n a@x\nSubject: d@x\nBcc: team: e@x, f@x;\n");
  const std::vector<std::string> expected{"a@x", "b@x", "c@x", "e@x", "f@x"};
  BOOST_TEST(found.value() == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(resent_lines_replace_the_original_ones) {
  const auto found = header_recipients("To: a@x\nResent-To: b@x\nResent-Cc: c@x\n");
  const std::vector<std::string> expected{"b@x", "c@x"};
  BOOST_TEST(found.value() == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_address_that_cannot_be_read_is_an_error_that_shows_it) {
  const auto found = header_recipients("To: a@x\nCc: b@x, joe user, c@x\n");
  BOOST_REQUIRE(!found.has_value());
  BOOST_TEST((found.error().code == mta::errc::syntax));
  BOOST_TEST(
      found.error().context ==
      "header line Cc, near \"b@x, joe user, c@x\": expected \"<\" or a comma behind the name, found \",\"");
}

BOOST_AUTO_TEST_CASE(no_recipient_lines_mean_no_recipients) {
  BOOST_TEST(header_recipients("Subject: x\n").value().empty());
}

BOOST_AUTO_TEST_SUITE_END()
