// The commands, run in this process against the API with a fake server behind it.
#include "jobctl/admin/fake_server.hpp"
#include "jobctl/cli/command.hpp"
#include "jobctl/cli/memory_terminal.hpp"

#include <boost/json.hpp>

#include <set>
#include <sstream>

using jobctl::phase;
using test::run_jobctl;
namespace cli = ::jobctl::cli;
namespace json = boost::json;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::size_t lines_in(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

struct running_site {
  test::listening_server site;

  test::outcome run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "--root=" + site.root());
    return run_jobctl(arguments);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(commands, running_site)

BOOST_AUTO_TEST_CASE(summary_is_a_table_with_totals) {
  site.add_messages("maildir", 5);
  site.add_messages("fax", 3, phase::deferred);
  const auto r = run({"summary"});
  BOOST_TEST(r.status == 0, r.err);
  BOOST_TEST(lines_in(r.out) == 5u);
  BOOST_TEST(r.out.starts_with("CHANNEL  READY  IN-HAND  DEFERRED  HELD"));
  BOOST_TEST(contains(r.out, "\nfax          0        0         3     0"));
  BOOST_TEST(contains(r.out, "\ntotal        5        0         3     0"));
  BOOST_TEST(!contains(r.out, "\033"));
  const auto as_json = run({"summary", "--json"});
  BOOST_TEST(json::parse(as_json.out).at("total").at("ready").to_number<int>() == 5);
}

BOOST_AUTO_TEST_CASE(ls_is_limited_and_says_how_to_go_on) {
  site.add_messages("maildir", 250);
  const auto first = run({"ls"});
  BOOST_TEST(first.status == 0);
  BOOST_TEST(lines_in(first.out) == 101u);
  const std::size_t cursor = first.err.find("--cursor ");
  BOOST_REQUIRE(cursor != std::string::npos);
  const std::string next = first.err.substr(cursor + 9, first.err.find('\'', cursor) - cursor - 9);
  const auto second = run({"ls", "--cursor", next, "--limit", "200"});
  BOOST_TEST(lines_in(second.out) == 151u);
  BOOST_TEST(second.err == "");
}

BOOST_AUTO_TEST_CASE(ls_all_lists_each_message_once) {
  site.add_messages("maildir", 2500);
  site.add_messages("fax", 700, phase::deferred);
  const auto all = run({"ls", "--all", "--json"});
  BOOST_TEST(all.status == 0, all.err);
  BOOST_TEST(all.err == "");
  std::set<std::string> ids;
  std::istringstream lines(all.out);
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count)
    ids.emplace(json::parse(line).at("id").as_string());
  BOOST_TEST(count == 3200u);
  BOOST_TEST(ids.size() == 3200u);
  BOOST_TEST(lines_in(run({"ls", "--json", "--limit", "3100"}).out) == 3100u);
}

BOOST_AUTO_TEST_CASE(ls_filters_are_passed_on) {
  site.add_messages("maildir", 5, phase::queued, "a&b=c.example");
  site.add_messages("fax", 3, phase::deferred, "x.b.example", ::jobctl::priority::urgent);
  const auto count = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"ls", "--json"});
    const auto r = run(arguments);
    BOOST_TEST(r.status == 0, r.err);
    return lines_in(r.out);
  };
  BOOST_TEST(count({"--channel", "fax"}) == 3u);
  BOOST_TEST(count({"--host", "a&b=c.example"}) == 5u);
  BOOST_TEST(count({"--host", ".b.example"}) == 3u);
  BOOST_TEST(count({"--state=deferred"}) == 3u);
  BOOST_TEST(count({"--priority", "urgent"}) == 3u);
  BOOST_TEST(count({"--attempts", "3"}) == 3u);
  BOOST_TEST(count({"--min-size", "1003"}) == 2u);
  BOOST_TEST(count({"--max-size", "1000"}) == 2u);
  BOOST_TEST(count({"--older", "3s"}) >= 1u);
  BOOST_TEST(count({"--newer", "1d"}) == 8u);
}

BOOST_AUTO_TEST_CASE(ls_tells_what_is_wrong_with_a_filter) {
  const auto state = run({"ls", "--state", "redy"});
  BOOST_TEST(state.status == 64);
  BOOST_TEST(contains(state.err, "Did you mean 'ready'?"));
  const auto channel = run({"ls", "--channel", "maildr"});
  BOOST_TEST(channel.status == 1);
  BOOST_TEST(contains(channel.err, "Did you mean 'maildir'?"));
}

BOOST_AUTO_TEST_CASE(ls_warns_while_the_queue_is_being_read) {
  site.on_loop([&] { site.server.scan_complete = false; });
  BOOST_TEST(contains(run({"ls"}).err, "still reading the queue"));
  BOOST_TEST(contains(run({"summary"}).out, "still reading the queue"));
}

BOOST_AUTO_TEST_CASE(show_prints_envelope_history_and_content) {
  const auto c = site.server.commit("maildir", "Subject: x\r\n\r\n\x1b[31mred\r\n",
                                    {"a@there.example", "b@there.example"});
  const std::string id = mta::queue::to_string(c.id);
  const auto r = run({"show", id});
  BOOST_TEST(r.status == 0, r.err);
  for (const char* part : {"<me@here.example>", "<a@there.example>", "<b@there.example>",
                           "History:", "nothing has happened", "Subject: x\n\n^[[31mred\n"})
    BOOST_TEST(contains(r.out, part), part);
  BOOST_TEST(!contains(r.out, "\x1b"));
  BOOST_TEST(run({"show", "--raw", id}).out == "Subject: x\r\n\r\n\x1b[31mred\r\n");
  BOOST_TEST(run({"show", "--content", id}).out == "Subject: x\n\n^[[31mred\n");
  BOOST_TEST(!contains(run({"show", "--envelope", id}).out, "Subject"));
  BOOST_TEST(json::parse(run({"show", "--json", id}).out).at("from").as_string() == "me@here.example");
}

BOOST_AUTO_TEST_CASE(show_prints_the_beginning_of_a_long_body) {
  std::string content = "Subject: x\r\n\r\n";
  for (int i = 1; i <= 30; ++i) content += "line " + std::to_string(i) + "\r\n";
  const auto c = site.server.commit("maildir", content);
  const std::string id = mta::queue::to_string(c.id);
  const auto beginning = run({"show", id, id});
  BOOST_TEST(beginning.status == 0, beginning.err);
  BOOST_TEST(contains(beginning.out, "line 20\n[more: 'jobctl show --content " + id + "'"));
  BOOST_TEST(!contains(beginning.out, "line 21"));
  BOOST_TEST(lines_in(run({"show", "--content", id}).out) == 32u);
}

BOOST_AUTO_TEST_CASE(show_works_from_the_files_when_no_controller_runs) {
  const auto c = site.server.commit("maildir", "Subject: x\r\n\r\nbody\r\n");
  const std::string id = mta::queue::to_string(c.id);
  site.close();
  const auto r = run({"show", id});
  BOOST_TEST(r.status == 0);
  BOOST_TEST(contains(r.err, "reading the queue's files"));
  BOOST_TEST(contains(r.out, "<you@there.example>"));
  BOOST_TEST(contains(r.out, "\nbody\n"));
  BOOST_TEST(run({"show", "--raw", id}).out == "Subject: x\r\n\r\nbody\r\n");
  const auto gone = run({"show", "0C9V3K8ZC4S0R.1.17"});
  BOOST_TEST(gone.status == 1);
  BOOST_TEST(contains(gone.err, "never there"));
}

BOOST_AUTO_TEST_CASE(show_of_what_is_not_there_fails) {
  const auto r = run({"show", "0C9V3K8ZC4S0R.1.17"});
  BOOST_TEST(r.status == 1);
  BOOST_TEST(contains(r.err, "0C9V3K8ZC4S0R.1.17"));
}

BOOST_AUTO_TEST_CASE(damage_has_the_same_status_with_and_without_a_controller) {
  const auto c = site.server.commit("maildir", "Subject: x\r\n\r\nbody\r\n");
  const std::string id = mta::queue::to_string(c.id);
  {
    const std::string path = site.server.store().path("maildir", c.id.file);
    auto file = mta::queue::real_file_io().open(path, mta::queue::open_mode::read_write).value();
    const std::uint64_t body = c.entry.record_offset + 64 + c.entry.envelope_length + 14;
    BOOST_REQUIRE(file->write(body, std::as_bytes(std::span("B", 1))));
  }
  const auto told = run({"show", "--raw", id});
  BOOST_TEST(told.status == 65, told.err);
  BOOST_TEST(told.out == "");
  site.close();
  const auto read = run({"show", "--raw", id});
  BOOST_TEST(read.status == 65, read.err);
  BOOST_TEST(read.out == "");
}

BOOST_AUTO_TEST_CASE(run_makes_due_and_reports) {
  site.add_messages("fax", 3, phase::deferred);
  const auto r = run({"run", "fax", "sms"});
  BOOST_TEST(r.status == 0, r.err);
  BOOST_TEST(r.out == "fax: 3 deferred messages are due now\nsms: 0 deferred messages are due now\n");
}

BOOST_AUTO_TEST_CASE(one_unknown_channel_means_that_nothing_is_changed) {
  site.add_messages("fax", 3, phase::deferred);
  const auto r = run({"run", "fax", "smss"});
  BOOST_TEST(r.status == 1);
  BOOST_TEST(r.out == "");
  BOOST_TEST(contains(r.err, "Did you mean 'sms'?"));
  BOOST_TEST(lines_in(run({"ls", "--state", "deferred", "--json"}).out) == 3u);
  BOOST_TEST(run({"stop", "--channel", "fax", "--channel", "smss"}).status == 1);
  BOOST_TEST(!json::parse(run({"summary", "--json"}).out).at("channels").at(0).at("stopped").as_bool());
}

BOOST_AUTO_TEST_CASE(channels_are_stopped_and_started) {
  BOOST_TEST(run({"stop", "--channel", "fax"}).out == "fax: stopped\n");
  BOOST_TEST(run({"stop", "--channel", "fax"}).out == "fax: was stopped already\n");
  BOOST_TEST(contains(run({"summary"}).out, "stopped"));
  BOOST_TEST(contains(run({"run", "fax"}).out, "fax is stopped"));
  BOOST_TEST(run({"start", "fax"}).out == "fax: started\n");
  BOOST_TEST(run({"start", "fax"}).out == "fax: was not stopped\n");
}

BOOST_AUTO_TEST_CASE(hosts_are_stopped_and_started) {
  site.add_messages("fax", 3);
  BOOST_TEST(run({"stop", "--channel", "fax", "--channel", "sms", "--host", "H.example", "--reason", "broken",
                  "--until", "2h"})
                 .out == "H.example in fax: stopped\nH.example in sms: stopped\n");
  BOOST_TEST(run({"stop", "--host", ".example"}).out == ".example: stopped\n");
  const auto summary = run({"summary"}).out;
  BOOST_TEST(contains(summary, "\nhost h.example is stopped in channel fax since "));
  BOOST_TEST(contains(summary, ": broken, until "));
  BOOST_TEST(contains(summary, "\nhost .example is stopped in every channel since "));
  BOOST_TEST(contains(run({"why", "h.example"}).out, "is stopped"));
  BOOST_TEST(!contains(run({"summary"}).out, "stopped\n"));  // no channel is
  const auto left = run({"start", "fax", "--host", "h.example"});
  BOOST_TEST(
      left.out.starts_with("h.example in fax: started\n  still: host .example is stopped in every channel"));
  const auto as_json = run({"start", "--host", ".example", "--json"});
  BOOST_TEST(json::parse(as_json.out).at("changed").as_bool());
  BOOST_TEST(run({"start", "--host", ".example"}).out == ".example: was not stopped\n");
  BOOST_TEST(run({"start", "sms", "--host", "h.example"}).out == "h.example in sms: started\n");
  BOOST_TEST(!contains(run({"summary"}).out, "stopped"));
}

BOOST_AUTO_TEST_CASE(a_wrong_order_to_stop_or_start_changes_nothing) {
  const auto wrong = [&](std::vector<std::string> arguments, int status, const char* said) {
    const auto r = run(arguments);
    BOOST_TEST(r.status == status, r.err);
    BOOST_TEST(contains(r.err, said), r.err);
    BOOST_TEST(r.out == "");
  };
  wrong({"stop", "--channel", "fax", "--host", "a", "--host", "b c"}, 64, "not the name of a host");
  wrong({"stop", "--channel", "fax", "--channel", "fux", "--host", "a"}, 1, "Did you mean 'fax'?");
  wrong({"stop", "--host", "a", "--until", "soon"}, 64, "neither a time");
  wrong({"stop", "--host", "a", "--until", "2020-01-01"}, 64, "is over");
  wrong({"stop", "--host", "a", "--now"}, 64, "--now");
  wrong({"stop", "--reason", "x"}, 64, "name one");
  wrong({"stop", "--json"}, 64, "name one");
  wrong({"stop", "--host", "*"}, 64, "'.example.org' means");
  wrong({"start"}, 64, "--host");
  wrong({"start", "--host", ""}, 64, "not the name of a host");
  wrong({"start", "fux", "--host", "a"}, 1, "Did you mean 'fax'?");
  BOOST_TEST(json::parse(run({"summary", "--json"}).out).at("stops").as_array().empty());
  site.on_loop([&] { site.server.stops_are_written = false; });
  const auto unwritten = run({"stop", "--host", "a"});
  BOOST_TEST(unwritten.status == 74);
  BOOST_TEST(contains(unwritten.err, "a restart would undo it"));
  BOOST_TEST(unwritten.out == "a: stopped\n");
}

BOOST_AUTO_TEST_CASE(reload_prints_changes_or_problems) {
  BOOST_TEST(run({"reload"}).out == "nothing changed\n");
  site.on_loop([&] { site.server.next_reload = {true, {"channel fax: maxjobs"}}; });
  BOOST_TEST(run({"reload"}).out == "channel fax: maxjobs\n");
  site.on_loop([&] { site.server.next_reload.notes = {"look at that"}; });
  BOOST_TEST(run({"reload"}).out == "channel fax: maxjobs\nnote: look at that\n");
  site.on_loop([&] { site.server.next_reload = {false, {"jobctl.conf:3: a", "jobctl.conf:9: b"}}; });
  const auto refused = run({"reload"});
  BOOST_TEST(refused.status == 78);
  BOOST_TEST(refused.out == "");
  BOOST_TEST(contains(refused.err, "jobctl.conf:3: a\njobctl.conf:9: b\n"));
  BOOST_TEST(run({"reload", "--json"}).status == 78);
}

BOOST_AUTO_TEST_CASE(stop_gives_up_waiting_when_the_time_is_over) {
  // The fake server lives in this process, which does not end.
  const auto r = run({"stop", "--timeout", "0"});
  BOOST_TEST(r.status == 75);
  BOOST_TEST(contains(r.err, "still stopping"));
  BOOST_TEST(site.stops() == 1u);
  run({"stop", "--now", "--timeout", "0"});
  BOOST_TEST(site.stops() == 3u);
}

BOOST_AUTO_TEST_CASE(output_that_cannot_be_written_is_an_error) {
  site.add_messages("maildir", 2000);
  test::input_file in("");
  test::output_file err;
  std::FILE* full = std::fopen("/dev/full", "w");
  BOOST_REQUIRE(full);
  const int status = cli::run({"--root", site.root(), "summary"}, {in.file(), full, err.file()});
  std::fclose(full);
  BOOST_TEST(status == 74);
  BOOST_TEST(contains(err.text(), "cannot write the output"));
}

BOOST_AUTO_TEST_CASE(orders_say_how_many_messages_they_changed) {
  site.add_messages("maildir", 5);
  site.add_messages("fax", 2, phase::deferred);
  const auto dry = run({"hold", "--all", "--dry-run"});
  BOOST_TEST(dry.status == 0, dry.err);
  BOOST_TEST(dry.out == "7 messages would be held (fax 2, maildir 5)\n");
  BOOST_TEST(run({"hold", "--channel", "fax", "--reason", "test"}).out == "2 messages held (fax 2)\n");
  BOOST_TEST(contains(run({"hold", "--all"}).out, "2 messages left as they are: they are held already"));
  BOOST_TEST(run({"release", "--state", "held"}).out == "7 messages released (fax 2, maildir 5)\n");
  const auto as_json = run({"rm", "--channel", "fax", "--json"});
  BOOST_TEST(json::parse(as_json.out).at("changed").to_number<int>() == 2);
  BOOST_TEST(json::parse(as_json.out).at("order").as_string() == "remove");
}

BOOST_AUTO_TEST_CASE(orders_take_ids_as_arguments_and_on_standard_input) {
  site.add_messages("maildir", 3);
  const auto listed = run({"ls", "--json"});
  std::istringstream rows(listed.out);
  std::string first, second;
  std::getline(rows, first);
  std::getline(rows, second);
  const std::string id(json::parse(first).at("id").as_string());
  BOOST_TEST(run({"hold", id}).out == "1 message held (maildir 1)\n");
  const auto piped = run_jobctl({"--root=" + site.root(), "release", "-"}, id + "\n\n" + second + "\n");
  BOOST_TEST(piped.status == 0, piped.err);
  BOOST_TEST(contains(piped.out, "1 message released"));
  BOOST_TEST(contains(piped.out, "1 message left as they are: they are not held"));
  const auto gone = run({"rm", id, "0C9V3K8ZC4S0R.1.17"});
  BOOST_TEST(gone.status == 1);
  BOOST_TEST(contains(gone.out, "1 message removed (maildir 1)\n1 message not found"));
}

BOOST_AUTO_TEST_CASE(wrong_orders_are_refused_before_anything_is_done) {
  site.add_messages("maildir", 3);
  for (const char* order : {"hold", "release", "retry", "bounce", "rm"}) {
    BOOST_TEST(run({order}).status == 64, order);
    BOOST_TEST(run({order, "--all", "0C9V3K8ZC4S0R.1.17"}).status == 64, order);
    BOOST_TEST(run({order, "nonsense"}).status == 65, order);
    BOOST_TEST(run({order, "--state", "hld"}).status == 64, order);
    BOOST_TEST(run({order, "--channel", "nosuch"}).status == 1, order);
    const auto r = run_jobctl({"--root=" + site.root(), order, "-"}, "0C9V3K8ZC4S0R.1.17\nnonsense\n");
    BOOST_TEST(r.status == 65, order);
    BOOST_TEST(contains(r.err, "standard input, line 2: 'nonsense' is not a message id"));
  }
  BOOST_TEST(run({"route", "--all"}).status == 64);
  BOOST_TEST(run({"route", "--all", "--to-channel", "nosuch"}).status == 1);
  BOOST_TEST(run({"hold", "--all", "--until", "yesterday"}).status == 64);
  BOOST_TEST(run({"hold", "--all", "--reason", "a\nb"}).status == 64);
  BOOST_TEST(lines_in(run({"ls", "--state", "ready", "--all", "--json"}).out) == 3u);
}

// Every command, every option that takes a number, a time, a size or one of some words.
BOOST_AUTO_TEST_CASE(a_wrong_value_of_any_option_is_refused_and_changes_nothing) {
  namespace cli = ::jobctl::cli;
  site.add_messages("maildir", 3);
  const std::string before = run({"summary", "--json"}).out;
  const std::set<std::string> strict = {"N",        "M",     "SIZE", "AGE",  "TIME",  "STATE",
                                        "PRIORITY", "EVENT", "WHEN", "WHAT", "CURSOR"};
  int tried = 0;
  for (const cli::command* c : cli::all_commands()) {
    const auto described = cli::options_of(*c);
    std::vector<std::string> operands;
    if (c->operands) {
      const std::string kind = described.find(c->operands, false).format_parameter();
      operands.push_back(kind == "CHANNEL" ? "fax" : kind == "ID" ? "0C9V3K8ZC4S0R.1.17" : "maildir");
    }
    for (const auto& o : described.options()) {
      if (o->long_name().empty() || o->semantic()->max_tokens() == 0 ||
          (c->operands && o->long_name() == c->operands))
        continue;
      const std::string kind = o->format_parameter();
      if (!strict.contains(kind.substr(0, kind.find(' ')))) continue;
      for (const char* wrong : {"no-such!", "", "-5x", "99999999999999999999999"}) {
        std::vector<std::string> arguments{c->name, "--" + o->long_name() + "=" + wrong};
        arguments.insert(arguments.end(), operands.begin(), operands.end());
        const auto r = run(arguments);
        const std::string shown = std::string(c->name) + " --" + o->long_name() + "=" + wrong;
        BOOST_TEST((r.status == 64 || r.status == 65),
                   shown << " ended with " << r.status << ": " << r.out << r.err);
        BOOST_TEST(!r.err.empty(), shown);
        BOOST_TEST(r.out.empty(), shown << " printed " << r.out);
        ++tried;
      }
    }
    BOOST_TEST(run({c->name, "--no-such-option"}).status == 64, c->name);
  }
  BOOST_TEST(tried > 100);
  BOOST_TEST(run({"summary", "--json"}).out == before);
}

BOOST_AUTO_TEST_SUITE_END()
