#include "base/text.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <string>
#include <vector>

using namespace mta;

BOOST_AUTO_TEST_SUITE(text)

BOOST_AUTO_TEST_CASE(only_ascii_letters_change_case) {
  BOOST_TEST(lower_case("MAIL-Ä[\\]@Z") == "mail-Ä[\\]@z");
  BOOST_TEST(equal_ignoring_case("Message-ID", "message-id"));
  BOOST_TEST(!equal_ignoring_case("Message-ID", "message-i"));
  BOOST_TEST(!equal_ignoring_case("[", "{"));
}

BOOST_AUTO_TEST_CASE(trimming_removes_blanks_and_line_ends_only_at_the_ends) {
  BOOST_TEST(trim(" \ta b\r\n") == "a b");
  BOOST_TEST(trim(" \t ") == "");
  BOOST_TEST(trim("") == "");
}

BOOST_AUTO_TEST_CASE(words_are_what_stands_between_blanks) {
  const auto words = split_words("  one\ttwo  three ");
  const std::vector<std::string_view> expected{"one", "two", "three"};
  BOOST_TEST(words == expected, boost::test_tools::per_element());
  BOOST_TEST(split_words(" \t").empty());
}

BOOST_AUTO_TEST_CASE(edit_distance_counts_insertions_removals_replacements_and_swaps) {
  BOOST_TEST(edit_distance("", "") == 0u);
  BOOST_TEST(edit_distance("abc", "") == 3u);
  BOOST_TEST(edit_distance("", "ab") == 2u);
  BOOST_TEST(edit_distance("reserv", "reserve") == 1u);
  BOOST_TEST(edit_distance("maxjobs", "maxjbos") == 1u);
  BOOST_TEST(edit_distance("kitten", "sitting") == 3u);
}

BOOST_AUTO_TEST_CASE(the_nearest_candidate_is_the_first_of_the_most_similar) {
  const std::array<std::string_view, 3> candidates{"pool", "host", "stop"};
  BOOST_TEST(nearest("pol", candidates) == "pool");
  BOOST_TEST(nearest("stpo", candidates) == "stop");
  BOOST_TEST(nearest("x", std::vector<std::string>{}) == "");
}

BOOST_AUTO_TEST_CASE(text_of_eight_bits_is_known_by_any_of_its_bytes) {
  BOOST_TEST(!mta::has_8bit(""));
  BOOST_TEST(!mta::has_8bit("plain \x7f"));
  BOOST_TEST(mta::has_8bit("\x80"));
  BOOST_TEST(mta::has_8bit("a long plain text and then \xc3\xbc and more"));
}

BOOST_AUTO_TEST_CASE(a_quoted_string_escapes_quotes_and_backslashes) {
  BOOST_TEST(mta::quoted_string("") == R"("")");
  BOOST_TEST(mta::quoted_string(R"(a "b" \c)") == R"("a \"b\" \\c")");
}

BOOST_AUTO_TEST_CASE(wildcards_stand_for_any_text_and_any_character) {
  BOOST_TEST(mta::matches_wildcards("smtp_local", "smtp_*"));
  BOOST_TEST(mta::matches_wildcards("SMTP_local", "smtp_l?cal"));
  BOOST_TEST(mta::matches_wildcards("aab", "*ab"));
  BOOST_TEST(mta::matches_wildcards("", "*"));
  BOOST_TEST(mta::matches_wildcards("x", "x"));
  BOOST_TEST(!mta::matches_wildcards("xy", "x"));
  BOOST_TEST(!mta::matches_wildcards("", "?"));
  BOOST_TEST(!mta::matches_wildcards("smtp", "smtp_*"));
  BOOST_TEST(!mta::matches_wildcards("abcabd", "*abc"));
}

BOOST_AUTO_TEST_SUITE_END()
