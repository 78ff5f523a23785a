// What aliases do to a submission, and what the accounting log says of it.

#include "enqueue/enqueuer.hpp"
#include "failing_file_io.hpp"
#include "queue/store.hpp"
#include "temporary_directory.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

using namespace mta::enqueue;
namespace queue = mta::queue;
namespace json = boost::json;
using strings = std::vector<std::string>;

namespace {

struct fixture {
  test::temporary_directory directory;
  test::failing_file_io io;
  std::shared_ptr<const mta::config::settings> site;
  std::unique_ptr<enqueuer> e;

  fixture() { open(); }

  void open(const std::string& more = {}, const std::string& channels = {}) {
    site = std::make_shared<const mta::config::settings>(
        mta::config::parse("[jobctl]\nhost = home.example\naccounting = json\naliases = " + directory.path() +
                               "/aliases\n" + more + "[queue]\nreserve = 0\n[channel in]\n" + channels +
                               "[routes]\nnowhere.example = pipe\nbits.example = bitbucket\n",
                           directory.path() + "/jobctl.conf", directory.path() + "/site")
            .value());
    enqueuer_options options;
    options.announce = [](std::string_view, const queue::committed&) {};
    e = enqueuer::open(site, std::move(options), io).value();
    write(
        "staff: ann@far.example, bob\nowner-staff: boss\nbob: bob, archive@far.example\nlist: staff, "
        "x@bits.example\nloop: loop2\nloop2: loop\n");
  }
  void write(const std::string& text) const { std::ofstream(directory.path() + "/aliases") << text; }

  /// Submits a message to these; what became of each, "" if it was taken.
  std::map<std::string, mta::error> submit(const strings& to, const submission_options& options = {},
                                           const std::string& from = "me@far.example") {
    std::map<std::string, mta::error> refused;
    auto s = e->start(from, options).value();
    for (const std::string& address : to)
      if (const auto added = s.add_recipient(address); !added) refused[address] = added.error();
    if (s.recipients() > 0) {
      BOOST_REQUIRE(s.write("Message-ID: <1@x>\n\ntext\n"));
      const auto done = s.commit();
      BOOST_REQUIRE_MESSAGE(done, done.error().message());
    }
    return refused;
  }
  /// "channel from>to" of every queued recipient.
  std::multiset<std::string> queued() const {
    std::multiset<std::string> out;
    queue::store store(queue::real_file_io(), site->queue_root());
    for (const std::string& channel : store.channels().value())
      for (const auto number : store.files(channel).value()) {
        const auto file = store.open(channel, number).value();
        for (const auto& m : store.scan(*file, channel).value().messages) {
          const auto envelope = file->read_envelope(m.entry).value();
          for (const auto& r : envelope.recipients)
            out.insert(channel + ' ' + envelope.from + '>' + r.address +
                       (r.original.empty() ? "" : " for " + r.original));
        }
      }
    return out;
  }
  std::vector<json::object> accounts() const {
    std::vector<json::object> out;
    std::ifstream in(site->log_directory() + "/mail.log.json");
    for (std::string line; std::getline(in, line);) out.push_back(json::parse(line).as_object());
    return out;
  }
  static std::string text(const json::object& o, const char* key) {
    const json::value* v = o.if_contains(key);
    return v == nullptr ? "" : std::string(v->as_string());
  }
};

void check(const std::multiset<std::string>& found, const std::multiset<std::string>& expected) {
  BOOST_TEST(found == expected, boost::test_tools::per_element());
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(recipients_of_submissions, fixture)

BOOST_AUTO_TEST_CASE(an_alias_is_replaced_by_what_it_stands_for_and_named_as_original) {
  BOOST_TEST(submit({"Bob"}).empty());
  check(queued(), {"maildir me@far.example>bob@home.example for Bob@home.example",
                   "maildir me@far.example>archive@far.example for Bob@home.example"});
}

BOOST_AUTO_TEST_CASE(members_of_a_list_with_an_owner_get_mail_from_the_owner_and_others_from_the_sender) {
  BOOST_TEST(submit({"list@home.example"}).empty());
  check(queued(), {"maildir owner-staff@home.example>ann@far.example for list@home.example",
                   "maildir owner-staff@home.example>bob@home.example for list@home.example",
                   "maildir owner-staff@home.example>archive@far.example for list@home.example",
                   "bitbucket me@far.example>x@bits.example for list@home.example"});
}

BOOST_AUTO_TEST_CASE(reports_to_a_list_keep_the_empty_sender) {
  BOOST_TEST(submit({"staff"}, {}, "").empty());
  for (const std::string& m : queued()) BOOST_TEST(m.starts_with("maildir >"), m);
}

BOOST_AUTO_TEST_CASE(somebody_who_is_named_directly_and_by_aliases_gets_one_copy) {
  for (const strings& to :
       {strings{"ann@far.example", "staff", "list"}, strings{"list", "staff", "ann@far.example"}}) {
    open();
    submit(to);
    const auto all = queued();
    BOOST_TEST(std::count_if(all.begin(), all.end(),
                             [](const std::string& m) { return m.find(">ann@far.example") != m.npos; }) == 1);
    std::filesystem::remove_all(site->queue_root());
  }
}

BOOST_AUTO_TEST_CASE(a_name_at_another_host_is_no_alias) {
  BOOST_TEST(submit({"staff@far.example", "staff@sub.home.example"}).empty());
  check(queued(),
        {"maildir me@far.example>staff@far.example", "maildir me@far.example>staff@sub.home.example"});
}

BOOST_AUTO_TEST_CASE(without_expansion_an_alias_is_an_address_like_any_other) {
  submission_options o;
  o.expand_aliases = false;
  BOOST_TEST(submit({"staff", "loop"}, o).empty());
  check(queued(), {"maildir me@far.example>staff@home.example", "maildir me@far.example>loop@home.example"});
}

BOOST_AUTO_TEST_CASE(a_recipient_that_was_expanded_before_is_not_expanded_again) {
  auto s = e->start("me@far.example").value();
  recipient_options o;
  o.expanded = true;
  BOOST_REQUIRE(s.add_recipient("bob", o));
  BOOST_REQUIRE(s.write("\nx\n"));
  BOOST_REQUIRE(s.commit());
  check(queued(), {"maildir me@far.example>bob@home.example"});
}

BOOST_AUTO_TEST_CASE(a_loop_refuses_for_now_and_only_those_in_it) {
  const auto refused = submit({"loop", "ann@far.example", "bob"});
  BOOST_REQUIRE(refused.size() == 1u);
  const mta::error& why = refused.at("loop");
  BOOST_TEST((why.code == mta::errc::try_later));
  BOOST_TEST(why.context == "address \"loop\": " + directory.path() +
                                "/aliases:6: alias loop2: a loop: loop → loop2 → loop");
  BOOST_TEST(queued().size() == 3u);
}

BOOST_AUTO_TEST_CASE(an_alias_for_an_address_without_a_route_refuses_for_now_and_adds_nobody) {
  open("builtin = no\n", "[channel maildir]\n[channel pipe]\n[channel bitbucket]\n");
  write("staff: a@nowhere.example, b@unknown.example\n");
  const auto refused = submit({"staff"});
  BOOST_TEST((refused.at("staff").code == mta::errc::try_later));
  BOOST_TEST(refused.at("staff").context.find("b@unknown.example") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(with_a_missing_or_wrong_file_mail_for_this_host_waits_and_other_mail_goes) {
  for (const bool missing : {true, false}) {
    if (missing)
      std::filesystem::remove(directory.path() + "/aliases");
    else
      write("wrong\n");
    const auto refused = submit({"bob", "nobody@home.example", "ann@far.example"});
    BOOST_TEST(refused.size() == 2u);
    for (const auto& [address, why] : refused) {
      BOOST_TEST((why.code == mta::errc::try_later));
      BOOST_TEST(why.context.find(directory.path() + "/aliases") != std::string::npos, why.context);
    }
  }
  check(queued(), {"maildir me@far.example>ann@far.example", "maildir me@far.example>ann@far.example"});
}

BOOST_AUTO_TEST_CASE(the_postmaster_is_reached_whatever_the_aliases_are_like) {
  open("postmaster = admin@far.example\n");
  write("x: y\n");
  BOOST_TEST(submit({"PostMaster"}).empty());
  write("postmaster: p1@far.example\n");
  BOOST_TEST(submit({"postmaster@home.example"}).empty());
  write("postmaster: loop\nloop: postmaster\n");
  BOOST_TEST(submit({"postmaster"}).empty());
  write("wrong\n");
  BOOST_TEST(submit({"postmaster"}).empty());
  std::filesystem::remove(directory.path() + "/aliases");
  BOOST_TEST(submit({"postmaster"}).empty());
  check(queued(), {"maildir me@far.example>admin@far.example for PostMaster@home.example",
                   "maildir me@far.example>p1@far.example for postmaster@home.example",
                   "maildir me@far.example>admin@far.example for postmaster@home.example",
                   "maildir me@far.example>admin@far.example for postmaster@home.example",
                   "maildir me@far.example>admin@far.example for postmaster@home.example"});
}

BOOST_AUTO_TEST_CASE(a_postmaster_of_this_host_who_is_an_alias_is_expanded) {
  open("postmaster = root@home.example\n");
  write("root: ann@far.example\n");
  BOOST_TEST(submit({"postmaster"}).empty());
  check(queued(), {"maildir me@far.example>ann@far.example for postmaster@home.example"});
}

BOOST_AUTO_TEST_CASE(recipients_beyond_the_limit_are_left_to_reprocess) {
  submission_options o;
  o.expand_limit = 2;
  BOOST_TEST(submit({"a@far.example", "b@far.example", "c@bits.example", "staff"}, o).empty());
  check(queued(), {"maildir me@far.example>a@far.example", "maildir me@far.example>b@far.example",
                   "reprocess me@far.example>c@bits.example",
                   "reprocess owner-staff@home.example>ann@far.example for staff@home.example",
                   "reprocess owner-staff@home.example>bob@home.example for staff@home.example",
                   "reprocess owner-staff@home.example>archive@far.example for staff@home.example"});
}

BOOST_AUTO_TEST_CASE(a_limit_of_none_puts_all_off_but_not_what_reprocess_itself_enqueues) {
  submission_options o;
  o.expand_limit = 0;
  BOOST_TEST(submit({"a@far.example"}, o).empty());
  o.source_channel = "reprocess";
  BOOST_TEST(submit({"b@far.example"}, o).empty());
  check(queued(), {"reprocess me@far.example>a@far.example", "maildir me@far.example>b@far.example"});
}

BOOST_AUTO_TEST_CASE(without_a_channel_reprocess_the_limit_has_no_effect) {
  open("builtin = no\n", "[channel maildir]\n[channel pipe]\n[channel bitbucket]\n");
  submission_options o;
  o.expand_limit = 0;
  BOOST_TEST(submit({"a@bits.example"}, o).empty());
  check(queued(), {"bitbucket me@far.example>a@bits.example"});
}

BOOST_AUTO_TEST_CASE(each_recipient_that_is_queued_is_one_line) {
  submission_options o;
  o.source_channel = "in";
  o.envelope_id = "ENV";
  submit({"bob", "x@bits.example"}, o);
  const auto all = accounts();
  BOOST_REQUIRE(all.size() == 3u);
  for (const json::object& line : all) {
    BOOST_TEST(text(line, "code") == "E");
    BOOST_TEST(text(line, "source") == "in");
    BOOST_TEST(text(line, "from") == "me@far.example");
    BOOST_TEST(text(line, "message_id") == "<1@x>");
    BOOST_TEST(text(line, "envelope_id") == "ENV");
    BOOST_TEST(line.at("size").to_number<int>() == 27);
    const bool bob = text(line, "destination") == "maildir";
    BOOST_TEST(text(line, "original") == (bob ? "bob@home.example" : "x@bits.example"));
    BOOST_TEST(bool(queue::parse_message_id(text(line, "id"))));
  }
}

BOOST_AUTO_TEST_CASE(a_recipient_that_is_refused_is_one_line_with_the_reason) {
  submission_options o;
  o.source_channel = "in";
  submit({"loop", "@"}, o);
  const auto all = accounts();
  BOOST_REQUIRE(all.size() == 2u);
  BOOST_TEST(text(all[0], "code") == "J");
  BOOST_TEST(text(all[0], "to") == "loop");
  BOOST_TEST(text(all[0], "reason").find("a loop") != std::string::npos);
  BOOST_TEST(text(all[1], "to") == "@");
}

BOOST_AUTO_TEST_CASE(a_commit_that_fails_is_a_refusal_of_each_recipient) {
  io.fail = [](const std::string& operation, const std::string& path) {
    return operation == "open" && path.find("/queue/") != path.npos ? ENOSPC : 0;
  };
  auto s = e->start("me@far.example").value();
  for (const char* to : {"a@far.example", "b@far.example"}) BOOST_REQUIRE(s.add_recipient(to));
  BOOST_REQUIRE(s.write("\ntext\n"));
  BOOST_TEST(!s.commit());
  const auto all = accounts();
  BOOST_REQUIRE(all.size() == 2u);
  BOOST_TEST(text(all[0], "code") == "J");
  BOOST_TEST(text(all[0], "destination") == "maildir");
  BOOST_TEST(text(all[0], "reason").find("No space left") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(content_that_cannot_be_kept_is_a_refusal_of_each_recipient) {
  io.fail = [](const std::string& operation, const std::string& path) {
    return operation == "open" && path.find("/.content.") != path.npos ? ENOSPC : 0;
  };
  auto s = e->start("me@far.example").value();
  for (const char* to : {"a@far.example", "staff"}) BOOST_REQUIRE(s.add_recipient(to));
  BOOST_TEST(!s.write("\n" + std::string(5u << 20, 'x')));
  BOOST_TEST(!s.commit());
  const auto all = accounts();
  BOOST_REQUIRE(all.size() == 4u);
  for (const json::object& line : all) {
    BOOST_TEST(text(line, "code") == "J");
    BOOST_TEST(text(line, "reason").find("No space left") != std::string::npos);
  }
  BOOST_TEST(text(all[3], "from") == "owner-staff@home.example");
}

BOOST_AUTO_TEST_CASE(channels_without_logging_leave_no_lines) {
  open("", "logging = no\n[channel maildir]\nlogging = no\n");
  submission_options o;
  o.source_channel = "in";
  submit({"a@far.example", "x@bits.example", "loop"}, o);
  const auto all = accounts();
  BOOST_REQUIRE(all.size() == 1u);
  BOOST_TEST(text(all[0], "destination") == "bitbucket");
}

BOOST_AUTO_TEST_SUITE_END()
