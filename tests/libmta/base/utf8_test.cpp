// What is UTF-8, and what only looks like it.

#include "base/utf8.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using mta::is_utf8;
using mta::utf8_check;

BOOST_AUTO_TEST_SUITE(utf8)

BOOST_AUTO_TEST_CASE(well_formed_text_is) {
  for (const std::string text :
       {"", "plain text, longer than eight bytes", "gr\xC3\xBC\xC3\x9F", "\xE2\x82\xAC", "\xF0\x9F\x93\xAC",
        "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF", "\xE0\xA0\x80"})
    BOOST_TEST(is_utf8(text), text);
  BOOST_TEST(is_utf8(std::string(1, '\0')));
}

BOOST_AUTO_TEST_CASE(other_text_is_not) {
  for (const std::string text :
       {"gr\xFC\xDF", "\x80", "\xC0\xAF", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xC3", "\xE2\x82", "\xC3gone on for more than eight bytes"})
    BOOST_TEST(!is_utf8(text));
}

BOOST_AUTO_TEST_CASE(the_pieces_do_not_matter) {
  const std::string good = "ascii ascii ascii \xE2\x82\xAC\xF0\x9F\x93\xAC ascii ascii",
                    bad = good + "\xE2\x28";
  for (const std::string& text : {good, bad})
    for (std::size_t size = 1; size <= text.size(); ++size) {
      utf8_check check;
      for (std::size_t at = 0; at < text.size(); at += size) check.take(text.substr(at, size));
      BOOST_TEST(check.complete() == (text == good), "pieces of " << size);
    }
}

BOOST_AUTO_TEST_CASE(an_unfinished_character_is_good_so_far_and_not_complete) {
  utf8_check check;
  check.take("\xE2\x82");
  BOOST_TEST(check.good());
  BOOST_TEST(!check.complete());
}

BOOST_AUTO_TEST_CASE(what_is_not_utf8_becomes_so_and_what_is_stays) {
  BOOST_TEST(mta::as_utf8("") == "");
  BOOST_TEST(mta::as_utf8("gr\xC3\xBCn") == "gr\xC3\xBCn");
  BOOST_TEST(mta::as_utf8("gr\xFCn") == "gr\xC3\xBCn");
  BOOST_TEST(mta::as_utf8("\xE2\x82\xAC \xE2\x82") == "\xE2\x82\xAC \xC3\xA2\xC2\x82");
  std::string every;
  for (int c = 0; c < 256; ++c) every += static_cast<char>(c);
  BOOST_TEST(mta::is_utf8(mta::as_utf8(every)));
  BOOST_TEST(mta::is_utf8(mta::as_utf8("\xED\xA0\x80\xF5\x80\xC0")));
}

BOOST_AUTO_TEST_SUITE_END()
