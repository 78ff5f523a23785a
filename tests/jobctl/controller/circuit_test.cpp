// Destinations that count as dead: what those who watch are told, and the figures.
#include "jobctl/controller/controller.hpp"

#include <boost/test/unit_test.hpp>

#include <variant>

using namespace jobctl;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

time_point at(int second) { return time_point(minutes(30'000'000) + seconds(second)); }

struct site {
  jobctl::limits limits = with_failures(2);
  controller jc{limits};
  channel_no channel = jc.channel("fax");
  worker_no worker{1};

  static jobctl::limits with_failures(std::uint32_t failures) {
    jobctl::limits l;
    l.pools.push_back({"default", 10});
    channel_limits c;
    c.name = "fax";
    for (auto& schedule : c.backoff) schedule = {minutes(60)};
    c.hosts.failures = failures;
    c.hosts.probe_every = minutes(1);
    l.channels.push_back(c);
    return l;
  }

  /// `count` messages for one host; the program takes what it is given, and each attempt fails.
  void fail(std::uint32_t count) {
    std::vector<new_message> all(count);
    for (std::uint32_t i = 0; i < count; ++i) {
      all[i].slot = i;
      all[i].committed = at(0);
      all[i].host = "h.example";
    }
    jc.messages_found(at(0), channel, {mta::queue::file_number{7}, 1}, 16, true, all);
    jc.worker_connected(at(0), worker, channel, job_no{}, 1, {});
    for (std::uint32_t i = 0; i < 2; ++i) {
      jc.worker_asks(at(0), worker, 1);
      result(at(0), outcome::deferred);
    }
  }
  /// Of whatever was leased since the last call.
  void result(time_point when, outcome how) {
    std::vector<message_result> results;
    for (const auto& any : jc.take_actions()) {
      if (const auto* lease = std::get_if<action::lease>(&any))
        for (const auto& m : lease->messages) results.push_back({m.id, how, {}});
      if (const auto* said = std::get_if<action::report>(&any); said && said->about != action::subject::other)
        told.push_back(*said);
    }
    if (!results.empty()) jc.results(when, worker, results);
  }
  std::vector<action::subject> subjects() {
    result(at(0), outcome::finished);
    std::vector<action::subject> all;
    for (const auto& each : told) all.push_back(each.about);
    return all;
  }
  void check_invariants() { BOOST_TEST(jc.check_invariants() == ""); }

  std::vector<action::report> told;
};

const std::vector both{action::subject::destination_blocked, action::subject::destination_unblocked};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(circuit, site)

BOOST_AUTO_TEST_CASE(a_dead_destination_is_announced_once_and_counted_until_it_answers) {
  fail(5);
  BOOST_TEST(jc.figures(channel).dead_destinations == 1u);
  check_invariants();
  jc.worker_asks(at(61), worker, 1);  // the probe
  result(at(61), outcome::deferred);
  BOOST_TEST(jc.figures(channel).dead_destinations == 1u);
  const auto row = jc.largest_destinations(1).largest.at(0);
  BOOST_TEST((row.dead && row.barrier == barrier::dead && row.until == at(121)));
  jc.worker_asks(at(122), worker, 1);
  BOOST_TEST((jc.largest_destinations(1).largest.at(0).barrier == barrier::probing));
  result(at(122), outcome::finished);
  BOOST_TEST((subjects() == both));
  BOOST_REQUIRE(told.size() == 2u);
  BOOST_TEST(told[0].text.find("h.example") != std::string::npos);
  BOOST_TEST((told[0].channel == channel && told[1].channel == channel));
  BOOST_TEST(jc.figures(channel).dead_destinations == 0u);
  check_invariants();
}

BOOST_AUTO_TEST_CASE(new_settings_without_a_limit_bring_it_back) {
  fail(5);
  jc.configure(at(1), with_failures(0));
  BOOST_TEST((subjects() == both));
  BOOST_TEST(jc.figures(channel).dead_destinations == 0u);
  check_invariants();
}

BOOST_AUTO_TEST_CASE(one_that_nothing_waits_for_is_forgotten_after_a_while) {
  fail(2);
  jc.file_gone(at(2), {mta::queue::file_number{7}, 1});
  BOOST_TEST(jc.figures(channel).dead_destinations == 1u);
  jc.clock(at(200));
  BOOST_TEST((subjects() == both));
  BOOST_TEST(jc.figures(channel).dead_destinations == 0u);
  check_invariants();
}

BOOST_AUTO_TEST_SUITE_END()
