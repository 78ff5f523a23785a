// How a message is taken from standard input, and how tables are printed.
#include "jobctl/cli/memory_terminal.hpp"
#include "jobctl/cli/message_input.hpp"
#include "jobctl/cli/table.hpp"

#include <boost/test/unit_test.hpp>

using jobctl::cli::message_input;

namespace {

std::string taken(std::string text, bool dot_ends) {
  test::input_file in(text);
  message_input input(in.file(), dot_ends);
  std::string all;
  while (true) {
    const auto more = input.read(all);
    BOOST_REQUIRE(more);
    if (!*more) return all;
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(message_from_standard_input)

BOOST_AUTO_TEST_CASE(a_line_with_a_single_dot_ends_it) {
  BOOST_TEST(taken("a\n.\nb\n", true) == "a\n");
  BOOST_TEST(taken("a\r\n.\r\nb\r\n", true) == "a\r\n");
  BOOST_TEST(taken(".\na\n", true) == "");
  BOOST_TEST(taken("a\n.", true) == "a\n");
  BOOST_TEST(taken("a\n.\r", true) == "a\n");
}

BOOST_AUTO_TEST_CASE(other_lines_with_dots_are_part_of_it) {
  for (const char* text : {"a\n..\nb\n", "a\n.b\n", "a.\n", "a.\n.b", "a\n. \nb\n", "..\n", "a\n.\rb\n"})
    BOOST_TEST(taken(text, true) == text);
}

BOOST_AUTO_TEST_CASE(with_dots_ignored_everything_is_part_of_it) {
  for (const char* text : {"a\n.\nb\n", ".", "", "a\n.\r\n"}) BOOST_TEST(taken(text, false) == text);
}

BOOST_AUTO_TEST_CASE(the_end_is_found_wherever_pieces_begin) {
  constexpr std::size_t piece = 64 * 1024;
  for (std::size_t offset = piece - 6; offset <= piece + 2; ++offset) {
    const std::string before = std::string(offset - 1, 'x') + "\n";
    for (const char* end : {".\n", ".\r\n"})
      BOOST_TEST((taken(before + end + "rest\n", true) == before), offset);
    for (const char* no_end : {"..\n", ".\rx\n", ".x\n"})
      BOOST_TEST((taken(before + no_end + "rest\n", true) == before + no_end + "rest\n"), offset);
    // Not at the beginning of a line.
    const std::string in_line = std::string(offset, 'x') + ".\n" + "rest\n";
    BOOST_TEST((taken(in_line, true) == in_line), offset);
  }
}

BOOST_AUTO_TEST_CASE(an_input_that_cannot_be_read_is_an_error) {
  std::FILE* directory = std::fopen("/", "r");
  BOOST_REQUIRE(directory);
  std::string text;
  const auto more = message_input(directory, true).read(text);
  std::fclose(directory);
  BOOST_REQUIRE(!more);
  BOOST_TEST(more.error().message().find("standard input") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_CASE(columns_are_aligned_and_only_grow) {
  test::output_file out;
  jobctl::cli::table t({{"NAME"}, {"N", true}, {"HOST"}});
  t.add({"a", "1", "h"});
  t.flush(out.file());
  t.add({"longer", "10", ""});
  t.add({"b", "2", "i"});
  t.flush(out.file());
  BOOST_TEST(out.text() ==
             "NAME  N  HOST\n"
             "a     1  h\n"
             "longer  10  -\n"
             "b        2  i\n");
}
