// Channels that hold as much as they may.
#include "jobctl/controller/controller.hpp"

#include <boost/test/unit_test.hpp>

#include <variant>

using namespace jobctl;
using std::chrono::minutes;

namespace {

const time_point now{minutes(30'000'000)};

struct site {
  controller jc{with_limits(10, 0)};
  channel_no channel = jc.channel("fax");
  std::uint64_t files = 0;

  static jobctl::limits with_limits(std::uint64_t of_channel, std::uint64_t of_all) {
    jobctl::limits l;
    l.backlog_limit = of_all;
    for (const char* name : {"fax", "sms"}) {
      channel_limits c;
      c.name = name;
      for (auto& schedule : c.backoff) schedule = {minutes(60)};
      if (c.name == "fax") c.backlog_limit = of_channel;
      l.channels.push_back(c);
    }
    return l;
  }
  file_key queue(std::uint32_t count, const char* where = "fax") {
    std::vector<new_message> all(count);
    for (std::uint32_t i = 0; i < count; ++i) {
      all[i].slot = i;
      all[i].committed = now;
      all[i].phase = i % 2 == 0 ? phase::queued : phase::held;  // whatever state they are in
    }
    const file_key file{mta::queue::file_number{++files}, 1};
    jc.messages_found(now, jc.channel(where), file, 64, false, all);
    return file;
  }
  std::vector<action::subject> told() {
    std::vector<action::subject> all;
    for (const auto& any : jc.take_actions())
      if (const auto* said = std::get_if<action::report>(&any)) {
        all.push_back(said->about);
        last = *said;
      }
    BOOST_TEST(jc.check_invariants() == "");
    return all;
  }
  void check(const std::vector<action::subject>& expected) { BOOST_TEST((told() == expected)); }

  action::report last{};
};

using enum action::subject;

}  // namespace

BOOST_FIXTURE_TEST_SUITE(backlog, site)

BOOST_AUTO_TEST_CASE(a_channel_is_full_at_its_limit_and_until_a_tenth_has_gone) {
  queue(9);
  check({});
  const auto one = queue(1);
  check({backlog_full});
  BOOST_TEST((last.channel == channel && last.severity == action::severity::warning));
  BOOST_TEST(
      last.text ==
      "channel fax: it holds 10 messages, and its backlog_limit is 10: whoever enqueues more is told to "
      "try again later");
  BOOST_TEST(jc.figures(channel).full);
  BOOST_REQUIRE(jc.full_backlogs().size() == 1u);
  BOOST_TEST((jc.full_backlogs()[0].channel == channel && jc.full_backlogs()[0].messages == 10u));
  const auto another = queue(1);
  check({});
  jc.file_gone(now, another);  // 10 again
  BOOST_TEST(jc.figures(channel).full);
  jc.file_gone(now, one);  // 9
  BOOST_TEST(!jc.figures(channel).full);
  BOOST_TEST((told().back() == backlog_relieved));
  BOOST_TEST(jc.full_backlogs().empty());
}

BOOST_AUTO_TEST_CASE(the_queue_as_a_whole_has_a_limit_too) {
  jc.configure(now, with_limits(0, 20));
  queue(10);
  const auto file = queue(10, "sms");
  check({backlog_full});
  BOOST_TEST((last.channel == no_channel));
  BOOST_TEST(!jc.figures(channel).full);
  BOOST_TEST((jc.full_backlogs()[0].channel == no_channel && jc.full_backlogs()[0].limit == 20u));
  jc.file_gone(now, file);
  BOOST_TEST((told().back() == backlog_relieved));
}

BOOST_AUTO_TEST_CASE(limits_can_be_changed_while_it_runs) {
  queue(30);
  check({backlog_full});
  jc.configure(now, with_limits(100, 0));
  check({backlog_relieved});
  jc.configure(now, with_limits(30, 30));
  check({backlog_full, backlog_full});
  jc.configure(now, with_limits(0, 0));
  check({backlog_relieved, backlog_relieved});
}

BOOST_AUTO_TEST_CASE(a_limit_of_one_is_kept) {
  jc.configure(now, with_limits(1, 0));
  const auto file = queue(1);
  check({backlog_full});
  jc.file_gone(now, file);
  BOOST_TEST((told().back() == backlog_relieved));
}

BOOST_AUTO_TEST_SUITE_END()
