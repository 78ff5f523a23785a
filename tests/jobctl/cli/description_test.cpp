// Parser, help, manual pages and completion are made from one description: they agree for every command.
#include "jobctl/admin/fake_server.hpp"
#include "jobctl/admin/listing.hpp"
#include "jobctl/cli/command.hpp"
#include "jobctl/cli/man_page.hpp"
#include "jobctl/cli/memory_terminal.hpp"
#include "jobctl/cli/value_kinds.hpp"

#include <boost/program_options/cmdline.hpp>
#include <boost/test/unit_test.hpp>

#include <fmt/format.h>
#include <regex>
#include <set>
#include <sstream>

namespace cli = ::jobctl::cli;
using strings = std::vector<std::string>;
using test::run_jobctl;

namespace {

struct option {
  std::string name;         // "--state", or "-o" if it has no long one
  std::string placeholder;  // empty: it takes no value
  friend auto operator<=>(const option&, const option&) = default;
};

std::string short_name(const boost::program_options::option_description& o) {
  return o.canonical_display_name(boost::program_options::command_line_style::allow_dash_for_short);
}

// What the parser knows.
std::set<option> parsed_options(const cli::command& c) {
  std::set<option> found;
  const auto described = cli::options_of(c);
  for (const auto& o : described.options()) {
    if (c.operands && o->long_name() == c.operands) continue;
    option one{o->long_name().empty() ? short_name(*o) : "--" + o->long_name(), {}};
    if (o->semantic()->max_tokens() > 0)
      one.placeholder = o->format_parameter().substr(0, o->format_parameter().find(' '));
    found.insert(one);
  }
  return found;
}

std::set<std::string> names_of(const std::set<option>& options) {
  std::set<std::string> names;
  for (const option& o : options) names.insert(o.name);
  return names;
}

// The first words of what `jobctl complete` prints.
std::set<std::string> completed(const strings& words) {
  strings arguments{"complete"};
  arguments.insert(arguments.end(), words.begin(), words.end());
  const auto r = run_jobctl(arguments);
  BOOST_TEST(r.status == 0);
  BOOST_TEST(r.err == "");
  std::set<std::string> found;
  std::istringstream lines(r.out);
  for (std::string line; std::getline(lines, line);) found.insert(line.substr(0, line.find('\t')));
  return found;
}

// Bold options at the beginning of a .TP paragraph; of several names the longest.
std::set<std::string> options_in(const std::string& page) {
  std::set<std::string> found;
  static const std::regex tagged(R"(\.TP\n((?:\\fB\\-[^\n]*?\\fR(?:, )?)+))"), bold(R"(\\fB([^ ]*?)\\fR)");
  for (std::sregex_iterator i(page.begin(), page.end(), tagged), end; i != end; ++i) {
    const std::string names = (*i)[1];
    std::string name;
    for (std::sregex_iterator n(names.begin(), names.end(), bold); n != end; ++n)
      name = std::regex_replace((*n)[1].str(), std::regex(R"(\\-)"), "-");
    found.insert(name);
  }
  return found;
}

std::set<std::string> all_names() {
  std::set<std::string> names;
  for (const cli::command* c : cli::all_commands()) names.insert(c->name);
  return names;
}

using text_set = std::set<std::string>;

}  // namespace

BOOST_AUTO_TEST_SUITE(description)

BOOST_AUTO_TEST_CASE(the_manual_has_the_options_of_the_parser_and_no_others) {
  for (const cli::command* c : cli::all_commands()) {
    const std::string page = cli::man_page(*c);
    BOOST_TEST_CONTEXT(c->name)
    BOOST_TEST(options_in(page) == names_of(parsed_options(*c)), boost::test_tools::per_element());
    for (const char* part : {".TH ", ".SH NAME\n", ".SH SYNOPSIS\n", ".SH DESCRIPTION\n", ".SH OPTIONS\n",
                             ".SH EXAMPLES\n", ".SH EXIT STATUS\n.TP\n0\n", ".SH SEE ALSO\n"})
      BOOST_TEST(page.find(part) != std::string::npos, c->name << " has no " << part);
  }
}

BOOST_AUTO_TEST_CASE(the_overview_has_every_command_and_no_others) {
  const std::string page = cli::man_page();
  text_set named;
  static const std::regex tagged(R"(\.TP\n\\fBjobctl\\-([a-z\\-]+)\\fR\(1\))");
  for (std::sregex_iterator i(page.begin(), page.end(), tagged), end; i != end; ++i) named.insert((*i)[1]);
  BOOST_TEST(named == all_names(), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(manual_pages_are_plain_ascii) {
  strings pages{cli::man_page()};
  for (const cli::command* c : cli::all_commands()) pages.push_back(cli::man_page(*c));
  for (const std::string& page : pages)
    for (const char c : page) BOOST_REQUIRE((c == '\n' || (c >= ' ' && c <= '~')));
}

BOOST_AUTO_TEST_CASE(completion_offers_the_options_of_the_parser_and_no_others) {
  for (const cli::command* c : cli::all_commands()) {
    BOOST_TEST_CONTEXT(c->name)
    BOOST_TEST(completed({c->name, "-"}) == names_of(parsed_options(*c)), boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(the_parser_takes_every_option_that_is_offered) {
  for (const cli::command* c : cli::all_commands())
    for (const option& o : parsed_options(*c)) {
      if (o.name == "--help") continue;  // is given below
      strings arguments{c->name, o.name};
      if (!o.placeholder.empty()) arguments.push_back("1");
      arguments.push_back("--help");
      const auto r = run_jobctl(arguments);
      BOOST_TEST(r.status == 0, c->name << " " << o.name << ": " << r.err);
    }
}

BOOST_AUTO_TEST_CASE(completion_offers_every_command_and_no_others) {
  BOOST_TEST(completed({""}) == all_names(), boost::test_tools::per_element());
  BOOST_TEST(completed({"help", ""}) == all_names(), boost::test_tools::per_element());
  BOOST_TEST(completed({"--root", "/x", "su"}) == (text_set{"submit", "summary"}),
             boost::test_tools::per_element());
  BOOST_TEST(completed({"nonsense", ""}).empty());
}

BOOST_AUTO_TEST_CASE(what_every_value_is_is_known) {
  for (const cli::command* c : cli::all_commands()) {
    for (const option& o : parsed_options(*c))
      BOOST_TEST((o.placeholder.empty() || cli::find_value_kind(o.placeholder)),
                 c->name << " " << o.name << " " << o.placeholder << " is not in value_kinds.cpp");
    if (!c->operands) continue;
    const auto described = cli::options_of(*c);
    const std::string parameter = described.find(c->operands, false).format_parameter();
    BOOST_TEST(cli::find_value_kind(parameter),
               c->name << ": its arguments, " << parameter << ", are not in value_kinds.cpp");
  }
}

// Options in a usage line, and in examples up to the end of the command, exist.
BOOST_AUTO_TEST_CASE(usage_lines_and_examples_use_options_that_exist) {
  static const std::regex long_option("--[a-z][a-z-]*"), call(R"(jobctl ([a-z]+)([^|&#]*))");
  const auto check = [](const cli::command& c, const std::string& text) {
    const text_set known = names_of(parsed_options(c));
    for (std::sregex_iterator i(text.begin(), text.end(), long_option), end; i != end; ++i)
      BOOST_TEST(known.contains(i->str()), c.name << " has no " << i->str() << ": " << text);
  };
  for (const cli::command* c : cli::all_commands()) {
    check(*c, c->arguments);
    std::istringstream lines(c->examples);
    for (std::string line; std::getline(lines, line);)
      for (std::sregex_iterator i(line.begin(), line.end(), call), end; i != end; ++i) {
        const cli::command* called = cli::find_command((*i)[1].str());
        BOOST_TEST(called, c->name << ": there is no such command: " << line);
        if (called) check(*called, (*i)[2]);
      }
  }
}

BOOST_AUTO_TEST_CASE(fixed_words_are_those_that_are_understood) {
  jobctl::controller controller(test::limits_of({"fax"}));
  for (const auto& [placeholder, parameter] :
       {std::pair{"STATE", "state"}, std::pair{"PRIORITY", "priority"}}) {
    for (const std::string_view word : cli::find_value_kind(placeholder)->words) {
      const jobctl::admin::target t{{"v1", "messages"}, {{parameter, std::string(word)}}};
      BOOST_TEST(jobctl::admin::parse_listing(t, controller, test::noon).has_value(), word);
    }
  }
  BOOST_TEST(completed({"ls", "--state", "d"}) == text_set{"deferred"}, boost::test_tools::per_element());
  BOOST_TEST(completed({"ls", "--state=r"}) == text_set{"--state=ready"}, boost::test_tools::per_element());
  test::temporary_directory site;
  for (const auto& [name, placeholder] : {std::pair{"--notify", "WHEN"}, std::pair{"--return", "WHAT"}})
    for (const std::string_view word : cli::find_value_kind(placeholder)->words) {
      const auto r = run_jobctl({"submit", "--root", site.path(), name, std::string(word), "a@b.example"});
      BOOST_TEST(r.status != 64, r.err);
    }
}

BOOST_AUTO_TEST_CASE(files_are_left_to_the_shell) {
  BOOST_TEST(completed({"check", ""}) == text_set{":files"}, boost::test_tools::per_element());
  BOOST_TEST(completed({"ls", "--root", ""}) == text_set{":directories"}, boost::test_tools::per_element());
  BOOST_TEST(completed({"ls", "--limit", ""}).empty());
  // Behind "--" there are no options any more.
  BOOST_TEST(completed({"check", "--", "-"}) == text_set{":files"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(completion_asks_the_controller, test::listening_server)

BOOST_AUTO_TEST_CASE(channels_hosts_and_ids_are_offered) {
  add_messages("maildir", 2, jobctl::phase::held, "one.example");
  add_messages("fax", 1, jobctl::phase::queued, "two.example");
  BOOST_TEST(completed({"ls", "--root", root(), "--channel", ""}) == (text_set{"fax", "maildir", "sms"}),
             boost::test_tools::per_element());
  BOOST_TEST(completed({"--root=" + root(), "run", "m"}) == text_set{"maildir"},
             boost::test_tools::per_element());
  BOOST_TEST(completed({"--root", root(), "ls", "--host", ""}) == (text_set{"one.example", "two.example"}),
             boost::test_tools::per_element());
  const auto ids = completed({"show", "--root=" + root(), ""});
  BOOST_TEST(ids.size() == 3u);
  for (const std::string& id : ids) BOOST_TEST(mta::queue::parse_message_id(id).has_value(), id);
}

BOOST_AUTO_TEST_CASE(what_a_shell_might_obey_is_not_offered) {
  add_messages("fax", 1, jobctl::phase::queued, "$(reboot).example");
  add_messages("fax", 1, jobctl::phase::queued, "-rf");
  add_messages("fax", 1, jobctl::phase::queued, "a;b");
  BOOST_TEST(completed({"ls", "--root", root(), "--host", ""}).empty());
}

BOOST_AUTO_TEST_CASE(without_a_controller_there_is_silence) {
  test::temporary_directory empty;
  BOOST_TEST(completed({"ls", "--root", empty.path(), "--channel", ""}).empty());
  std::ofstream(empty.path() + "/jobctl.conf") << "[wrong\n";
  BOOST_TEST(completed({"ls", "--root", empty.path(), "--channel", ""}).empty());
}

BOOST_AUTO_TEST_SUITE_END()
