// Totals of a channel, also over a controller's end.
#include "jobctl/controller/controller.hpp"

#include <boost/test/unit_test.hpp>

using namespace jobctl;

namespace {

time_point at(int minute) { return time_point(std::chrono::minutes(30'000'000 + minute)); }

limits limits_with_one_channel() {
  limits l;
  l.pools.push_back({"default", 10});
  channel_limits c;
  c.name = "fax";
  for (auto& schedule : c.backoff) schedule = {std::chrono::minutes(5)};
  l.channels.push_back(c);
  return l;
}

struct one_controller {
  controller jc{limits_with_one_channel()};
  channel_no channel = jc.channel("fax");
  file_key file{mta::queue::file_number{7}, 1};

  void find(std::uint32_t first, std::uint32_t count, sighting how) {
    std::vector<new_message> all(count);
    for (std::uint32_t n = 0; n < count; ++n) all[n].slot = first + n;
    jc.messages_found(at(0), channel, file, 100, false, all, how);
  }
  void take(std::uint32_t slots, outcome what) {
    for (std::uint32_t n = 0; n < slots; ++n) {
      jc.worker_asks(at(0), worker_no{1}, 1);
      for (const auto& a : jc.take_actions())
        if (const auto* lease = std::get_if<action::lease>(&a))
          for (const leased_message& m : lease->messages) {
            const message_result r{m.id, what, {}};
            jc.results(at(0), worker_no{1}, {&r, 1});
          }
    }
  }
  void connect() { jc.worker_connected(at(0), worker_no{1}, channel, job_no{}, 1, {}); }
  std::uint64_t present() const {
    const channel_figures f = jc.figures(channel);
    return f.ready + f.in_hand + f.deferred + f.held;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(totals, one_controller)

BOOST_AUTO_TEST_CASE(what_comes_and_goes_is_counted) {
  jc.index_is_complete();
  find(0, 10, sighting::announced);
  find(10, 2, sighting::found);
  connect();
  take(3, outcome::finished);
  take(2, outcome::deferred);
  take(1, outcome::bad);
  const channel_totals& t = jc.totals(channel);
  BOOST_TEST(t.enqueued == 12u);
  BOOST_TEST(t.finished == 3u);
  BOOST_TEST(t.failed_attempts == 2u);
  BOOST_TEST(t.bad == 1u);
  BOOST_TEST(t.left == 4u);
  BOOST_TEST(t.enqueued - t.left == present());
  jc.file_gone(at(0), file);
  BOOST_TEST(t.left == 12u);
}

BOOST_AUTO_TEST_CASE(messages_that_were_counted_before_are_not_counted_again) {
  channel_totals before;
  before.enqueued = 50;
  before.left = before.finished = 45;
  jc.restore_totals(channel, before);
  find(0, 3, sighting::at_start);
  find(3, 2, sighting::announced);  // once more, by somebody whose announcement may have been lost
  jc.index_is_complete();
  BOOST_TEST((jc.totals(channel) == before));
}

BOOST_AUTO_TEST_CASE(what_came_without_a_controller_is_counted_when_the_index_is_there) {
  channel_totals before;
  before.enqueued = 50;
  before.left = before.finished = 45;
  jc.restore_totals(channel, before);
  find(0, 8, sighting::at_start);
  connect();
  take(2, outcome::finished);  // before everything is read
  jc.index_is_complete();
  BOOST_TEST(jc.totals(channel).enqueued == 53u);
  BOOST_TEST(jc.totals(channel).finished == 47u);
  BOOST_TEST(jc.totals(channel).enqueued - jc.totals(channel).left == present());
}

BOOST_AUTO_TEST_CASE(what_programs_finished_without_a_controller_is_counted_then_too) {
  channel_totals before;
  before.enqueued = 50;
  before.left = before.finished = 40;
  jc.restore_totals(channel, before);
  find(0, 7, sighting::at_start);
  jc.index_is_complete();
  BOOST_TEST(jc.totals(channel).enqueued == 50u);
  BOOST_TEST(jc.totals(channel).finished == 43u);
}

BOOST_AUTO_TEST_SUITE_END()
