// GET /v1/events: what is kept, what is selected, and followers.
#include "jobctl/admin/client.hpp"
#include "jobctl/admin/event_stream.hpp"
#include "jobctl/admin/fake_server.hpp"
#include "jobctl/admin/handlers.hpp"

#include <boost/json.hpp>

#include <fmt/format.h>
#include <sstream>

using namespace jobctl;
using namespace jobctl::admin;
namespace json = boost::json;

namespace {

transition step(transition_kind kind, std::uint32_t slot, channel_no channel = channel_no{0}) {
  transition t;
  t.id = {mta::queue::file_number{5}, 1, slot};
  t.kind = kind;
  t.channel = channel;
  return t;
}

std::vector<json::object> lines_of(const std::string& text) {
  std::vector<json::object> all;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) all.push_back(json::parse(line).as_object());
  return all;
}

struct fixture {
  test::fake_server server;
  admin::handlers handlers{server};

  void append(std::uint32_t count, transition_kind kind = transition_kind::queued) {
    for (std::uint32_t n = 0; n < count; ++n) server.events().append(test::noon, {step(kind, n)});
  }
  std::vector<json::object> ask(const std::string& parameters, unsigned status = 200) {
    std::optional<response> got;
    handlers.handle({method::get, "/v1/events?" + parameters}, [&](response r) { got = std::move(r); });
    BOOST_REQUIRE(got);
    BOOST_TEST(got->status == status, got->body);
    return lines_of(got->body);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(events, fixture)

BOOST_AUTO_TEST_CASE(an_event_has_its_fields) {
  server.events().append(test::noon, {step(transition_kind::finished, 3)});
  transition later = step(transition_kind::deferred, 4);
  later.attempts = 2;
  later.value = test::noon.time_since_epoch().count() + 60'000;
  server.events().append(test::noon, {later});
  server.events().append(test::noon, event_kind::launched, server.state().channels()[0], "process 7");
  const auto all = ask("");
  BOOST_REQUIRE(all.size() == 3u);
  BOOST_TEST(all[0].at("event").as_string() == "finished");
  BOOST_TEST(all[0].at("time").as_string() == "2026-11-21T12:00:00.000Z");
  BOOST_TEST(all[0].at("id").as_string() ==
             to_string(mta::queue::message_id{mta::queue::file_number{5}, 1, 3}));
  BOOST_TEST(all[1].at("due").as_string() == "2026-11-21T12:01:00.000Z");
  BOOST_TEST(all[1].at("attempts").as_int64() == 2);
  BOOST_TEST(all[2].at("text").as_string() == "process 7");
  BOOST_TEST(all[2].at("channel").as_string() == server.state().channel_name(server.state().channels()[0]));
}

BOOST_AUTO_TEST_CASE(filters_and_limits_select) {
  append(5);
  append(5, transition_kind::finished);
  BOOST_TEST(ask("event=finished").size() == 5u);
  BOOST_TEST(ask("event=finished,queued&limit=7").size() == 7u);
  const std::string id = to_string(mta::queue::message_id{mta::queue::file_number{5}, 1, 2});
  BOOST_TEST(ask("id=" + id).size() == 2u);
  const std::string name = server.state().channel_name(channel_no{0});
  BOOST_TEST(ask("channel=" + name).size() == 10u);
  BOOST_TEST(ask("event=queued&limit=1")[0].at("id").as_string().ends_with(".4"));  // the last one
}

BOOST_AUTO_TEST_CASE(a_cursor_goes_on_where_it_was) {
  append(10);
  const auto all = ask("after=0");
  BOOST_REQUIRE(all.size() == 10u);
  const std::string cursor(all[6].at("cursor").as_string());
  const auto rest = ask("after=" + cursor);
  BOOST_REQUIRE(rest.size() == 3u);
  BOOST_TEST(rest[0].at("cursor").as_string() == all[7].at("cursor").as_string());
  BOOST_TEST(ask("after=" + std::string(all[9].at("cursor").as_string())).empty());
}

BOOST_AUTO_TEST_CASE(who_comes_too_late_is_told_how_much_he_missed) {
  append(1);
  const std::string cursor(ask("")[0].at("cursor").as_string());
  append(1500);  // the ring keeps 1000
  const auto all = ask("limit=10000&after=" + cursor);
  BOOST_REQUIRE(all.size() == 1001u);
  BOOST_TEST(all[0].at("event").as_string() == "missed");
  BOOST_TEST(all[0].at("count").to_number<int>() == 500);
  const auto other_run = ask("after=1." + cursor.substr(cursor.find('.') + 1));
  BOOST_TEST(other_run[0].at("event").as_string() == "missed");
  BOOST_TEST(other_run[0].at("count").is_null());
}

BOOST_AUTO_TEST_CASE(texts_of_events_that_are_gone_are_gone) {
  server.events().append(test::noon, event_kind::report, event_log::no_channel, "old");
  append(1000);
  BOOST_TEST(server.events().text(1) == "");
  BOOST_TEST(server.events().first() == 2u);
}

BOOST_AUTO_TEST_CASE(wrong_parameters_are_named) {
  for (const char* wrong : {"event=finishd", "event=", "limit=0", "limit=10001", "after=x", "after=1", "id=1",
                            "follow=yes", "colour=red"})
    ask(wrong, 400);
  ask("channel=none", 404);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(events_followed, test::listening_server)

BOOST_AUTO_TEST_CASE(a_follower_gets_events_as_they_come) {
  auto c = client::connect(socket());
  BOOST_REQUIRE(c);
  std::string got;
  int pieces = 0;
  post([this] { server.events().append(test::noon, {step(transition_kind::queued, 1)}); });
  const auto end = c->fetch("/v1/events?follow=true&after=0", [&](std::string_view piece) {
    got += piece;
    if (++pieces == 1)
      post([this] { server.events().append(test::noon, {step(transition_kind::leased, 1)}); });
    return got.find("leased") == std::string::npos;
  });
  BOOST_TEST(!end);  // given up by us
  BOOST_TEST(lines_of(got).size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_follower_reads_the_last_words_of_a_controller_that_stops) {
  auto c = client::connect(socket());
  BOOST_REQUIRE(c);
  std::string got;
  on_loop([this] { server.events().append(test::noon, {step(transition_kind::queued, 1)}); });
  const auto end = c->fetch("/v1/events?follow=true&limit=1", [&](std::string_view piece) {
    if (got.empty())
      post(
          [this] { server.events().append(test::noon, event_kind::stopping, event_log::no_channel, "bye"); });
    got += piece;
    if (got.find("bye") == std::string::npos) close();
    return true;
  });
  BOOST_TEST(end.has_value());
  const auto all = lines_of(got);
  BOOST_REQUIRE(all.size() == 2u);
  BOOST_TEST(all[1].at("event").as_string() == "stopping");
}

BOOST_AUTO_TEST_CASE(the_last_words_reach_a_follower_that_has_not_read_the_words_before) {
  auto c = client::connect(socket());
  BOOST_REQUIRE(c);
  std::string got;
  on_loop([this] { server.events().append(test::noon, {step(transition_kind::queued, 0)}); });
  const auto end = c->fetch("/v1/events?follow=true&after=0", [&](std::string_view piece) {
    if (got.empty()) {
      // What is on its way fills the socket.
      for (int n = 0; n < 200; ++n)
        on_loop([this] {
          server.events().append(test::noon, std::vector(500, step(transition_kind::queued, 1)));
        });
      on_loop(
          [this] { server.events().append(test::noon, event_kind::stopping, event_log::no_channel, "bye"); });
      close();
    }
    got += piece;
    return true;
  });
  BOOST_TEST(end.has_value());
  BOOST_TEST(lines_of(got).back().at("event").as_string() == "stopping");
}

BOOST_AUTO_TEST_CASE(a_follower_that_does_not_read_costs_no_memory_and_no_time) {
  auto c = client::connect(socket());
  BOOST_REQUIRE(c);
  std::string got, last;
  on_loop([this] { server.events().append(test::noon, {step(transition_kind::queued, 0)}); });
  const auto end = c->fetch("/v1/events?follow=true&after=0", [&](std::string_view piece) {
    if (last.empty()) {
      // Far more than the socket takes happens while nothing is read.
      for (int n = 0; n < 200; ++n)
        on_loop([this] {
          server.events().append(test::noon, std::vector(500, step(transition_kind::queued, 1)));
        });
      on_loop([&] { last = fmt::format(".{}\"", server.events().next() - 1); });
    }
    got += piece;
    return got.find(last) == std::string::npos || !got.ends_with('\n');
  });
  BOOST_TEST(!end);  // given up by us
  std::uint64_t missed = 0, told = 0;
  for (const json::object& line : lines_of(got)) {
    if (line.at("event").as_string() == "missed")
      missed += line.at("count").to_number<std::uint64_t>();
    else
      ++told;
  }
  BOOST_TEST(missed > 0u);
  BOOST_TEST(missed + told == 100'001u);
}

BOOST_AUTO_TEST_CASE(only_so_many_may_follow) {
  std::vector<client> followers;
  std::vector<std::thread> threads;
  on_loop([this] { server.events().append(test::noon, {step(transition_kind::queued, 0)}); });
  std::atomic<int> begun{0};
  for (int n = 0; n < 8; ++n)
    threads.emplace_back([&] {
      auto c = client::connect(socket());
      if (c)
        (void)c->fetch("/v1/events?follow=true&after=0", [&](std::string_view) { return ++begun, true; });
    });
  while (begun < 8) std::this_thread::yield();
  auto late = client::connect(socket());
  BOOST_REQUIRE(late);
  const auto refused = late->fetch("/v1/events?follow=true", [](std::string_view) { return true; });
  BOOST_REQUIRE(refused);
  BOOST_TEST(refused->status == 503u);
  close();
  for (std::thread& t : threads) t.join();
}

BOOST_AUTO_TEST_SUITE_END()
