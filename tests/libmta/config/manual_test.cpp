// docs/configuration.md is true.

#include "config/settings.hpp"

#include <boost/test/unit_test.hpp>

#include <fstream>
#include <iterator>
#include <string>

using namespace mta::config;

namespace {

std::string complaint(const std::string& text) {
  const auto read = parse(text, "example");
  return read ? "no complaint" : read.error().text();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(documentation)

BOOST_AUTO_TEST_CASE(the_examples_of_the_manual_are_read_without_complaint) {
  std::ifstream page(JOBCTL_SOURCE_DIRECTORY "/docs/configuration.md");
  BOOST_REQUIRE(page.is_open());
  std::string line, block;
  bool inside = false;
  int examples = 0;
  while (std::getline(page, line)) {
    if (line == "```ini") {
      inside = true;
      block.clear();
    } else if (line == "```" && inside) {
      inside = false;
      // The first shows only the form, with made-up names.
      if (block.find("key = value") != block.npos) continue;
      ++examples;
      for (const char* name : {"scan", "tcp_intranet", "tcp_out"})
        block += "\n[channel " + std::string(name) + "]\n";
      BOOST_TEST(complaint(block) == "no complaint");
    } else if (inside) {
      block += line + '\n';
    }
  }
  BOOST_TEST(examples == 3);
}

BOOST_AUTO_TEST_CASE(the_manual_names_every_key) {
  std::ifstream page(JOBCTL_SOURCE_DIRECTORY "/docs/configuration.md");
  const std::string text{std::istreambuf_iterator<char>(page), {}};
  const std::string effective = to_text(defaults("/srv/x"));
  for (std::size_t at = 0; at < effective.size();) {
    const std::string line = effective.substr(at, effective.find('\n', at) - at);
    at += line.size() + 1;
    const auto equals = line.find(" = ");
    if (equals == line.npos) continue;
    BOOST_TEST(text.find('`' + line.substr(0, equals) + '`') != text.npos, line << " is not in the manual");
  }
}

BOOST_AUTO_TEST_SUITE_END()
