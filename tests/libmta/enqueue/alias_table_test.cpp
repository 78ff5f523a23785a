// The aliases file: what it may say, what it stands for, and when it is read again.

#include "enqueue/alias_table.hpp"

#include "effort.hpp"
#include "enqueue/aliases.hpp"
#include "temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <vector>

using namespace mta::enqueue;
using strings = std::vector<std::string>;

namespace {

const mta::config::settings& site() {
  static const mta::config::settings s = [] {
    auto made = mta::config::defaults("/nowhere");
    made.host = "home.example";
    return made;
  }();
  return s;
}

std::string first_problem(const std::string& text) {
  const alias_table table(text, "/aliases");
  return table.problems().empty()
             ? "none"
             : std::to_string(table.problems()[0].line) + ": " + table.problems()[0].text;
}

strings addresses(const std::string& text, const std::string& name) {
  const alias_table table(text, "/aliases");
  BOOST_REQUIRE_MESSAGE(table.problems().empty(), first_problem(text));
  const auto all = table.expand(name, site());
  BOOST_REQUIRE_MESSAGE(all, all.error().message());
  strings out;
  for (const auto& one : *all) out.push_back(one.address);
  return out;
}

std::string why_not(const std::string& text, const std::string& name) {
  const alias_table table(text, "/aliases");
  const auto all = table.expand(name, site());
  BOOST_REQUIRE(!all);
  BOOST_TEST((all.error().code == mta::errc::try_later));
  return all.error().context;
}

void check(const strings& found, const strings& expected) {
  BOOST_TEST(found == expected, boost::test_tools::per_element());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(aliases_file)

BOOST_AUTO_TEST_CASE(a_name_stands_for_its_addresses_in_order) {
  check(addresses("staff: ann@far.example, bob ,  Carl <carl@Far.Example.>,,\n", "staff"),
        {"ann@far.example", "bob@home.example", "carl@far.example"});
}

BOOST_AUTO_TEST_CASE(names_are_found_in_any_case_and_may_be_quoted) {
  const std::string text = "Staff: a@x.example\n\"John Doe\": j@x.example\n\"a:b\" : c@x.example\n";
  check(addresses(text, "sTAFF"), {"a@x.example"});
  check(addresses(text, "john doe"), {"j@x.example"});
  check(addresses(text, "a:b"), {"c@x.example"});
}

BOOST_AUTO_TEST_CASE(comments_blank_lines_and_continuation_lines_are_understood) {
  const std::string text =
      "\xEF\xBB\xBF# first\n\nstaff: a@x.example,\n# within\n\tb@x.example,\n\n  c@x.example\r\n   # "
      "more\nnext: "
      "d@x.example";
  check(addresses(text, "staff"), {"a@x.example", "b@x.example", "c@x.example"});
  check(addresses(text, "next"), {"d@x.example"});
}

BOOST_AUTO_TEST_CASE(quoted_addresses_and_commas_in_comments_are_one_item_each) {
  check(addresses("x: \"a, b\"@x.example, \"Doe, Joe\" <j@x.example>, k@x.example (one, two)\n", "x"),
        {"\"a, b\"@x.example", "j@x.example", "k@x.example"});
}

BOOST_AUTO_TEST_CASE(aliases_of_aliases_are_expanded_and_nobody_is_named_twice) {
  const std::string text =
      "all: staff, Ops, ann@x.example\nstaff: ann@x.example, bob\nops: bob@Home.Example, carl, staff\n";
  check(addresses(text, "all"), {"ann@x.example", "bob@home.example", "carl@home.example"});
}

BOOST_AUTO_TEST_CASE(a_name_that_names_itself_or_is_written_with_a_backslash_is_the_mailbox) {
  check(addresses("ann: ann, copy@x.example\n", "ann"), {"ann@home.example", "copy@x.example"});
  check(addresses("ann: \\bob\nbob: x@x.example\n", "ann"), {"bob@home.example"});
}

BOOST_AUTO_TEST_CASE(names_at_other_hosts_are_no_aliases) {
  check(addresses("ann: bob@far.example\nbob: x@x.example\n", "ann"), {"bob@far.example"});
}

BOOST_AUTO_TEST_CASE(the_innermost_owner_is_told) {
  const alias_table table(
      "all: staff, x@x.example\nowner-all: boss\nstaff: y@x.example\nowner-staff: z\nother: q\n", "/aliases");
  const auto found = table.expand("all", site()).value();
  BOOST_REQUIRE(found.size() == 2u);
  BOOST_TEST(found[0].sender == "owner-staff@home.example");
  BOOST_TEST(found[1].sender == "owner-all@home.example");
  BOOST_TEST(table.expand("other", site()).value()[0].sender == "");
}

BOOST_AUTO_TEST_CASE(the_owner_of_a_name_with_blanks_is_an_address) {
  const alias_table table("\"the staff\": y@x.example\n\"owner-the staff\": z\n", "/aliases");
  BOOST_TEST(table.expand("the staff", site()).value()[0].sender == "\"owner-the staff\"@home.example");
}

BOOST_AUTO_TEST_CASE(a_loop_is_an_error_that_names_its_way_and_only_for_those_in_it) {
  const std::string text = "a: b\nb: c, x@x.example\nc: A\ngood: x@x.example\n";
  BOOST_TEST(why_not(text, "a") == "/aliases:3: alias c: a loop: a → b → c → A");
  check(addresses(text, "good"), {"x@x.example"});
  const alias_table table(text, "/aliases");
  const auto loops = table.loops(site());
  BOOST_REQUIRE(loops.size() == 3u);
  BOOST_TEST(loops[0].line == 1);
  BOOST_TEST(loops[0].text == "alias c: a loop: a → b → c → A");
}

BOOST_AUTO_TEST_CASE(aliases_nested_too_deeply_are_an_error) {
  std::string text;
  for (int i = 0; i < 60; ++i) text += "a" + std::to_string(i) + ": a" + std::to_string(i + 1) + "\n";
  BOOST_TEST(why_not(text, "a0").find("nested deeper than 50") != std::string::npos);
  check(addresses(text, "a20"), {"a60@home.example"});
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_said_with_its_line) {
  const std::pair<const char*, const char*> wrong[] = {
      {"ok: a\nno colon here\n", "2: \"no colon here\": expected \"name: address, address…\""},
      {" a@x.example\n", "1: begins with a blank, which continues an alias; there is none before it"},
      {"# c\nx:\n", "2: alias x stands for nobody; expected an address"},
      {"x: a,\n , \ny: b\nx: c\n", "4: alias x is there already, on line 1"},
      {"X: a\nx: c\n", "2: alias x is there already, on line 1"},
      {": a\n", "1: expected a name before the colon"},
      {"two words: a\n", "1: name \"two words\": expected one word, or a name in double quotes"},
      {"a@x.example: b\n",
       "1: name \"a@x.example\": expected a name without a domain: aliases are for addresses of this host"},
      {"x: a\x01\n", "1: \"x: a?\" has a control character"},
      {"x: |/bin/vacation\n",
       "1: alias x: \"|/bin/vacation\" runs a program, which aliases cannot; route an address to a channel "
       "like \"pipe\" instead"},
      {"x: a, \"|/bin/vacation ann\"\n",
       "1: alias x: \"\"|/bin/vacation ann\"\" runs a program, which aliases cannot; route an address to a "
       "channel like \"pipe\" instead"},
      {"x: /dev/null\n",
       "1: alias x: \"/dev/null\" names a file, which aliases cannot deliver to; name a mailbox instead"},
      {"x: :include:/etc/list\n",
       "1: alias x: \":include:/etc/list\" includes another file, which is not supported; put its addresses "
       "here"},
  };
  for (const auto& [text, expected] : wrong) BOOST_TEST(first_problem(text) == expected);
  for (const char* const text :
       {"x: a b\n", "x: a@b@\n", "x: <a@x.example\n", "x: a@x..example\n", "x: @x\n"}) {
    BOOST_TEST_CONTEXT(text) { BOOST_TEST(first_problem(text).starts_with("1: alias x: \"")); }
  }
  BOOST_TEST(first_problem("x: 'a'!b/c@x.example, o'hara, postmaster@[192.0.2.1]\n") == "none");
}

BOOST_AUTO_TEST_CASE(a_file_that_is_no_aliases_file_is_not_read_to_its_end) {
  std::string text;
  for (int i = 0; i < 10'000; ++i) text += "no alias\n";
  BOOST_TEST(alias_table(text, "/aliases").problems().size() == 20u);
}

BOOST_AUTO_TEST_CASE(whatever_a_file_says_it_is_read_to_an_end_and_what_is_good_can_be_expanded) {
  const unsigned seed = std::random_device{}();
  BOOST_TEST_MESSAGE("seed " << seed);
  std::mt19937 random(seed);
  const std::vector<std::string> pieces{
      "a", "b",  "c",         ":",          ": ",   ", ", "\n",  "\n ",    "\n",
      "#", "\"", "\\",        "@x.example", "<",    ">",  "(",   ")",      ";",
      "|", "/",  ":include:", "\xFF",       "\r\n", "\t", "\\b", "owner-", "@home.example",
      ".", " "};
  std::size_t good = 0;
  for (unsigned round = 0; round < 40'000 / test::effort_divisor; ++round) {
    std::string text = round % 2 == 0 ? "" : "a: b, c@x.example\nb: c";
    for (auto n = random() % 12; n > 0; --n) text += pieces[random() % pieces.size()];
    const alias_table table(text, "/aliases");
    for (const auto& p : table.problems()) BOOST_REQUIRE(p.line > 0 && !p.text.empty());
    if (!table.problems().empty()) continue;
    ++good;
    std::set<std::string> names;
    table.for_each_target(
        [&](int, std::string_view name, const std::string&) { names.insert(std::string(name)); }, site());
    BOOST_REQUIRE_MESSAGE(names.size() == table.size(), "seed " << seed << ": " << text);
    for (const std::string& name : names) {
      const auto all = table.expand(name, site());
      const bool fine = all ? !all->empty() : all.error().context.find("a loop") != std::string::npos;
      BOOST_REQUIRE_MESSAGE(fine, "seed " << seed << ": " << text);
    }
  }
  BOOST_TEST(good > 0u);
}

BOOST_AUTO_TEST_CASE(a_hundred_thousand_aliases_are_read_and_found) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) {
    const std::string n = std::to_string(i);
    text += "User" + n + ": box" + n + "@far.example, user" + std::to_string((i + 1) % 1000) + "@x.example\n";
  }
  const auto begun = std::chrono::steady_clock::now();
  const alias_table table(text, "/aliases");
  const auto took = std::chrono::steady_clock::now() - begun;
  BOOST_TEST(table.size() == 100'000u);
  BOOST_TEST(table.problems().empty());
  BOOST_TEST(table.expand("user99999", site()).value().front().address == "box99999@far.example");
  BOOST_TEST_MESSAGE("read in " << std::chrono::duration_cast<std::chrono::milliseconds>(took).count()
                                << " ms");
  BOOST_TEST((took < std::chrono::seconds(20)), "what is not linear takes minutes");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(aliases_of_a_site)

struct file {
  test::temporary_directory directory;
  std::string path = directory.path() + "/aliases";
  aliases names{path};

  void write(const std::string& text) const { std::ofstream(path) << text; }
  /// The table once the file has not changed for so long that it is not read again.
  std::shared_ptr<const alias_table> settled() {
    auto before = names.current().value();
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (std::chrono::steady_clock::now() < limit) {
      auto now = names.current().value();
      if (now == before) return now;
      before = now;
      std::this_thread::yield();
    }
    return nullptr;
  }
};

BOOST_FIXTURE_TEST_CASE(a_file_is_read_again_only_when_it_has_changed, file) {
  write("a: b\n");
  const auto first = settled();
  BOOST_REQUIRE(first != nullptr);
  BOOST_TEST((names.current().value() == first));
  write("a: c\n");  // of the same size
  BOOST_TEST(names.current().value()->expand("a", site()).value()[0].address == "c@home.example");
}

BOOST_FIXTURE_TEST_CASE(a_change_at_the_moment_of_reading_is_seen, file) {
  for (int i = 0; i < 200; ++i) {
    const std::string target(1, static_cast<char>('a' + i % 26));
    write("x: " + target + "\n");
    BOOST_TEST(names.current().value()->expand("x", site()).value()[0].address == target + "@home.example");
  }
}

BOOST_FIXTURE_TEST_CASE(a_file_that_is_missing_or_wrong_is_a_passing_error_until_it_is_mended, file) {
  const auto missing = names.current();
  BOOST_REQUIRE(!missing);
  BOOST_TEST((missing.error().code == mta::errc::try_later));
  BOOST_TEST(missing.error().context == "open aliases file " + path + ": No such file or directory");
  write("a: b\nwrong\nworse\n");
  const auto wrong = names.current();
  BOOST_REQUIRE(!wrong);
  BOOST_TEST((wrong.error().code == mta::errc::try_later));
  BOOST_TEST(wrong.error().context ==
             path + ":2: \"wrong\": expected \"name: address, address…\" (and 1 more; see 'jobctl check')");
  write("a: b\n");
  BOOST_TEST(bool(names.current()));
  std::filesystem::remove(path);
  BOOST_TEST(!names.current());
}

BOOST_FIXTURE_TEST_CASE(a_file_that_could_not_be_read_is_tried_again_though_it_has_not_changed, file) {
  const std::string target = directory.path() + "/target";
  std::ofstream(target) << "a: b\n";
  std::filesystem::create_symlink(target, path);
  BOOST_REQUIRE(settled() != nullptr);
  std::filesystem::remove(path);
  BOOST_TEST(!names.current());
  std::filesystem::create_symlink(target, path);
  rlimit usual{};
  BOOST_REQUIRE(::getrlimit(RLIMIT_NOFILE, &usual) == 0);
  const rlimit none{0, usual.rlim_max};
  BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const bool read = names.current().has_value();
  BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &usual) == 0);
  BOOST_TEST(!read);
  BOOST_TEST(names.current().has_value());
}

BOOST_FIXTURE_TEST_CASE(all_problems_of_a_site_are_listed_with_file_and_line, file) {
  auto s = site();
  BOOST_TEST(problems_of_aliases(s).empty());
  s.aliases = path;
  BOOST_TEST(problems_of_aliases(s).size() == 1u);
  write("a: b\nb: a\n\nc d: e\n");
  check(problems_of_aliases(s), {path + ":4: name \"c d\": expected one word, or a name in double quotes"});
  write("a: b\nb: a\n");
  check(problems_of_aliases(s),
        {path + ":1: alias b: a loop: a → b → a", path + ":2: alias a: a loop: b → a → b"});
  s.aliases = directory.path();
  BOOST_TEST(problems_of_aliases(s).at(0).find("expected a file") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
