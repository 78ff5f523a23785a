#include "enqueue/address.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <random>
#include <string>
#include <vector>

using namespace mta::enqueue;

namespace {

std::string canonical(std::string_view address) {
  auto done = canonical_address(address, "home.example");
  return done ? *done : "! " + done.error().context;
}

/// "phrase|route|address|group" of each, in lines; problems as "! offset text".
std::string listed(std::string_view text) {
  const address_list list = parse_address_list(text);
  std::string out;
  for (const mailbox& m : list.mailboxes)
    out += m.phrase + '|' + m.route + '|' + m.address() + '|' + m.group + '\n';
  for (const address_problem& p : list.problems) out += "! " + std::to_string(p.offset) + ' ' + p.text + '\n';
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(one_address)

BOOST_AUTO_TEST_CASE(an_address_is_divided_at_the_last_at_outside_quotes) {
  const auto parts = split_address("\"a@b\\\"@c\"@x@d.example");
  BOOST_TEST(parts.local == "\"a@b\\\"@c\"@x");
  BOOST_TEST(parts.domain == "d.example");
  BOOST_TEST(parts.has_domain);
  BOOST_TEST(!split_address("joe").has_domain);
  BOOST_TEST(split_address("joe@").has_domain);
}

BOOST_AUTO_TEST_CASE(the_canonical_form_has_a_lower_case_domain_and_always_a_domain) {
  BOOST_TEST(canonical("Joe.User@Example.ORG") == "Joe.User@example.org");
  BOOST_TEST(canonical("joe") == "joe@home.example");
  BOOST_TEST(canonical("  <joe@example.org> ") == "joe@example.org");
  BOOST_TEST(canonical("joe@example.org.") == "joe@example.org");
  BOOST_TEST(canonical("joe@[IPv6:2001:DB8::1]") == "joe@[ipv6:2001:db8::1]");
  BOOST_TEST(canonical("@relay.example,@b.example:joe@example.org") == "joe@example.org");
  BOOST_TEST(canonical("\"joe user\"@example.org") == "\"joe user\"@example.org");
  BOOST_TEST(canonical("\"a@b\"") == "\"a@b\"@home.example");
  BOOST_TEST(canonical("jürgen@müller.example") == "jürgen@müller.example");
  BOOST_TEST(canonical("a%b@example.org") == "a%b@example.org");
}

BOOST_AUTO_TEST_CASE(what_is_no_address_is_refused_with_the_reason) {
  BOOST_TEST(canonical("") == "! address \"\" has no text");
  BOOST_TEST(canonical("<>") == "! address \"<>\" has no text");
  BOOST_TEST(canonical("@example.org") == "! address \"@example.org\" has nothing before the @");
  BOOST_TEST(canonical("joe@") == "! address \"joe@\" has no domain after the @");
  BOOST_TEST(canonical("joe@a b") == "! address \"joe@a b\" has a domain that is none");
  BOOST_TEST(canonical("joe@a..b") == "! address \"joe@a..b\" has a domain that is none");
  BOOST_TEST(canonical("joe@[1.2.3.4") == "! address \"joe@[1.2.3.4\" has a domain that is none");
  BOOST_TEST(canonical("joe user@example.org") ==
             "! address \"joe user@example.org\" has a blank, <, >, comma or semicolon outside quotes");
  BOOST_TEST(canonical("a,b@example.org") ==
             "! address \"a,b@example.org\" has a blank, <, >, comma or semicolon outside quotes");
  BOOST_TEST(canonical("\"joe@example.org") ==
             "! address \"\"joe@example.org\" has a quote that is not closed");
  BOOST_TEST(canonical("joe\r\nRCPT@example.org") ==
             "! address \"joe??RCPT@example.org\" has a control character");
  BOOST_TEST(canonical(std::string_view("jo\0e@example.org", 16)) ==
             "! address \"jo?e@example.org\" has a control character");
}

BOOST_AUTO_TEST_CASE(an_address_has_at_most_256_bytes) {
  const std::string local(256 - 12, 'x');
  BOOST_TEST(canonical(local + "@example.org") == local + "@example.org");
  const auto longer = canonical_address(local + "y@example.org", "home.example");
  BOOST_REQUIRE(!longer.has_value());
  BOOST_TEST((longer.error().code == mta::errc::out_of_range));
  const auto by_domain = canonical_address(local, "home.example");
  BOOST_REQUIRE(!by_domain.has_value());
  BOOST_TEST((by_domain.error().code == mta::errc::out_of_range));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(lists)

BOOST_AUTO_TEST_CASE(the_usual_forms) {
  BOOST_TEST(listed("joe@example.org") == "||joe@example.org|\n");
  BOOST_TEST(listed("Joe User <joe@example.org>, \"Doe, Jane\" <jane@example.org>") ==
             "Joe User||joe@example.org|\nDoe, Jane||jane@example.org|\n");
  BOOST_TEST(listed("<joe@example.org>") == "||joe@example.org|\n");
  BOOST_TEST(listed("joe, jane") == "||joe|\n||jane|\n");
  BOOST_TEST(listed("J. R. User <j@x.org>") == "J. R. User||j@x.org|\n");
  BOOST_TEST(listed("joe@[192.0.2.1]") == "||joe@[192.0.2.1]|\n");
  BOOST_TEST(listed("=?utf-8?q?J=C3=BCrgen?= <j@x.org>") == "=?utf-8?q?J=C3=BCrgen?=||j@x.org|\n");
  BOOST_TEST(listed("Jürgen <jü@bücher.example>") == "Jürgen||jü@bücher.example|\n");
  BOOST_TEST(listed("") == "");
  BOOST_TEST(listed(" \r\n ") == "");
}

BOOST_AUTO_TEST_CASE(folds_and_comments_are_white_space) {
  BOOST_TEST(
      listed("Joe\r\n\tUser (the (nested\\)) one)\n <joe(x)@(y)example(z).org (end)>,\r\n jane@x.org") ==
      "Joe User||joe@example.org|\n||jane@x.org|\n");
  BOOST_TEST(listed("joe . user @ example . org, x@y.z") == "||joe.user@example.org|\n||x@y.z|\n");
  BOOST_TEST(listed("joe@example.org (Joe)") == "||joe@example.org|\n");
}

BOOST_AUTO_TEST_CASE(quotes_stay_where_the_local_part_needs_them) {
  BOOST_TEST(listed("\"joe\"@x.org") == "||joe@x.org|\n");
  BOOST_TEST(listed("\"joe user\"@x.org") == "||\"joe user\"@x.org|\n");
  BOOST_TEST(listed("\"a\\\"b\"@x.org") == "||\"a\\\"b\"@x.org|\n");
  BOOST_TEST(listed("\"\"@x.org") == "||\"\"@x.org|\n");
  BOOST_TEST(listed("a.\"b c\".d@x.org") == "||a.\"b c\".d@x.org|\n");
  BOOST_TEST(listed("\"Joe \\\"J\\\" User\" <j@x.org>") == "Joe \"J\" User||j@x.org|\n");
  BOOST_TEST(listed("\"folded\r\n name\" <j@x.org>") == "folded name||j@x.org|\n");
}

BOOST_AUTO_TEST_CASE(groups_and_routes) {
  BOOST_TEST(listed("The Team: joe@x.org, Jane <jane@x.org>;, bob@y.org") ==
             "||joe@x.org|The Team\nJane||jane@x.org|The Team\n||bob@y.org|\n");
  BOOST_TEST(listed("undisclosed-recipients:;") == "");
  BOOST_TEST(listed("<@a.example,@b.example:joe@x.org>") == "|@a.example,@b.example|joe@x.org|\n");
}

BOOST_AUTO_TEST_CASE(empty_places_between_commas_are_allowed) {
  BOOST_TEST(listed(",joe@x.org,, ,jane@x.org,") == "||joe@x.org|\n||jane@x.org|\n");
}

BOOST_AUTO_TEST_CASE(a_wrong_address_is_told_and_the_others_are_kept) {
  BOOST_TEST(listed("joe user, jane@x.org") ==
             "||jane@x.org|\n! 8 expected \"<\" or a comma behind the name, found \",\"\n");
  BOOST_TEST(listed("joe@, jane@x.org") ==
             "||jane@x.org|\n! 4 expected a domain behind the @, found \",\"\n");
  BOOST_TEST(listed("Joe <joe@x.org, jane@x.org") ==
             "||jane@x.org|\n! 14 expected \">\" at the end of the address, found \",\"\n");
  BOOST_TEST(listed("joe@x.org jane@x.org, bob@x.org") ==
             "||bob@x.org|\n! 10 expected a comma between addresses, found \"j\"\n");
  BOOST_TEST(listed("Joe <>") == "! 5 expected an address, found \">\"\n");
  BOOST_TEST(listed("\"joe@x.org") == "! 10 expected a closing quote, found the end\n");
  BOOST_TEST(listed("joe@x.org (oops") ==
             "||joe@x.org|\n! 15 expected \")\" at the end of the comment, found the end\n");
  BOOST_TEST(listed("team: joe@x.org") ==
             "||joe@x.org|team\n! 15 expected \";\" at the end of the group, found the end\n");
  BOOST_TEST(listed("a: b: c@x.org;") == "! 4 expected an address (groups do not nest), found \":\"\n");
  BOOST_TEST(listed("joe@[1.2.3.4") == "! 4 expected \"]\" at the end of the address literal, found \"[\"\n");
  BOOST_TEST(listed("<@a.example joe@x.org>") == "! 12 expected \":\" behind the route, found \"j\"\n");
  BOOST_TEST(listed("a\x01@x.org") == "! 1 expected a comma between addresses, found \"?\"\n");
}

BOOST_AUTO_TEST_CASE(any_text_is_read_to_its_end_and_what_is_read_can_be_read_again) {
  const char* given = std::getenv("JOBCTL_TEST_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 5322;
  std::mt19937_64 random(seed);
  static const std::string pieces[] = {
      "joe", "@", "example.org", "<",    ">",  ",", ";", ":",        "\"",   "\\",      "(",     ")",
      "[",   "]", " ",           "\r\n", "\t", ".", "a", "\xC3\xBC", "\x01", "\"a b\"", "x@y.z", "[1.2.3.4]"};
  for (int round = 0; round < 50'000; ++round) {
    std::string text;
    for (std::size_t n = random() % 16; n > 0; --n) text += pieces[random() % std::size(pieces)];
    const address_list list = parse_address_list(text);
    for (const address_problem& p : list.problems) BOOST_REQUIRE_LE(p.offset, text.size());
    for (const mailbox& m : list.mailboxes) {
      const address_list again = parse_address_list('<' + m.address() + '>');
      BOOST_REQUIRE_MESSAGE(again.problems.empty() && again.mailboxes.size() == 1 &&
                                again.mailboxes[0].address() == m.address(),
                            "JOBCTL_TEST_SEED=" << seed << " round " << round << ": " << m.address());
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
