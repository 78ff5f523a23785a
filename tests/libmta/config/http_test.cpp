// [http]: where the API is to be had over TCP.
#include "config/settings.hpp"

#include <boost/test/unit_test.hpp>

using namespace mta::config;

namespace {

load_result<settings> read(const std::string& lines) {
  return parse("[jobctl]\nroot = /srv/x\n[http]\n" + lines, "example");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(http_section)

BOOST_AUTO_TEST_CASE(an_address_with_a_token_file_is_taken_and_shown) {
  for (const char* address : {"127.0.0.1:9925", "[::1]:9925", "0.0.0.0:1"}) {
    const auto s = read(std::string("listen = ") + address + "\ntoken_file = /etc/token\n");
    BOOST_REQUIRE_MESSAGE(s, s.error().text());
    BOOST_TEST(s->http.listen == address);
    const auto again = parse(to_text(*s), "shown");
    BOOST_REQUIRE_MESSAGE(again, again.error().text());
    BOOST_TEST(again->http.listen == address);
    BOOST_TEST(again->http.token_file == "/etc/token");
  }
  BOOST_TEST(defaults("/srv/x").http.listen == "");
}

BOOST_AUTO_TEST_CASE(without_a_token_file_nobody_is_let_in) {
  const auto s = read("listen = 127.0.0.1:9925\n");
  BOOST_REQUIRE(!s);
  BOOST_TEST(s.error().text().find("token_file") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_is_no_address_is_refused) {
  for (const char* wrong : {"9925", "localhost:9925", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0",
                            "127.0.0.1:65536", "::1:9925", "[::1]", "[127.0.0.1]:1", "256.0.0.1:1", ":1"}) {
    const auto s = read(std::string("listen = ") + wrong + "\ntoken_file = /etc/token\n");
    BOOST_REQUIRE_MESSAGE(!s, wrong);
    BOOST_TEST(s.error().text().find("example:4: [http] listen: expected an IP address and a port") !=
               std::string::npos);
  }
}

BOOST_AUTO_TEST_SUITE_END()
