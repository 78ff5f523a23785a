// What the controller records for those who watch.
#include "jobctl/controller/controller.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace jobctl;
using std::chrono::minutes;

namespace {

time_point at(int minute) { return time_point(minutes(30'000'000 + minute)); }

struct observed {
  controller jc{limits_with_one_channel()};
  channel_no channel = jc.channel("fax");
  file_key file{mta::queue::file_number{7}, 1};

  static limits limits_with_one_channel() {
    limits l;
    l.pools.push_back({"default", 10});
    channel_limits c;
    c.name = "fax";
    for (auto& schedule : c.backoff) schedule = {minutes(5)};
    l.channels.push_back(c);
    return l;
  }
  observed() { jc.observe(true); }

  message_id announce(std::uint32_t slot, sighting how = sighting::announced) {
    new_message m;
    m.slot = slot;
    m.committed = at(0);
    m.host = "h.example";
    jc.messages_found(at(0), channel, file, 16, false, {&m, 1}, how);
    return {file.file, file.generation, slot};
  }
  std::vector<transition_kind> kinds() {
    std::vector<transition> all;
    jc.take_transitions(all);
    std::vector<transition_kind> found(all.size());
    std::ranges::transform(all, found.begin(), &transition::kind);
    return found;
  }
};

void check(const std::vector<transition_kind>& found, const std::vector<transition_kind>& expected) {
  BOOST_TEST(std::ranges::equal(found, expected));
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(transitions, observed)

BOOST_AUTO_TEST_CASE(the_life_of_a_message_is_recorded_in_order) {
  using enum transition_kind;
  const message_id id = announce(0);
  check(kinds(), {queued});
  jc.worker_connected(at(0), worker_no{1}, channel, job_no{}, 1, {});
  jc.worker_asks(at(0), worker_no{1}, 1);
  check(kinds(), {leased});
  const message_result deferral{id, outcome::deferred, {}};
  jc.results(at(0), worker_no{1}, {&deferral, 1});
  std::vector<transition> all;
  jc.take_transitions(all);
  BOOST_REQUIRE(all.size() == 1u);
  BOOST_TEST((all[0].kind == deferred && all[0].id == id && all[0].attempts == 1));
  BOOST_TEST(all[0].value == at(5).time_since_epoch().count());
  jc.worker_asks(at(1), worker_no{1}, 1);
  jc.clock(at(6));
  check(kinds(), {ready, leased});
  const message_result end{id, outcome::finished, {}};
  jc.results(at(6), worker_no{1}, {&end, 1});
  check(kinds(), {finished});
}

BOOST_AUTO_TEST_CASE(orders_of_operators_are_recorded) {
  using enum transition_kind;
  const message_id id = announce(0);
  kinds();
  jc.hold(at(0), {&id, 1});
  check(kinds(), {held});
  jc.release(at(0), {&id, 1});
  check(kinds(), {released, ready});
  jc.file_gone(at(0), file);
  check(kinds(), {gone});
}

BOOST_AUTO_TEST_CASE(what_an_operator_took_out_of_the_queue_is_told_by_how) {
  using enum transition_kind;
  std::uint32_t slot = 0;
  for (const auto& [order, kind] :
       {std::pair{verb::route, routed}, {verb::bounce, bounced}, {verb::remove, removed}}) {
    const message_id id = announce(slot++);
    jc.take(at(0), {&id, 1});
    kinds();
    jc.given_back(at(0), id, errand_outcome::finished, order);
    check(kinds(), {kind});
  }
  const message_id id = announce(slot);
  jc.take(at(0), {&id, 1});
  kinds();
  jc.given_back(at(0), id, errand_outcome::gone, verb::remove);
  check(kinds(), {gone});
}

BOOST_AUTO_TEST_CASE(what_was_there_at_the_start_is_no_event) {
  announce(0, sighting::at_start);
  check(kinds(), {});
  announce(1, sighting::found);
  check(kinds(), {transition_kind::found});
}

BOOST_AUTO_TEST_CASE(nothing_is_recorded_when_nobody_asked) {
  jc.observe(false);
  announce(0);
  check(kinds(), {});
}

BOOST_AUTO_TEST_SUITE_END()
