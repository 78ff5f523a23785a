// What becomes of a channel whose program reports that its target is overloaded.
#include "jobctl/controller/controller.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <variant>
#include <vector>

using namespace jobctl;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

time_point at(int second) { return time_point(minutes(30'000'000) + seconds(second)); }

/// Ten programs at work, and much to do.
struct site {
  controller jc{with_limits()};
  channel_no channel = jc.channel("store");
  std::uint64_t last_worker = 0;
  std::vector<action::report> told;
  std::uint32_t stopped = 0;

  static jobctl::limits with_limits() {
    jobctl::limits l;
    l.pools.push_back({"default", 10});
    channel_limits c;
    c.name = "store";
    c.max_jobs = 100;
    c.thread_depth = 4;
    for (auto& schedule : c.backoff) schedule = {minutes(60)};
    l.channels.push_back(c);
    return l;
  }
  site() {
    std::vector<new_message> all(4000);
    for (std::uint32_t i = 0; i < all.size(); ++i) {
      all[i].slot = i;
      all[i].committed = at(0);
    }
    jc.messages_found(at(0), channel, {mta::queue::file_number{7}, 1}, 4096, true, all);
    act(at(0));
    BOOST_REQUIRE(jc.figures(channel).jobs == 10u);
  }
  /// Launched programs connect; those that are told to stop leave at once.
  void act(time_point now) {
    for (auto list = jc.take_actions(); !list.empty(); list = jc.take_actions())
      for (const auto& any : list) {
        if (const auto* a = std::get_if<action::launch>(&any)) {
          jc.job_started(now, a->job, 1000 + static_cast<int>(a->job));
          const worker_no w{++last_worker};
          jobs[w] = a->job;
          jc.worker_connected(now, w, channel, a->job, 1, {});
        } else if (const auto* s = std::get_if<action::stop_worker>(&any)) {
          ++stopped;
          BOOST_TEST(s->why == "its target is stressed");
          jc.worker_gone(now, s->worker);
          jc.job_exited(now, jobs.at(s->worker), true, "exited with status 0");
          jobs.erase(s->worker);
        } else if (const auto* r = std::get_if<action::report>(&any)) {
          if (r->about != action::subject::other) told.push_back(*r);
        }
      }
    BOOST_TEST(jc.check_invariants() == "");
  }
  void report(int second) { report(second, jobs.begin()->first); }
  void report(int second, worker_no w) {
    jc.worker_stressed(at(second), w, "busy");
    act(at(second));
  }
  /// What the clock does until then.
  void pass(int second) {
    while (jc.next_deadline() <= at(second)) {
      const time_point t = jc.next_deadline();
      jc.clock(t);
      act(t);
    }
    jc.clock(at(second));
    act(at(second));
  }
  std::uint32_t programs() { return jc.figures(channel).jobs; }
  stress_figures now() {
    stress_figures f;
    BOOST_TEST(jc.find_stress(channel, f));
    return f;
  }

  std::map<worker_no, job_no> jobs;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(stress, site)

BOOST_AUTO_TEST_CASE(there_are_fewer_programs_and_a_thread_for_more_messages) {
  report(10);
  BOOST_TEST(programs() == 8u);  // of a limit of 10 by the pool, not of maxjobs
  BOOST_TEST(now().max_jobs == 8u);
  BOOST_TEST(now().thread_depth == 20u);
  BOOST_TEST((now().relaxes == at(130) && now().reported == at(10) && now().why == "busy"));
  BOOST_TEST(jc.figures(channel).stressed);
  BOOST_REQUIRE(told.size() == 1u);
  BOOST_TEST((told[0].about == action::subject::channel_stressed && told[0].channel == channel));
  BOOST_TEST(told[0].text.find("(busy)") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(reports_within_the_blackout_only_put_off_the_relaxing) {
  report(10);
  for (int second = 11; second < 70; second += 10) report(second);
  BOOST_TEST(programs() == 8u);
  BOOST_TEST(told.size() == 1u);
  BOOST_TEST((now().relaxes == at(61 + 120)));
  report(70);  // 60 s after the one that counted
  BOOST_TEST(programs() == 6u);
  BOOST_TEST(now().thread_depth == 100u);
  BOOST_TEST(told.size() == 2u);
}

BOOST_AUTO_TEST_CASE(one_program_always_stays) {
  for (int n = 0; n < 20; ++n) report(10 + 60 * n);
  BOOST_TEST(programs() == 1u);
  BOOST_TEST(now().max_jobs == 1u);
  BOOST_TEST(now().thread_depth == 4'000'000u);
}

BOOST_AUTO_TEST_CASE(it_relaxes_in_steps_when_nothing_more_is_reported) {
  report(10);
  report(70);
  report(130);
  BOOST_TEST(programs() == 4u);
  pass(249);
  BOOST_TEST(programs() == 4u);
  pass(250);
  BOOST_TEST(programs() == 6u);
  BOOST_TEST(now().thread_depth == 100u);
  pass(370);
  BOOST_TEST(programs() == 8u);
  pass(489);
  BOOST_TEST(jc.figures(channel).stressed);
  pass(490);
  BOOST_TEST(programs() == 10u);
  BOOST_TEST(!jc.figures(channel).stressed);
  BOOST_TEST((told.back().about == action::subject::channel_relaxed));
  stress_figures none;
  BOOST_TEST(!jc.find_stress(channel, none));
}

BOOST_AUTO_TEST_CASE(the_settings_are_those_of_the_moment) {
  report(10);
  auto l = with_limits();
  l.channels[0].stress = {seconds(1), 2, 3, seconds(5), 100, 100, seconds(1)};
  jc.configure(at(20), l);
  act(at(20));
  report(21);
  BOOST_TEST(programs() == 5u);
  BOOST_TEST(now().thread_depth == 40u);
  pass(26);
  BOOST_TEST(!jc.figures(channel).stressed);
  BOOST_TEST(programs() == 10u);
}

BOOST_AUTO_TEST_CASE(nobody_else_reports) {
  report(10, worker_no{99});
  BOOST_TEST(!jc.figures(channel).stressed);
  BOOST_TEST(told.empty());
}

BOOST_AUTO_TEST_SUITE_END()
