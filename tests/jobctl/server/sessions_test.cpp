// Programs that connect, well-behaved and not, and how messages get to them.
#include "site_fixture.hpp"

using namespace test;

BOOST_FIXTURE_TEST_SUITE(sessions, site_fixture)

BOOST_AUTO_TEST_CASE(an_enqueuer_is_welcome) {
  auto& p = connect();
  p.send(wire::hello{});
  BOOST_TEST((next(p).type == wire::frame_type::welcome));
}

BOOST_AUTO_TEST_CASE(another_version_of_the_protocol_is_refused_in_words) {
  auto& p = connect();
  wire::hello h;
  h.version = 77;
  p.send(h);
  const auto f = next(p);
  BOOST_REQUIRE((f.type == wire::frame_type::refused));
  BOOST_TEST((decode<wire::refused>(f).code == wire::refusal::version));
  BOOST_TEST(std::string(decode<wire::refused>(f).why).find("77") != std::string::npos);
  until_closed(p);
}

BOOST_AUTO_TEST_CASE(a_channel_that_does_not_exist_is_refused_by_name) {
  auto& p = connect();
  wire::hello h;
  h.role = wire::role::channel_program;
  h.channel = "nosuch";
  p.send(h);
  BOOST_TEST(refusal(p) == "channel 'nosuch' is not configured and has no queue");
  until_closed(p);
}

BOOST_AUTO_TEST_CASE(the_first_frame_must_be_hello) {
  auto& p = connect();
  p.send(wire::ask{1});
  BOOST_TEST(refusal(p) == "ASK before HELLO");
  until_closed(p);
}

BOOST_AUTO_TEST_CASE(an_enqueuer_gets_no_messages) {
  auto& p = enqueuer();
  p.send(wire::ask{1});
  BOOST_TEST(refusal(p) == "ASK of a program that takes no messages");
  until_closed(p);
}

BOOST_AUTO_TEST_CASE(a_malformed_frame_closes_its_connection_and_no_other) {
  auto& good = channel_program();
  for (const std::string& bad : {
           std::string("\xff\xff\xff\xff\x01\x00", 6),     // far too long
           std::string("\x01\x00\x00\x00\x01", 5),         // shorter than its type
           std::string("\x02\x00\x00\x00\x63\x00", 6),     // an unknown type
           std::string("\x03\x00\x00\x00\x03\x00\x01", 7)  // an ASK with a third of its body
       }) {
    auto& p = enqueuer();
    p.send_bytes(bad);
    until([&] { return p.ended() || p.has_frame(); }, "the connection to be closed");
    if (p.has_frame()) BOOST_TEST((p.take().type == wire::frame_type::refused));
    until_closed(p);
  }
  settle(good);
  BOOST_TEST(server->counters().protocol_errors == 4u);
  BOOST_TEST(server->workers().size() == 1u);
}

BOOST_AUTO_TEST_CASE(sync_is_answered_after_what_came_before) {
  const auto id = commit();
  auto& p = enqueuer();
  p.send(announcement(id));
  p.send(wire::sync{5});
  const auto f = next(p);
  BOOST_REQUIRE((f.type == wire::frame_type::synced));
  BOOST_TEST(decode<wire::synced>(f).token == 5u);
  BOOST_TEST(figures().ready == 1u);
}

BOOST_AUTO_TEST_CASE(an_announced_message_is_leased_to_a_program_with_credit) {
  until_indexed();
  auto& p = channel_program();
  p.send(wire::ask{10});
  settle(p);
  const auto id = commit();
  enqueuer().send(announcement(id));
  const auto got = leased(p);
  BOOST_TEST((got == std::vector{id}));
  BOOST_TEST(figures().in_hand == 1u);
}

BOOST_AUTO_TEST_CASE(a_message_that_was_there_before_the_controller_is_found) {
  kill_server();
  const auto id = commit();
  start();
  auto& p = channel_program();
  p.send(wire::ask{10});
  BOOST_TEST((leased(p) == std::vector{id}));
}

BOOST_AUTO_TEST_CASE(without_credit_there_is_no_lease) {
  until_indexed();
  auto& p = channel_program();
  enqueuer().send(announcement(commit()));
  until([&] { return figures().ready == 1; }, "the message");
  settle(p);
  BOOST_TEST(!p.has_frame());
}

BOOST_AUTO_TEST_CASE(no_more_is_leased_than_was_asked_for) {
  until_indexed();
  auto& p = channel_program();
  auto& e = enqueuer();
  for (int i = 0; i < 5; ++i) e.send(announcement(commit()));
  settle(e);
  p.send(wire::ask{3});
  BOOST_TEST(leased(p).size() == 3u);
  settle(p);
  BOOST_TEST(figures().ready == 2u);
}

BOOST_AUTO_TEST_CASE(what_a_program_said_before_it_left_counts_although_it_hears_no_answer) {
  until_indexed();
  auto& p = channel_program();
  p.send(wire::ask{1});
  settle(p);
  const auto id = commit();
  enqueuer().send(announcement(id));
  BOOST_REQUIRE((leased(p) == std::vector{id}));
  write_state(id, queue::phase::finished);
  // More questions than the server reads at once, so that an answer finds nobody before the result is read.
  std::string said;
  for (std::uint32_t i = 0; i < 6000; ++i) append(said, wire::poll{i, 1});
  wire::results r;
  r.messages.push_back({id, wire::outcome::finished, {}});
  append(said, r);
  p.send_bytes(said);
  p.close();
  until([&] { return server->workers().empty(); }, "the program's end to be noticed");
  BOOST_TEST(figures().finished == 1u);
  BOOST_TEST(figures().ready == 0u);
}

BOOST_AUTO_TEST_CASE(two_programs_never_get_the_same_message) {
  until_indexed();
  auto& one = channel_program();
  auto& two = channel_program();
  one.send(wire::ask{1});
  two.send(wire::ask{1});
  settle(one);
  settle(two);
  const auto first = commit(), second = commit();
  auto& e = enqueuer();
  e.send(announcement(first));
  e.send(announcement(second));
  auto got = leased(one);
  const auto more = leased(two);
  got.insert(got.end(), more.begin(), more.end());
  std::ranges::sort(got);
  BOOST_TEST((got == std::vector{first, second}));
}

BOOST_AUTO_TEST_CASE(a_finished_message_is_forgotten) {
  until_indexed();
  auto& p = channel_program();
  p.send(wire::ask{1});
  const auto id = commit();
  enqueuer().send(announcement(id));
  leased(p);
  write_state(id, queue::phase::finished);
  report(p, id, wire::outcome::finished);
  settle(p);
  BOOST_TEST(figures().in_hand == 0u);
  BOOST_TEST(figures().finished == 1u);
  BOOST_TEST(server->state().message_count() == 0u);
}

BOOST_AUTO_TEST_CASE(what_was_reported_is_flushed_soon) {
  until_indexed();
  auto& p = channel_program();
  p.send(wire::ask{1});
  const auto id = commit();
  enqueuer().send(announcement(id));
  leased(p);
  write_state(id, queue::phase::finished);
  report(p, id, wire::outcome::finished);
  until([&] { return server->counters().flushes > 0; }, "a flush");
}

BOOST_AUTO_TEST_CASE(a_program_that_dies_gives_back_what_it_had) {
  until_indexed();
  auto& first = channel_program();
  first.send(wire::ask{1});
  const auto id = commit();
  enqueuer().send(announcement(id));
  leased(first);
  auto& second = channel_program();
  second.send(wire::ask{1});
  settle(second);
  BOOST_TEST(!second.has_frame());
  first.close();
  BOOST_TEST((leased(second) == std::vector{id}));
}

BOOST_AUTO_TEST_CASE(bye_gives_back_too) {
  until_indexed();
  auto& first = channel_program();
  first.send(wire::ask{1});
  const auto id = commit();
  enqueuer().send(announcement(id));
  leased(first);
  first.send(wire::bye{});
  until_closed(first);
  auto& second = channel_program();
  second.send(wire::ask{1});
  BOOST_TEST((leased(second) == std::vector{id}));
}

BOOST_AUTO_TEST_CASE(a_program_keeps_what_it_holds_over_a_restart_of_the_controller) {
  until_indexed();
  auto& before = channel_program();
  before.send(wire::ask{1});
  const auto held = commit();
  enqueuer().send(announcement(held));
  leased(before);
  kill_server();

  start();
  auto& p = channel_program("x", {held});
  auto& other = channel_program();
  other.send(wire::ask{10});
  const auto fresh = commit();
  until_indexed();
  enqueuer().send(announcement(fresh));
  BOOST_TEST((leased(other) == std::vector{fresh}));
  settle(other);
  BOOST_TEST(!other.has_frame());  // the held one is not for it

  write_state(held, queue::phase::finished);
  report(p, held, wire::outcome::finished);
  settle(p);
  BOOST_TEST(server->state().message_count() == 1u);
}

BOOST_AUTO_TEST_CASE(poll_tells_how_much_there_is_to_do) {
  until_indexed();
  auto& p = channel_program();
  auto& e = enqueuer();
  for (int i = 0; i < 3; ++i) e.send(announcement(commit()));
  settle(e);
  p.send(wire::poll{8, 1});
  const auto f = next(p);
  BOOST_REQUIRE((f.type == wire::frame_type::polled));
  const auto answer = decode<wire::polled>(f);
  BOOST_TEST(answer.token == 8u);
  BOOST_TEST(answer.pending == 3u);
  BOOST_TEST(answer.threads >= 1u);
}

BOOST_AUTO_TEST_CASE(after_stopping_a_program_gets_nothing_more) {
  until_indexed();
  auto& p = channel_program();
  p.send(wire::ask{10});
  p.send(wire::stopping{});
  settle(p);
  enqueuer().send(announcement(commit()));
  until([&] { return figures().ready == 1; }, "the message");
  settle(p);
  BOOST_TEST(!p.has_frame());
}

BOOST_AUTO_TEST_CASE(a_file_whose_announcements_were_lost_is_read) {
  until_indexed();
  const auto id = commit();
  auto q = announcement(id);
  q.messages.clear();
  enqueuer().send(q);
  auto& p = channel_program();
  p.send(wire::ask{1});
  BOOST_TEST((leased(p) == std::vector{id}));
}

BOOST_AUTO_TEST_CASE(announcements_for_a_channel_that_does_not_exist_are_ignored) {
  auto& e = enqueuer();
  const auto id = commit("x");
  e.send(announcement(id, "nosuch"));
  settle(e);
  BOOST_TEST(server->state().message_count() <= 1u);
  jobctl::channel_no none{};
  BOOST_TEST(!server->find_channel("nosuch", none));
  BOOST_TEST(!server->find_channel("../x", none));
}

BOOST_AUTO_TEST_SUITE_END()
