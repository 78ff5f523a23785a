#include "jobctl/cli/completion.hpp"

#include "jobctl/cli/controller_link.hpp"
#include "jobctl/cli/value_kinds.hpp"

#include <boost/program_options/parsers.hpp>

#include <algorithm>
#include <fmt/format.h>
#include <memory>
#include <set>
#include <span>

namespace jobctl::cli {
namespace {

namespace po = boost::program_options;
namespace json = boost::json;
using words = std::span<const std::string>;

constexpr std::chrono::milliseconds patience{1000};
constexpr int most_messages = 1000;  // whose ids or hosts are offered

/// Candidates as they are found: only those that begin as the word does are printed.
class candidates {
 public:
  /// `before`: what comes before the value in the same word ("--state=").
  candidates(std::FILE* out, std::string_view typed, std::string_view before = {})
      : out_(out), typed_(typed), before_(before) {}

  void add(std::string_view word, std::string_view description = {}) const {
    if (word.empty() || !word.starts_with(typed_)) return;
    fmt::print(out_, "{}{}", before_, word);
    if (!description.empty()) fmt::print(out_, "\t{}", description);
    fmt::print(out_, "\n");
  }
  /// A word that comes from mail: what a shell would take for more than a word is not offered.
  void add_foreign(std::string_view word, std::string_view description = {}) const {
    const auto harmless = [](unsigned char c) {
      return std::isalnum(c) ||
             std::string_view("._-@:+").find(static_cast<char>(c)) != std::string_view::npos;
    };
    if (std::ranges::all_of(word, harmless) && !word.starts_with('-')) add(word, description);
  }
  void files() const { fmt::print(out_, ":files\n"); }
  void directories() const { fmt::print(out_, ":directories\n"); }

 private:
  std::FILE* out_;
  std::string_view typed_, before_;
};

// --- what the controller knows
// ---------------------------------------------------------------------------------------------------------

/// Asks the controller of the site that the words name. Null: there is no answer.
json::value ask(words given, const std::string& target) {
  std::vector<std::string> site;
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (given[i] != "--root" && given[i] != "--config") {
      if (given[i].starts_with("--root=") || given[i].starts_with("--config=")) site.push_back(given[i]);
    } else if (i + 1 < given.size()) {
      site.insert(site.end(), {given[i], given[i + 1]});
      ++i;
    }
  }
  po::variables_map values;
  po::store(po::command_line_parser(site).options(options_of(version_command)).run(), values);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> nowhere(std::fopen("/dev/null", "r+"), std::fclose);
  if (!nowhere) return nullptr;
  const terminal silent{nowhere.get(), nowhere.get(), nowhere.get()};
  int status = success;
  const auto settings = find_running_site({version_command, values, silent}, status);
  if (!settings) return nullptr;
  auto controller = admin::client::connect(settings->api_socket(), patience);
  if (!controller) return nullptr;
  const auto answer = controller->get(target);
  return answer && answer->ok() ? answer->body : json::value();
}

void add_channels(words given, const candidates& to) {
  const json::value body = ask(given, "/v1/summary");
  if (!body.is_object()) return;
  for (const json::object& row : rows_field(body.get_object(), "channels")) {
    std::uint64_t waiting = 0;
    for (const char* state : {"ready", "in_hand", "deferred", "held"}) waiting += number_field(row, state);
    to.add_foreign(text_field(row, "channel"), fmt::format("{} waiting", waiting));
  }
}

std::vector<json::object> messages(words given) {
  const json::value body = ask(given, fmt::format("/v1/messages?limit={}", most_messages));
  return body.is_object() ? rows_field(body.get_object(), "messages") : std::vector<json::object>();
}

void add_hosts(words given, const candidates& to) {
  std::set<std::string> hosts;
  for (const json::object& row : messages(given)) hosts.insert(text_field(row, "host"));
  for (const std::string& host : hosts) to.add_foreign(host);
}

void add_ids(words given, const candidates& to) {
  for (const json::object& row : messages(given))
    to.add_foreign(text_field(row, "id"), text_field(row, "channel") + ", " + text_field(row, "state"));
}

// --- words
// ---------------------------------------------------------------------------------------------------------

void add_values(std::string_view placeholder, words given, const candidates& to) {
  const value_kind* kind = find_value_kind(placeholder);
  if (!kind) return;
  switch (kind->source) {
    case value_source::free_text: return;
    case value_source::words:
      for (const std::string_view word : kind->words) to.add(word);
      return;
    case value_source::channel: return add_channels(given, to);
    case value_source::host: return add_hosts(given, to);
    case value_source::id: return add_ids(given, to);
    case value_source::command:
      for (const command* c : all_commands()) to.add(c->name, c->summary);
      return;
    case value_source::file: return to.files();
    case value_source::directory: return to.directories();
  }
}

std::string placeholder_of(const po::option_description& option) {
  const std::string parameter = option.format_parameter();
  return parameter.substr(0, parameter.find(' '));
}

/// "-f" or empty.
std::string short_name_of(const po::option_description& option) {
  const std::string name = option.canonical_display_name(po::command_line_style::allow_dash_for_short);
  return name.size() == 2 && name[1] != '-' ? name : std::string();
}

/// The option that `word` names, if its value is the word after it.
const po::option_description* option_before_value(const po::options_description& described,
                                                  std::string_view word) {
  for (const auto& option : described.options())
    if (option->semantic()->max_tokens() > 0 &&
        (word == "--" + option->long_name() || word == short_name_of(*option)))
      return option.get();
  return nullptr;
}

void add_options(const po::options_description& described, const char* operands, const candidates& to) {
  for (const auto& option : described.options()) {
    if (operands && option->long_name() == operands) continue;
    if (!option->long_name().empty())
      to.add("--" + option->long_name(), option->description());
    else
      to.add(short_name_of(*option), option->description());
  }
}

/// `first`: where the words after the command's name (or, without a command, all words) begin.
void complete_arguments(const command* c, words given, std::size_t first, std::string_view typed,
                        const terminal& io) {
  const po::options_description described = options_of(c ? *c : version_command);
  const char* const operands = c ? c->operands : nullptr;
  const po::option_description* awaiting = nullptr;
  bool only_operands = false;
  for (std::size_t i = first; i < given.size(); ++i) {
    if (awaiting)
      awaiting = nullptr;
    else if (given[i] == "--")
      only_operands = true;
    else if (!only_operands)
      awaiting = option_before_value(described, given[i]);
  }
  if (awaiting) return add_values(placeholder_of(*awaiting), given, {io.out, typed});
  if (!only_operands && typed.starts_with("--") && typed.find('=') != std::string_view::npos) {
    const std::string_view name = typed.substr(0, typed.find('='));
    const po::option_description* option = option_before_value(described, name);
    if (!option) return;
    const std::string_view before = typed.substr(0, name.size() + 1);
    return add_values(placeholder_of(*option), given, {io.out, typed.substr(before.size()), before});
  }
  const candidates to(io.out, typed);
  if (!only_operands && typed.starts_with('-')) return add_options(described, operands, to);
  if (!c) return add_values("COMMAND", given, to);
  if (operands) add_values(placeholder_of(described.find(operands, false)), given, to);
}

/// The index of the command's name; given.size(): none yet.
std::size_t find_name(words given) {
  std::size_t i = 0;
  while (i < given.size() && given[i].starts_with("-")) {
    const bool has_value = given[i] == "--root" || given[i] == "--config";
    i += has_value ? 2 : 1;
  }
  return std::min(i, given.size());
}

}  // namespace

int complete(const std::vector<std::string>& all, const terminal& io) {
  const std::string_view typed = all.empty() ? std::string_view() : std::string_view(all.back());
  const words given(all.data(), all.empty() ? 0 : all.size() - 1);
  try {
    const std::size_t name = find_name(given);
    if (name == given.size()) {
      complete_arguments(nullptr, given, 0, typed, io);
    } else if (const command* c = find_command(given[name])) {
      complete_arguments(c, given, name + 1, typed, io);
    }
  } catch (const std::exception&) {
    // Whatever it was: somebody is typing, and must not be disturbed.
  }
  std::fflush(io.out);
  return success;
}

}  // namespace jobctl::cli
