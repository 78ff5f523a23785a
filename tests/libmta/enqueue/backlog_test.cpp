// Mail for channels that the controller says are full.
#include "enqueue/backlog.hpp"

#include "enqueue/enqueuer.hpp"
#include "temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <fstream>
#include <sys/stat.h>

using namespace mta::enqueue;
using mta::errc;

namespace {

struct fixture {
  test::temporary_directory directory;
  const std::string path = directory.path() + "/full";

  void write(const std::string& text) {
    std::ofstream(path + ".new") << text;
    std::filesystem::rename(path + ".new", path);
  }
  /// As somebody sees it who begins now.
  bool room(std::string_view channel, backlog_limits which = backlog_limits::all) {
    return backlog_watch(path).check(channel, which).has_value();
  }
};

struct site {
  test::temporary_directory directory;
  std::shared_ptr<const mta::config::settings> settings = std::make_shared<const mta::config::settings>(
      mta::config::parse("[jobctl]\nhost = home.example\nbuiltin = no\naliases = " + directory.path() +
                             "/aliases\n[queue]\nreserve = 0\n[channel sms]\n[channel fax]\n"
                             "[routes]\nsms.example = sms\nfax.example = fax\n",
                         directory.path() + "/jobctl.conf", directory.path())
          .value());
  std::unique_ptr<enqueuer> queue;

  site() {
    std::ofstream(directory.path() + "/aliases") << "all: a@sms.example, b@fax.example\n";
    std::filesystem::create_directory(settings->run_directory());
    std::ofstream(settings->backlog_file()) << "fax 12 10\n";
    queue = enqueuer::open(settings).value();
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(backlog, fixture)

BOOST_AUTO_TEST_CASE(without_the_file_there_is_room) {
  BOOST_TEST(room("fax"));
  write("");
  BOOST_TEST(room("fax"));
}

BOOST_AUTO_TEST_CASE(what_the_file_names_is_full) {
  write("fax 12 10\n");
  BOOST_TEST(!room("fax"));
  BOOST_TEST(room("sms"));
  BOOST_TEST(!room("fax", backlog_limits::of_channels));
  BOOST_TEST(room("fax", backlog_limits::none));
  backlog_watch watch(path);
  const auto refused = watch.check("fax", backlog_limits::all);
  BOOST_REQUIRE(!refused);
  BOOST_TEST((refused.error().code == errc::try_later));
  BOOST_TEST(refused.error().context == "channel fax holds 12 messages, and its backlog_limit is 10");
}

BOOST_AUTO_TEST_CASE(a_full_queue_takes_what_is_only_passed_on) {
  write("* 500 400\n");
  BOOST_TEST(!room("fax"));
  BOOST_TEST(room("fax", backlog_limits::of_channels));
  BOOST_TEST(room("fax", backlog_limits::none));
}

BOOST_AUTO_TEST_CASE(a_file_that_nobody_keeps_up_says_nothing) {
  write("fax 12 10\n");
  for (const int seconds : {-60, +60}) {  // a controller that died; a clock that was set back
    struct timespec now {};
    ::clock_gettime(CLOCK_REALTIME, &now);
    const struct timespec times[2] = {{now.tv_sec + seconds, 0}, {now.tv_sec + seconds, 0}};
    BOOST_REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
    BOOST_TEST(room("fax"), seconds);
  }
}

BOOST_AUTO_TEST_CASE(a_change_is_seen_at_the_next_look_and_not_before) {
  backlog_watch watch(path);
  backlog_watch::clock::time_point now{};
  const auto has_room = [&] { return watch.check("fax", backlog_limits::all, now).has_value(); };
  BOOST_TEST(has_room());
  write("fax 12 10\n");
  now += backlog_look - std::chrono::nanoseconds(1);
  BOOST_TEST(has_room());
  now += std::chrono::nanoseconds(1);
  BOOST_TEST(!has_room());
  std::filesystem::remove(path);
  now += backlog_look - std::chrono::nanoseconds(1);
  BOOST_TEST(!has_room());
  now += std::chrono::nanoseconds(1);
  BOOST_TEST(has_room());
}

BOOST_AUTO_TEST_CASE(lines_that_are_none_are_left_out) {
  const std::vector<full_channel> all{{"", 7, 6}, {"fax", 2, 1}};
  BOOST_TEST((parse_backlog(backlog_text(all)) == all));
  BOOST_TEST(backlog_text(all) == "* 7 6\nfax 2 1\n");
  BOOST_TEST(parse_backlog("fax\nfax 1\nfax x 1\n 1 1\nfax 1 1 1\n\n").empty());
  BOOST_TEST((parse_backlog("fax 2 1") == std::vector<full_channel>{{"fax", 2, 1}}));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(submission_to_full_channels, site)

BOOST_AUTO_TEST_CASE(its_recipients_are_refused_for_now_and_others_taken) {
  auto s = queue->start("ann@home.example").value();
  const auto refused = s.add_recipient("bob@fax.example");
  BOOST_REQUIRE(!refused);
  BOOST_TEST((refused.error().code == errc::try_later));
  BOOST_TEST(refused.error().message() ==
             "address \"bob@fax.example\": channel fax holds 12 messages, and its backlog_limit is 10: not "
             "possible at present; try again later");
  BOOST_TEST(s.add_recipient("bob@sms.example").has_value());
  BOOST_TEST(s.recipients() == 1u);
}

BOOST_AUTO_TEST_CASE(an_alias_adds_all_or_nobody) {
  auto s = queue->start("ann@home.example").value();
  BOOST_TEST(!s.add_recipient("all@home.example"));
  BOOST_TEST(s.recipients() == 0u);
}

BOOST_AUTO_TEST_CASE(who_is_exempt_is_not_refused) {
  submission_options about;
  about.limits = backlog_limits::none;
  auto s = queue->start("", about).value();
  BOOST_TEST(s.add_recipient("bob@fax.example").has_value());
}

BOOST_AUTO_TEST_SUITE_END()
