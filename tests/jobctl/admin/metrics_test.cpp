// Figures for machines: bounded in number, whatever the queue holds, and well-formed.
#include "jobctl/admin/metrics.hpp"

#include "jobctl/admin/fake_server.hpp"
#include "jobctl/admin/handlers.hpp"

#include <boost/json.hpp>

#include <fmt/format.h>
#include <sstream>

using namespace jobctl;
using namespace jobctl::admin;

namespace {

struct fixture {
  test::fake_server server;

  response ask(const std::string& target) {
    admin::handlers handlers(server);
    std::optional<response> got;
    handlers.handle({method::get, target}, [&](response r) { got = std::move(r); });
    BOOST_REQUIRE(got);
    return std::move(*got);
  }
  std::vector<std::string> samples(const std::string& family) {
    std::vector<std::string> found;
    std::istringstream text(ask("/metrics").body);
    for (std::string line; std::getline(text, line);)
      if (line.starts_with(family + "{") || line.starts_with(family + " ")) found.push_back(line);
    return found;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(metrics, fixture)

BOOST_AUTO_TEST_CASE(the_largest_destinations_have_labels_and_the_rest_is_other) {
  for (std::uint32_t n = 1; n <= 50; ++n)
    server.add_messages("maildir", n, phase::queued, fmt::format("h{}.example", n).c_str());
  const auto found = samples("jobctl_destination_messages");
  BOOST_REQUIRE(found.size() == labelled_destinations + 1);
  BOOST_TEST(found[0] == R"(jobctl_destination_messages{channel="maildir",host="h50.example"} 50)");
  BOOST_TEST(found[19] == R"(jobctl_destination_messages{channel="maildir",host="h31.example"} 31)");
  BOOST_TEST(found[20] == R"(jobctl_destination_messages{channel="",host="other"} 465)");
  BOOST_TEST(samples("jobctl_destinations")[0] == "jobctl_destinations 50");
}

BOOST_AUTO_TEST_CASE(so_many_channels_have_labels_and_the_rest_is_other) {
  for (int n = 0; n < 1100; ++n) server.controller().channel(fmt::format("many{:04}", n));
  server.add_messages("zz", 7);
  const auto found = samples("jobctl_queue_bytes");
  BOOST_REQUIRE(found.size() == labelled_channels + 1);
  BOOST_TEST(found.back() == fmt::format("jobctl_queue_bytes{{channel=\"other\"}} {}", 7 * 1000 + 21));
}

BOOST_AUTO_TEST_CASE(hosts_that_an_operator_stopped_are_counted) {
  BOOST_TEST(samples("jobctl_stopped_hosts").at(0) == "jobctl_stopped_hosts 0");
  server.impose({.channel = "fax", .host = "a.example"});
  server.impose({.host = ".b.example"});
  server.impose({.channel = "fax"});
  BOOST_TEST(samples("jobctl_stopped_hosts").at(0) == "jobctl_stopped_hosts 2");
}

BOOST_AUTO_TEST_CASE(labels_are_escaped) {
  server.add_messages("fax", 1, phase::queued, "a\"b\\c\nd");
  BOOST_TEST(samples("jobctl_destination_messages")[0] ==
             R"(jobctl_destination_messages{channel="fax",host="a\"b\\c\nd"} 1)");
}

BOOST_AUTO_TEST_CASE(health_is_503_until_the_queue_is_read_and_when_it_stops) {
  BOOST_TEST(ask("/health").status == 200u);
  server.scan_complete = false;
  BOOST_TEST(ask("/health").status == 503u);
  server.scan_complete = true;
  server.stop("test");
  const response stopping = ask("/health");
  BOOST_TEST(stopping.status == 503u);
  BOOST_TEST(boost::json::parse(stopping.body).at("state").as_string() == "stopping");
}

BOOST_AUTO_TEST_CASE(destinations_are_listed_by_size) {
  for (std::uint32_t n = 1; n <= 5; ++n)
    server.add_messages("maildir", n, phase::held, fmt::format("h{}.example", n).c_str());
  const auto body = boost::json::parse(ask("/v1/destinations?limit=2").body);
  BOOST_TEST(body.at("destinations").as_array().size() == 2u);
  BOOST_TEST(body.at("destinations").at(0).at("host").as_string() == "h5.example");
  BOOST_TEST(body.at("others").to_number<int>() == 6);
  for (const char* wrong : {"0", "x", "10001", "-1", ""})
    BOOST_TEST(ask(std::string("/v1/destinations?limit=") + wrong).status == 400u, wrong);
  BOOST_TEST(ask("/metrics?x=1").status == 400u);
}

BOOST_AUTO_TEST_SUITE_END()
