// Delivery windows and the times of periodic jobs, over weeks, midnights and changes to and from summer time.
#include "config/schedule.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <ctime>

using namespace mta::config;
using namespace std::chrono_literals;
namespace chrono = std::chrono;

namespace {

// Central Europe in 2026: summer time from 29 March 01:00 UTC to 25 October 01:00 UTC.
struct in_berlin {
  in_berlin() {
    if (const char* set = std::getenv("TZ")) before = set;
    ::setenv("TZ", "CET-1CEST,M3.5.0/2,M10.5.0/3", 1);
    ::tzset();
  }
  ~in_berlin() {
    if (before.empty())
      ::unsetenv("TZ");
    else
      ::setenv("TZ", before.c_str(), 1);
    ::tzset();
  }
  std::string before;
};

instant utc(unsigned month, unsigned day, int hour, int minute = 0, int second = 0) {
  return chrono::sys_days(chrono::year(2026) / static_cast<int>(month) / static_cast<int>(day)) +
         chrono::hours(hour) + chrono::minutes(minute) + chrono::seconds(second);
}
delivery_window window(std::string_view text) {
  const auto w = parse_window(text);
  BOOST_REQUIRE_MESSAGE(w, text);
  return *w;
}
bool open(const delivery_window& w, instant t) { return opening_at(w, t).open; }

}  // namespace

BOOST_FIXTURE_TEST_SUITE(schedules, in_berlin)

BOOST_AUTO_TEST_CASE(working_hours_are_open_in_local_time) {
  const auto w = window("Mon-Fri 08:00-18:00, Sat 09:00-12:00");
  BOOST_TEST(!open(w, utc(11, 20, 6, 59, 59)));  // a Friday; 07:59:59 in winter time
  BOOST_TEST(open(w, utc(11, 20, 7)));
  BOOST_TEST(open(w, utc(11, 20, 16, 59)));
  BOOST_TEST(!open(w, utc(11, 20, 17)));
  BOOST_TEST(open(w, utc(11, 21, 8)));    // Saturday
  BOOST_TEST(!open(w, utc(11, 22, 10)));  // Sunday
  BOOST_TEST(open(w, utc(7, 3, 6)));      // 08:00 in summer time
  BOOST_TEST((opening_at(w, utc(11, 20, 12)).until == utc(11, 20, 17)));
  BOOST_TEST((opening_at(w, utc(11, 20, 17)).until == utc(11, 21, 8)));
  BOOST_TEST((opening_at(w, utc(11, 21, 11)).until == utc(11, 23, 7)));
}

BOOST_AUTO_TEST_CASE(always_is_open_for_ever) {
  BOOST_TEST(window("always").empty());
  BOOST_TEST(opening_at({}, utc(1, 1, 0)).open);
  BOOST_TEST((opening_at({}, utc(1, 1, 0)).until == instant::max()));
}

BOOST_AUTO_TEST_CASE(a_night_belongs_to_the_day_on_which_it_begins) {
  const auto w = window("Fri 22:00-06:00");
  BOOST_TEST(open(w, utc(11, 20, 21)));
  BOOST_TEST(open(w, utc(11, 21, 4, 59)));
  BOOST_TEST(!open(w, utc(11, 21, 5)));
  BOOST_TEST(!open(w, utc(11, 21, 21)));
}

BOOST_AUTO_TEST_CASE(ranges_that_meet_are_one_opening) {
  const auto w = window("Sat, Sun 00:00-12:00");
  BOOST_TEST((opening_at(w, utc(11, 21, 10)).until == utc(11, 22, 11)));
  BOOST_TEST((opening_at(window("Mon-Sun 00:00-24:00"), utc(11, 21, 10)).until > utc(11, 25, 0)));
  const auto twice = window("08:00-12:00, 10:00-14:00");
  BOOST_TEST((opening_at(twice, utc(11, 21, 8)).until == utc(11, 21, 13)));
}

BOOST_AUTO_TEST_CASE(the_hour_that_comes_twice_is_open_both_times) {
  const auto w = window("02:00-03:00");  // of 25 October: 00:00 to 02:00 UTC
  BOOST_TEST(!open(w, utc(10, 24, 23, 59)));
  BOOST_TEST(open(w, utc(10, 25, 0, 30)));
  BOOST_TEST(open(w, utc(10, 25, 1, 30)));
  BOOST_TEST(!open(w, utc(10, 25, 2)));
}

BOOST_AUTO_TEST_CASE(an_hour_that_does_not_come_is_not_open) {
  const auto w = window("02:00-03:00");  // of 29 March: 02:00 is followed by 03:00
  for (int minute = -120; minute < 180; minute += 7)
    BOOST_TEST(!open(w, utc(3, 29, 1) + chrono::minutes(minute)));
  BOOST_TEST(open(w, utc(3, 30, 0, 30)));
}

BOOST_AUTO_TEST_CASE(whatever_is_open_now_was_predicted) {
  const auto w = window("Mon-Fri 08:00-18:00, Sat 01:30-02:30, Sun 02:15-04:45, 23:00-01:00");
  for (instant t = utc(3, 20, 0); t < utc(11, 5, 0);) {
    const opening now = opening_at(w, t);
    BOOST_TEST_REQUIRE((now.until > t));
    BOOST_TEST_REQUIRE(open(w, now.until - 1ms) == now.open);
    BOOST_TEST_REQUIRE(open(w, now.until) != now.open);
    t = now.until;
  }
}

BOOST_AUTO_TEST_CASE(a_window_is_written_as_it_is_read) {
  for (const char* text :
       {"always", "mon-fri 08:00-18:00, sat 09:00-12:00", "22:00-06:00", "sun 00:00-24:00"})
    BOOST_TEST(to_text(window(text)) == text);
  BOOST_TEST(to_text(window("Sat-Mon 1:00-2:00")) == "mon 01:00-02:00, sat-sun 01:00-02:00");
  BOOST_TEST((window(to_text(window("Sat-Mon 1:00-2:00"))).size() == 2u));
}

BOOST_AUTO_TEST_CASE(what_is_no_window_is_refused) {
  for (const char* text :
       {"", "never", "08:00", "Mon-", "Mon 08:00", "Mon 08:00-08:00", "Mon 25:00-26:00", "Mon 08:60-09:00",
        "Mond 08:00-09:00", "Mon 08:00-09:00,", "Mon Tue 08:00-09:00", "08:00 - 09:00", "24:00-02:00"})
    BOOST_TEST(!parse_window(text), text);
}

BOOST_AUTO_TEST_CASE(times_of_the_day_come_once_a_day) {
  const run_schedule s{*parse_times("02:30, 14:00"), {}};
  BOOST_TEST((next_run(s, utc(11, 20, 0)) == utc(11, 20, 1, 30)));
  BOOST_TEST((next_run(s, utc(11, 20, 1, 30)) == utc(11, 20, 13)));
  BOOST_TEST((next_run(s, utc(11, 20, 13)) == utc(11, 21, 1, 30)));
  // 29 March has no 02:30: it is 03:30, once. 25 October has two: it is the first.
  BOOST_TEST((next_run(s, utc(3, 28, 13)) == utc(3, 29, 1, 30)));
  BOOST_TEST((next_run(s, utc(3, 29, 1, 30)) == utc(3, 29, 12)));
  BOOST_TEST((next_run(s, utc(10, 24, 12)) == utc(10, 25, 0, 30)));
  BOOST_TEST((next_run(s, utc(10, 25, 0, 30)) == utc(10, 25, 13)));
  int runs = 0;
  for (instant t = utc(1, 1, 0); (t = next_run(s, t)) < utc(12, 31, 0);) ++runs;
  BOOST_TEST(runs == 2 * 364);
}

BOOST_AUTO_TEST_CASE(intervals_stay_where_they_are_whenever_one_asks) {
  const run_schedule s{{}, 15min};
  BOOST_TEST((next_run(s, utc(11, 20, 0)) == utc(11, 20, 0, 15)));
  BOOST_TEST((next_run(s, utc(11, 20, 0, 14, 59)) == utc(11, 20, 0, 15)));
  BOOST_TEST((next_run({}, utc(11, 20, 0)) == instant::max()));
}

BOOST_AUTO_TEST_CASE(times_are_read_and_written) {
  BOOST_TEST(times_text(*parse_times("2:00,14:05")) == "02:00, 14:05");
  for (const char* text : {"", "24:00", "14:00, 02:00", "02:00 14:00", "2", "02:00,"})
    BOOST_TEST(!parse_times(text), text);
}

BOOST_AUTO_TEST_SUITE_END()
