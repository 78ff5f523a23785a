// Scheduling in time: delivery windows, retries that are spread, programs that have lived long enough,
// restarts.
#include "jobctl/controller/controller.hpp"
#include "queue/spread.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <set>
#include <vector>

using namespace jobctl;
using namespace std::chrono_literals;

namespace {

// Open from 08:00 to 18:00 UTC, every day.
delivery_hours office_hours(time_point t) {
  const auto day = std::chrono::floor<std::chrono::days>(t);
  const auto at = t - day;
  if (at < 8h) return {false, day + 8h};
  if (at < 18h) return {true, day + 18h};
  return {false, day + 24h + 8h};
}

channel_limits one_channel(std::uint32_t max_jobs = 1) {
  channel_limits c;
  c.name = "l";
  c.max_jobs = max_jobs;
  c.threads_per_job = 10;
  for (auto& schedule : c.backoff) schedule = {std::chrono::minutes(30)};
  return c;
}

// A controller with programs that are launched at once and do with every message what the test wants, at
// once.
struct site {
  explicit site(const channel_limits& c, time_point start = time_point{} + 20'000 * 24h) : now(start) {
    l.pools.push_back({"DEFAULT", 100});
    l.channels.push_back(c);
    open();
  }
  void open() {
    jc = std::make_unique<controller>(l);
    channel = jc->channel("l");
    jc->configure(now, l);
  }
  void queue(std::uint32_t count, mta::queue::priority p = priority::normal, const new_message& like = {}) {
    std::vector<new_message> found(count, like);
    for (std::uint32_t s = 0; s < count; ++s) {
      found[s].slot = s;
      found[s].committed = now;
      found[s].priority = p;
    }
    jc->messages_found(now, channel, {mta::queue::file_number{++files}, 1}, count, true, found);
    work();
  }
  // Until nothing more happens at this moment.
  void work() {
    for (auto actions = jc->take_actions(); !actions.empty(); actions = jc->take_actions())
      for (auto& a : actions) {
        if (const auto* launch = std::get_if<action::launch>(&a)) {
          ++launches;
          programs[++last_program] = launch->job;
          most_programs = std::max(most_programs, programs.size());
          jc->worker_connected(now, worker_no{last_program}, channel, launch->job, 10, {});
          jc->worker_asks(now, worker_no{last_program}, 100);
        } else if (const auto* lease = std::get_if<action::lease>(&a)) {
          const auto w = static_cast<std::uint64_t>(lease->worker);
          std::vector<message_result> results;
          for (const auto& m : lease->messages) {
            ++leased[m.priority];
            ++given[w];
            results.push_back({m.id, does, {}});
          }
          if (slow) continue;
          jc->results(now, lease->worker, results);
          jc->worker_asks(now, lease->worker, static_cast<std::uint32_t>(results.size()));
        } else if (const auto* stop = std::get_if<action::stop_worker>(&a)) {
          why = stop->why;
          const auto w = static_cast<std::uint64_t>(stop->worker);
          jc->worker_gone(now, stop->worker);
          jc->job_exited(now, programs.at(w), true, "exited with status 0");
          programs.erase(w);
        }
      }
    // It looks at everything, so of a large queue not every time.
    if (jc->message_count() < 2000 || ++steps % 1000 == 0) BOOST_REQUIRE_EQUAL(jc->check_invariants(), "");
  }
  // The clock moves on, from one deadline to the next as the server does it.
  void until(time_point t) {
    while (jc->next_deadline() <= t) {
      now = std::max(now, jc->next_deadline());
      jc->clock(now);
      work();
    }
    now = t;
    jc->clock(now);
    work();
  }

  limits l;
  time_point now;
  std::unique_ptr<controller> jc;
  channel_no channel{};
  std::uint64_t files = 0, last_program = 0, launches = 0, steps = 0;
  std::size_t most_programs = 0;
  std::map<std::uint64_t, job_no> programs;
  std::map<mta::queue::priority, std::uint64_t> leased;
  std::map<std::uint64_t, std::uint64_t> given;
  std::string why;
  outcome does = outcome::finished;
  bool slow = false;  // keeps what it is given
};

channel_limits with_hours() {
  channel_limits c = one_channel();
  for (auto& h : c.hours) h = office_hours;
  c.hours[0] = nullptr;  // urgent mail may always pass
  return c;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(scheduling_in_time)

BOOST_AUTO_TEST_CASE(outside_its_window_mail_waits_and_urgent_mail_passes) {
  site s(with_hours());  // midnight
  s.queue(1000);
  s.queue(10, priority::urgent);
  BOOST_TEST(s.leased[priority::normal] == 0u);
  BOOST_TEST(s.leased[priority::urgent] == 10u);
  BOOST_TEST(s.jc->figures(s.channel).ready == 1000u);
  BOOST_TEST((s.jc->figures(s.channel).hours_change == time_point{} + 20'000 * 24h + 8h));
  s.until(s.now + 7h + 59min + 59s);
  BOOST_TEST(s.leased[priority::normal] == 0u);
  BOOST_TEST(s.launches == 1u);
  s.until(s.now + 1s);
  BOOST_TEST(s.leased[priority::normal] == 1000u);
  BOOST_TEST(s.jc->message_count() == 0u);
  s.until(s.now + 10h);
  s.queue(5);
  BOOST_TEST(s.jc->message_count() == 5u);
}

BOOST_AUTO_TEST_CASE(no_program_is_launched_for_mail_that_waits_for_its_window) {
  site s(with_hours());
  s.queue(1000);
  s.until(s.now + 7h);
  BOOST_TEST(s.launches == 0u);
  s.until(s.now + 1h);
  BOOST_TEST(s.launches == 1u);
}

BOOST_AUTO_TEST_CASE(windows_follow_a_clock_that_is_set_by_a_day_and_by_hours) {
  site s(with_hours());
  s.until(s.now + 9h);
  s.queue(1);
  BOOST_TEST(s.leased[priority::normal] == 1u);  // open
  s.now -= 24h;                                  // 09:00 of the day before
  s.queue(1);
  BOOST_TEST(s.leased[priority::normal] == 2u);
  s.now -= 2h;  // 07:00
  s.queue(1);
  BOOST_TEST(s.leased[priority::normal] == 2u);
  s.until(s.now + 1h);
  BOOST_TEST(s.leased[priority::normal] == 3u);
  s.now += 24h + 11h;  // 19:00
  s.queue(1);
  BOOST_TEST(s.leased[priority::normal] == 3u);
  s.until(s.now + 13h);
  BOOST_TEST(s.leased[priority::normal] == 4u);
}

BOOST_AUTO_TEST_CASE(a_new_window_counts_at_once) {
  site s(with_hours());
  s.queue(100);
  for (auto& h : s.l.channels[0].hours) h = nullptr;
  s.jc->configure(s.now, s.l);
  s.work();
  BOOST_TEST(s.leased[priority::normal] == 100u);
}

BOOST_AUTO_TEST_CASE(what_failed_together_does_not_come_back_together) {
  for (const std::uint32_t percent : {0u, 20u}) {
    auto c = one_channel();
    c.backoff_jitter = percent;
    site s(c);
    s.does = outcome::deferred;
    s.queue(20'000);
    BOOST_TEST(s.leased[priority::normal] == 20'000u);
    std::uint64_t most_in_a_minute = 0, before = 20'000;
    const auto start = s.now;
    for (int minute = 1; minute <= 40; ++minute) {
      s.until(start + std::chrono::minutes(minute));
      most_in_a_minute = std::max(most_in_a_minute, s.leased[priority::normal] - before);
      before = s.leased[priority::normal];
      if (minute < (percent == 0 ? 30 : 24))
        BOOST_REQUIRE_EQUAL(before, 20'000u);  // none sooner than allowed
    }
    BOOST_TEST(before >= 40'000u);
    if (percent == 0)
      BOOST_TEST(most_in_a_minute == 20'000u);
    else
      BOOST_TEST(most_in_a_minute < 2'500u);  // of 12 minutes
  }
}

BOOST_AUTO_TEST_CASE(a_spread_wait_is_the_same_whoever_computes_it) {
  const message_id a{mta::queue::file_number{77}, 3, 5}, b{mta::queue::file_number{77}, 3, 6};
  std::set<std::int64_t> waits;
  for (std::uint32_t attempt = 1; attempt <= 100; ++attempt) {
    const auto wait = mta::queue::spread(1h, 10, a, attempt);
    BOOST_TEST((wait == mta::queue::spread(1h, 10, a, attempt)));
    BOOST_TEST((wait >= 54min && wait <= 66min));
    waits.insert(wait.count());
    waits.insert(mta::queue::spread(1h, 10, b, attempt).count());
    BOOST_TEST((mta::queue::spread(1h, 0, a, attempt) == 1h));
  }
  BOOST_TEST(waits.size() > 180u);
}

BOOST_AUTO_TEST_CASE(a_program_is_told_to_finish_when_it_was_given_enough) {
  auto c = one_channel();
  c.max_messages = 150;
  site s(c);
  s.queue(1000);
  BOOST_TEST(s.jc->message_count() == 0u);
  BOOST_TEST(s.launches == 7u);  // six of 150, one of 100
  for (const auto& [program, messages] : s.given) BOOST_TEST(messages <= 150u);
  BOOST_TEST(s.why.find("max_life_askwork") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_program_is_told_to_finish_when_it_has_run_for_long_enough) {
  auto c = one_channel();
  c.max_life = 1h;
  site s(c);
  for (int minute = 0; minute < 300; ++minute) {
    s.queue(1);
    s.until(s.now + 1min);
  }
  BOOST_TEST(s.launches == 5u);
  BOOST_TEST(s.jc->message_count() == 0u);
  BOOST_TEST(s.why.find("max_life_time") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(files_per_job_makes_processes_where_threads_would_do) {
  for (const std::uint32_t files_per_job : {0u, 50u}) {
    auto c = one_channel(8);
    c.thread_depth = 100;  // one thread for the lot
    c.files_per_job = files_per_job;
    site s(c);
    s.slow = true;
    s.queue(100);
    BOOST_TEST(s.most_programs == (files_per_job == 0 ? 1u : 2u));
    s.queue(1000);
    BOOST_TEST(s.most_programs == (files_per_job == 0 ? 2u : 8u));  // and no more than maxjobs
  }
}

BOOST_AUTO_TEST_CASE(after_a_restart_nothing_is_tried_before_its_time) {
  site s(one_channel());
  // 100,000 deferred messages of which each second of the next 30 minutes makes 55 or 56 due.
  constexpr std::uint32_t backlog = 100'000;
  const auto start = s.now;
  s.slow = false;
  s.does = outcome::finished;
  std::vector<new_message> found(backlog);
  for (std::uint32_t n = 0; n < backlog; ++n) {
    found[n].slot = n;
    found[n].committed = start - 1h;
    found[n].phase = phase::deferred;
    found[n].attempts = 1;
    found[n].due = start + 1ms + milliseconds(n * 1'800'000ull / backlog);
  }
  s.jc->messages_found(s.now, s.channel, {mta::queue::file_number{1}, 1}, backlog, true, found);
  s.work();
  BOOST_TEST(s.leased[priority::normal] == 0u);
  for (const auto& [minutes, share] : {std::pair{1, 30}, {5, 6}, {15, 2}}) {
    s.until(start + std::chrono::minutes(minutes));
    const std::uint64_t expected = backlog / static_cast<unsigned>(share), tried = s.leased[priority::normal];
    BOOST_TEST((tried + 2 > expected && tried < expected + 2),
               tried << " tried of " << expected << " that were due");
  }
  // And so after another restart, of which the files know what is finished.
  s.open();
  std::erase_if(found, [&](const new_message& m) { return m.due <= s.now; });
  s.jc->messages_found(s.now, s.channel, {mta::queue::file_number{1}, 1}, backlog, true, found);
  s.programs.clear();
  s.work();
  const auto before = s.leased[priority::normal];
  s.until(s.now + 1min);
  BOOST_TEST(s.leased[priority::normal] - before <= backlog / 30 + 1);
  s.until(start + 31min);
  BOOST_TEST(s.leased[priority::normal] == backlog);
}

BOOST_AUTO_TEST_SUITE_END()
