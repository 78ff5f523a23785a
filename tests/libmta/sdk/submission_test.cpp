// What enqueueing adds and does: aliases, the expansion limit, trace and labels, blind copies, and the
// accounting log of all of it (Developer's Reference ch. 3; docs/aliases.md, docs/accounting.md).
#include "sdk_fixture.hpp"

#include <mta/enqueue.hpp>

#include <boost/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

namespace {

using test::begin;
namespace json = boost::json;
using strings = std::vector<std::string>;

const std::string channels =
    "[channel x]\nbackoff = 1h\n[channel y]\nbackoff = 1h\n[channel quiet]\nlogging = no\nbackoff = 1h\n"
    "[channel reprocess]\nbackoff = 1h\n[routes]\nexample.org = x\nother.example = y\nquiet.example = quiet\n"
    "mta.example = x\n[routes from y]\n* = x\n";

/// A site with aliases and its accounting log in JSON.
template <class Site>
struct with_aliases : Site {
  with_aliases() : Site(channels) {
    configure("");
    write("staff: ann@example.org, bob\nbob: bob, archive@example.org\nloop: loop2\nloop2: loop\n");
    mtaDone();
  }
  void configure(const std::string& more) const {
    std::ofstream(this->root() + "/jobctl.conf")
        << "[jobctl]\nbuiltin = no\nhost = mta.example\naccounting = json\naliases = " << this->root()
        << "/aliases\n"
        << more << "[queue]\nreserve = 0\n"
        << channels;
  }
  void write(const std::string& text) const { std::ofstream(this->root() + "/aliases") << text; }
  std::string log() const { return this->root() + "/log/mail.log.json"; }
  std::vector<json::object> accounts() const {
    std::vector<json::object> out;
    std::ifstream in(log());
    for (std::string line; std::getline(in, line);) out.push_back(json::parse(line).as_object());
    return out;
  }
};
using quiet_site = with_aliases<test::site>;
using live_site = with_aliases<test::running_site>;

std::string text(const json::object& o, const char* key) {
  const json::value* v = o.if_contains(key);
  return v == nullptr ? "" : std::string(v->as_string());
}

/// Whoever is in the queue: "channel recipient".
std::multiset<std::string> queued(const test::site& s) {
  std::multiset<std::string> out;
  mta::queue::store store(mta::queue::real_file_io(), s.root() + "/queue");
  for (const std::string& channel : store.channels().value())
    for (const auto number : store.files(channel).value()) {
      const auto file = store.open(channel, number).value();
      for (const auto& m : store.scan(*file, channel).value().messages)
        for (const auto& r : file->read_envelope(m.entry).value().recipients)
          out.insert(channel + ' ' + r.address);
    }
  return out;
}
void check(const std::multiset<std::string>& found, const std::multiset<std::string>& expected) {
  BOOST_TEST(found == expected, boost::test_tools::per_element());
}

/// A message to these, all of them with that item.
void submit(const strings& to, int kind = MTA_ENV_TO, int start_item = 0, size_t start_value = 0) {
  mta_nq_t* nq = nullptr;
  BOOST_REQUIRE_EQUAL(mtaEnqueueStart(&nq, "ann@example.org", 0, start_item, start_value, 0), MTA_OK);
  for (const std::string& r : to) BOOST_REQUIRE_EQUAL(mtaEnqueueTo(nq, r.c_str(), r.size(), kind, 0), MTA_OK);
  BOOST_REQUIRE_EQUAL(test::write_and_finish(nq), MTA_OK);
}

/// Content of the one message that is due for the program's channel.
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
std::string arrived(int kind, const std::string& content) {
  test::running_site s;
  mta_nq_t* const nq = begin();
  BOOST_REQUIRE_EQUAL(mtaEnqueueTo(nq, "bob@example.org", 0, kind, 0), MTA_OK);
  BOOST_REQUIRE_EQUAL(mtaEnqueueWrite(nq, content.data(), content.size(), nullptr), MTA_OK);
  BOOST_REQUIRE_EQUAL(mtaEnqueueFinish(nq, 0), MTA_OK);
  return arrived();
}
bool contains(const std::string& all, const std::string& part) { return all.find(part) != all.npos; }

std::size_t open_logs() {
  std::size_t n = 0;
  for (const auto& d : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    n += std::filesystem::read_symlink(d.path(), gone).filename() == "mail.log.json";
  }
  return n;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sdk_submission)

// --- aliases

BOOST_AUTO_TEST_CASE(aliases_are_expanded_for_every_kind_of_recipient) {
  for (const int kind : {MTA_TO, MTA_CC, MTA_BCC, MTA_ENV_TO}) {
    const quiet_site s;
    submit({"Staff@mta.example"}, kind);
    check(queued(s), {"x ann@example.org", "x bob@mta.example", "x archive@example.org"});
  }
}

BOOST_AUTO_TEST_CASE(with_noexpand_they_are_not) {
  const quiet_site s;
  mta_nq_t* nq = nullptr;
  BOOST_REQUIRE_EQUAL(mtaEnqueueStart(&nq, "ann@example.org", 0, MTA_ALIAS_NOEXPAND, 0), MTA_OK);
  BOOST_REQUIRE_EQUAL(mtaEnqueueTo(nq, "staff", 0, MTA_ENV_TO, 0), MTA_OK);
  BOOST_REQUIRE_EQUAL(test::write_and_finish(nq), MTA_OK);
  check(queued(s), {"x staff@mta.example"});
}

BOOST_AUTO_TEST_CASE(trouble_with_aliases_is_to_be_tried_again_and_told_and_others_can_be_added) {
  const quiet_site s;
  mta_nq_t* const nq = begin();
  const char* reason = nullptr;
  BOOST_TEST(mtaEnqueueTo(nq, "loop", 0, MTA_REASON, &reason, static_cast<size_t*>(nullptr), 0) == MTA_AGAIN);
  BOOST_TEST(contains(reason, "/aliases:4: alias loop2: a loop: loop → loop2 → loop"), reason);
  BOOST_TEST(std::string(mtaEnqueueError(nq, nullptr, nullptr, 0)) == reason);
  BOOST_TEST(mta_errno == MTA_AGAIN);
  s.write("wrong\n");
  mta_nq_t* const other = begin();
  BOOST_TEST(mtaEnqueueTo(other, "bob", 0, 0) == MTA_AGAIN);
  BOOST_TEST(mtaEnqueueTo(other, "bob@example.org", 0, 0) == MTA_OK);
  BOOST_TEST(test::write_and_finish(other) == MTA_OK);
  BOOST_TEST(mtaEnqueueFinish(nq, MTA_ABORT, 0) == MTA_OK);
  check(queued(s), {"x bob@example.org"});
}

BOOST_AUTO_TEST_CASE(what_is_passed_on_from_a_message_in_hand_is_not_expanded_again) {
  live_site s;
  submit({"bob"});
  BOOST_TEST(test::dequeue([&](void**, mta_dq_t* dq, std::string_view from) {
               mta_nq_t* nq = nullptr;
               BOOST_TEST(mtaEnqueueStart(&nq, from.data(), from.size(), MTA_CHANNEL, "y", 0, MTA_DQ_CONTEXT,
                                          dq, 0) == MTA_OK);
               const char* to = nullptr;
               size_t length = 0;
               if (s.accounts().size() > 2) return mtaDequeueMessageFinish(dq, MTA_ABORT, 0);
               while (mtaDequeueRecipientNext(dq, &to, &length, 0) == MTA_OK)
                 BOOST_TEST(mtaEnqueueTo(nq, to, length, MTA_DQ_CONTEXT, dq, MTA_ENV_TO, 0) == MTA_OK);
               BOOST_TEST(mtaEnqueueCopyMessage(nq, dq, 1) == MTA_OK);
               BOOST_TEST(mtaEnqueueFinish(nq, 0) == MTA_OK);
               return mtaDequeueMessageFinish(dq, MTA_DISP, static_cast<size_t>(MTA_DISP_RELAYED), 0);
             }) == MTA_OK);
  check(queued(s), {"x bob@mta.example", "x archive@example.org"});
}

// --- the limit

BOOST_AUTO_TEST_CASE(recipients_beyond_the_expansion_limit_wait_in_reprocess) {
  const quiet_site s;
  submit({"a@example.org", "b@other.example", "staff"}, MTA_ENV_TO, MTA_EXPAND_LIMIT, 3);
  check(queued(s), {"x a@example.org", "y b@other.example", "x ann@example.org", "reprocess bob@mta.example",
                    "reprocess archive@example.org"});
}

BOOST_AUTO_TEST_CASE(an_expansion_limit_of_0_puts_everybody_off_and_a_high_one_nobody) {
  for (const size_t limit : {size_t{0}, size_t{2}, static_cast<size_t>(-1) / 2}) {
    const quiet_site s;
    submit({"a@example.org", "b@example.org"}, MTA_ENV_TO, MTA_EXPAND_LIMIT, limit);
    const std::string channel = limit == 0 ? "reprocess" : "x";
    check(queued(s), {channel + " a@example.org", channel + " b@example.org"});
  }
}

// --- header

BOOST_AUTO_TEST_CASE(the_trace_names_the_source_channel_the_host_an_id_and_the_time) {
  for (const int kind : {MTA_TO, MTA_ENV_TO}) {
    const std::string m = arrived(kind, "Subject: x\n\ny\n");
    const std::string trace = m.substr(0, m.find("\nSubject"));
    BOOST_TEST(trace.starts_with("Received: from x\n\tby mta.example (jobctl) with local id "), trace);
    BOOST_TEST(contains(trace, ";\n\t"));
  }
}

BOOST_AUTO_TEST_CASE(a_program_that_knows_more_of_the_path_says_so) {
  test::running_site s;
  auto m = mta::submission::start(
               "ann@example.org",
               {.channel = "x", .received_from = "client.example ([192.0.2.1])\n", .protocol = "ESMTPS"})
               .value();
  BOOST_REQUIRE(m.add("bob@example.org"));
  BOOST_REQUIRE(m.write("Subject: x\n\ny\n"));
  BOOST_REQUIRE(m.finish());
  BOOST_TEST(arrived().starts_with(
      "Received: from client.example ([192.0.2.1]) \n\tby mta.example (jobctl) with ESMTPS id "));
}

BOOST_AUTO_TEST_CASE(originated_8bit_text_is_labelled_and_what_is_passed_on_is_not) {
  const std::string content = "Subject: x\n\ngr\xC3\xBC\xC3\x9F\n";
  const std::string originated = arrived(MTA_TO, content), passed_on = arrived(MTA_ENV_TO, content);
  BOOST_TEST(contains(originated,
                      "\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
                      "Content-Transfer-Encoding: 8bit\n\ngr\xC3\xBC\xC3\x9F\n"),
             originated);
  BOOST_TEST(passed_on.ends_with('\n' + content));
  BOOST_TEST(!contains(arrived(MTA_TO, "Subject: x\nMIME-Version: 1.0\n\n\xFC\n"), "Content-Type"));
}

BOOST_AUTO_TEST_CASE(blind_copies_are_in_no_header_neither_given_nor_written) {
  test::running_site s;
  mta_nq_t* const nq = begin();
  for (const auto& [kind, to] : {std::pair(MTA_TO, "to@example.org"), std::pair(MTA_BCC, "blind@example.org"),
                                 std::pair(MTA_HDR_BCC, "unnamed@example.org")})
    BOOST_REQUIRE_EQUAL(mtaEnqueueTo(nq, to, 0, kind, 0), MTA_OK);
  const std::string content = "Bcc: written@example.org,\n folded@example.org\nSubject: x\n\nBcc: body\n";
  BOOST_REQUIRE_EQUAL(mtaEnqueueWrite(nq, content.data(), content.size(), nullptr), MTA_OK);
  BOOST_REQUIRE_EQUAL(mtaEnqueueFinish(nq, 0), MTA_OK);
  check(queued(s), {"x to@example.org", "x blind@example.org"});
  const std::string m = arrived();
  for (const char* const hidden : {"blind@", "unnamed@", "written@", "folded@"})
    BOOST_TEST(!contains(m, hidden), m);
  BOOST_TEST(contains(m, "\nSubject: x\n"));
  BOOST_TEST(m.ends_with("\n\nBcc: body\n"));
}

BOOST_AUTO_TEST_CASE(a_bcc_line_of_mail_that_is_passed_on_is_its_own_business) {
  BOOST_TEST(arrived(MTA_ENV_TO, "Bcc: z@example.org\n\ny\n").ends_with("\nBcc: z@example.org\n\ny\n"));
}

// --- the accounting log

BOOST_AUTO_TEST_CASE(the_life_of_a_message_can_be_followed_by_its_id) {
  live_site s;
  submit({"a@example.org", "b@example.org", "c@example.org"});
  int attempt = 0;
  BOOST_TEST(test::dequeue([&](void**, mta_dq_t* dq, std::string_view) {
               ++attempt;
               for (const std::string& r : test::all_recipients(dq)) {
                 const int disposition = r[0] == 'a'   ? MTA_DISP_DELIVERED
                                         : r[0] == 'b' ? MTA_DISP_RELAYED
                                                       : MTA_DISP_DEFERRED;
                 BOOST_TEST(mtaDequeueRecipientDisposition(dq, r.c_str(), r.size(), disposition, MTA_REASON,
                                                           ("for " + r).c_str(), 0, 0) == MTA_OK);
               }
               return mtaDequeueMessageFinish(dq, 0);
             }) == MTA_OK);
  mtaDone();
  BOOST_TEST(attempt == 1);
  const auto all = s.accounts();
  BOOST_REQUIRE(all.size() == 6u);
  const std::string id = text(all[0], "id");
  std::multiset<std::string> seen;
  for (const json::object& o : all) {
    BOOST_TEST(text(o, "id") == id);
    BOOST_TEST(text(o, "from") == "ann@example.org");
    BOOST_TEST(o.contains("queue_time") == (text(o, "code") != "E"));
    seen.insert(text(o, "code") + ' ' + text(o, "to") + ' ' + text(o, "disposition") + ' ' +
                text(o, "reason"));
  }
  check(seen, {"E a@example.org  ", "E b@example.org  ", "E c@example.org  ",
               "D a@example.org delivered for a@example.org", "D b@example.org relayed for b@example.org",
               "Q c@example.org deferred for c@example.org"});
}

BOOST_AUTO_TEST_CASE(every_way_to_defer_a_message_is_recorded_for_each_recipient) {
  for (const int way : {0, 1, 2}) {
    live_site s;
    submit({"a@example.org", "b@example.org"});
    BOOST_TEST(test::dequeue([&](void**, mta_dq_t* dq, std::string_view) {
                 if (way == 0) return int{MTA_OK};  // not finished
                 (void)test::all_recipients(dq);
                 if (way == 1) return mtaDequeueMessageFinish(dq, MTA_ABORT, MTA_REASON, "aborted", 0, 0);
                 return mtaDequeueMessageFinish(dq, MTA_DISP, static_cast<size_t>(MTA_DISP_DEFERRED),
                                                MTA_REASON, "busy", 0, 0);
               }) == MTA_OK);
    mtaDone();
    const auto all = s.accounts();
    BOOST_REQUIRE(all.size() == 4u);
    for (const std::size_t i : {2u, 3u}) {
      BOOST_TEST(text(all[i], "code") == "Q");
      BOOST_TEST(text(all[i], "source") == "x");
      BOOST_TEST(text(all[i], "destination") == "");
      BOOST_TEST(text(all[i], "reason") == (way == 0 ? "not finished" : way == 1 ? "aborted" : "busy"));
      BOOST_TEST(all[i].at("attempt").to_number<int>() == 1);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_recipient_that_fails_for_good_is_a_rejection) {
  for (const int disposition : {MTA_DISP_FAILED, MTA_DISP_RETURN, MTA_DISP_TIMEDOUT}) {
    live_site s;
    submit({"a@example.org"});
    BOOST_TEST(test::dequeue([&](void**, mta_dq_t* dq, std::string_view) {
                 (void)test::all_recipients(dq);
                 return mtaDequeueMessageFinish(dq, MTA_DISP, static_cast<size_t>(disposition), MTA_REASON,
                                                "no such user", 0, 0);
               }) == MTA_OK);
    mtaDone();
    const auto all = s.accounts();
    // Before it there is the line of the notification, which is queued first.
    const auto rejected =
        std::ranges::find_if(all, [](const auto& line) { return text(line, "code") == "R"; });
    BOOST_REQUIRE(rejected != all.end());
    BOOST_TEST(text(*rejected, "reason") == "no such user");
  }
}

BOOST_AUTO_TEST_CASE(a_failure_that_the_sender_does_not_want_to_know_of_is_recorded_as_such) {
  live_site s;
  submit({"a@example.org"}, MTA_ENV_TO, MTA_NOTIFY_FLAGS, MTA_NOTIFY_CONTENT_HEADER);  // NOTIFY=NEVER
  BOOST_TEST(test::dequeue([&](void**, mta_dq_t* dq, std::string_view) {
               (void)test::all_recipients(dq);
               return mtaDequeueMessageFinish(dq, MTA_DISP, static_cast<size_t>(MTA_DISP_FAILED), 0);
             }) == MTA_OK);
  mtaDone();
  BOOST_TEST(text(s.accounts().at(1), "code") == "K");
}

BOOST_AUTO_TEST_CASE(a_refused_recipient_is_recorded_for_the_source_channel) {
  const quiet_site s;
  mta_nq_t* const nq = begin();
  BOOST_TEST(mtaEnqueueTo(nq, "a@nowhere.test", 0, 0) == MTA_NO);
  BOOST_TEST(mtaEnqueueFinish(nq, MTA_ABORT, 0) == MTA_OK);
  const auto all = s.accounts();
  BOOST_REQUIRE(all.size() == 1u);
  BOOST_TEST(text(all[0], "code") == "J");
  BOOST_TEST(text(all[0], "source") == "x");
  BOOST_TEST(text(all[0], "to") == "a@nowhere.test");
}

BOOST_AUTO_TEST_CASE(channels_without_logging_are_not_recorded) {
  live_site s;
  const test::environment_variable channel("PMDF_CHANNEL", "quiet");
  submit({"a@quiet.example"});
  mta_nq_t* const nq = begin();
  BOOST_TEST(mtaEnqueueTo(nq, "a@nowhere.test", 0, 0) == MTA_NO);
  BOOST_TEST(mtaEnqueueFinish(nq, MTA_ABORT, 0) == MTA_OK);
  (void)arrived();
  mtaDone();
  BOOST_TEST(s.accounts().empty());
}

BOOST_AUTO_TEST_CASE(the_log_is_closed_on_request_and_opened_again_on_demand) {
  const quiet_site s;
  mtaAccountingLogClose();  // nothing is open
  submit({"a@example.org"});
  BOOST_TEST(open_logs() == 1u);
  mtaAccountingLogClose();
  BOOST_TEST(open_logs() == 0u);
  submit({"b@example.org"});
  BOOST_TEST(open_logs() == 1u);
  mtaAccountingClose();
  BOOST_TEST(open_logs() == 0u);
  BOOST_TEST(s.accounts().size() == 2u);
  mtaDone();
  BOOST_TEST(open_logs() == 0u);
}

BOOST_AUTO_TEST_CASE(an_interactive_program_keeps_no_log_open) {
  const quiet_site s;
  BOOST_TEST(mtaInit(MTA_INTERACTIVE, 0) == MTA_OK);
  submit({"a@example.org"});
  BOOST_TEST(s.accounts().size() == 1u);
  BOOST_TEST(open_logs() == 0u);
  mtaDone();
  BOOST_TEST(mtaInit(0) == MTA_OK);
  submit({"b@example.org"});
  BOOST_TEST(open_logs() == 1u);
}

BOOST_AUTO_TEST_CASE(mail_is_taken_when_its_record_cannot_be_written) {
  const quiet_site s;
  std::ofstream(s.root() + "/log") << "in the way";
  submit({"a@example.org"});
  check(queued(s), {"x a@example.org"});
}

BOOST_AUTO_TEST_SUITE_END()
