#include "base/json_text.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>

using namespace std::literals;

namespace {

std::string json(std::string_view text) {
  std::string out;
  mta::append_json_string(out, text);
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(json_text)

BOOST_AUTO_TEST_CASE(plain_text_is_only_quoted) {
  BOOST_TEST(json("") == R"("")");
  BOOST_TEST(json("550 no such user") == R"("550 no such user")");
}

BOOST_AUTO_TEST_CASE(what_json_forbids_is_escaped) {
  BOOST_TEST(json("a\"b\\c") == R"("a\"b\\c")");
  BOOST_TEST(json("\0\n\x1f\x7f"sv) == R"("\u0000\u000a\u001f\u007f")");
}

BOOST_AUTO_TEST_CASE(utf8_stays_and_other_bytes_are_latin1) {
  BOOST_TEST(json("M\xc3\xbcller") == "\"M\xc3\xbcller\"");
  BOOST_TEST(json("M\xfcller") == R"("M\u00fcller")");
  BOOST_TEST(json("M\xc3\xbcller \xfc") == R"("M\u00c3\u00bcller \u00fc")");
}

BOOST_AUTO_TEST_SUITE_END()
