// Orders that wait for programs, as a later controller finds them.
#include "jobctl/server/pending_orders.hpp"

#include "temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>

using namespace jobctl;
using mta::queue::message_id;

namespace {

message_id id(std::uint32_t slot) { return {mta::queue::file_number{7}, 1, slot}; }

struct site {
  test::temporary_directory directory;
  const std::string path = directory.path() + "/orders";
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(orders_that_wait, site)

BOOST_AUTO_TEST_CASE(they_outlive_the_controller_with_end_reason_and_actor) {
  const mta::queue::time_point until{std::chrono::milliseconds(1'795'262'400'000)};
  {
    pending_orders all(path);
    BOOST_REQUIRE(all.open());
    const message_id both[] = {id(1), id(2)};
    BOOST_REQUIRE(all.add(both, {verb::hold, until, {"ann (uid 1000)", "gr\xC3\xBCn \"x\"\n"}}));
    BOOST_REQUIRE(all.add(std::span(&both[1], 1), {verb::release, {}, {}}));  // the later order counts
  }
  pending_orders next(path);
  BOOST_REQUIRE(next.open());
  BOOST_REQUIRE(next.all().size() == 2u);
  const pending_order& first = next.all().at(id(1));
  BOOST_TEST((first.until == until));
  BOOST_TEST(first.note.by == "ann (uid 1000)");
  BOOST_TEST(first.note.reason == "gr\xC3\xBCn \"x\"\n");
  BOOST_TEST((first.verb == verb::hold));
  BOOST_TEST((next.all().at(id(2)).verb == verb::release));
  BOOST_TEST((next.all().at(id(2)).until == mta::queue::time_point{}));
}

BOOST_AUTO_TEST_CASE(what_is_over_is_forgotten) {
  pending_orders all(path);
  BOOST_REQUIRE(all.open());
  const message_id some[] = {id(1), id(2), id(3)};
  BOOST_REQUIRE(all.add(some, {}));
  all.over(id(2));
  all.over(id(9));
  {
    pending_orders next(path);
    BOOST_REQUIRE(next.open());
    BOOST_TEST(next.all().size() == 2u);
    BOOST_TEST(!next.all().contains(id(2)));
    next.over(id(1));
    next.over(id(3));
    BOOST_TEST(std::filesystem::file_size(path) == 0u);
  }
}

BOOST_AUTO_TEST_CASE(lines_that_are_none_are_left_out) {
  std::ofstream(path) << "nonsense\n{\"id\":7}\n{\"id\":\"x\"}\n[]\n{\"id\":\"" << to_string(id(4))
                      << "\",\"order\":\"hold\"}\n{\"id\":\"" << to_string(id(5))
                      << "\",\"order\":\"rm\"}\n{\"id\":\"0000";
  pending_orders all(path);
  BOOST_REQUIRE(all.open());
  BOOST_TEST(all.all().size() == 1u);
  BOOST_TEST(all.all().contains(id(4)));
}

BOOST_AUTO_TEST_CASE(when_there_are_many_those_of_messages_that_have_gone_are_dropped) {
  pending_orders all(path);
  BOOST_REQUIRE(all.open());
  std::vector<message_id> many;
  for (std::uint32_t slot = 0; slot < 1500; ++slot) many.push_back(id(slot));
  BOOST_REQUIRE(all.add(many, {}));
  all.prune([](const message_id& m) { return m.slot < 10; });
  BOOST_TEST(all.all().size() == 10u);
  pending_orders next(path);
  BOOST_REQUIRE(next.open());
  BOOST_TEST(next.all().size() == 10u);
}

BOOST_AUTO_TEST_SUITE_END()
