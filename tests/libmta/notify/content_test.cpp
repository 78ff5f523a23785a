// What a notification says and returns: content of every kind, addresses and reasons that do not fit a field,
// templates, copies for the postmaster; and what happens when it cannot be sent.
#include "notify/templates.hpp"
#include "site.hpp"

#include <mta/dequeue.hpp>

#include <sys/stat.h>

using namespace test;
using mta::disposition;

namespace {

std::string long_line(std::size_t n) { return std::string(n, 'x'); }

}  // namespace

BOOST_FIXTURE_TEST_SUITE(returned_content, notify_site)

BOOST_AUTO_TEST_CASE(eight_bit_content_is_returned_as_it_is) {
  notify_site::message m;
  m.content = "Subject: gr\xC3\xBC\xC3\x9F\x65\n\nGr\xC3\xBC\xC3\x9F\x65\n.\n..\n";
  finish(submit(m), disposition::failed);
  const auto n = notification();
  BOOST_TEST(n.returned_type == "message/global");
  BOOST_TEST(n.returned == "Subject: gr\xC3\xBC\xC3\x9F\x65\r\n\r\nGr\xC3\xBC\xC3\x9F\x65\r\n.\r\n..\r\n");
}

BOOST_AUTO_TEST_CASE(content_that_no_encoding_of_a_message_allows_stays_behind_and_its_header_is_returned) {
  for (const std::string& body : {long_line(2000), std::string("a\0b", 3), std::string("a\rb")}) {
    notify_site s;
    notify_site::message m;
    m.content = "Subject: hello\n\n" + body + "\n";
    s.finish(s.submit(m), disposition::failed);
    const auto n = s.notification();
    BOOST_TEST(n.returned_type == "text/rfc822-headers");
    BOOST_TEST(n.returned == "Subject: hello\r\n");
  }
}

BOOST_AUTO_TEST_CASE(any_header_is_returned_legally) {
  for (const std::string& value : {long_line(3000), std::string("b\xC3\xA9 \xFF\xFE"),
                                   std::string("a\rb =?x?="), std::string("tail blanks \t ")}) {
    notify_site s;
    notify_site::message m;
    m.content = "X-Odd: " + value + "\n\nbody\n";
    m.flags = 0x02 | 0x10;
    s.finish(s.submit(m), disposition::failed);
    BOOST_TEST(s.notification().returned == "X-Odd: " + value + "\r\n");
  }
}

BOOST_AUTO_TEST_CASE(a_message_without_a_header_or_without_a_body_can_be_reported) {
  for (const std::string& content : {std::string("\nonly a body\n"), std::string("Subject: only a header\n"),
                                     std::string("neither header nor blank line\n")}) {
    notify_site s;
    notify_site::message m;
    m.content = content;
    s.finish(s.submit(m), disposition::failed);
    (void)s.notification();
    m.flags = 0x02 | 0x10;
    notify_site t;
    t.finish(t.submit(m), disposition::failed);
    (void)t.notification();
  }
}

BOOST_AUTO_TEST_CASE(content_beyond_the_limit_is_not_returned) {
  notify_site s({}, "[notify]\ncontent_limit = 1K\n");
  notify_site::message m;
  m.content = "Subject: large\n\n";
  for (int i = 0; i < 100; ++i) m.content += "twenty bytes of text\n";
  s.finish(s.submit(m), disposition::failed);
  BOOST_TEST(s.notification().returned == "Subject: large\r\n");
}

BOOST_AUTO_TEST_CASE(a_message_that_is_damaged_is_reported_without_it) {
  const auto id = submit({});
  const auto f = store->open("x", id.file).value();
  const auto e = f->read_entry(id.slot).value().entry;
  const std::string noise = "noise";
  f->raw().write(e.record_offset + 64 + e.envelope_length + 5, std::as_bytes(std::span(noise))).value();
  finish(id, disposition::failed);
  BOOST_TEST(notification().returned_type == "");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(notification_fields, notify_site)

BOOST_AUTO_TEST_CASE(reasons_of_any_kind_fit_the_fields) {
  for (const std::string& reason :
       {long_line(3000), std::string("two\nlines\r\n of \t text"), std::string("gr\xC3\xBC\xC3\x9F\x65"),
        std::string("   "), std::string("550-5.7.1 part one 550 5.7.1 part two"), std::string("\x1b[31mred"),
        std::string("4.2.2 full"), std::string("2.0.0 nonsense"), std::string("5.1"),
        std::string("999 nonsense")}) {
    notify_site s;
    s.finish(s.submit({}), disposition::failed, reason);
    (void)s.notification();
  }
}

BOOST_AUTO_TEST_CASE(a_status_is_taken_from_the_reason_if_it_fits) {
  const std::pair<const char*, const char*> examples[] = {
      {"550 5.1.1 no such user", "5.1.1"}, {"5.7.1 not here", "5.7.1"}, {"452 4.2.2 mailbox full", "4.2.2"},
      {"250 2.1.5 fine", "5.0.0"},         {"no such user", "5.0.0"},   {"5.1.1000 x", "5.0.0"}};
  for (const auto& [reason, status] : examples) {
    notify_site s;
    s.finish(s.submit({}), disposition::failed, reason);
    BOOST_TEST(rfc3464::get(s.notification().recipients.at(0), "Status") == status, reason);
  }
  notify_site s;
  s.finish(s.submit({}), disposition::timed_out, "450 4.2.1 mailbox busy");
  BOOST_TEST(rfc3464::get(s.notification().recipients.at(0), "Status") == "4.4.7");
}

BOOST_AUTO_TEST_CASE(addresses_of_any_kind_fit_the_fields) {
  for (const std::string& address :
       {std::string("\"john  doe\"@x.example"), std::string("j\xC3\xB6rg@x.example"),
        std::string("a+b=c\\d\xE2\x82\xAC\xF0\x9F\x98\x80@x.example"), std::string("bad\xFF\xC3@x.example"),
        std::string(240, 'l') + "@x.example"}) {
    notify_site s;
    notify_site::message m;
    m.to = {{address, 0, address}};
    s.finish(s.submit(m), disposition::failed, "no");
    const auto n = s.notification();
    if (address.front() == '"')
      BOOST_TEST(rfc3464::get(n.recipients.at(0), "Final-Recipient") == "rfc822; " + address);
    if (address.front() == 'j')
      BOOST_TEST(rfc3464::get(n.recipients.at(0), "Final-Recipient") == "utf-8; j\\x{F6}rg@x.example");
  }
}

BOOST_AUTO_TEST_CASE(two_hundred_and_fifty_six_recipients_make_one_notification) {
  notify_site::message m;
  m.to.clear();
  for (int i = 0; i < 256; ++i) m.to.push_back({"user" + std::to_string(i) + "@x.example"});
  finish(submit(m), disposition::failed, "550 5.1.1 no such user");
  BOOST_TEST(notification().recipients.size() == 256u);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(notification_templates)

BOOST_AUTO_TEST_CASE(a_site_s_own_texts_take_the_place_of_the_built_in_ones) {
  notify_site s;
  const std::string directory = s.root() + "/templates";
  std::filesystem::create_directory(directory);
  std::ofstream(directory + "/return_prefix.txt")
      << "Content-Type: text/plain; charset=UTF-8\nContent-Language: de\n\nBericht \xC3\xBC"
         "ber:\n%H\n";
  std::ofstream(directory + "/return_failed.txt")
      << "Subject: Unzustellbar: gr\xC3\xBC\xC3\x9F\x65\n\nNicht: %R100%% %Z %";
  std::ofstream(directory + "/return_suffix.txt");  // empty: not wanted
  s.finish(s.submit({}), disposition::failed, "kaputt");
  const auto n = s.notification();
  BOOST_TEST(n.human ==
             "Bericht \xC3\xBC"
             "ber:\r\n  From: Ann <ann@sender.example>\r\n  Subject: hello\r\n"
             "  Message-ID: <1@sender.example>\r\nNicht:   bob@x.example\r\n      kaputt\r\n100% %Z %\r\n");
  BOOST_TEST(rfc3464::get(n.header, "Subject").find("=?utf-8?q?Unzustellbar=3A_gr=C3=BC") == 0u);
}

BOOST_AUTO_TEST_CASE(whatever_is_wrong_with_a_template_the_notification_is_sent) {
  for (int kind = 0; kind < 6; ++kind) {
    notify_site s;
    const std::string directory = s.root() + "/templates", file = directory + "/return_failed.txt";
    std::filesystem::create_directory(directory);
    switch (kind) {
      case 0: std::filesystem::create_directory(file); break;
      case 1: std::ofstream(file) << std::string(100'000, 'x'); break;
      case 2: ::mkfifo(file.c_str(), 0600); break;
      case 3: std::ofstream(file) << std::string("\0\r\n.\r\xFF%", 7); break;
      case 4: std::filesystem::create_symlink(file, file); break;
      case 5: std::ofstream(file) << "Content-Type: text/html; charset=\"\r\n evil\nSubject: \n\n%H"; break;
    }
    const auto r = s.finish(s.submit({}), disposition::failed, "no");
    BOOST_TEST((r.outcome == wire::outcome::finished));
    (void)s.notification();
  }
}

BOOST_AUTO_TEST_CASE(the_manual_shows_the_built_in_texts) {
  std::ifstream page(JOBCTL_SOURCE_DIRECTORY "/docs/notifications.md");
  const std::string manual{std::istreambuf_iterator<char>(page), {}};
  std::vector<std::string_view> files{mta::notify::prefix_file(), mta::notify::suffix_file()};
  for (std::size_t k = 0; k < mta::notify::kinds; ++k)
    files.push_back(mta::notify::file_of(static_cast<mta::notify::kind>(k)));
  for (const std::string_view file : files) {
    const std::string shown =
        "```text " + std::string(file) + "\n" + std::string(mta::notify::built_in(file)) + "```\n";
    BOOST_TEST(manual.find(shown) != manual.npos, file << " is not in the manual as it is built in");
  }
}

BOOST_AUTO_TEST_CASE(every_placeholder_is_replaced) {
  using namespace std::chrono_literals;
  notify_site s;
  const std::string directory = s.root() + "/templates";
  std::filesystem::create_directory(directory);
  std::ofstream(directory + "/return_prefix.txt") << "%M %P %%\n";
  std::ofstream(directory + "/return_suffix.txt");
  std::ofstream(directory + "/return_delayed.txt") << "%C %u%s %U%S, %L %u%s, %F %u%s\n%R\n%H.\n";
  mta::notify::placeholders p;
  p.headers = "  Subject: x\n";
  p.recipients[3] = "  bob\n";
  p.queued = 24h * 3 + 5h;
  p.left = 24h + 1s;
  p.total = 24h * 12;
  p.host = "mta.example";
  p.postmaster = "postmaster@mta.example";
  BOOST_TEST(mta::notify::fill_in(directory, p).text ==
             "mta.example postmaster@mta.example %\n3 days DayS, 1 day, 12 days\n  bob\n  Subject: x\n.\n");
  p.total = 12h;
  BOOST_TEST(mta::notify::fill_in(directory, p).text.find("77 hours HourS, 24 hours, 12 hours") !=
             std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

// The reader that all other tests rely on is strict.
BOOST_FIXTURE_TEST_CASE(a_notification_that_breaks_a_rule_is_found_out, notify_site) {
  notify_site::message m;
  m.envelope_id = "order 17";
  m.to[0].original = "robert@elsewhere.example";
  finish(submit(m), disposition::failed, "550 5.1.1 no such user");
  const std::string good = queued("back").at(0).content;
  BOOST_REQUIRE_NO_THROW((void)rfc3464::read(good));
  const std::pair<const char*, const char*> mutations[] = {
      {"1.0\r\n\r\n--", "1.0\r\n--"},
      {"Action: failed", "Action: bounced"},
      {"Action: failed\r\n", ""},
      {"Action: failed\r\n", "Action: failed\r\nAction: failed\r\n"},
      {"Action: failed\r\n", "Action: failed\r\n\r\n"},
      {"Status: 5.1.1", "Status: 2.1.1"},
      {"Status: 5.1.1", "Status: 5.1"},
      {"Reporting-MTA: dns; ", "Reporting-MTA: "},
      {"Reporting-MTA: dns; mta.example\r\n", ""},
      {"Final-Recipient: rfc822; ", "Final-Recipient: "},
      {"Final-Recipient: rfc822;", "Final-Recipient: rfc822;\xC3\xB6"},
      {"smtp; 550", "smtp; nothing"},
      {"Arrival-Date: ", "Arrival-Date: x"},
      {"Last-Attempt-Date: ", "Will-Retry-Until: "},
      {"Last-Attempt-Date: ", "Unknown: "},
      {"report-type=delivery-status", "report-type=x"},
      {"multipart/report", "multipart/mixed"},
      {"_report--", "_report"},
      {"MIME-Version: 1.0\r\n", ""},
      {"Auto-Submitted: auto-replied\r\n", ""},
      {"Message-ID: <", "Message-ID: "},
      {"Content-Type: message/delivery-status\r\n", "Content-Type: text/plain\r\n"},
      {"Content-Type: message/delivery-status\r\n", ""},
      {"Content-Type: message/delivery-status\r\n",
       "Content-Type: message/delivery-status\r\nContent-Transfer-Encoding: 8bit\r\n"},
      {"Hello.\r\n", "Hell\xC3\xB6.\r\n"},
      {"Hello.\r\n", "Hello.\n"},
      {"Subject: Delivery", "Subject: D\xC3\xA9livery"}};
  for (const auto& [from, to] : mutations) {
    std::string bad = good;
    const auto at = bad.find(from);
    BOOST_TEST_REQUIRE(at != std::string::npos, from);
    bad.replace(at, std::string_view(from).size(), to);
    BOOST_TEST_CONTEXT(from << " -> " << to)
    BOOST_CHECK_THROW((void)rfc3464::read(bad), rfc3464::violation);
  }
}

BOOST_AUTO_TEST_SUITE(copies_for_the_postmaster)

BOOST_AUTO_TEST_CASE(he_gets_them_when_the_channel_says_so) {
  struct example {
    const char* setting;
    const char* sender;
    std::size_t to_sender, to_postmaster;
  };
  for (const example& e :
       {example{"never", "ann@sender.example", 1, 0}, example{"never", "", 0, 0},
        example{"errors", "ann@sender.example", 1, 0}, example{"errors", "", 0, 1},
        example{"errors", "ann@nowhere.example", 0, 1}, example{"copy", "ann@sender.example", 1, 1},
        example{"copy", "", 0, 0}, example{"copy", "ann@nowhere.example", 0, 1},
        example{"always", "ann@sender.example", 1, 1}, example{"always", "", 0, 1}}) {
    notify_site s("sendpost = " + std::string(e.setting) + "\n");
    notify_site::message m;
    m.sender = e.sender;
    const auto r = s.finish(s.submit(m), disposition::failed, "no");
    const std::string what = e.setting + std::string(" <") + e.sender + ">";
    BOOST_TEST((r.outcome == wire::outcome::finished), what);
    BOOST_TEST(s.queued("back").size() == e.to_sender, what);
    BOOST_TEST(s.queued("post").size() == e.to_postmaster, what);
    for (const char* channel : {"back", "post"})
      for (const auto& sent : s.queued(channel)) (void)rfc3464::read(sent.content);
  }
}

BOOST_AUTO_TEST_CASE(he_gets_none_of_what_was_delivered) {
  notify_site s("sendpost = always\n");
  notify_site::message m;
  m.flags = 0x38 | 0x01;
  s.finish(s.submit(m), disposition::delivered);
  BOOST_TEST(s.queued("back").size() == 1u);
  BOOST_TEST(s.queued("post").empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(notifications_that_cannot_be_sent)

BOOST_AUTO_TEST_CASE(a_sender_to_whom_there_is_no_way_puts_the_message_on_hold) {
  notify_site s;
  notify_site::message m;
  m.sender = "ann@nowhere.example";
  const auto id = s.submit(m);
  const auto r = s.finish(id, disposition::failed, "no such user");
  BOOST_TEST((r.outcome == wire::outcome::held));
  BOOST_TEST((s.state(id).why == queue::reason::undeliverable));
  BOOST_TEST(s.state(id).finished.none());
  BOOST_TEST(s.history(id).find("its sender cannot be notified") != std::string::npos);
  BOOST_TEST(s.history(id).find("no such user") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_sender_who_cannot_be_found_out_for_now_is_told_later_whatever_the_postmaster_gets) {
  notify_site s("sendpost = always\n");
  const auto site = std::make_shared<mta::config::settings>(*s.settings);
  site->aliases = s.root() + "/aliases";
  s.settings = site;
  notify_site::message m;
  m.sender = "ann@mta.example";
  const auto id = s.submit(m);
  std::ofstream(site->aliases) << "no colon, and so no aliases\n";
  BOOST_TEST((s.finish(id, disposition::failed).outcome == wire::outcome::deferred));
  BOOST_TEST(s.queued("post").empty());
  std::ofstream(site->aliases) << "ann: ann@sender.example\n";
  BOOST_TEST((s.finish(id, disposition::failed).outcome == wire::outcome::finished));
  BOOST_TEST(s.queued("back").size() == 1u);
  BOOST_TEST(s.queued("post").size() == 1u);
}

BOOST_AUTO_TEST_CASE(while_others_wait_the_message_is_deferred_instead) {
  notify_site s;
  notify_site::message m;
  m.sender = "ann@nowhere.example";
  m.to = {{"a@x.example"}, {"b@x.example"}, {"c@x.example"}};
  const auto id = s.submit(m);
  const auto r = s.process(id, [](mta::message& in_hand) {
    in_hand.dispose(in_hand.recipients()[0], disposition::failed);
    in_hand.dispose(in_hand.recipients()[1], disposition::delivered);
    (void)in_hand.finish();
  });
  BOOST_TEST((r.outcome == wire::outcome::deferred));
  const auto state = s.state(id);
  BOOST_TEST(!state.finished.test(0));
  BOOST_TEST(state.finished.test(1));
  BOOST_TEST(!state.finished.test(2));
}

BOOST_AUTO_TEST_CASE(a_full_disk_defers_what_failed_and_not_what_was_delivered) {
  for (const bool some_delivered : {false, true}) {
    notify_site s;
    s.notifier.emplace(mta::dequeueing::notifier::opener([] {
      return mta::result<std::unique_ptr<enqueue::enqueuer>>(mta::error(mta::errc::no_space, "queue"));
    }));
    notify_site::message m;
    m.to = {{"a@x.example"}, {"b@x.example"}};
    const auto id = s.submit(m);
    bool succeeded = true;
    const auto r = s.process(id, [&](mta::message& in_hand) {
      in_hand.dispose(in_hand.recipients()[0], disposition::failed);
      in_hand.dispose(in_hand.recipients()[1], some_delivered ? disposition::delivered : disposition::failed);
      succeeded = in_hand.finish().has_value();
    });
    BOOST_TEST((r.outcome == wire::outcome::deferred));
    BOOST_TEST(succeeded == some_delivered);  // an error says that it is deferred for all
    BOOST_TEST(!s.state(id).finished.test(0));
    BOOST_TEST(s.state(id).finished.test(1) == some_delivered);
    // The next attempt can tell.
    s.notifier.emplace([&s] {
      return mta::result<std::unique_ptr<enqueue::enqueuer>>(s.make_enqueuer(queue::real_file_io()));
    });
    BOOST_TEST((s.finish(id, disposition::failed).outcome == wire::outcome::finished));
    BOOST_TEST(s.notification().recipients.size() == (some_delivered ? 1u : 2u));
  }
}

BOOST_AUTO_TEST_SUITE_END()

// Every message is failed, notifications too, for as long as there are any: whatever the settings, that ends
// soon.
BOOST_AUTO_TEST_CASE(bounce_loops_cannot_form) {
  for (const char* setting : {"never", "errors", "copy", "always"})
    for (const std::string sender : {"ann@sender.example", "", "postmaster@mta.example", "ann@x.example"}) {
      const std::string keys = "sendpost = " + std::string(setting) + "\nwarnpost = " + setting + "\n";
      notify_site s(keys, "[channel lost]\n");
      // The other channels have the same settings.
      const std::string conf = s.root() + "/jobctl.conf";
      std::ofstream(conf)
          << "[jobctl]\nhost = mta.example\nbuiltin = no\n[queue]\nreserve = 0\n[channel x]\n" + keys +
                 "[channel back]\n" + keys + "[channel post]\n" + keys +
                 "[routes]\nx.example = x\nsender.example = back\nmta.example = post\n";
      auto found = mta::config::find_site({}, s.root());
      BOOST_REQUIRE_MESSAGE(found, found.error().text());
      s.settings = std::make_shared<const mta::config::settings>(std::move(*found));
      s.enqueuer = s.make_enqueuer(queue::real_file_io());
      notify_site::message m;
      m.sender = sender;
      s.submit(m);
      int processed = 0;
      for (bool any = true; any && processed < 50;) {
        any = false;
        for (const char* channel : {"x", "back", "post"})
          for (const auto& one : s.queued(channel)) {
            any = true;
            ++processed;
            s.process(
                one.id,
                [](mta::message& in_hand) { (void)in_hand.finish(disposition::failed, "nothing works"); },
                channel);
          }
      }
      BOOST_TEST(processed <= 4, setting << " " << sender << ": " << processed << " messages");
    }
}
