#include "config/values.hpp"

#include "base/text.hpp"
#include "base/time.hpp"
#include "config/names.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>

namespace mta::config {
namespace {

bool parse_whole(std::string_view text, std::uint64_t& value) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failure == std::errc{} && end == text.data() + text.size() && !text.empty();
}

std::string with_unit(std::uint64_t bytes) {
  static constexpr std::array<char, 4> units{'T', 'G', 'M', 'K'};
  for (std::size_t i = 0; i < units.size(); ++i) {
    const unsigned shift = 10u * static_cast<unsigned>(units.size() - i);
    if (bytes >> shift != 0 && bytes % (1ull << shift) == 0) return std::to_string(bytes >> shift) + units[i];
  }
  return std::to_string(bytes);
}

bool parse_bytes(std::string_view text, std::uint64_t& value) {
  unsigned shift = 0;
  if (!text.empty()) {
    const auto unit = std::string_view("kmgt").find(to_lower(text.back()));
    if (unit != std::string_view::npos) {
      shift = 10 * (static_cast<unsigned>(unit) + 1);
      text.remove_suffix(1);
    }
  }
  if (!parse_whole(text, value) || value > (~0ull >> shift)) return false;
  value <<= shift;
  return true;
}

}  // namespace

std::uint64_t read_number(std::string_view text, std::uint64_t least, std::uint64_t most) {
  std::uint64_t value = 0;
  if (!parse_whole(text, value) || value < least || value > most)
    throw bad_value{"a whole number from " + std::to_string(least) + " to " + std::to_string(most)};
  return value;
}

std::uint64_t read_bytes(std::string_view text, std::uint64_t least, std::uint64_t most) {
  std::uint64_t value = 0;
  if (!parse_bytes(text, value) || value < least || value > most)
    throw bad_value{"a number of bytes from " + with_unit(least) + " to " + with_unit(most) +
                    " (K, M, G and T are units)"};
  return value;
}

std::chrono::milliseconds read_duration(std::string_view text, std::int64_t least, std::int64_t most,
                                        std::int64_t step) {
  const auto value = parse_duration(text);
  if (!value || value->count() < least || value->count() > most || value->count() % step != 0)
    throw bad_value{"a duration from " + format_duration(std::chrono::milliseconds(least)) + " to " +
                    format_duration(std::chrono::milliseconds(most)) +
                    (step == 1000 ? " in whole seconds" : "") +
                    ", such as \"90s\", \"1h30m\" or \"PT1H30M\""};
  return *value;
}

void read(std::string_view text, yes_or_no& into) {
  for (const auto word : {"yes", "true", "on", "1"})
    if (equal_ignoring_case(text, word)) {
      into.value = true;
      return;
    }
  for (const auto word : {"no", "false", "off", "0"})
    if (equal_ignoring_case(text, word)) {
      into.value = false;
      return;
    }
  throw bad_value{"yes or no"};
}

void read(std::string_view text, backoff_list& into) {
  // The MTA's manuals put each interval, or all of them, in quotes, and some write commas.
  std::string bare(text);
  std::replace_if(
      bare.begin(), bare.end(), [](char c) { return c == '"' || c == ','; }, ' ');
  const auto words = split_words(bare);
  const bad_value expected{
      "1 to 8 durations from 1s to 366d in whole seconds, such as \"30m 1h 4h\" or \"PT30M PT1H PT4H\""};
  if (words.empty() || words.size() > max_backoff_steps) throw expected;
  into.value.clear();
  for (const auto word : words) {
    const auto value = parse_duration(word);
    if (!value || value->count() < 1000 || value->count() % 1000 != 0 ||
        *value > std::chrono::hours(24 * 366))
      throw expected;
    into.value.push_back(std::chrono::duration_cast<std::chrono::seconds>(*value));
  }
}

void read(std::string_view text, notice_list& into) {
  into.value.clear();
  if (equal_ignoring_case(text, "never")) return;
  std::string bare(text);
  std::replace_if(
      bare.begin(), bare.end(), [](char c) { return c == '"' || c == ','; }, ' ');
  const auto words = split_words(bare);
  const bad_value expected{
      "1 to 5 increasing ages from 1s to 366d, such as \"1d 2d 5d\" (a number alone is days), or \"never\""};
  if (words.empty() || words.size() > max_notices) throw expected;
  for (const auto word : words) {
    // A number alone is days, as in the MTA's manuals: taken for seconds, it would return all mail at once.
    const bool days = std::all_of(word.begin(), word.end(), is_digit);
    const auto value = parse_duration(days ? std::string(word) + 'd' : std::string(word));
    if (!value || value->count() < 1000 || value->count() % 1000 != 0 ||
        *value > std::chrono::hours(24 * 366))
      throw expected;
    const auto age = std::chrono::duration_cast<std::chrono::seconds>(*value);
    if (!into.value.empty() && age <= into.value.back()) throw expected;
    into.value.push_back(age);
  }
}

void read(std::string_view text, window_value& into) {
  auto window = parse_window(text);
  if (!window)
    throw bad_value{
        "up to 20 ranges of local time, such as \"Mon-Fri 08:00-18:00, Sat 09:00-12:00\" or \"22:00-06:00\", "
        "or \"always\""};
  into.value = std::move(*window);
}

void read(std::string_view text, times_value& into) {
  auto times = parse_times(text);
  if (!times) throw bad_value{"increasing times of the day, such as \"02:00, 14:00\""};
  into.value = std::move(*times);
}

void read(std::string_view text, missed_value& into) {
  if (!equal_ignoring_case(text, "run") && !equal_ignoring_case(text, "skip"))
    throw bad_value{"run (once, when the controller is there again) or skip"};
  into.value = equal_ignoring_case(text, "run");
}

void read(std::string_view text, percentage& into) {
  std::uint64_t value = 0;
  if (!parse_whole(trim(text.substr(0, text.find('%'))), value) || value > 50 ||
      (text.find('%') != text.npos && !text.ends_with('%')))
    throw bad_value{"a percentage from 0% to 50%"};
  into.value = static_cast<std::uint32_t>(value);
}

void read(std::string_view text, post_copy_value& into) {
  constexpr std::pair<std::string_view, post_copy> words[] = {{"never", post_copy::never},
                                                              {"errors", post_copy::errors},
                                                              {"copy", post_copy::unless_empty},
                                                              {"always", post_copy::always}};
  for (const auto& [word, value] : words)
    if (equal_ignoring_case(text, word)) {
      into.value = value;
      return;
    }
  throw bad_value{
      "never, errors (when the sender cannot be told), copy (unless the sender is empty) or always"};
}

void read(std::string_view text, display_name& into) {
  if (text.empty() || text.size() > max_address || std::any_of(text.begin(), text.end(), is_8bit))
    throw bad_value{"a name of 1 to 256 ASCII characters"};
  into.value = std::string(text);
}

void read(std::string_view text, rate_value& into) {
  const bad_value expected{
      "messages in a time, such as \"10/s\", \"100/1m\" or \"500/PT1H\" (times from 1ms to 1d), or 0: no "
      "limit"};
  into.value = {};
  if (text == "0") return;
  const auto slash = text.find('/');
  if (slash == text.npos) throw expected;
  const std::string_view count = trim(text.substr(0, slash)), period = trim(text.substr(slash + 1));
  if (count.empty() || count.size() > 7 || !std::all_of(count.begin(), count.end(), is_digit)) throw expected;
  into.value.messages = static_cast<std::uint32_t>(std::stoul(std::string(count)));
  const auto time = parse_duration(!period.empty() && is_digit(period.front()) ? std::string(period)
                                   : period.size() > 2                         ? std::string(period)
                                                                               : "1" + std::string(period));
  if (into.value.messages == 0 || into.value.messages > 1'000'000 || !time || time->count() < 1 ||
      *time > std::chrono::hours(24))
    throw expected;
  into.value.period = *time;
}

void read(std::string_view text, reserve_value& into) {
  const bad_value expected{
      "free space to keep, in bytes or in percent of the file system, or both: \"64M\", \"5%\", \"64M 5%\""};
  const auto words = split_words(text);
  if (words.empty() || words.size() > 2) throw expected;
  bool bytes = false, percent = false;
  into.value = {0, 0};
  for (auto word : words) {
    if (word.ends_with('%')) {
      word.remove_suffix(1);
      std::uint64_t value = 0;
      if (percent || !parse_whole(word, value) || value > 99) throw expected;
      into.value.percent = static_cast<std::uint32_t>(value);
      percent = true;
    } else {
      if (bytes || !parse_bytes(word, into.value.bytes)) throw expected;
      bytes = true;
    }
  }
}

void read(std::string_view text, command_line& into) {
  auto words = split_command(text);
  const auto valid_program = [](const std::string& name) {
    return !name.empty() && (name.front() == '/' || name.find('/') == name.npos);
  };
  if (!words) throw bad_value{"a closing quote: words are separated by blanks, or stand in '…' or \"…\""};
  if (!words->empty() && !valid_program(words->front()))
    throw bad_value{"the program's absolute path, or its bare name, and then its arguments"};
  into.value = std::move(*words);
}

void read(std::string_view text, absolute_path& into) {
  if (!text.starts_with('/')) throw bad_value{"an absolute path"};
  while (text.size() > 1 && text.ends_with('/')) text.remove_suffix(1);
  into.value = std::string(text);
}

void read(std::string_view text, domain_name& into) {
  into.value = lower_case(text);
  if (!valid_domain(into.value)) throw bad_value{"a domain name, such as mail.example.org"};
}

void read(std::string_view text, mail_address& into) {
  const auto at = text.rfind('@');
  if (at == text.npos || at == 0 || text.size() > max_address || text.find_first_of(" \t<>") != text.npos ||
      !(valid_domain(text.substr(at + 1)) || valid_literal(text.substr(at + 1))))
    throw bad_value{"an address, such as postmaster@example.org"};
  into.value = std::string(text.substr(0, at + 1)) + lower_case(text.substr(at + 1));
}

void read(std::string_view text, pool_name& into) {
  if (!valid_pool_name(text)) throw bad_value{"the name of a pool"};
  into.value = std::string(text);
}

void read(std::string_view text, user_name& into) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
  };
  if (text.empty() || text.size() > 32 || text.front() == '-' ||
      !std::all_of(text.begin(), text.end(), allowed))
    throw bad_value{"the name of a user of this host"};
  into.value = std::string(text);
}

void read(std::string_view text, group_value& into) {
  if (equal_ignoring_case(text, "channel")) {
    into.value = grouping::channel;
  } else if (equal_ignoring_case(text, "host")) {
    into.value = grouping::host;
  } else {
    throw bad_value{
        "channel (one message for all recipients) or host (one message for each destination host)"};
  }
}

void read(std::string_view text, listen_address& into) {
  const bad_value expected{"an IP address and a port, such as 127.0.0.1:9925 or [::1]:9925"};
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos) throw expected;
  try {
    (void)read_number(text.substr(colon + 1), 1, 65535);
  } catch (const bad_value&) {
    throw expected;
  }
  std::string host(text.substr(0, colon));
  const bool six = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (six) host = host.substr(1, host.size() - 2);
  unsigned char address[16];
  if (::inet_pton(six ? AF_INET6 : AF_INET, host.c_str(), address) != 1) throw expected;
  into.value = text;
}

void read(std::string_view text, log_level_value& into) {
  into.value = lower_case(text);
  for (const auto level : {"debug", "info", "warning", "error"})
    if (into.value == level) return;
  throw bad_value{"debug, info, warning or error"};
}

std::string_view to_text(accounting_form form) noexcept {
  switch (form) {
    case accounting_form::none: return "no";
    case accounting_form::text: return "text";
    case accounting_form::json: return "json";
    case accounting_form::both: return "both";
  }
  return "no";
}

void read(std::string_view text, accounting_value& into) {
  for (const auto form :
       {accounting_form::none, accounting_form::text, accounting_form::json, accounting_form::both})
    if (equal_ignoring_case(text, to_text(form))) {
      into.value = form;
      return;
    }
  throw bad_value{"text, json, both or no"};
}

void read(std::string_view text, charset_value& into) {
  into.value = lower_case(text);
  const auto fits = [](char c) {
    return is_letter(c) || is_digit(c) ||
           std::string_view("!#$%&'*+-^_`{}~.:").find(c) != std::string_view::npos;
  };
  if (text.empty() || text.size() > 40 || !std::all_of(text.begin(), text.end(), fits))
    throw bad_value{"auto, no, or the name of a charset, such as iso-8859-1"};
}

void read(std::string_view text, target_value& into) {
  const auto words = split_words(text);
  const bool plain = words.size() == 1;
  const bool gateway = words.size() == 3 && equal_ignoring_case(words[1], "via");
  const auto valid_host = [](std::string_view host) { return valid_domain(host) || valid_literal(host); };
  if (!(plain || gateway) || !valid_channel_name(words[0]) || (gateway && !valid_host(words[2])))
    throw bad_value{"the name of a channel, or CHANNEL via HOST"};
  into.value.channel = std::string(words[0]);
  into.value.via = gateway ? lower_case(words[2]) : std::string{};
}

std::string quote_command(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out += ' ';
    if (!word.empty() && word.find_first_of(" \t\"'\\") == word.npos) {
      out += word;
      continue;
    }
    out += '"';
    for (const char c : word) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  }
  return out;
}

result<std::vector<std::string>> split_command(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote != 0) {
      if (c == quote) {
        quote = 0;
      } else if (quote == '"' && c == '\\' && i + 1 < text.size() &&
                 (text[i + 1] == '"' || text[i + 1] == '\\')) {
        word += text[++i];
      } else {
        word += c;
      }
    } else if (c == '"' || c == '\'') {
      quote = c;
      in_word = true;
    } else if (is_blank(c)) {
      if (in_word) words.push_back(std::move(word));
      word.clear();
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (quote != 0) return error(errc::syntax, "a quote is not closed in " + std::string(text));
  if (in_word) words.push_back(std::move(word));
  return words;
}

}  // namespace mta::config
