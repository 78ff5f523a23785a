// What a reload says it changes, and what is said of settings without effect.
#include "jobctl/server/setting_changes.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace jobctl;

namespace {

mta::config::settings site(const std::string& text) {
  auto read = mta::config::parse("[jobctl]\nhost = a.example\nbuiltin = no\n" + text, "/srv/x.conf");
  BOOST_REQUIRE_MESSAGE(read, read.error().text());
  return std::move(*read);
}
using lines = std::vector<std::string>;

}  // namespace

BOOST_AUTO_TEST_SUITE(changes_of_settings)

BOOST_AUTO_TEST_CASE(each_setting_that_changes_is_named_with_its_old_and_new_value) {
  const auto before =
      site("[channel x]\nprogram = /bin/x\nmaxjobs = 5\n[routes]\na.example = x\nb.example = x\n");
  const auto after = site(
      "[channel x]\nprogram = /bin/x --new\nmaxjobs = 7\noption.a = 1\n[routes]\na.example = x via "
      "g.example\n"
      "[queue]\nsync_interval = 5s\n");
  const lines expected = {"[channel x] maxjobs: 5 -> 7",
                          "[channel x] option.a: none -> 1",
                          "[channel x] program: /bin/x -> /bin/x --new",
                          "[queue] sync_interval: 1m -> 5s",
                          "[routes] a.example: x -> x via g.example",
                          "[routes] b.example: x -> none"};
  BOOST_TEST(setting_changes(before, after) == expected, boost::test_tools::per_element());
  BOOST_TEST(setting_changes(after, after).empty());
}

BOOST_AUTO_TEST_CASE(what_is_new_or_gone_is_one_line) {
  const auto before = site("[pool A]\n[channel x]\n");
  const auto after = site("[pool A]\n[pool B]\n[channel x]\n[periodic p]\ncommand = /bin/p\nevery = 1h\n");
  const lines expected = {"[periodic p]: new", "[pool B]: new"};
  BOOST_TEST(setting_changes(before, after) == expected, boost::test_tools::per_element());
  const lines gone = {"[periodic p]: gone", "[pool B]: gone"};
  BOOST_TEST(setting_changes(after, before) == gone, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(settings_without_effect_are_named_with_the_reason) {
  BOOST_TEST(
      ineffective_settings(site("[channel x]\nprogram = /bin/x\nthreaddepth = 3\nmaxjobs = 5\n")).empty());
  const lines unlimited = {"[channel waits] memory_max has no effect: the channel has no program"};
  BOOST_TEST(ineffective_settings(site("[channel waits]\nmemory_max = 1G\n")) == unlimited,
             boost::test_tools::per_element());
  const lines expected = {"[channel waits] threaddepth has no effect: the channel has no program",
                          "[channel x] maxjobs has no effect: 20 is more than the job_limit of pool A, 4",
                          "[pool B] has no effect: no channel is in it"};
  BOOST_TEST(ineffective_settings(site("[pool A]\njob_limit = 4\n[pool B]\n[channel waits]\nthreaddepth = 3\n"
                                       "[channel x]\nprogram = /bin/x\nmaxjobs = 20\n")) == expected,
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_does_not_follow_at_once_is_noted) {
  const std::string x = "[channel x]\nprogram = /bin/x\n", y = "[channel y]\nprogram = /bin/y\n";
  BOOST_TEST(notes_of_changes(site(x + y), site(x + "maxjobs = 2\n" + y)).empty());
  const auto renewed = notes_of_changes(site(x + y), site(x + "option.a = 1\n" + y));
  BOOST_REQUIRE(renewed.size() == 1u);
  BOOST_TEST(renewed[0].starts_with("programs of x that run go on"), renewed[0]);
  const std::string limited = x + "memory_max = 1G\n";
  const auto confined = notes_of_changes(site(x), site(limited));
  BOOST_REQUIRE(confined.size() == 1u);
  BOOST_TEST(confined[0].starts_with("programs of x that run go on"), confined[0]);
  BOOST_TEST(notes_of_changes(site(limited), site(limited + "cpu_max = 50\n")).empty());
  const auto all = notes_of_changes(site(x), site(x + "[dequeue]\nmax_attempts = 7\n"));
  BOOST_REQUIRE(all.size() == 1u);
  BOOST_TEST(all[0].starts_with("programs of all channels"), all[0]);
  const auto gone = notes_of_changes(site(x + y), site(x));
  BOOST_REQUIRE(gone.size() == 1u);
  BOOST_TEST(gone[0].starts_with("[channel y] is gone"), gone[0]);
}

BOOST_AUTO_TEST_SUITE_END()
