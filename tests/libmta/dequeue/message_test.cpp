// A message in hand, as C++ programs see it: envelope, content, dispositions (mta/dequeue.hpp).
#include "dequeue_fixture.hpp"

#include <cstring>
#include <ranges>

using namespace test;

static_assert(std::ranges::input_range<mta::message::line_range>);
static_assert(std::same_as<std::ranges::range_value_t<mta::message::line_range>, std::string_view>);
static_assert(std::ranges::contiguous_range<decltype(std::declval<mta::message&>().recipients())>);
static_assert(!std::copy_constructible<mta::message>);

namespace {

struct message_fixture : dequeue_fixture {
  explicit message_fixture(const std::string& channel = "backoff = 1h\n") : dequeue_fixture(channel) {}

  /// Has `id` processed by `how`, once; returns the result that was reported. Nothing in `how` may use
  /// Boost.Test, which belongs to the test's own thread.
  wire::message_result attempt(const queue::message_id& id, std::function<void(mta::message&)> how) {
    p.act = [how = std::move(how)](void*&, mta::message& m) {
      how(m);
      return mta::next_step::go_on;
    };
    auto& c = start();
    c.lease({id});
    c.until_results(1);
    const auto r = c.results.at(0);
    stop();
    return r;
  }
  /// The lines of the content, joined by '|'.
  static std::string joined(mta::message& m) {
    std::string all;
    for (const std::string_view line : m.lines()) all += std::string(line) + "|";
    return all;
  }
};

/// Content of some size whose every part is different.
std::string long_content(std::size_t lines) {
  std::string all = "Subject: long\r\n\r\n";
  for (std::size_t i = 0; i < lines; ++i)
    all += "line " + std::to_string(i) + std::string(i % 70, '.') + "\r\n";
  return all;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(message_envelope, message_fixture)

BOOST_AUTO_TEST_CASE(the_envelope_is_the_one_that_was_committed) {
  queue::envelope e;
  e.from = "sender@example.org";
  e.source_channel = "tcp";
  e.envelope_id = "env-1";
  e.header_id = "<1@example.org>";
  e.delivery_flags = 4;
  e.recipients.push_back({"one@example.org", "original@example.org", "middle@example.org", 3, 0x21});
  e.recipients.push_back({"two@example.org", "", "", 0, 0});
  const auto id = commit_envelope(e, "Subject: x\r\n\r\n");
  struct {
    std::string id, channel, sender, source, envelope_id, header_id, host;
    std::vector<std::string> addresses, originals, intermediates;
    std::vector<std::uint32_t> flags;
    std::vector<mta::notify_flags> notify;
    bool terminated = false;
    std::uint64_t size = 0;
    std::chrono::sys_time<std::chrono::milliseconds> committed;
  } seen;
  attempt(id, [&](mta::message& m) {
    seen.id = m.id();
    seen.channel = m.channel();
    seen.sender = m.sender();
    seen.terminated = m.sender().data()[m.sender().size()] == '\0';
    seen.source = m.source_channel();
    seen.envelope_id = m.envelope_id();
    seen.header_id = m.header_id();
    seen.host = m.host();
    seen.size = m.size();
    seen.committed = m.committed();
    for (const auto& r : m.recipients()) {
      seen.addresses.emplace_back(r.address);
      seen.originals.emplace_back(r.original);
      seen.intermediates.emplace_back(r.intermediate);
      seen.flags.push_back(r.delivery_flags);
      seen.notify.push_back(r.notify);
    }
  });
  BOOST_TEST(seen.id == to_string(id));
  BOOST_TEST(seen.channel == "x");
  BOOST_TEST(seen.sender == "sender@example.org");
  BOOST_TEST(seen.terminated);
  BOOST_TEST(seen.source == "tcp");
  BOOST_TEST(seen.envelope_id == "env-1");
  BOOST_TEST(seen.header_id == "<1@example.org>");
  BOOST_TEST(seen.host == "example.org");
  BOOST_TEST(seen.size == 14u);
  BOOST_TEST((seen.committed == open(id)->read_entry(id.slot).value().entry.committed));
  BOOST_TEST((seen.addresses == std::vector<std::string>{"one@example.org", "two@example.org"}));
  BOOST_TEST((seen.originals == std::vector<std::string>{"original@example.org", ""}));
  BOOST_TEST((seen.intermediates == std::vector<std::string>{"middle@example.org", "two@example.org"}));
  BOOST_TEST((seen.flags == std::vector<std::uint32_t>{7, 4}));
  // How much content to return is always said.
  BOOST_TEST((seen.notify[0] == (mta::notify_flags::success | mta::notify_flags::content_full)));
  BOOST_TEST((seen.notify[1] ==
              (mta::notify_flags::content_full | mta::notify_flags::delay | mta::notify_flags::failure)));
}

BOOST_AUTO_TEST_CASE(an_empty_sender_is_empty) {
  queue::envelope e;
  e.recipients.push_back({"to@example.org", "", "", 0, 0});
  std::string sender = "none";
  attempt(commit_envelope(e, "\r\n"), [&](mta::message& m) { sender = m.sender(); });
  BOOST_TEST(sender.empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(message_content, message_fixture)

BOOST_AUTO_TEST_CASE(lines_come_in_order_without_their_ends) {
  std::string first, again;
  attempt(commit({"to@example.org"}, "Subject: x\r\n\r\n.dot\r\n\r\nlast\r\n"), [&](mta::message& m) {
    first = joined(m);
    again = joined(m);
  });
  BOOST_TEST(first == "Subject: x||.dot||last|");
  BOOST_TEST(again == first);  // the range begins with the first line each time
}

BOOST_AUTO_TEST_CASE(a_last_line_without_end_is_a_line) {
  std::string all;
  attempt(commit({"to@example.org"}, "Subject: x\r\n\r\na\rb\nc"), [&](mta::message& m) { all = joined(m); });
  BOOST_TEST(all == "Subject: x||a\rb\nc|");
}

BOOST_AUTO_TEST_CASE(next_line_goes_on_where_it_was_and_rewind_begins_again) {
  std::vector<std::string> seen;
  attempt(commit({"to@example.org"}, "one\r\ntwo\r\n"), [&](mta::message& m) {
    const auto next = [&] {
      const auto line = m.next_line().value();
      seen.emplace_back(line ? *line : "(end)");
    };
    next();
    m.rewind();
    next();
    next();
    next();
    next();
    m.rewind();
    next();
  });
  BOOST_TEST((seen == std::vector<std::string>{"one", "one", "two", "(end)", "(end)", "one"}));
}

#if !defined(__clang__) || __clang_major__ > 15  // older ones cannot read the standard library's views
BOOST_AUTO_TEST_CASE(lines_work_with_the_standard_librarys_views) {
  std::vector<std::string> header;
  attempt(commit({"to@example.org"}, "A: 1\r\nB: 2\r\n\r\nbody\r\n"), [&](mta::message& m) {
    for (const auto line : m.lines() | std::views::take_while([](std::string_view l) { return !l.empty(); }))
      header.emplace_back(line);
  });
  BOOST_TEST((header == std::vector<std::string>{"A: 1", "B: 2"}));
}
#endif

BOOST_AUTO_TEST_CASE(a_message_of_any_size_is_read_line_by_line) {
  // Over several of the pieces in which it is read, with a line longer than a piece, and a CRLF across the
  // end of one.
  std::string content = long_content(20'000);
  content += std::string(700'000, 'x') + "\r\n";
  content += std::string(262'144 - content.size() % 262'144 - 1, 'y') + "\r\nend\r\n";
  std::string all;
  attempt(commit({"to@example.org"}, content), [&](mta::message& m) {
    for (const std::string_view line : m.lines()) (all += line) += "\r\n";
  });
  BOOST_TEST((all == content));
}

BOOST_AUTO_TEST_CASE(content_gives_the_whole_message_and_leaves_the_lines_alone) {
  for (const std::size_t lines : {3u, 20'000u}) {
    const std::string content = long_content(lines);
    std::string all, second_line;
    attempt(commit({"to@example.org"}, content), [&](mta::message& m) {
      (void)m.next_line();
      all = m.content().value();
      (void)m.next_line();
      second_line = *m.next_line().value();
    });
    BOOST_TEST((all == content));
    BOOST_TEST(second_line == "line 0");
  }
}

BOOST_AUTO_TEST_CASE(read_gives_fewer_bytes_only_at_the_end) {
  for (const std::size_t lines : {100u, 20'000u}) {
    const std::string content = long_content(lines);
    std::string whole(content.size() + 100, '\0'), part(1000, '\0');
    std::size_t of_whole = 0, of_part = 0, at_end = 0, beyond = 1;
    attempt(commit({"to@example.org"}, content), [&](mta::message& m) {
      (void)m.next_line();  // now a piece of it is in memory
      of_whole = m.read(0, std::as_writable_bytes(std::span(whole))).value();
      of_part = m.read(200, std::as_writable_bytes(std::span(part))).value();
      at_end = m.read(content.size() - 10, std::as_writable_bytes(std::span(part).subspan(500))).value();
      beyond = m.read(content.size(), std::as_writable_bytes(std::span(part))).value();
    });
    BOOST_TEST(of_whole == content.size());
    BOOST_TEST((whole.substr(0, of_whole) == content));
    BOOST_TEST(of_part == 1000u);
    BOOST_TEST((part.substr(0, 500) == content.substr(200, 500)));
    BOOST_TEST(at_end == 10u);
    BOOST_TEST((part.substr(500, 10) == content.substr(content.size() - 10)));
    BOOST_TEST(beyond == 0u);
  }
}

BOOST_AUTO_TEST_CASE(a_range_over_damaged_content_throws_and_the_message_is_reported_bad) {
  const auto id = commit();
  const auto entry = open(id)->read_entry(id.slot).value().entry;
  damage(id, entry.record_offset + queue::format::record_header_size + entry.envelope_length + 4);
  std::size_t lines = 0;
  const auto r = attempt(id, [&](mta::message& m) {
    for (const auto line : m.lines()) lines += line.size() + 1;
  });
  BOOST_TEST(lines == 0u);
  BOOST_TEST((r.outcome == wire::outcome::bad));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(dispositions, message_fixture)

BOOST_AUTO_TEST_CASE(a_message_with_every_recipient_done_is_finished) {
  for (const auto d :
       {mta::disposition::delivered, mta::disposition::relayed, mta::disposition::relayed_foreign}) {
    const auto id = commit({"a@example.org", "b@example.org"});
    bool done = false;
    const auto r = attempt(id, [&](mta::message& m) { done = m.finish(d).has_value() && m.finished(); });
    BOOST_TEST(done);
    BOOST_TEST((r.outcome == wire::outcome::finished));
    BOOST_TEST((state(id).phase == queue::phase::finished));
  }
}

BOOST_AUTO_TEST_CASE(the_next_attempt_sees_only_the_recipients_that_are_not_done) {
  const auto id = commit({"a@example.org", "b@example.org", "c@example.org", "d@example.org"});
  auto r = attempt(id, [](mta::message& m) {
    m.dispose(m.recipients()[0], mta::disposition::delivered);
    m.dispose(m.recipients()[1], mta::disposition::deferred, "mailbox busy");
    m.dispose(m.recipients()[3], mta::disposition::relayed);
    (void)m.finish();  // nothing was said about the third
  });
  BOOST_TEST((r.outcome == wire::outcome::deferred));
  BOOST_TEST(state(id).attempts == 1u);
  BOOST_TEST((r.next_attempt == state(id).next_attempt));
  BOOST_TEST((state(id).next_attempt == state(id).changed + 1h));
  BOOST_TEST(
      history(id).find(R"("recipient":"b@example.org","disposition":"deferred","reason":"mailbox busy")") !=
      std::string::npos);
  BOOST_TEST(
      history(id).find(R"("recipient":"c@example.org","disposition":"deferred","reason":"not finished")") !=
      std::string::npos);
  BOOST_TEST((p.calls().back().recipients ==
              std::vector<std::string>{"a@example.org", "b@example.org", "c@example.org", "d@example.org"}));

  r = attempt(id, [](mta::message& m) {
    m.dispose(m.recipients()[1], mta::disposition::delivered);
    (void)m.finish();
  });
  BOOST_TEST((p.calls().back().recipients == std::vector<std::string>{"b@example.org", "c@example.org"}));
  BOOST_TEST(p.calls().back().attempts == 1u);
  BOOST_TEST((r.outcome == wire::outcome::deferred));

  r = attempt(id, [](mta::message& m) { (void)m.finish(mta::disposition::delivered); });
  BOOST_TEST((p.calls().back().recipients == std::vector<std::string>{"b@example.org"}));
  BOOST_TEST((r.outcome == wire::outcome::finished));
}

BOOST_AUTO_TEST_CASE(the_last_disposition_of_a_recipient_counts) {
  const auto id = commit({"a@example.org", "b@example.org"});
  const auto r = attempt(id, [](mta::message& m) {
    m.dispose(mta::disposition::deferred);
    for (const auto& to : m.recipients()) m.dispose(to, mta::disposition::delivered);
    (void)m.finish();
  });
  BOOST_TEST((r.outcome == wire::outcome::finished));
}

BOOST_AUTO_TEST_CASE(a_deferral_of_the_message_outweighs_what_was_noted) {
  const auto id = commit({"a@example.org", "b@example.org"});
  const auto r = attempt(id, [](mta::message& m) {
    m.dispose(mta::disposition::delivered);
    (void)m.defer("disk full");
  });
  BOOST_TEST((r.outcome == wire::outcome::deferred));
  BOOST_TEST(state(id).finished.none());
  BOOST_TEST(history(id).find(R"("reason":"disk full")") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(dispositions_without_finish_have_no_effect) {
  const auto id = commit({"a@example.org", "b@example.org"});
  const auto r = attempt(id, [](mta::message& m) { m.dispose(mta::disposition::delivered); });
  BOOST_TEST((r.outcome == wire::outcome::deferred));
  BOOST_TEST(state(id).finished.none());
}

// There is no route to the sender here; tests/libmta/notify is about those who can be told.
BOOST_AUTO_TEST_CASE(a_failure_of_which_nobody_can_be_told_holds_the_message_for_what_is_not_delivered) {
  const auto id = commit({"a@example.org", "b@example.org"});
  const auto r = attempt(id, [](mta::message& m) {
    m.dispose(m.recipients()[0], mta::disposition::delivered);
    m.dispose(m.recipients()[1], mta::disposition::failed, "no such user");
    (void)m.finish();
  });
  BOOST_TEST((r.outcome == wire::outcome::held));
  const auto s = state(id);
  BOOST_TEST((s.phase == queue::phase::held));
  BOOST_TEST((s.why == queue::reason::undeliverable));
  BOOST_TEST(s.finished.test(0));
  BOOST_TEST(!s.finished.test(1));
  BOOST_TEST(history(id).find(R"("disposition":"failed","reason":"no such user")") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_message_is_finished_once) {
  const auto id = commit();
  bool finish_again = true, defer_after = true;
  const auto r = attempt(id, [&](mta::message& m) {
    (void)m.finish(mta::disposition::delivered);
    const auto again = m.finish(), later = m.defer("no");
    finish_again = again || again.error().code != mta::errc::gone;
    defer_after = later || later.error().code != mta::errc::gone;
  });
  BOOST_TEST(!finish_again);
  BOOST_TEST(!defer_after);
  BOOST_TEST((r.outcome == wire::outcome::finished));
  BOOST_TEST((state(id).phase == queue::phase::finished));
}

BOOST_AUTO_TEST_SUITE_END()
