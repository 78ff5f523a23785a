// The controller in simulated hours. SIM_SEED=N repeats one; JOBCTL_TEST_LONG=1 runs twenty times as many.
#include "effort.hpp"
#include "jobctl/controller/controller.hpp"
#include "simulation.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <iostream>
#include <map>
#include <utility>

namespace {

jobctl::channel_limits channel_named_l() {
  jobctl::channel_limits c;
  c.name = "l";
  for (auto& schedule : c.backoff) schedule = {std::chrono::minutes(30)};
  return c;
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_hour_of_traffic_keeps_every_promise_whatever_the_seed) {
  std::uint64_t first = 1, count = 1000;
  if (const char* value = std::getenv("JOBCTL_TEST_LONG"); value != nullptr && *value == '1') count = 20'000;
  count /= test::effort_divisor == 1 ? 1 : 2 * test::effort_divisor;
  if (const char* value = std::getenv("SIM_SEED"); value != nullptr) {
    first = std::strtoull(value, nullptr, 10);
    count = 1;
  }
  sim::totals all;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    try {
      const auto one = sim::run(seed);
      all.events += one.events;
      all.messages += one.messages;
      all.leases += one.leases;
      all.crashes += one.crashes;
      all.launches += one.launches;
      all.warned += one.warned;
      all.expired += one.expired;
    } catch (const std::exception& e) {
      BOOST_FAIL(e.what());
    }
  }
  std::cout << count << " seeds: " << all.messages << " messages, " << all.leases << " leases, "
            << all.launches << " launches, " << all.crashes << " crashes, " << all.warned << " warnings, "
            << all.expired << " returned, " << all.events << " events\n";
  BOOST_TEST(all.leases >= all.messages / 2);
  BOOST_TEST(all.warned > 0u);
  BOOST_TEST(all.expired > 0u);
}

BOOST_AUTO_TEST_CASE(notices_that_fail_wait_a_minute_and_do_not_keep_others_from_their_turn) {
  using namespace jobctl;
  limits l;
  l.pools.push_back({"DEFAULT", 1});
  channel_limits c = channel_named_l();
  c.has_program = false;
  for (auto& schedule : c.notices) schedule = {std::chrono::hours(1)};
  l.channels.push_back(c);
  controller jc(l);
  time_point now{std::chrono::hours(1000)};
  const auto channel = jc.channel("l");
  constexpr std::uint32_t messages = 300;
  std::vector<new_message> found(messages);
  for (std::uint32_t s = 0; s < messages; ++s) {
    found[s].slot = s;
    found[s].committed = now;
  }
  jc.messages_found(now, channel, {mta::queue::file_number{1}, 1}, messages, true, found);
  std::map<std::uint32_t, time_point> last;  // by slot
  const time_point end = now + std::chrono::hours(2);
  while (now < end) {
    jc.clock(now);
    for (auto actions = jc.take_actions(); !actions.empty(); actions = jc.take_actions()) {
      for (const auto& a : actions) {
        const auto* n = std::get_if<action::notice>(&a);
        if (n == nullptr) continue;
        if (const auto before = last.find(n->id.slot); before != last.end())
          BOOST_REQUIRE(now - before->second >= std::chrono::minutes(1));
        last[n->id.slot] = now;
        jc.noticed(now, n->id, notice_outcome::failed, n->step);
      }
    }
    const auto next = jc.next_deadline();
    now = std::max(now + std::chrono::milliseconds(1), std::min(next, end));
  }
  BOOST_TEST(last.size() == messages);
}

BOOST_AUTO_TEST_CASE(a_burst_followed_by_silence_keeps_programs_at_their_limit_until_the_backlog_is_gone) {
  using namespace jobctl;
  limits l;
  l.pools.push_back({"DEFAULT", 3});
  channel_limits c = channel_named_l();
  c.max_jobs = 5;
  c.threads_per_job = 10;
  l.channels.push_back(c);
  controller jc(l);
  time_point now{std::chrono::hours(1000)};
  const auto channel = jc.channel("l");
  constexpr std::uint32_t per_file = 1000, backlog = 100'000;
  for (std::uint32_t f = 0; f < backlog / per_file; ++f) {
    std::vector<new_message> found(per_file);
    for (std::uint32_t s = 0; s < per_file; ++s) {
      found[s].slot = s;
      found[s].committed = now;
      found[s].host = "b.example";
    }
    jc.messages_found(now, channel, {mta::queue::file_number{f + 1}, 1}, per_file, true, found);
  }
  std::uint64_t next_worker = 0, finished = 0;
  std::map<std::uint64_t, std::uint64_t> running;  // worker -> job
  std::map<std::uint64_t, std::vector<message_result>> in_hand;
  for (int round = 0; finished < backlog; ++round) {
    BOOST_REQUIRE(round < 100'000);
    now += std::chrono::milliseconds(10);
    for (auto& a : jc.take_actions()) {
      if (const auto* launch = std::get_if<action::launch>(&a)) {
        running[++next_worker] = static_cast<std::uint64_t>(launch->job);
        jc.worker_connected(now, worker_no{next_worker}, channel, launch->job, 10, {});
        jc.worker_asks(now, worker_no{next_worker}, 100);
      } else if (const auto* lease = std::get_if<action::lease>(&a)) {
        if (!running.contains(static_cast<std::uint64_t>(lease->worker))) continue;  // gone meanwhile
        for (const auto& m : lease->messages)
          in_hand[static_cast<std::uint64_t>(lease->worker)].push_back({m.id, outcome::finished, {}});
      }
    }
    if (finished + 2000 < backlog && round > 2) BOOST_REQUIRE_EQUAL(running.size(), 3u);
    for (auto& [worker, results] : in_hand) {
      finished += results.size();
      const auto n = static_cast<std::uint32_t>(results.size());
      jc.results(now, worker_no{worker}, std::exchange(results, {}));
      jc.worker_asks(now, worker_no{worker}, n);
    }
    if (round % 20 == 19 && finished < backlog) {  // programs come to the end of their lives
      const auto [worker, job] = *running.begin();
      jc.worker_gone(now, worker_no{worker});
      jc.job_exited(now, job_no{job}, true, "exited with status 0");
      in_hand.erase(worker);
      running.erase(worker);
    }
    BOOST_REQUIRE_EQUAL(jc.check_invariants(), "");
  }
  BOOST_TEST(finished == backlog);
  BOOST_TEST(jc.message_count() == 0u);
}

BOOST_AUTO_TEST_CASE(
    what_a_program_holds_since_before_a_restart_is_not_given_out_because_another_one_deferred_it) {
  using namespace jobctl;
  limits l;
  l.pools.push_back({"DEFAULT", 3});
  l.channels.push_back(channel_named_l());
  controller jc(l);
  time_point now{std::chrono::hours(1000)};
  const auto channel = jc.channel("l");
  const file_key file{mta::queue::file_number{1}, 1};
  new_message one;
  one.committed = now;
  jc.messages_found(now, channel, file, 64, false, std::span(&one, 1));
  const message_id id{file.file, file.generation, 0};
  // A restarted controller gives it to one program, before the one that has it comes back.
  const worker_no quick{1}, holder{2}, third{3};
  jc.worker_connected(now, quick, channel, job_no{}, 1, {});
  jc.worker_asks(now, quick, 1);
  jc.worker_connected(now, holder, channel, job_no{}, 1, std::span(&id, 1));
  const message_result deferred{id, outcome::deferred, now + std::chrono::seconds(1)};
  jc.results(now, quick, std::span(&deferred, 1));
  jc.take_actions();
  jc.worker_connected(now, third, channel, job_no{}, 1, {});
  jc.worker_asks(now, third, 1);
  now += std::chrono::hours(1);
  jc.clock(now);
  for (const auto& a : jc.take_actions())
    BOOST_TEST(std::get_if<action::lease>(&a) == nullptr, "it was given out a second time");
  listed row;
  BOOST_TEST_REQUIRE(jc.find(id, row));
  BOOST_TEST(row.in_hand);
  BOOST_TEST(row.attempts == 1u);
  const message_result finished{id, outcome::finished, {}};
  jc.results(now, holder, std::span(&finished, 1));
  BOOST_TEST(jc.message_count() == 0u);
  BOOST_TEST(jc.check_invariants() == "");
}
