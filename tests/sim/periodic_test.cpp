// Commands at certain times, over days with restarts, clocks that are set, and summer time.
#include "jobctl/controller/periodic.hpp"

#include "config/schedule.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <ctime>
#include <map>

using namespace jobctl;
using namespace std::chrono_literals;

namespace {

constexpr time_point midnight{std::chrono::sys_days(std::chrono::year(2026) / 3 / 28)};

periodic_limits job(std::string name, mta::config::run_schedule schedule, bool run_missed = false) {
  periodic_limits l;
  l.name = std::move(name);
  l.next = [schedule](time_point t) { return mta::config::next_run(schedule, t); };
  l.interval = schedule.at.empty();
  l.run_missed = run_missed;
  return l;
}
periodic_limits daily(bool run_missed = false) { return job("daily", {{120min}, {}}, run_missed); }
periodic_limits quarter(bool run_missed = false) { return job("quarter", {{}, 15min}, run_missed); }

// A server that does what it is told; a run takes `takes`.
struct site {
  explicit site(std::vector<periodic_limits> l, time_point t = midnight) : limits(std::move(l)), now(t) {
    jobs.configure(now, limits);
  }
  void until(time_point t) {
    while (true) {
      time_point next = jobs.next_deadline();
      for (const auto& [name, end] : ends) next = std::min(next, end);
      if (next > t) break;
      now = std::max(now, next);
      turn();
    }
    now = t;
    turn();
  }
  void turn() {
    for (auto at = ends.begin(); at != ends.end();) {
      if (at->second > now) {
        ++at;
        continue;
      }
      jobs.ended(now, at->first, true, "exited with status 0");
      at = ends.erase(at);
    }
    for (const auto& o : jobs.step(now)) {
      if (o.todo == periodic_jobs::order::what::start) {
        BOOST_REQUIRE(!ends.contains(o.name));  // never two at a time
        runs[o.name].push_back(now);
        ends[o.name] = now + takes;
      } else if (o.todo == periodic_jobs::order::what::terminate) {
        ++terminated;
        ends[o.name] = now;
      } else {
        ++reports;
      }
    }
  }
  void restart() {
    const auto kept = jobs.status();
    jobs = periodic_jobs();
    ends.clear();
    auto known = kept;
    for (auto& s : known) s.running = false;
    jobs.configure(now, limits, known);
    turn();
  }

  std::vector<periodic_limits> limits;
  time_point now;
  periodic_jobs jobs;
  std::chrono::milliseconds takes = 10s;
  std::map<std::string, time_point> ends;
  std::map<std::string, std::vector<time_point>> runs;
  int terminated = 0, reports = 0;
};

struct in_utc {
  in_utc() { set("UTC0"); }
  ~in_utc() { set("UTC0"); }
  static void set(const char* zone) {
    ::setenv("TZ", zone, 1);
    ::tzset();
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(periodic, in_utc)

BOOST_AUTO_TEST_CASE(jobs_run_when_they_are_due) {
  site s({daily(), quarter()});
  s.until(midnight + 10 * 24h);
  BOOST_TEST(s.runs["daily"].size() == 10u);
  BOOST_TEST(s.runs["quarter"].size() == 960u);
  for (const auto t : s.runs["daily"]) BOOST_TEST(((t - midnight) % 24h == 2h));
  BOOST_TEST(s.reports == 0);
  BOOST_TEST(s.jobs.status()[0].runs == 10u);
}

BOOST_AUTO_TEST_CASE(a_run_that_takes_too_long_is_not_overlapped_and_ends_at_its_timeout) {
  site s({quarter()});
  s.takes = 40min;
  s.until(midnight + 2h);
  // 00:15 to 00:55 (00:30, 00:45 skipped), 01:00 to 01:40 (01:15, 01:30 skipped), 01:45
  BOOST_TEST(s.runs["quarter"].size() == 3u);
  BOOST_TEST(s.jobs.status()[0].skipped == 5u);  // and 02:00
  s.takes = 100h;
  s.until(midnight + 6h);
  BOOST_TEST(s.terminated >= 3);
  BOOST_TEST(s.runs["quarter"].size() >= 6u);
}

BOOST_AUTO_TEST_CASE(a_restart_moves_nothing_and_repeats_nothing) {
  site s({daily(), quarter()});
  for (int hour = 1; hour <= 48; ++hour) {
    s.until(midnight + std::chrono::hours(hour) + 7min);
    s.restart();
  }
  BOOST_TEST(s.runs["daily"].size() == 2u);
  BOOST_TEST(s.runs["quarter"].size() == 4u * 48);
  s.until(midnight + 50h);
  s.restart();  // at the very moment
  s.until(midnight + 51h);
  BOOST_TEST(s.runs["daily"].size() == 3u);
}

BOOST_AUTO_TEST_CASE(missed_runs_are_made_up_for_once_or_skipped) {
  for (const bool run : {false, true}) {
    site s({daily(run), quarter(run)});
    s.until(midnight + 1h);
    s.now = midnight + 3 * 24h + 5h + 7min;  // nobody was there for three days
    s.restart();
    BOOST_TEST(s.runs["daily"].size() == (run ? 1u : 0u));
    BOOST_TEST(s.runs["quarter"].size() == (run ? 5u : 4u));
    BOOST_TEST(s.reports == (run ? 0 : 2));
    s.until(midnight + 4 * 24h + 3h);
    BOOST_TEST(s.runs["daily"].size() == (run ? 2u : 1u));
  }
}

BOOST_AUTO_TEST_CASE(clocks_that_are_set_repeat_no_daily_run_and_lose_none) {
  site s({daily(), quarter()});
  s.until(midnight + 2h + 30min);
  BOOST_TEST(s.runs["daily"].size() == 1u);
  s.now -= 1h;  // 01:30: the run of 02:00 was today's
  s.turn();
  s.until(midnight + 3h + 1min);
  BOOST_TEST(s.runs["daily"].size() == 1u);
  s.now -= 24h;  // yesterday's 03:01: 02:00 comes again, a day later by this clock
  s.turn();
  const auto quarters = s.runs["quarter"].size();
  s.until(midnight + 2h + 30min);
  BOOST_TEST(s.runs["daily"].size() == 2u);
  BOOST_TEST(s.runs["quarter"].size() == quarters + 94);
  s.now += 24h;  // tomorrow's 02:30: its run of 02:00 is 30 minutes late, and missed
  s.turn();
  BOOST_TEST(s.runs["daily"].size() == 2u);
  s.until(midnight + 2 * 24h + 3h);
  BOOST_TEST(s.runs["daily"].size() == 3u);
}

BOOST_AUTO_TEST_CASE(summer_time_begins_and_ends_with_one_run_a_day) {
  set("CET-1CEST,M3.5.0/2,M10.5.0/3");
  for (const auto start : {midnight, midnight + 210 * 24h}) {  // 28 March, 24 October
    site s({job("early", {{150min}, {}})}, start);
    s.until(start + 4 * 24h);
    BOOST_TEST(s.runs["early"].size() == 4u);
  }
}

BOOST_AUTO_TEST_CASE(an_operator_runs_one_now_but_not_twice) {
  site s({daily()});
  BOOST_TEST((s.jobs.run_now(s.now, "daily") == periodic_jobs::answer::started));
  BOOST_TEST((s.jobs.run_now(s.now, "daily") == periodic_jobs::answer::running));
  BOOST_TEST((s.jobs.run_now(s.now, "weekly") == periodic_jobs::answer::unknown));
  s.jobs.ended(s.now + 1s, "daily", false, "exited with status 3");
  BOOST_TEST(s.jobs.status()[0].failures == 1u);
  BOOST_TEST((s.jobs.status()[0].next == midnight + 2h));
}

BOOST_AUTO_TEST_CASE(new_schedules_count_at_once_and_what_runs_goes_on) {
  site s({daily(), quarter()});
  s.until(midnight + 2h);
  BOOST_TEST(s.jobs.status()[0].running);
  s.limits = {quarter()};
  s.jobs.configure(s.now, s.limits);
  BOOST_TEST(s.jobs.status().size() == 2u);
  s.until(midnight + 3h);
  BOOST_TEST(s.jobs.status().size() == 1u);
  s.jobs.configure(s.now, {});
  BOOST_TEST((s.jobs.next_deadline() == time_point::max()));
}

BOOST_AUTO_TEST_SUITE_END()
