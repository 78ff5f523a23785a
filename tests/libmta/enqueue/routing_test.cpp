#include "enqueue/routing.hpp"

#include "config/settings.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace mta::enqueue;

namespace {

const mta::config::settings& site() {
  static const auto s = mta::config::parse(R"([jobctl]
host = home.example
builtin = no
[channel l]
[channel tcp]
[channel scan]
[routes]
home.example = l
example.org = scan
.example.org = tcp via gw.example.net
[routes from scan]
example.org = tcp
)",
                                           "/x/jobctl.conf")
                            .value();
  return s;
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_address_goes_to_the_channel_of_its_domain) {
  BOOST_TEST(
      (route(site(), "Joe@Example.org", "").value() == routed{"scan", "example.org", "Joe@example.org"}));
  BOOST_TEST((route(site(), "joe@x.example.org", "").value() ==
              routed{"tcp", "gw.example.net", "joe@x.example.org"}));
}

BOOST_AUTO_TEST_CASE(an_address_without_domain_belongs_to_the_official_host) {
  BOOST_TEST((route(site(), "joe", "").value() == routed{"l", "home.example", "joe@home.example"}));
}

BOOST_AUTO_TEST_CASE(mail_of_an_intermediate_channel_takes_the_routes_for_it) {
  BOOST_TEST(route(site(), "joe@example.org", "scan").value().channel == "tcp");
  BOOST_TEST(route(site(), "joe@home.example", "scan").value().channel == "l");
}

BOOST_AUTO_TEST_CASE(a_domain_without_a_route_is_rejected_with_a_text) {
  const auto way = route(site(), "joe@else.example", "scan");
  BOOST_REQUIRE(!way.has_value());
  BOOST_TEST((way.error().code == mta::errc::rejected));
  BOOST_TEST(way.error().context ==
             "address \"joe@else.example\": no route for else.example from channel scan");
}

BOOST_AUTO_TEST_CASE(what_is_no_address_is_rejected_and_a_long_one_out_of_range) {
  const auto wrong = route(site(), "joe@a\nb", "");
  BOOST_REQUIRE(!wrong.has_value());
  BOOST_TEST((wrong.error().code == mta::errc::rejected));
  const auto large = route(site(), std::string(300, 'x') + "@example.org", "");
  BOOST_REQUIRE(!large.has_value());
  BOOST_TEST((large.error().code == mta::errc::out_of_range));
}
