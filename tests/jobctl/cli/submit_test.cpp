// jobctl submit, on a site with message files and without a controller.
#include "config/settings.hpp"
#include "jobctl/cli/memory_terminal.hpp"
#include "queue/store.hpp"
#include "temporary_directory.hpp"

#include <mtasdk.h>

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <fstream>
#include <map>
#include <sstream>

namespace queue = mta::queue;
namespace json = boost::json;
using strings = std::vector<std::string>;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

const std::string simple = "Subject: x\n\nbody\n";

struct stored {
  std::string channel;
  queue::listed_message message;
  queue::envelope envelope;
  std::string content;

  strings recipients() const {
    strings all;
    for (const queue::recipient& r : envelope.recipients) all.push_back(r.address);
    return all;
  }
};

struct site {
  test::temporary_directory directory;

  site() {
    std::ofstream(directory.path() + "/jobctl.conf")
        << "[jobctl]\nroot = " + directory.path() +
               "\nhost = here.example\nbuiltin = no\n"
               "[channel mail]\n[channel sms]\n"
               "[routes]\nexample = mail\n.example = mail\nsms.test = sms\n";
  }

  test::outcome submit(strings arguments, const std::string& input = simple) {
    arguments.insert(arguments.begin(), {"submit", "--root", directory.path()});
    return test::run_jobctl(arguments, input);
  }
  // Without the additions of a submission.
  test::outcome submit_raw(strings arguments, const std::string& input = simple) {
    arguments.insert(arguments.begin(), "--raw");
    return submit(arguments, input);
  }
  // Everything that is queued, in order of submission.
  std::vector<stored> queued() {
    std::vector<stored> all;
    queue::store store(queue::real_file_io(), directory.path() + "/queue");
    const auto channels = store.channels();
    if (!channels) return all;
    for (const std::string& channel : *channels) {
      for (const auto number : store.files(channel).value()) {
        auto file = store.open(channel, number).value();
        for (auto& m : store.scan(*file, channel).value().messages)
          all.push_back(
              {channel, m, file->read_envelope(m.entry).value(), file->read_content(m.entry).value()});
      }
    }
    return all;
  }
  stored only() {
    auto all = queued();
    BOOST_REQUIRE_MESSAGE(all.size() == 1, all.size() << " messages are queued");
    return std::move(all[0]);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(submit, site)

BOOST_AUTO_TEST_CASE(a_message_is_queued_in_wire_form) {
  const auto r =
      submit_raw({"-f", "me@here.example", "you@there.example"}, "Subject: x\n\n.dot\r\nlast \xFF");
  BOOST_TEST(r.status == 0, r.err);
  BOOST_TEST(r.out == "");
  BOOST_TEST(r.err == "");
  const stored m = only();
  BOOST_TEST(m.channel == "mail");
  BOOST_TEST(m.content == "Subject: x\r\n\r\n.dot\r\nlast \xFF\r\n");
  BOOST_TEST(m.envelope.from == "me@here.example");
  BOOST_TEST(m.recipients() == strings{"you@there.example"}, boost::test_tools::per_element());
  BOOST_TEST((m.message.entry.priority == queue::priority::normal));
  BOOST_TEST((m.message.state.phase == queue::phase::queued));
}

BOOST_AUTO_TEST_CASE(the_null_sender_may_be_written_in_two_ways) {
  for (const strings& sender :
       {strings{"-f", ""}, strings{"-f", "<>"}, strings{"-f<>"}, strings{"--sender", "<>"}}) {
    site fresh;
    strings arguments = sender;
    arguments.push_back("you@there.example");
    const auto r = fresh.submit(arguments);
    BOOST_TEST(r.status == 0, r.err);
    BOOST_TEST(fresh.only().envelope.from == "");
  }
}

BOOST_AUTO_TEST_CASE(without_a_sender_it_is_the_user_at_this_host) {
  BOOST_TEST(submit({"you@there.example"}).status == 0);
  BOOST_TEST(only().envelope.from.ends_with("@here.example"));
}

BOOST_AUTO_TEST_CASE(callers_of_sendmail_are_understood) {
  const auto r = submit_raw(
      {"-bm", "-oi", "-oem", "-B8BITMIME", "-F", "Some One", "-fme@here.example", "--", "you@there.example"},
      "Subject: x\n\n.\nafter\n");
  BOOST_TEST(r.status == 0, r.err);
  BOOST_TEST(only().content == "Subject: x\r\n\r\n.\r\nafter\r\n");
  const auto mode = submit_raw({"-bs", "you@there.example"});
  BOOST_TEST(mode.status == 64);
  BOOST_TEST(contains(mode.err, "-bs"));
}

BOOST_AUTO_TEST_CASE(a_single_dot_ends_the_message_unless_dots_are_ignored) {
  BOOST_TEST(submit_raw({"-f", "", "a@there.example"}, "S: x\n\nbefore\n.\nafter\n").status == 0);
  BOOST_TEST(only().content == "S: x\r\n\r\nbefore\r\n");
  site other;
  BOOST_TEST(other.submit_raw({"-i", "-f", "", "a@there.example"}, "S: x\n\nbefore\n.\nafter\n").status == 0);
  BOOST_TEST(other.only().content == "S: x\r\n\r\nbefore\r\n.\r\nafter\r\n");
}

BOOST_AUTO_TEST_CASE(with_t_recipients_come_from_the_header_and_bcc_is_removed) {
  const auto r =
      submit_raw({"-t", "-f", "", "extra@there.example"},
                 "To: A <a@there.example>,\n\t\"B, the second\" <b@there.example>\n"
                 "Subject: x\nBcc: hidden@there.example,\n hidden2@there.example\nCC: a@there.example "
                 "(again)\n\nBcc: body\n");
  BOOST_TEST(r.status == 0, r.err);
  const stored m = only();
  auto recipients = m.recipients();
  std::sort(recipients.begin(), recipients.end());
  const strings expected = {"a@there.example", "b@there.example", "extra@there.example",
                            "hidden2@there.example", "hidden@there.example"};
  BOOST_TEST(recipients == expected, boost::test_tools::per_element());
  BOOST_TEST(m.content ==
             "To: A <a@there.example>,\r\n\t\"B, the second\" <b@there.example>\r\n"
             "Subject: x\r\nCC: a@there.example (again)\r\n\r\nBcc: body\r\n");
}

BOOST_AUTO_TEST_CASE(without_t_a_raw_header_is_left_alone) {
  BOOST_TEST(submit_raw({"-f", "", "a@there.example"}, "To: not an address\nBcc: b@there.example\n\nbody\n")
                 .status == 0);
  BOOST_TEST(only().content == "To: not an address\r\nBcc: b@there.example\r\n\r\nbody\r\n");
}

BOOST_AUTO_TEST_CASE(a_message_without_header_or_body_is_kept_as_it_is) {
  for (const std::string text :
       {"just text\nmore\n", "\nonly body\n", "Subject: no body\n", "Subject: x\nno header line\n"}) {
    site fresh;
    const auto r = fresh.submit_raw({"-f", "", "a@there.example"}, text);
    BOOST_TEST(r.status == 0, r.err);
    std::string lf = fresh.only().content;
    std::erase(lf, '\r');
    BOOST_TEST(lf == text);
  }
}

BOOST_AUTO_TEST_CASE(the_from_line_of_a_mailbox_file_is_dropped) {
  BOOST_TEST(submit_raw({"-f", "", "a@there.example"},
                        "From me@here Sat Nov 21 12:00:00 2026\nSubject: x\n\nFrom here\n")
                 .status == 0);
  BOOST_TEST(only().content == "Subject: x\r\n\r\nFrom here\r\n");
}

BOOST_AUTO_TEST_CASE(large_messages_arrive_whole) {
  std::string text = "Subject: x\n\n", wire = "Subject: x\r\n\r\n";
  for (int i = 0; text.size() < 6'000'000; ++i) {
    const std::string line = "line " + std::to_string(i) + " of a long message";
    text += line + "\n";
    wire += line + "\r\n";
  }
  const auto r = submit_raw({"-f", "", "a@there.example"}, text);
  BOOST_TEST(r.status == 0, r.err);
  BOOST_TEST((only().content == wire));
}

BOOST_AUTO_TEST_CASE(each_channel_gets_its_own_message_and_ids_are_printed) {
  const auto r = submit({"-v", "-f", "", "a@there.example", "1@sms.test", "b@there.example"});
  BOOST_TEST(r.status == 0, r.err);
  const auto all = queued();
  BOOST_REQUIRE(all.size() == 2u);
  for (const stored& m : all) {
    BOOST_TEST(m.envelope.recipients.size() == (m.channel == "mail" ? 2u : 1u));
    BOOST_TEST(
        contains(r.out, " " + m.channel + (m.channel == "mail" ? " 2 recipients\n" : " 1 recipient\n")));
  }
  const auto as_json = submit({"--json", "-f", "", "c@there.example"});
  const auto body = json::parse(as_json.out);
  BOOST_TEST(body.at("channel").as_string() == "mail");
  BOOST_TEST(body.at("recipients").to_number<int>() == 1);
  const auto id = queue::parse_message_id(std::string(body.at("id").as_string()));
  BOOST_TEST(bool(id));
}

BOOST_AUTO_TEST_CASE(options_reach_the_envelope) {
  const auto r = submit({"-f", "", "-N", "success,delay", "-R", "hdrs", "-V", "env-1", "--priority", "urgent",
                         "--at", "2099-01-01T00:00:00Z", "a@there.example"});
  BOOST_TEST(r.status == 0, r.err);
  const stored m = only();
  BOOST_TEST(m.envelope.envelope_id == "env-1");
  BOOST_TEST((m.message.entry.priority == queue::priority::urgent));
  BOOST_TEST((m.message.entry.not_before ==
              queue::time_point(std::chrono::sys_days(std::chrono::year(2099) / 1 / 1))));
  const std::uint32_t flags = m.envelope.notify_flags | m.envelope.recipients[0].notify_flags;
  BOOST_TEST(flags == (MTA_NOTIFY_SUCCESS | MTA_NOTIFY_DELAY | MTA_NOTIFY_CONTENT_HEADER));
}

BOOST_AUTO_TEST_CASE(never_is_different_from_the_default) {
  BOOST_TEST(submit({"-f", "", "--notify", "never", "a@there.example"}).status == 0);
  const stored m = only();
  const std::uint32_t flags = m.envelope.notify_flags | m.envelope.recipients[0].notify_flags;
  BOOST_TEST(flags != 0u);
  BOOST_TEST((flags & (MTA_NOTIFY_SUCCESS | MTA_NOTIFY_DELAY | MTA_NOTIFY_FAILURE)) == 0u);
}

BOOST_AUTO_TEST_CASE(a_queued_message_is_a_success_even_if_its_id_cannot_be_written) {
  for (const bool buffered : {true, false}) {
    test::input_file in(simple);
    test::output_file err;
    std::FILE* const full = std::fopen("/dev/full", "w");
    BOOST_REQUIRE(full);
    if (!buffered) std::setvbuf(full, nullptr, _IONBF, 0);
    const int status = jobctl::cli::run({"submit", "--root", directory.path(), "-v", "a@there.example"},
                                        {in.file(), full, err.file()});
    std::fclose(full);
    BOOST_TEST(status == 0);
    BOOST_TEST(contains(err.text(), "cannot write the output"));
  }
  BOOST_TEST(queued().size() == 2u);
}

BOOST_AUTO_TEST_CASE(wrong_use_is_refused_and_queues_nothing) {
  const std::pair<strings, const char*> wrong[] = {
      {{}, "no recipients"},
      {{"-x", "a@there.example"}, "-x"},
      {{"--sendr", "x", "a@there.example"}, "Did you mean '--sender'?"},
      {{"-N", "sometimes", "a@there.example"}, "'sometimes' is not one of"},
      {{"-N", "never,delay", "a@there.example"}, "stands alone"},
      {{"-N", "delay,", "a@there.example"}, "'' is not one of"},
      {{"-R", "body", "a@there.example"}, "'body' is not one of full, hdrs"},
      {{"--priority", "urgnt", "a@there.example"}, "Did you mean 'urgent'?"},
      {{"--at", "soon", "a@there.example"}, "'soon' is not a time"},
      {{"-f"}, "'--sender' is missing"},
  };
  for (const auto& [arguments, expected] : wrong) {
    const auto r = submit(arguments);
    BOOST_TEST(r.status == 64, expected);
    BOOST_TEST(contains(r.err, expected), r.err);
  }
  BOOST_TEST(queued().empty());
}

BOOST_AUTO_TEST_CASE(wrong_recipients_are_all_named_and_nothing_is_queued) {
  const auto r = submit({"-f", "", "good@there.example", "a@no-route.test", "b@nowhere.test"});
  BOOST_TEST(r.status == 68);
  BOOST_TEST(contains(r.err, "a@no-route.test"));
  BOOST_TEST(contains(r.err, "b@nowhere.test"));
  BOOST_TEST(contains(r.err, "nothing was queued"));
  const auto bad = submit({"-f", "", "@there.example"});
  BOOST_TEST(bad.status == 67, bad.err);
  const auto long_one = submit({"-f", "", std::string(300, 'x') + "@there.example"});
  BOOST_TEST(long_one.status == 67, long_one.err);
  BOOST_TEST(contains(long_one.err, "more than 256 bytes"));
  BOOST_TEST(queued().empty());
}

BOOST_AUTO_TEST_CASE(wrong_messages_are_refused) {
  const auto empty = submit({"-f", "", "a@there.example"}, "");
  BOOST_TEST(empty.status == 65);
  BOOST_TEST(contains(empty.err, "empty"));
  const auto nobody = submit({"-t", "-f", ""}, "Subject: x\n\nbody\n");
  BOOST_TEST(nobody.status == 65);
  BOOST_TEST(contains(nobody.err, "no address in To:"));
  const auto unreadable = submit({"-t", "-f", ""}, "To: a@there.example, <b@there.example\n\nbody\n");
  BOOST_TEST(unreadable.status == 65);
  BOOST_TEST(contains(unreadable.err, "To"));
  const auto sender = submit({"-f", "no blank@there.example x", "a@there.example"});
  BOOST_TEST(sender.status == 65, sender.err);
  const auto endless = submit({"-t", "-f", ""}, "X: " + std::string(5u << 20, 'x'));
  BOOST_TEST(endless.status == 65);
  BOOST_TEST(contains(endless.err, "header"));
  BOOST_TEST(queued().empty());
}

BOOST_AUTO_TEST_CASE(without_a_configuration_it_fails_for_now_or_for_good_but_never_succeeds) {
  std::ofstream(directory.path() + "/jobctl.conf") << "[nonsense]\n";
  const auto r = submit({"-f", "", "a@there.example"});
  BOOST_TEST(r.status == 78);
  BOOST_TEST(contains(r.err, "jobctl.conf:1"));
  BOOST_TEST(queued().empty());
}

BOOST_AUTO_TEST_CASE(below_the_reserve_it_is_to_be_tried_later) {
  std::ofstream(directory.path() + "/jobctl.conf", std::ios::app) << "[queue]\nreserve = 9000000000000000\n";
  const auto r = submit({"-f", "", "a@there.example"});
  BOOST_TEST(r.status == 75, r.err);
  BOOST_TEST(contains(r.err, "reserve"));
  BOOST_TEST(queued().empty());
}

// --- what is added

namespace {

std::string header_of(const stored& m) { return m.content.substr(0, m.content.find("\r\n\r\n") + 2); }
std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++n;
  return n;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_header_gets_what_it_lacks) {
  const auto r =
      submit({"-F", "Some One", "-f", "me@here.example", "a@there.example"}, "Subject: x\n\nbody\n");
  BOOST_TEST(r.status == 0, r.err);
  const stored m = only();
  const std::string header = header_of(m);
  BOOST_TEST(header.starts_with("Received: by here.example (jobctl, from userid "), header);
  BOOST_TEST(contains(header, " with local id "));
  BOOST_TEST(contains(header, "\r\nSubject: x\r\nDate: "));
  BOOST_TEST(contains(header, "\r\nFrom: Some One <me@here.example>\r\n"));
  BOOST_TEST(contains(header, "\r\nMessage-ID: " + m.envelope.header_id + "\r\n"));
  BOOST_TEST(m.envelope.header_id.ends_with("@here.example>"));
  BOOST_TEST(m.content.ends_with("\r\n\r\nbody\r\n"));
}

BOOST_AUTO_TEST_CASE(what_a_header_has_is_kept) {
  const std::string header = "From: x@y.example\nDATE: long ago\nmessage-id: <1@y>\nSubject: x\n";
  BOOST_TEST(submit({"-f", "", "a@there.example"}, header + "\nbody\n").status == 0);
  std::string content = only().content;
  std::erase(content, '\r');
  const auto end_of_trace = content.find("From: x");
  BOOST_TEST(content.substr(end_of_trace) == header + "\nbody\n");
  BOOST_TEST(count(content.substr(0, end_of_trace), "\n") == 2u);
}

BOOST_AUTO_TEST_CASE(blind_copies_are_never_named) {
  const std::string text = "To: a@there.example\nBcc: b@there.example,\n c@there.example\n\nbody\n";
  for (const strings& arguments : {strings{"-f", "", "a@there.example"}, strings{"-t", "-f", ""}}) {
    site fresh;
    BOOST_TEST(fresh.submit(arguments, text).status == 0);
    const stored m = fresh.only();
    BOOST_TEST(!contains(m.content, "cc:"), m.content);
    BOOST_TEST(!contains(m.content, "b@there"));
    BOOST_TEST(!contains(m.content, "c@there"));
    BOOST_TEST(m.recipients().size() == (arguments[0] == "-t" ? 3u : 1u));
  }
}

BOOST_AUTO_TEST_CASE(text_without_a_header_gets_one_and_stays_text) {
  for (const std::string text : {"just text\nmore\n", "\njust text\nmore\n"}) {
    site fresh;
    BOOST_TEST(fresh.submit({"-f", "", "a@there.example"}, text).status == 0);
    const stored m = fresh.only();
    BOOST_TEST(m.content.ends_with("\r\n\r\njust text\r\nmore\r\n"), m.content);
    BOOST_TEST(count(header_of(m), "From: MAILER-DAEMON@here.example\r\n") == 1u);
  }
}

BOOST_AUTO_TEST_CASE(text_with_8_bits_is_labelled_unless_it_is_already_or_it_is_raw) {
  BOOST_TEST(submit({"-f", "", "a@there.example"}, "Subject: x\n\ngr\xC3\xBC\xC3\x9F\n").status == 0);
  BOOST_TEST(contains(header_of(only()), "Content-Type: text/plain; charset=utf-8\r\n"));
  site labelled, raw;
  const std::string own = "Content-Type: text/x; charset=koi8-r\n\n\xC0\n";
  BOOST_TEST(labelled.submit({"-f", "", "a@there.example"}, own).status == 0);
  BOOST_TEST(contains(header_of(labelled.only()), "koi8-r"));
  BOOST_TEST(!contains(labelled.only().content, "MIME-Version"));
  BOOST_TEST(raw.submit_raw({"-f", "", "a@there.example"}, "S: x\n\n\xC0\n").status == 0);
  BOOST_TEST(raw.only().content == "S: x\r\n\r\n\xC0\r\n");
}

BOOST_AUTO_TEST_CASE(local_aliases_are_expanded_unless_it_is_raw) {
  std::ofstream(directory.path() + "/jobctl.conf", std::ios::app)
      << "here.example = mail\n[queue]\nreserve = 0\n";
  const auto with_aliases = [&] {
    std::ifstream in(directory.path() + "/jobctl.conf");
    std::string conf((std::istreambuf_iterator<char>(in)), {});
    conf.insert(conf.find("host ="), "aliases = " + directory.path() + "/aliases\n");
    return conf;
  }();
  std::ofstream(directory.path() + "/jobctl.conf") << with_aliases;
  const auto missing = submit({"-f", "", "staff"});
  BOOST_TEST(missing.status == 75, missing.err);
  BOOST_TEST(contains(missing.err, "aliases: No such file"), missing.err);
  BOOST_TEST(queued().empty());
  std::ofstream(directory.path() + "/aliases") << "staff: a@there.example, b@there.example\n";
  BOOST_TEST(submit({"-f", "", "staff"}).status == 0);
  BOOST_TEST(only().recipients().size() == 2u);
  BOOST_TEST(submit_raw({"-f", "", "staff"}).status == 0);
  BOOST_TEST(queued().back().recipients() == strings{"staff@here.example"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
