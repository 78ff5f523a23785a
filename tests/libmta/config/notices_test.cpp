// What a site says about notifications: ages, copies for the postmaster, texts.
#include "config/settings.hpp"

#include <boost/test/unit_test.hpp>

using namespace mta::config;
using namespace std::chrono_literals;

namespace {

settings read(const std::string& text) {
  auto read = parse(text, "/srv/site.conf");
  BOOST_REQUIRE_MESSAGE(read, read.error().text());
  return std::move(*read);
}
std::string complaint(const std::string& text) {
  const auto read = parse(text, "site.conf");
  return read ? "no complaint" : read.error().text();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(settings_of_notifications)

BOOST_AUTO_TEST_CASE(without_a_word_mail_is_warned_about_at_3_6_and_9_days_and_returned_at_12) {
  const settings s = read("");
  for (const channel& c : s.channels)
    for (const auto& schedule : c.notices)
      BOOST_TEST((schedule == notice_schedule{3 * 24h, 6 * 24h, 9 * 24h, 12 * 24h}));
  BOOST_TEST((s.channels[0].send_post == post_copy::never));
  BOOST_TEST(s.templates_directory() == "/srv/templates");
  BOOST_TEST(s.notify.content_limit == 1024u * 1024);
}

BOOST_AUTO_TEST_CASE(ages_are_given_for_all_priorities_or_for_one_and_numbers_alone_are_days) {
  const settings s = read(
      "[channel x]\nnotices = 3 6, 9\nurgentnotices = 1h PT4H\nnonurgentnotices = never\nsendpost = "
      "errors\nwarnpost = Always\n"
      "[notify]\ntemplates = /etc/texts/\ncontent_limit = 2M\nname = Mail\n");
  const channel& c = *s.find_channel("x");
  BOOST_TEST((c.notices[0] == notice_schedule{1h, 4h}));
  BOOST_TEST((c.notices[1] == notice_schedule{3 * 24h, 6 * 24h, 9 * 24h}));
  BOOST_TEST(c.notices[2].empty());
  BOOST_TEST((c.send_post == post_copy::errors));
  BOOST_TEST((c.warn_post == post_copy::always));
  BOOST_TEST(s.templates_directory() == "/etc/texts");
  BOOST_TEST(s.notify.content_limit == 2u << 20);
  BOOST_TEST(s.notify.name == "Mail");
  const settings again = read(to_text(s));
  BOOST_TEST(to_text(again) == to_text(s));
  BOOST_TEST((again.find_channel("x")->notices == c.notices));
  BOOST_TEST((again.find_channel("x")->warn_post == post_copy::always));
}

BOOST_AUTO_TEST_CASE(mistakes_are_named) {
  const std::string ages =
      "expected 1 to 5 increasing ages from 1s to 366d, such as \"1d 2d 5d\" (a number alone is days), or "
      "\"never\", "
      "found ";
  for (const std::string wrong : {"3 3", "6 3", "1 2 3 4 5 6", "0", "367", "500ms", "soon", "1d never"})
    BOOST_TEST(complaint("[channel x]\nnotices = " + wrong + "\n") ==
               "site.conf:2: [channel x] notices: " + ages + '"' + wrong + '"');
  BOOST_TEST(complaint("[channel x]\nsendpost = yes\n") ==
             "site.conf:2: [channel x] sendpost: expected never, errors (when the sender cannot be told), "
             "copy (unless the "
             "sender is empty) or always, found \"yes\"");
  BOOST_TEST(
      complaint("[notify]\nname = J\xC3\xB6rg\n") ==
      "site.conf:2: [notify] name: expected a name of 1 to 256 ASCII characters, found \"J\xC3\xB6rg\"");
  BOOST_TEST(complaint("[notify]\ntemplates = texts\n").find("an absolute path") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
