#include "config/sections.hpp"

#include "base/identity.hpp"
#include "base/text.hpp"
#include "config/names.hpp"
#include "config/values.hpp"

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>

#include <algorithm>
#include <array>
#include <sstream>
#include <utility>

namespace mta::config {
namespace {

namespace po = boost::program_options;

class section_reader {
 public:
  explicit section_reader(std::vector<load_error::problem>& problems) : problems_(problems) {}
  void scan(std::string_view text);
  void read_values();
  std::vector<section> take() { return std::move(sections_); }

 private:
  void problem(int line_number, std::string text) { problems_.push_back({line_number, std::move(text)}); }
  void heading(int number, std::string_view inside);
  void key_value(int number, std::string_view text);

  std::vector<load_error::problem>& problems_;
  std::vector<section> sections_;
  bool skipping_ = false;  // lines of a section whose heading is wrong
};

constexpr std::array<std::string_view, 11> known_sections{"jobctl",
                                                          "queue",
                                                          "dequeue",
                                                          "notify",
                                                          "http",
                                                          "pool NAME",
                                                          "channel NAME",
                                                          "host NAME",
                                                          "periodic NAME",
                                                          "routes",
                                                          "routes from CHANNEL"};

void section_reader::heading(int number, std::string_view inside) {
  skipping_ = true;
  const auto words = split_words(inside);
  section s;
  s.number = number;
  s.kind = words.empty() ? std::string{} : lower_case(words[0]);
  const bool plain = s.kind == "jobctl" || s.kind == "queue" || s.kind == "dequeue" || s.kind == "notify" ||
                     s.kind == "http";
  if (s.kind == "pool" || s.kind == "channel" || s.kind == "periodic") {
    const bool pool_section = s.kind == "pool";
    if (words.size() != 2 || !(pool_section ? valid_pool_name(words[1]) : valid_channel_name(words[1])))
      return problem(number, in_quotes('[' + std::string(inside) + ']') + ": expected [" + s.kind +
                                 " NAME] with a name of 1 to 32 " +
                                 (pool_section ? "letters" : "lower case letters") +
                                 ", digits, \"-\", \"_\" and \".\", beginning with a letter or digit");
    s.name = std::string(words[1]);
  } else if (s.kind == "host") {
    s.name = words.size() == 2 ? lower_case(words[1]) : "";
    if (s.name.find('*') != s.name.npos || !valid_route_pattern(s.name))
      return problem(number, in_quotes('[' + std::string(inside) + ']') +
                                 ": expected [host NAME] with a domain (example.org), its subdomains "
                                 "(.example.org) or an address literal ([192.0.2.1])");
  } else if (s.kind == "routes" && words.size() == 3 && equal_ignoring_case(words[1], "from") &&
             valid_channel_name(words[2])) {
    s.name = std::string(words[2]);
  } else if (!((plain || s.kind == "routes") && words.size() == 1)) {
    return problem(number, "unknown section " + in_quotes('[' + std::string(inside) + ']') +
                               "; did you mean [" + std::string(nearest(lower_case(inside), known_sections)) +
                               "]?");
  }
  for (const section& earlier : sections_)
    if (earlier.kind == s.kind && equal_ignoring_case(earlier.name, s.name))
      return problem(number, s.label() + ": there is such a section already, on line " +
                                 std::to_string(earlier.number) + "; expected each section once");
  skipping_ = false;
  sections_.push_back(std::move(s));
}

void section_reader::key_value(int number, std::string_view text) {
  const auto equals = text.find('=');
  const std::string_view key = trim(text.substr(0, equals));
  if (equals == text.npos || key.empty())
    return problem(number, in_quotes(text) + ": expected \"key = value\" or \"[section]\"");
  if (skipping_) return;
  if (sections_.empty())
    return problem(number, std::string(key) + ": expected a section, such as [jobctl], before the first key");
  sections_.back().lines.push_back({number, lower_case(key), std::string(trim(text.substr(equals + 1)))});
}

void section_reader::scan(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  int number = 0;
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string_view rest = text.substr(0, end);
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    ++number;
    rest = trim(rest.substr(0, rest.find('#')));
    if (rest.empty()) continue;
    if (std::any_of(rest.begin(), rest.end(), [](char c) { return is_control(c) && c != '\t'; })) {
      problem(number, in_quotes(rest) + ": expected text without control characters");
    } else if (rest.front() == '[' && rest.back() == ']') {
      heading(number, trim(rest.substr(1, rest.size() - 2)));
    } else {
      key_value(number, rest);
    }
  }
}

/// Lets Program_options read what scan() found to be well formed; its reading of the values counts.
void section_reader::read_values() {
  std::string text;
  for (const section& s : sections_) {
    text += s.label() + '\n';
    for (const line& l : s.lines) text += l.key + " = " + l.value + '\n';
  }
  std::istringstream stream(text);
  const auto parsed = po::parse_config_file(stream, po::options_description{}, true);
  auto option = parsed.options.begin();
  for (section& s : sections_)
    for (line& l : s.lines) l.value = (option++)->value.at(0);
}

}  // namespace

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text.substr(0, 60)) out += is_control(c) ? '?' : c;
  return out + (text.size() > 60 ? "…\"" : "\"");
}

std::vector<section> read_sections(std::string_view text, std::vector<load_error::problem>& problems) {
  section_reader r(problems);
  r.scan(text);
  r.read_values();
  return r.take();
}

}  // namespace mta::config
