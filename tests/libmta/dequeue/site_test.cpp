// What a program knows of its site: options, and where an address's mail goes (mta/program.hpp,
// mta/enqueue.hpp).
#include "tests/libmta/sdk/sdk_fixture.hpp"

#include <mta/enqueue.hpp>
#include <mta/program.hpp>

BOOST_AUTO_TEST_SUITE(program_and_site)

BOOST_AUTO_TEST_CASE(an_option_is_found_in_the_file_that_the_environment_names) {
  const test::site s("[channel x]\noption.color = blue\n");
  const std::string path = s.root() + "/given";
  std::ofstream(path) << "! comment\nCOLOR = red\nother=1\n color=green \r\n";
  const test::environment_variable file("PMDF_CHANNEL_OPTION", path.c_str());
  BOOST_TEST(mta::option_or("Color", "") == "green");
  BOOST_TEST(!mta::option("missing").has_value());
}

BOOST_AUTO_TEST_CASE(by_hand_an_option_is_found_in_the_channels_section) {
  const test::site s("[channel x]\noption.color = blue\n");
  BOOST_TEST(mta::option_or("COLOR", "") == "blue");
}

BOOST_AUTO_TEST_CASE(by_hand_an_option_is_found_in_the_channels_own_option_file) {
  const test::site s;
  const std::string path = s.root() + "/own.option";
  std::ofstream(path) << "COLOR=white\n";
  s.configure("[channel x]\noption_file = " + path + "\n");
  BOOST_TEST(mta::option_or("color", "none") == "white");
}

BOOST_AUTO_TEST_CASE(a_number_is_within_its_limits_or_an_error_that_names_them) {
  const test::site s(
      "[channel x]\noption.good = -7\noption.large = 99999999999999999999\noption.word = 5s\n");
  BOOST_TEST(mta::number_option("good", 1, -10, 10).value() == -7);
  BOOST_TEST(mta::number_option("missing", 42, 1, 10).value() == 42);
  const auto word = mta::number_option("word", 1, 1, 10);
  BOOST_REQUIRE(!word);
  BOOST_TEST((word.error().code == mta::errc::syntax));
  BOOST_TEST(word.error().context == R"(option word: "5s" must be a whole number from 1 to 10)");
  for (const char* name : {"good", "large"}) {
    const auto beyond = mta::number_option(name, 1, 1, 10);
    BOOST_REQUIRE(!beyond);
    BOOST_TEST((beyond.error().code == mta::errc::out_of_range), name);
  }
}

BOOST_AUTO_TEST_CASE(the_channel_of_an_address_depends_on_who_enqueues) {
  const test::site s("[channel x]\n[channel y]\n[routes]\n* = x\n[routes from x]\n* = y\n");
  BOOST_TEST(mta::channel_for("a@b.example").value() == "y");
  BOOST_TEST(mta::channel_for("a@b.example", "y").value() == "x");
  const auto refused = mta::channel_for("a b@b.example");
  BOOST_REQUIRE(!refused);
  BOOST_TEST((refused.error().code == mta::errc::rejected));
}

BOOST_AUTO_TEST_SUITE_END()
