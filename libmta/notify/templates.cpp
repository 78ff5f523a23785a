#include "notify/templates.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mta::notify {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t largest_template = 64 * 1024;  // bytes

constexpr std::string_view prefix = R"(Content-Type: text/plain; charset=utf-8
Content-Language: en

This is the mail system at %M. It reports on a message with this header:

%H
)";

constexpr std::string_view suffix = R"(
For help, write to %P and include this report.
)";

constexpr std::string_view texts[kinds] = {
    R"(Subject: Delivery failed

The message could not be delivered to:

%R
)",
    R"(Subject: Message returned

The message was returned undelivered. It did not reach:

%R
)",
    R"(Subject: Delivery failed: the message has waited too long

The message has waited in the queue for %C %u%s, and is not tried any longer.
It could not be delivered to:

%R
)",
    R"(Subject: Delivery delayed

THIS IS A WARNING ONLY. You do not need to send the message again.

The message has waited in the queue for %C %u%s, and has not been delivered yet to:

%R

It will be tried for %L more %u%s.
)",
    R"(Subject: Message delivered

As you asked to be told, the message was delivered to:

%R
)",
    R"(Subject: Message passed on

The message was passed on to a mail system that does not send reports like this one,
so you may hear nothing more about it. That concerns:

%R
)"};

constexpr std::string_view names[kinds] = {"return_failed.txt",    "return_bounced.txt",
                                           "return_timedout.txt",  "return_delayed.txt",
                                           "return_delivered.txt", "return_forwarded.txt"};

/// The file's text; empty, with errno: it cannot be had.
std::string read_file(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return {};
  std::string text(largest_template + 1, '\0');
  std::size_t length = 0;
  ssize_t got = 0;
  struct stat s {};
  if (::fstat(descriptor, &s) == 0 && !S_ISREG(s.st_mode)) {
    got = -1;
    errno = EINVAL;
  } else {
    while (length < text.size() && (got = ::read(descriptor, text.data() + length, text.size() - length)) > 0)
      length += static_cast<std::size_t>(got);
  }
  const int number = got < 0 ? errno : length == 0 ? ENODATA : length > largest_template ? EFBIG : 0;
  ::close(descriptor);
  errno = number;
  if (number != 0) return {};
  text.resize(length);
  return text;
}

/// A template: fields at its top, if it begins with one, and its text.
struct parsed {
  std::string subject, content_type, language;
  std::string_view text;
};

bool is_field_of_ours(std::string_view line) {
  for (const std::string_view name : {"subject:", "content-type:", "content-language:"})
    if (line.size() > name.size() && equal_ignoring_case(line.substr(0, name.size()), name)) return true;
  return false;
}

bool printable_ascii(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return is_control(c) || is_8bit(c); });
}

parsed parse(std::string_view text) {
  parsed out;
  out.text = text;
  if (!is_field_of_ours(text.substr(0, text.find('\n')))) return out;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view line = trim(text.substr(0, end));
    text = end == text.npos ? std::string_view{} : text.substr(end + 1);
    if (line.empty()) break;
    const auto colon = line.find(':');
    if (colon == line.npos) continue;
    const std::string_view name = line.substr(0, colon);
    const std::string value(trim(line.substr(colon + 1)));
    if (equal_ignoring_case(name, "subject") && std::none_of(value.begin(), value.end(), is_control))
      out.subject = value;
    if (equal_ignoring_case(name, "content-type") && printable_ascii(value)) out.content_type = value;
    if (equal_ignoring_case(name, "content-language") && printable_ascii(value)) out.language = value;
  }
  out.text = text;
  return out;
}

/// "text/plain; charset=NAME", with the charset of the given value if it has a sane one.
std::string plain_text_type(std::string_view given) {
  std::string charset = "utf-8";
  const std::string lower = lower_case(given);
  constexpr std::string_view key = "charset=";
  if (const auto at = lower.find(key); lower.starts_with("text/plain") && at != lower.npos) {
    std::string_view value = given.substr(at + key.size());
    if (value.starts_with('"')) value.remove_prefix(1);
    const auto end = std::find_if(value.begin(), value.end(), [](char c) {
      return !is_letter(c) && !is_digit(c) && std::string_view("-_.:+").find(c) == std::string_view::npos;
    });
    value = value.substr(0, static_cast<std::size_t>(end - value.begin()));
    if (!value.empty() && value.find(':') == value.npos) charset = lower_case(value);
  }
  return "text/plain; charset=" + charset;
}

/// The largest unit that measures all of the time in whole numbers: a site thinks in days or in hours.
struct unit {
  std::chrono::milliseconds length;
  std::string_view upper, lower;
};
unit unit_for(const placeholders& p) {
  const std::chrono::milliseconds measure = p.total.count() > 0 ? p.total : p.queued;
  if (measure >= 48h) return {24h, "Day", "day"};
  if (measure >= 2h) return {1h, "Hour", "hour"};
  if (measure >= 2min) return {1min, "Minute", "minute"};
  return {1s, "Second", "second"};
}

std::string substitute(std::string_view text, const placeholders& p, std::string_view recipients) {
  std::string out;
  const unit u = unit_for(p);
  std::int64_t last = 0;  // number, for the plural
  const auto number = [&](std::chrono::milliseconds time) {
    last = time / u.length;
    out += std::to_string(last);
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    if (text[i] != '%' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    switch (text[++i]) {
      case 'H': out += p.headers; break;
      case 'R': out += recipients; break;
      case 'C': number(p.queued); break;
      case 'L': number(std::max(p.left, std::chrono::milliseconds(0))); break;
      case 'F': number(p.total); break;
      case 'U': out += u.upper; break;
      case 'u': out += u.lower; break;
      case 'S': out += last == 1 ? "" : "S"; break;
      case 's': out += last == 1 ? "" : "s"; break;
      case 'M': out += p.host; break;
      case 'P': out += p.postmaster; break;
      case '%': out += '%'; break;
      default:  // not ours: as it stands
        out += '%';
        out += text[i];
    }
    // Lists bring their own line end.
    if ((text[i] == 'H' || text[i] == 'R') && out.ends_with('\n') && i + 1 < text.size() &&
        (text[i + 1] == '\n' || text[i + 1] == '\r'))
      out.pop_back();
  }
  if (!out.empty() && !out.ends_with('\n')) out += '\n';
  return out;
}

}  // namespace

std::string_view prefix_file() noexcept { return "return_prefix.txt"; }
std::string_view suffix_file() noexcept { return "return_suffix.txt"; }
std::string_view file_of(kind k) noexcept { return names[static_cast<std::size_t>(k)]; }

std::string_view built_in(std::string_view file) noexcept {
  if (file == prefix_file()) return prefix;
  if (file == suffix_file()) return suffix;
  for (std::size_t i = 0; i < kinds; ++i)
    if (file == names[i]) return texts[i];
  return {};
}

human_part fill_in(const std::string& directory, const placeholders& p) {
  human_part out;
  const auto get = [&](std::string_view name) {
    const std::string path = directory + '/' + std::string(name);
    std::string text = read_file(path);
    if (text.empty()) {
      if (errno != ENOENT && errno != ENODATA)
        out.problems.push_back(os_error("read template " + path).message());
      // An empty file is a text that the site does not want.
      if (errno != ENODATA) text = built_in(name);
    }
    return text;
  };
  const std::string begin = get(prefix_file()), end = get(suffix_file());
  const parsed head = parse(begin), tail = parse(end);
  out.content_type = plain_text_type(head.content_type);
  out.language = head.language;
  std::string all;
  for (const std::string& r : p.recipients) all += r;
  out.text = substitute(head.text, p, all);
  for (std::size_t i = 0; i < kinds; ++i) {
    if (p.recipients[i].empty()) continue;
    const std::string file = get(names[i]);
    const parsed section = parse(file);
    if (out.subject.empty()) out.subject = section.subject;
    if (out.subject.empty()) out.subject = parse(texts[i]).subject;
    out.text += substitute(section.text, p, p.recipients[i]);
  }
  out.text += substitute(tail.text, p, all);
  return out;
}

}  // namespace mta::notify
