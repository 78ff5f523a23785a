// Submissions as the queue sees them afterwards.

#include "config/settings.hpp"
#include "enqueue/enqueuer.hpp"
#include "failing_file_io.hpp"
#include "messages/messages.hpp"
#include "queue/store.hpp"
#include "temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

using namespace mta::enqueue;
namespace queue = mta::queue;

namespace {

const char* const configuration = R"([jobctl]
host = home.example
[queue]
reserve = 0
[channel out]
group = host
deliveryflags = 4
[channel scan]
[routes]
.out.example = out
gw.example = out via relay.example
scan.example = scan
nowhere.example = pipe
[routes from scan]
scan.example = maildir
)";

struct stored {
  std::string channel;
  queue::entry entry;
  queue::envelope envelope;
  std::string content;
};

struct fixture {
  test::temporary_directory directory;
  test::failing_file_io io;
  std::shared_ptr<const mta::config::settings> site = std::make_shared<const mta::config::settings>(
      mta::config::parse(configuration, directory.path() + "/jobctl.conf", directory.path() + "/site")
          .value());
  std::mutex mutex;
  std::vector<std::string> announced;  // ids
  std::unique_ptr<enqueuer> e = open();

  std::unique_ptr<enqueuer> open() {
    enqueuer_options options;
    options.memory_limit = 64u << 10;
    options.announce = [this](std::string_view, const queue::committed& c) {
      const std::lock_guard lock(mutex);
      announced.push_back(to_string(c.id));
    };
    return enqueuer::open(site, std::move(options), io).value();
  }

  /// Every live message of the site.
  std::vector<stored> everything() {
    std::vector<stored> out;
    queue::store store(queue::real_file_io(), site->queue_root());
    for (const std::string& channel : store.channels().value())
      for (const auto number : store.files(channel).value()) {
        const auto file = store.open(channel, number).value();
        for (const auto& m : store.scan(*file, channel).value().messages)
          out.push_back(
              {channel, m.entry, file->read_envelope(m.entry).value(), file->read_content(m.entry).value()});
      }
    return out;
  }

  std::vector<std::string> addresses(const stored& s) {
    std::vector<std::string> out;
    for (const auto& r : s.envelope.recipients) out.push_back(r.address);
    return out;
  }
};

bool is_std(const mta::error& e, std::errc code) { return e.code == code; }

}  // namespace

BOOST_FIXTURE_TEST_SUITE(submissions, fixture)

BOOST_AUTO_TEST_CASE(a_message_is_stored_with_envelope_content_and_facts_and_announced) {
  submission_options options;
  options.envelope_id = "ENV1";
  options.delivery_flags = 1;
  options.notify_flags = 0x19;
  options.fragment_blocks = 10;
  options.fragment_lines = 20;
  options.source_channel = "pipe";
  auto s = e->start("Ann@Example.ORG", options).value();
  BOOST_TEST(s.sender() == "Ann@example.org");
  recipient_options to;
  to.original = "bobby@example.net";
  to.intermediate = "b@example.net";
  to.delivery_flags = 2;
  to.notify_flags = 0x20;
  BOOST_TEST(s.add_recipient("bob@Example.net", to).value().channel == "maildir");
  BOOST_REQUIRE(s.add_header_line("Received: by us"));
  BOOST_REQUIRE(s.write("Message-ID: <m@x>\nSubject: s\n"));
  BOOST_REQUIRE(s.write_line(""));
  BOOST_REQUIRE(s.write(".dot\n"));
  const auto later = queue::time_point(std::chrono::milliseconds(4'000'000'000'000));
  const auto done = s.commit(queue::priority::urgent, later).value();

  BOOST_REQUIRE(done.size() == 1u);
  BOOST_TEST(done[0].channel == "maildir");
  BOOST_TEST(done[0].host == "example.net");
  BOOST_TEST(done[0].recipients == 1u);
  BOOST_REQUIRE(announced.size() == 1u);
  BOOST_TEST(announced[0] == to_string(done[0].id));

  const auto all = everything();
  BOOST_REQUIRE(all.size() == 1u);
  const stored& m = all[0];
  BOOST_TEST(m.channel == "maildir");
  BOOST_TEST(m.content == "Received: by us\r\nMessage-ID: <m@x>\r\nSubject: s\r\n\r\n.dot\r\n");
  BOOST_TEST((m.entry.priority == queue::priority::urgent));
  BOOST_TEST((m.entry.not_before == later));
  BOOST_TEST(m.entry.host == "example.net");
  BOOST_TEST(m.entry.facts == queue::facts::leading_dot);
  BOOST_TEST(m.envelope.from == "Ann@example.org");
  BOOST_TEST(m.envelope.source_channel == "pipe");
  BOOST_TEST(m.envelope.envelope_id == "ENV1");
  BOOST_TEST(m.envelope.header_id == "<m@x>");
  BOOST_TEST(m.envelope.delivery_flags == 1u);
  BOOST_TEST(m.envelope.notify_flags == 0x19u);
  BOOST_TEST(m.envelope.fragment_blocks == 10u);
  BOOST_TEST(m.envelope.fragment_lines == 20u);
  BOOST_REQUIRE(m.envelope.recipients.size() == 1u);
  const queue::recipient& r = m.envelope.recipients[0];
  BOOST_TEST(r.address == "bob@example.net");
  BOOST_TEST(r.original == "bobby@example.net");
  BOOST_TEST(r.intermediate == "b@example.net");
  BOOST_TEST(r.delivery_flags == 2u);
  BOOST_TEST(r.notify_flags == 0x20u);
}

BOOST_AUTO_TEST_CASE(one_record_for_each_channel_and_for_each_host_where_the_channel_wants_that) {
  auto s = e->start("").value();
  for (const char* address :
       {"z@one.out.example", "a@two.out.example", "b@one.out.example", "y@x.org", "x@z.org", "c@gw.example"})
    BOOST_REQUIRE(s.add_recipient(address));
  BOOST_REQUIRE(s.write("A: 1\n\nbody\n"));
  BOOST_TEST(s.commit().value().size() == 4u);
  std::map<std::string, std::vector<std::string>> found;
  for (const stored& m : everything()) {
    BOOST_TEST(m.content == "A: 1\r\n\r\nbody\r\n");
    BOOST_TEST(m.envelope.from == "");
    BOOST_TEST(m.envelope.delivery_flags == (m.channel == "out" ? 4u : 0u));
    found[m.channel + "/" + m.entry.host] = addresses(m);
  }
  const std::map<std::string, std::vector<std::string>> expected{
      {"maildir/", {"x@z.org", "y@x.org"}},
      {"out/one.out.example", {"b@one.out.example", "z@one.out.example"}},
      {"out/two.out.example", {"a@two.out.example"}},
      {"out/relay.example", {"c@gw.example"}}};
  BOOST_TEST((found == expected));
}

BOOST_AUTO_TEST_CASE(more_than_256_recipients_become_several_records_and_nobody_is_left_out) {
  submission_options options;
  options.sort_recipients = false;
  auto s = e->start("a@b.org", options).value();
  std::set<std::string> wanted;
  for (int i = 0; i < 600; ++i) {
    wanted.insert("u" + std::to_string(i) + "@x.org");
    BOOST_REQUIRE(s.add_recipient("u" + std::to_string(i) + "@x.org"));
  }
  BOOST_TEST(s.recipients() == 600u);
  BOOST_REQUIRE(s.write("A: 1\n"));
  BOOST_TEST(s.commit().value().size() == 3u);
  std::set<std::string> found;
  std::multiset<std::size_t> sizes;
  for (const stored& m : everything()) {
    sizes.insert(m.envelope.recipients.size());
    for (const auto& a : addresses(m)) BOOST_TEST(found.insert(a).second);
  }
  BOOST_TEST((found == wanted));
  BOOST_TEST((sizes == std::multiset<std::size_t>{88, 256, 256}));
}

BOOST_AUTO_TEST_CASE(the_same_recipient_is_added_once_unless_its_options_differ) {
  auto s = e->start("").value();
  BOOST_REQUIRE(s.add_recipient("a@x.org"));
  BOOST_REQUIRE(s.add_recipient("a@X.ORG"));
  BOOST_TEST(s.recipients() == 1u);
  recipient_options other;
  other.original = "b@x.org";
  BOOST_REQUIRE(s.add_recipient("a@x.org", other));
  BOOST_TEST(s.recipients() == 2u);
}

BOOST_AUTO_TEST_CASE(a_rejected_recipient_leaves_the_submission_usable) {
  auto s = e->start("").value();
  const auto wrong = s.add_recipient("a@b@ c");
  BOOST_REQUIRE(!wrong.has_value());
  BOOST_TEST((wrong.error().code == mta::errc::rejected));
  recipient_options options;
  const std::string long_text(257, 'x');
  options.original = long_text;
  const auto large = s.add_recipient("a@x.org", options);
  BOOST_REQUIRE(!large.has_value());
  BOOST_TEST((large.error().code == mta::errc::out_of_range));
  options.original = "a\nto b@x.org";
  BOOST_TEST((s.add_recipient("a@x.org", options).error().code == mta::errc::rejected));
  BOOST_TEST(s.recipients() == 0u);
  BOOST_REQUIRE(s.add_recipient("a@x.org"));
  BOOST_REQUIRE(s.write("A: 1\n"));
  BOOST_TEST(s.commit().has_value());
}

BOOST_AUTO_TEST_CASE(the_routes_of_the_source_channel_count) {
  submission_options from_scan;
  from_scan.source_channel = "scan";
  BOOST_TEST(e->start("").value().add_recipient("a@scan.example").value().channel == "scan");
  BOOST_TEST(e->start("", from_scan).value().add_recipient("a@scan.example").value().channel == "maildir");
}

BOOST_AUTO_TEST_CASE(a_submission_does_not_start_with_a_wrong_sender_or_source) {
  BOOST_TEST((e->start("a b@x.org").error().code == mta::errc::syntax));
  BOOST_TEST((e->start(std::string(300, 'a')).error().code == mta::errc::out_of_range));
  submission_options options;
  options.source_channel = "nobody";
  const auto unknown = e->start("", options);
  BOOST_REQUIRE(!unknown.has_value());
  BOOST_TEST((unknown.error().code == mta::errc::not_configured));
  BOOST_TEST(unknown.error().context == "source channel \"nobody\"");
  options = {};
  options.envelope_id = "a\nto x";
  BOOST_TEST((e->start("", options).error().code == mta::errc::syntax));
  const std::string long_id(257, 'i');
  options.envelope_id = long_id;
  BOOST_TEST((e->start("", options).error().code == mta::errc::out_of_range));
  BOOST_TEST(e->start("<>").value().sender() == "");
  BOOST_TEST(e->start("joe").value().sender() == "joe@home.example");
}

BOOST_AUTO_TEST_CASE(steps_out_of_order_are_errors_and_commit_nothing) {
  {
    auto s = e->start("").value();
    BOOST_REQUIRE(s.add_recipient("a@x.org"));
    BOOST_REQUIRE(s.write("A: 1\n"));
    BOOST_TEST(is_std(s.add_recipient("b@x.org").error(), std::errc::operation_not_permitted));
    BOOST_TEST(is_std(s.add_header_line("B: 2").error(), std::errc::operation_not_permitted));
    s.abort();
    BOOST_TEST(is_std(s.write("x").error(), std::errc::operation_not_permitted));
    BOOST_TEST(is_std(s.commit().error(), std::errc::operation_not_permitted));
  }
  {
    auto s = e->start("").value();
    BOOST_REQUIRE(s.write("A: 1\n"));
    BOOST_TEST((s.commit().error().code == mta::errc::out_of_range));
  }
  {
    auto s = e->start("").value();
    BOOST_REQUIRE(s.add_recipient("a@x.org"));
    BOOST_TEST((s.commit().error().code == mta::errc::out_of_range));
  }
  {
    auto s = e->start("").value();
    BOOST_REQUIRE(s.add_recipient("a@x.org"));
    BOOST_REQUIRE(s.write(""));
    BOOST_TEST((s.commit().error().code == mta::errc::out_of_range));
  }
  { auto dropped = e->start("a@b.org").value(); }
  BOOST_TEST(everything().empty());
  BOOST_TEST(announced.empty());
}

BOOST_AUTO_TEST_CASE(a_committed_submission_is_over) {
  auto s = e->start("").value();
  BOOST_REQUIRE(s.add_recipient("a@x.org"));
  BOOST_REQUIRE(s.write("A: 1\n"));
  BOOST_REQUIRE(s.commit());
  BOOST_TEST(is_std(s.commit().error(), std::errc::operation_not_permitted));
  BOOST_TEST(everything().size() == 1u);
}

BOOST_AUTO_TEST_CASE(when_a_later_record_fails_the_earlier_ones_are_taken_back) {
  io.fail = [](const std::string& operation, const std::string& path) {
    return operation == "make_directory" && path.ends_with("/queue/pipe") ? EACCES : 0;
  };
  auto s = e->start("").value();
  for (const char* address : {"a@x.org", "b@scan.example", "c@nowhere.example"})
    BOOST_REQUIRE(s.add_recipient(address));
  BOOST_REQUIRE(s.write("A: 1\n"));
  const auto done = s.commit();
  BOOST_REQUIRE(!done.has_value());
  BOOST_TEST(is_std(done.error(), std::errc::permission_denied));
  BOOST_TEST(done.error().context.starts_with("queue a message for channel pipe: "));
  BOOST_TEST(done.error().context.find("all the same") == std::string::npos);
  BOOST_TEST(everything().empty());
  BOOST_TEST(announced.empty());
}

BOOST_AUTO_TEST_CASE(what_cannot_be_taken_back_is_told_and_announced) {
  // Between the first commit and the failure of the second, a channel program takes the first message in
  // hand.
  std::shared_ptr<queue::message_file> in_hand;
  io.fail = [&](const std::string& operation, const std::string& path) {
    if (operation != "make_directory" || !path.ends_with("/queue/pipe")) return 0;
    queue::store store(queue::real_file_io(), site->queue_root());
    in_hand = store.open("maildir", store.files("maildir").value().at(0)).value();
    BOOST_REQUIRE(in_hand->try_lock(0).value());
    return EACCES;
  };
  auto s = e->start("").value();
  for (const char* address : {"a@x.org", "c@nowhere.example"}) BOOST_REQUIRE(s.add_recipient(address));
  BOOST_REQUIRE(s.write("A: 1\n"));
  const auto done = s.commit();
  BOOST_REQUIRE(!done.has_value());
  BOOST_TEST(done.error().context.find(
                 "1 of 2 copies are queued all the same, and submitting the message again will send "
                 "them twice: ") != std::string::npos);
  BOOST_TEST(everything().size() == 1u);
  BOOST_REQUIRE(announced.size() == 1u);
  BOOST_TEST(done.error().context.ends_with(announced[0] + " (channel maildir)"));
}

BOOST_AUTO_TEST_CASE(after_a_failed_write_nothing_is_committed) {
  io.fail = [](const std::string& operation, const std::string& path) {
    return operation == "write" && path.find("/.content.") != path.npos ? ENOSPC : 0;
  };
  auto s = e->start("").value();
  BOOST_REQUIRE(s.add_recipient("a@x.org"));
  BOOST_TEST(is_std(s.write(std::string(100'000, 'x')).error(), std::errc::no_space_on_device));
  io.fail = [](const std::string&, const std::string&) { return 0; };
  BOOST_TEST(is_std(s.commit().error(), std::errc::no_space_on_device));
  BOOST_TEST(everything().empty());
}

BOOST_AUTO_TEST_CASE(what_has_travelled_in_circles_is_refused) {
  std::string header = "Message-ID: <1@a>\nSubject: x\n";
  for (int n = 0; n < 99; ++n) header += "Received: from a by b;\n\tsome time\n";
  for (const bool too_many : {false, true}) {
    header += "received: again\n";
    for (const std::size_t body : {std::size_t{10}, std::size_t{200'000}}) {
      auto s = e->start("ann@example.org", {}).value();
      BOOST_REQUIRE(s.add_recipient("bob@scan.example"));
      BOOST_REQUIRE(s.write(header + "\nReceived: is no field here\n" + std::string(body, 'x') + '\n'));
      const auto done = s.commit();
      BOOST_REQUIRE(done.has_value() == !too_many);
      if (!done) BOOST_TEST((done.error().code == mta::errc::rejected));
      if (!done) BOOST_TEST(done.error().message().find("a mail loop") != std::string::npos);
    }
  }
}

BOOST_AUTO_TEST_CASE(below_the_reserve_nothing_is_accepted) {
  auto full = std::make_shared<mta::config::settings>(*site);
  full->queue.reserve.bytes = ~0ull >> 1;
  site = full;
  e = open();
  auto s = e->start("").value();
  BOOST_REQUIRE(s.add_recipient("a@x.org"));
  BOOST_REQUIRE(s.write("A: 1\n"));
  BOOST_TEST((s.commit().error().code == mta::errc::no_space));
}

BOOST_AUTO_TEST_CASE(new_settings_count_for_submissions_that_begin_later) {
  auto before = e->start("").value();
  auto changed = std::make_shared<mta::config::settings>(*site);
  changed->routes = {{"", "*", {"bitbucket", {}}}};
  changed->index_routes();
  e->update(changed);
  BOOST_TEST(before.add_recipient("a@x.org").value().channel == "maildir");
  BOOST_TEST(e->start("").value().add_recipient("a@x.org").value().channel == "bitbucket");
}

BOOST_AUTO_TEST_CASE(many_threads_submit_mail_of_every_shape_at_once) {
  constexpr int threads = 8, each = 28;
  std::vector<std::thread> running;
  std::map<std::string, std::string> wanted;  // by envelope id: content
  for (int t = 0; t < threads; ++t)
    running.emplace_back([&, t] {
      messages::generator generator(static_cast<std::uint64_t>(t), {"x.org", "scan.example"});
      for (int i = 0; i < each; ++i) {
        const messages::message m = generator.next();
        const std::string id = std::to_string(t) + "." + std::to_string(i);
        submission_options options;
        options.envelope_id = id;
        auto s = e->start(m.from, options).value();
        for (const auto& to : m.to) s.add_recipient(to).value();
        s.write(m.content).value();
        s.commit().value();
        const std::lock_guard lock(mutex);
        wanted[id] = m.wire_form();
      }
    });
  for (auto& t : running) t.join();
  std::set<std::string> found;
  const auto all = everything();
  for (const stored& m : all) {
    found.insert(m.envelope.envelope_id);
    BOOST_TEST((m.content == wanted[m.envelope.envelope_id]));
  }
  BOOST_TEST(found.size() == static_cast<std::size_t>(threads * each));
  BOOST_TEST(announced.size() == all.size());
}

BOOST_AUTO_TEST_CASE(without_a_controller_enqueueing_works) {
  auto alone = enqueuer::open(site).value();
  auto s = alone->start("").value();
  BOOST_REQUIRE(s.add_recipient("a@x.org"));
  BOOST_REQUIRE(s.write("A: 1\n"));
  BOOST_TEST(s.commit().has_value());
  BOOST_TEST(everything().size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_site_that_cannot_be_made_is_an_error) {
  auto elsewhere = std::make_shared<mta::config::settings>(*site);
  elsewhere->root = directory.path() + "/no/such/parent";
  BOOST_TEST(!enqueuer::open(elsewhere).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
