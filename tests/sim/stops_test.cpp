// What operators stop: nothing is given out for it, and nothing launched, until it is started or its end
// comes.
#include "fleet.hpp"

using namespace sim;

namespace {

limits channels(std::initializer_list<const char*> names) {
  limits l;
  l.pools.push_back({"DEFAULT", 10});
  for (const char* name : names) {
    channel_limits c;
    c.name = name;
    for (auto& schedule : c.backoff) schedule = {std::chrono::minutes(10)};
    l.channels.push_back(c);
  }
  return l;
}

void to(fleet& f, std::uint32_t channel, const std::string& host, std::uint32_t count) {
  f.queue(channel, count, [&](mail& m, std::uint32_t) { m.host = host; });
}

std::ptrdiff_t finished(const fleet& f, std::string_view host) {
  return std::count_if(f.mails.begin(), f.mails.end(),
                       [&](const mail& m) { return m.host == host && m.finished != time_point{}; });
}

destination_figures figures(fleet& f, std::uint32_t channel, std::string_view host) {
  destination_figures d;
  BOOST_TEST_REQUIRE(f.controller().find_destination(f.channel(channel), host, d));
  return d;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(stops)

BOOST_AUTO_TEST_CASE(a_stopped_host_gets_nothing_and_is_worth_no_program) {
  fleet f(channels({"out"}));
  to(f, 0, "here.example", 100);
  f.stop("out", "here.example");
  f.stop("out", "later.example");
  to(f, 0, "later.example", 100);
  f.run(1h);
  // What was given out before the order is finished.
  const auto before = finished(f, "here.example");
  BOOST_TEST(finished(f, "later.example") == 0);
  BOOST_TEST(f.programs(0) == 0u);
  const auto launched = f.launches;
  BOOST_TEST(f.controller().figures(f.channel(0)).blocked == 200u - static_cast<std::uint64_t>(before));
  BOOST_TEST((figures(f, 0, "later.example").barrier == barrier::stopped));
  f.check();

  to(f, 0, "other.example", 100);
  BOOST_TEST(f.run_until(10s, [&] { return finished(f, "other.example") == 100; }));
  BOOST_TEST(f.launches > launched);
  f.start("out", "here.example");
  BOOST_TEST(f.run_until(10s, [&] { return finished(f, "here.example") == 100; }));
  BOOST_TEST(finished(f, "later.example") == 0);
  f.start("out", "later.example");
  BOOST_TEST(f.run_until(10s, [&] { return finished(f, "later.example") == 100; }));
  f.check();
}

BOOST_AUTO_TEST_CASE(what_a_program_hands_back_waits) {
  fleet f(channels({"out"}));
  f.deliver = [&](const mail&) { return fleet::attempt{1s, outcome::deferred, f.now + 2s}; };
  to(f, 0, "h.example", 500);
  f.run(500ms);
  const std::uint64_t in_hand = f.controller().figures(f.channel(0)).in_hand;
  BOOST_TEST(in_hand > 0u);
  f.stop("out", "h.example");
  f.run(1min);
  BOOST_TEST(f.failed == in_hand);
  const channel_figures all = f.controller().figures(f.channel(0));
  BOOST_TEST(all.in_hand == 0u);
  BOOST_TEST(all.ready == 500u);
  BOOST_TEST(all.blocked == 500u);
  f.check();
}

BOOST_AUTO_TEST_CASE(a_stop_ends_by_itself_at_its_time) {
  fleet f(channels({"out", "fax"}));
  const time_point host_ends = f.now + 1h, channel_ends = f.now + 2h;
  f.stop("out", "h.example", host_ends);
  f.stop("fax", {}, channel_ends);
  std::vector<time_point> begun[2];
  f.on_begin = [&](const mail& m) { begun[m.channel].push_back(f.now); };
  to(f, 0, "h.example", 10);
  to(f, 1, "h.example", 10);
  BOOST_TEST((figures(f, 0, "h.example").until == host_ends));
  f.run(3h);
  BOOST_TEST_REQUIRE(begun[0].size() == 10u);
  BOOST_TEST_REQUIRE(begun[1].size() == 10u);
  BOOST_TEST((begun[0].front() >= host_ends && begun[0].front() <= host_ends + 100ms));
  BOOST_TEST((begun[1].front() >= channel_ends && begun[1].front() <= channel_ends + 100ms));
  BOOST_TEST_REQUIRE(f.stops_ended.size() == 2u);
  BOOST_TEST((f.stops_ended[0].host == "h.example" && f.stops_ended[0].until == host_ends));
  BOOST_TEST(f.stops_ended[1].channel == "fax");
  BOOST_TEST(f.controller().stops().empty());
  f.check();
}

BOOST_AUTO_TEST_CASE(an_end_that_is_over_at_the_start_is_reported) {
  fleet f(channels({"out"}));
  f.stop("out", {}, f.now - 1s);
  BOOST_TEST(f.stops_ended.size() == 1u);
  BOOST_TEST(!f.controller().figures(f.channel(0)).stopped);
  f.check();
}

BOOST_AUTO_TEST_CASE(a_host_is_stopped_in_every_channel_and_with_all_below_it) {
  fleet f(channels({"a", "b"}));
  f.stop({}, ".example.org");
  f.stop("a", "x.net");
  const char* stopped[] = {"example.org", "mx.example.org", "a.b.example.org"};
  const char* free[] = {"org", "notexample.org", "example.org.net"};
  for (std::uint32_t c = 0; c < 2; ++c) {
    for (const char* host : stopped) to(f, c, host, 5);
    for (const char* host : free) to(f, c, host, 5);
    to(f, c, "x.net", 5);
    f.queue(c, 5, [](mail&, std::uint32_t) {});  // for no host
  }
  f.run(1min);
  for (const char* host : stopped) BOOST_TEST(finished(f, host) == 0, host);
  for (const char* host : free) BOOST_TEST(finished(f, host) == 10, host);
  BOOST_TEST(finished(f, "x.net") == 5);
  BOOST_TEST(finished(f, "") == 10);
  BOOST_TEST(f.controller().stops_of(f.channel(1), "mx.example.org").size() == 1u);
  BOOST_TEST(f.controller().stops_of(f.channel(1), "x.net").empty());
  f.check();
  // Each order is lifted as it was given; while another is in force, nothing moves.
  f.stop("a", "mx.example.org");
  BOOST_TEST(!f.controller().lift(f.now, {}, "mx.example.org"));
  f.start({}, ".example.org");
  f.run(1min);
  BOOST_TEST(finished(f, "example.org") == 10);
  BOOST_TEST(finished(f, "mx.example.org") == 5);
  f.check();
}

BOOST_AUTO_TEST_CASE(a_dead_host_that_is_stopped_is_not_probed) {
  limits l = channels({"out"});
  l.channels[0].hosts.failures = 3;
  l.channels[0].hosts.probe_every = 1min;
  fleet f(l);
  f.deliver = [&](const mail&) { return fleet::attempt{10ms, outcome::deferred, f.now + 10s}; };
  to(f, 0, "dead.example", 50);
  f.run(10min);
  BOOST_TEST((figures(f, 0, "dead.example").barrier == barrier::dead));
  f.stop({}, "dead.example");
  f.run(1min);
  const auto failed = f.failed;
  f.run(1h);
  BOOST_TEST(f.failed == failed);
  f.check();
  f.deliver = [](const mail&) { return fleet::attempt{}; };
  f.start({}, "dead.example");
  BOOST_TEST(f.run_until(20min, [&] { return f.finished == 50; }));
  f.check();
}

BOOST_AUTO_TEST_CASE(an_order_for_the_same_place_replaces_the_other) {
  fleet f(channels({"out"}));
  controller& jc = f.controller();
  const auto order = [&](const char* reason, time_point until) {
    return jc.impose(f.now, {"out", "h.example", "ann", reason, f.now, until});
  };
  BOOST_TEST(order("broken", {}));
  BOOST_TEST(!order("broken", {}));
  BOOST_TEST(!order("", {}));
  BOOST_TEST(order("", f.now + 1h));
  BOOST_TEST_REQUIRE(jc.stops().size() == 1u);
  BOOST_TEST(jc.stops()[0].reason == "broken");
  BOOST_TEST((jc.stops()[0].until == f.now + 1h));
  BOOST_TEST(order("still broken", f.now + 1h));
  BOOST_TEST(jc.stops()[0].reason == "still broken");
  BOOST_TEST(jc.lift(f.now, "out", "h.example"));
  BOOST_TEST(!jc.lift(f.now, "out", "h.example"));
  f.check();
}

BOOST_AUTO_TEST_CASE(orders_outlast_new_settings_and_settings_that_are_overridden) {
  limits l = channels({"out"});
  fleet f(l);
  const auto stopped = [&] { return f.controller().figures(f.channel(0)).stopped; };
  f.stop("out", {});
  f.configure(l);
  BOOST_TEST(stopped());
  l.channels[0].stopped = true;
  f.configure(l);
  f.start("out", {});
  BOOST_TEST(!stopped());
  f.configure(l);  // what an operator started stays so until the settings change
  BOOST_TEST(!stopped());
  f.stop("out", {});
  l.channels[0].stopped = false;
  f.configure(l);
  BOOST_TEST(stopped());
  f.start("out", {});
  BOOST_TEST(!stopped());
  f.check();
}

BOOST_AUTO_TEST_CASE(orders_for_a_channel_that_comes_later_are_in_force) {
  fleet f(channels({"out"}));
  f.stop("later", {});
  f.stop("later", "h.example");
  f.configure(channels({"out", "later"}));
  BOOST_TEST(f.controller().figures(f.channel(1)).stopped);
  f.start("later", {});
  to(f, 1, "h.example", 5);
  f.run(1min);
  BOOST_TEST(f.finished == 0u);
  f.check();
}

BOOST_AUTO_TEST_CASE(the_clock_set_back_does_not_lengthen_a_stop_and_set_forward_ends_it) {
  fleet f(channels({"out"}));
  f.stop("out", "h.example", f.now + 1h);
  to(f, 0, "h.example", 5);
  f.set_clock(-24h);
  f.run(59min);
  BOOST_TEST(f.finished == 0u);
  f.run(2min);
  BOOST_TEST(f.finished == 5u);
  f.stop("out", "h.example", f.now + 1h);
  to(f, 0, "h.example", 5);
  f.set_clock(24h);
  f.run(1min);
  BOOST_TEST(f.finished == 10u);
  f.check();
}

BOOST_AUTO_TEST_SUITE_END()
