#include "jobctl/cli/legacy/files.hpp"

#include "base/text.hpp"

#include <utility>

namespace jobctl::cli::legacy {
namespace {

using mta::lower_case;
using mta::trim;

struct line {
  int number;
  std::string text;
};

// Without comments (`!` begins one, at a line's beginning), with lines that end in a backslash joined.
std::vector<line> lines_of(std::string_view text) {
  std::vector<line> lines;
  bool joined = false;
  for (int number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    std::string_view one = trim(text.substr(0, end));
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    if (one.starts_with('!')) continue;
    const bool goes_on = one.ends_with('\\');
    if (goes_on) one = trim(one.substr(0, one.size() - 1));
    if (joined)
      lines.back().text += ' ' + std::string(one);
    else
      lines.push_back({number, std::string(one)});
    joined = goes_on;
  }
  return lines;
}

// Words between blanks; one in quotes may have blanks.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  while (!(text = trim(text)).empty()) {
    const bool quoted = text.front() == '"';
    if (quoted) text.remove_prefix(1);
    const auto end = quoted ? text.find('"') : text.find_first_of(" \t");
    words.emplace_back(text.substr(0, end));
    text.remove_prefix(end == text.npos ? text.size() : end + (quoted ? 1 : 0));
  }
  return words;
}

}  // namespace

job_controller_file read_job_controller(std::string_view text) {
  job_controller_file file;
  file.sections.emplace_back();
  for (const auto& [number, content] : lines_of(text)) {
    if (content.empty()) continue;
    const auto equals = content.find('=');
    if (content.front() == '[' && content.back() == ']' && equals != std::string::npos) {
      section s;
      s.number = number;
      s.kind = lower_case(trim(std::string_view(content).substr(1, equals - 1)));
      s.name = std::string(trim(std::string_view(content).substr(equals + 1, content.size() - equals - 2)));
      file.sections.push_back(std::move(s));
    } else if (content.front() == '<') {
      file.notes.push_back(
          {number, "the included file " + content.substr(1) + " was not read: put its lines here"});
    } else if (equals == std::string::npos) {
      file.notes.push_back({number, "neither an option nor a section: " + content});
    } else {
      file.sections.back().options.push_back(
          {number, lower_case(trim(std::string_view(content).substr(0, equals))),
           std::string(trim(std::string_view(content).substr(equals + 1)))});
    }
  }
  return file;
}

channels_file read_channels(std::string_view text) {
  channels_file file;
  std::vector<std::string> defaults;
  bool in_rules = true;
  channel_block* block = nullptr;  // whose further lines come
  std::size_t hosts = 0;
  for (const auto& [number, content] : lines_of(text)) {
    if (content.empty()) {  // the first blank line ends the rewrite rules, each other one a block
      in_rules = false;
      block = nullptr;
      continue;
    }
    if (content.front() == '<') {
      file.notes.push_back(
          {number, "the included file " + content.substr(1) + " was not read: put its lines here"});
      continue;
    }
    if (in_rules) {
      ++file.rewrite_rules;
      continue;
    }
    if (block == nullptr) {
      auto words = words_of(content);
      const std::string name = lower_case(words.front());
      words.erase(words.begin());
      if (name == "defaults" || name == "nodefaults") {
        defaults = name == "defaults" ? std::move(words) : std::vector<std::string>{};
        continue;
      }
      channel_block c;
      c.number = number;
      c.name = name;
      c.words = defaults;
      c.words.insert(c.words.end(), words.begin(), words.end());
      block = &file.channels.emplace_back(std::move(c));
      hosts = 0;
    } else if (hosts++ == 0) {
      block->host = words_of(content).front();
    } else {
      file.notes.push_back({number, "channel " + block->name + ": the further host name " + content +
                                        " says which addresses belong to the channel: see [routes]"});
    }
  }
  return file;
}

}  // namespace jobctl::cli::legacy
