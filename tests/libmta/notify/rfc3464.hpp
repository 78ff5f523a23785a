// A strict reader of delivery status notifications: RFC 5322 (header), 2045/2046 (MIME), 6522
// (multipart/report) and 3464 (the fields), written from the RFCs and not from what libmta/notify does.
// Whatever a receiving system might stumble over is a violation; nothing is repaired.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace test::rfc3464 {

struct violation : std::runtime_error {
  using std::runtime_error::runtime_error;
};

using fields = std::vector<std::pair<std::string, std::string>>;  // name as written, value unfolded

struct notification {
  fields header;
  std::string human;  // decoded, lines end in CRLF
  fields message;     // per-message fields
  std::vector<fields> recipients;
  std::string returned_type;  // empty: nothing is returned
  std::string returned;       // decoded
};

inline std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

inline const std::string* find(const fields& all, std::string_view name) {
  for (const auto& [n, value] : all)
    if (lower(n) == lower(name)) return &value;
  return nullptr;
}
inline std::string get(const fields& all, std::string_view name) {
  const std::string* value = find(all, name);
  return value != nullptr ? *value : std::string();
}

namespace detail {

[[noreturn]] inline void wrong(const std::string& what) { throw violation(what); }
inline void must(bool condition, const std::string& otherwise) {
  if (!condition) wrong(otherwise);
}
inline bool matches(const std::string& text, const char* pattern) {
  return std::regex_match(text, std::regex(pattern, std::regex::ECMAScript | std::regex::icase));
}

inline std::vector<std::string> lines_of(std::string_view text, const std::string& where) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = text.find("\r\n");
    must(end != text.npos, where + ": the last line does not end in CRLF");
    lines.emplace_back(text.substr(0, end));
    must(lines.back().find_first_of("\r\n") == std::string::npos, where + ": a CR or LF that ends no line");
    must(lines.back().find('\0') == std::string::npos, where + ": a NUL");
    must(lines.back().size() <= 998, where + ": a line of over 998 bytes");
    text.remove_prefix(end + 2);
  }
  return lines;
}

inline bool ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// Fields up to a line that is empty, or the end; `at` ends up behind it.
inline fields read_fields(const std::vector<std::string>& lines, std::size_t& at, const std::string& where,
                          bool may_be_8bit = false) {
  fields all;
  for (; at < lines.size() && !lines[at].empty(); ++at) {
    const std::string& line = lines[at];
    must(may_be_8bit || ascii(line), where + ": a field that is not ASCII: " + line);
    for (const char c : line)
      must(static_cast<unsigned char>(c) >= 0x20 || c == '\t', where + ": a control character in: " + line);
    if (line[0] == ' ' || line[0] == '\t') {
      must(!all.empty(), where + ": begins with a folded line");
      must(line.find_first_not_of(" \t") != std::string::npos, where + ": a folded line of blanks alone");
      all.back().second += line;
      continue;
    }
    const auto colon = line.find(':');
    must(colon != std::string::npos && colon > 0, where + ": no field: " + line);
    const std::string name = line.substr(0, colon);
    for (const char c : name) must(c > 32 && c < 127, where + ": a bad field name: " + name);
    std::string value = line.substr(colon + 1);
    value.erase(0, value.find_first_not_of(" \t"));
    all.emplace_back(name, value);
  }
  ++at;
  return all;
}

inline void once(const fields& all, std::string_view name, const std::string& where) {
  const auto n = std::ranges::count_if(all, [&](const auto& f) { return lower(f.first) == lower(name); });
  must(n == 1, where + ": field " + std::string(name) + " is there " + std::to_string(n) + " times");
}
inline void at_most_once(const fields& all, const std::string& where) {
  std::set<std::string> seen;
  for (const auto& [name, value] : all) {
    must(seen.insert(lower(name)).second, where + ": field " + name + " is there twice");
    must(!value.empty(), where + ": field " + name + " is empty");
  }
}

inline void date(const std::string& text, const std::string& where) {
  must(
      matches(
          text,
          R"((Mon|Tue|Wed|Thu|Fri|Sat|Sun), (0?[1-9]|[12]\d|3[01]) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|)"
          R"(Nov|Dec) \d{4} ([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60) [+-]\d{4})"),
      where + ": not a date: " + text);
}

/// type "/" subtype and parameters.
struct content_type {
  std::string type;
  std::map<std::string, std::string> parameters;
};
inline content_type read_content_type(const std::string& text, const std::string& where) {
  std::smatch found;
  must(std::regex_match(text, found, std::regex(R"(([!-.0-~]+/[!-.0-~]+?)((\s*;\s*[^;]+)*))")),
       where + ": not a content type: " + text);
  content_type type{lower(found[1].str()), {}};
  std::string rest = found[2];
  const std::regex parameter(R"re(^\s*;\s*([A-Za-z0-9-]+)=("([^"\\]*)"|([^\s;"()<>@,:\\/\[\]?=]+)))re");
  while (std::regex_search(rest, found, parameter)) {
    must(type.parameters.emplace(lower(found[1].str()), found[3].matched ? found[3].str() : found[4].str())
             .second,
         where + ": a parameter twice: " + text);
    rest = found.suffix();
  }
  must(rest.empty(), where + ": bad parameters: " + text);
  return type;
}

inline std::string decode_quoted_printable(const std::vector<std::string>& lines, const std::string& where) {
  std::string out;
  const auto hex = [&](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;  // RFC 2045 6.7: upper case
    wrong(where + ": bad quoted-printable");
  };
  for (const std::string& line : lines) {
    must(line.size() <= 76, where + ": a quoted-printable line of over 76 bytes");
    must(line.empty() || (line.back() != ' ' && line.back() != '\t'),
         where + ": a quoted-printable line ends in a blank");
    bool soft = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
      must(ascii(line.substr(i, 1)), where + ": 8 bits in quoted-printable");
      if (line[i] != '=') {
        out += line[i];
      } else if (i + 1 == line.size()) {
        soft = true;
      } else {
        must(i + 2 < line.size(), where + ": bad quoted-printable");
        out += static_cast<char>(hex(line[i + 1]) << 4 | hex(line[i + 2]));
        i += 2;
      }
    }
    if (!soft) out += "\r\n";
  }
  return out;
}

inline std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += line + "\r\n";
  return out;
}

struct part {
  content_type type;
  std::string encoding;
  fields header;
  std::vector<std::string> lines;  // of the body, as they are
  std::string body;                // decoded
};
inline part read_part(const std::vector<std::string>& lines, const std::string& where) {
  part p;
  std::size_t at = 0;
  p.header = read_fields(lines, at, where);
  must(at <= lines.size(), where + ": no blank line behind its header");
  at_most_once(p.header, where);
  once(p.header, "Content-Type", where);
  for (const auto& [name, value] : p.header)
    must(lower(name).starts_with("content-"), where + ": a field that does not belong there: " + name);
  p.type = read_content_type(get(p.header, "Content-Type"), where);
  p.encoding = lower(get(p.header, "Content-Transfer-Encoding"));
  if (p.encoding.empty()) p.encoding = "7bit";
  p.lines.assign(lines.begin() + static_cast<std::ptrdiff_t>(at), lines.end());
  if (p.encoding == "quoted-printable") {
    must(!p.type.type.starts_with("message/") && !p.type.type.starts_with("multipart/"),
         where + ": " + p.type.type + " must not be encoded (RFC 2046 5.2)");
    p.body = decode_quoted_printable(p.lines, where);
  } else {
    must(p.encoding == "7bit" || p.encoding == "8bit", where + ": encoding " + p.encoding);
    p.body = joined(p.lines);
    must(p.encoding == "8bit" || ascii(p.body), where + ": 8 bits in a part that says 7bit");
    must(p.encoding == "7bit" || !ascii(p.body), where + ": says 8bit and is not");
  }
  return p;
}

inline void typed(const std::string& text, const std::string& where) {
  must(matches(text, R"([A-Za-z0-9-]+ ?; ?\S.*)"), where + ": no type and value: " + text);
}
inline void address(const std::string& text, const std::string& where) {
  typed(text, where);
  const std::string type = lower(text.substr(0, text.find_first_of(" ;")));
  must(type == "rfc822" || type == "utf-8", where + ": address type " + type);
  std::string value = text.substr(text.find(';') + 1);
  value.erase(0, value.find_first_not_of(' '));
  must(value.find('@') != std::string::npos, where + ": no address: " + text);
  // RFC 6533 3: utf-8-addr-xtext.
  if (type == "utf-8")
    must(
        matches(
            value,
            R"(([\x21-\x2a\x2c-\x3c\x3e-\x5b\x5d-\x7e]|\\x\{([0-9A-F]{2}|[1-9A-F][0-9A-F]{2,4}|10[0-9A-F]{4})\})+)"),
        where + ": bad utf-8 address: " + value);
}

inline void check_message_fields(const fields& all) {
  const std::string where = "per-message fields";
  at_most_once(all, where);
  once(all, "Reporting-MTA", where);
  for (const auto& [name, value] : all) {
    const std::string n = lower(name);
    if (n == "reporting-mta" || n == "dsn-gateway" || n == "received-from-mta")
      must(matches(value, R"(dns ?; ?[A-Za-z0-9._-]+)"), where + ": " + name + ": " + value);
    else if (n == "arrival-date")
      date(value, where);
    else
      must(n == "original-envelope-id" || n.starts_with("x-"), where + ": unknown field " + name);
  }
}

inline void check_recipient_fields(const fields& all) {
  const std::string where = "per-recipient fields";
  at_most_once(all, where);
  for (const char* name : {"Final-Recipient", "Action", "Status"}) once(all, name, where);
  const std::string action = lower(get(all, "Action")), status = get(all, "Status");
  for (const auto& [name, value] : all) {
    const std::string n = lower(name);
    if (n == "original-recipient" || n == "final-recipient") {
      address(value, where);
    } else if (n == "action") {
      must(action == "failed" || action == "delayed" || action == "delivered" || action == "relayed" ||
               action == "expanded",
           where + ": action " + value);
    } else if (n == "status") {
      must(matches(value, R"([245]\.\d{1,3}\.\d{1,3})"), where + ": status " + value);
    } else if (n == "remote-mta") {
      must(matches(value, R"(dns ?; ?[A-Za-z0-9._-]+)"), where + ": " + name + ": " + value);
    } else if (n == "diagnostic-code") {
      typed(value, where);
      if (lower(value).starts_with("smtp"))
        must(matches(value, R"(smtp ?; ?[2-5]\d\d([ -].*)?)"), where + ": no reply of SMTP: " + value);
    } else if (n == "last-attempt-date" || n == "will-retry-until") {
      date(value, where);
      must(n == "last-attempt-date" || action == "delayed",
           where + ": Will-Retry-Until of what is not delayed");
    } else {
      must(n == "final-log-id" || n.starts_with("x-"), where + ": unknown field " + name);
    }
  }
  const char expected = action == "delayed" ? '4' : action == "failed" ? '5' : '2';
  must(status[0] == expected || (action == "failed" && status[0] == '4'),
       where + ": action " + action + " with status " + status);
  if (const std::string* original = find(all, "Original-Recipient"))  // RFC 3464 2.3: before the final one
    must(std::ranges::find(all, "Original-Recipient", &std::pair<std::string, std::string>::first) <
             std::ranges::find(all, "Final-Recipient", &std::pair<std::string, std::string>::first),
         where + ": Original-Recipient behind Final-Recipient: " + *original);
}

}  // namespace detail

/// Reads and checks the content of a message, in wire form. Throws violation.
inline notification read(std::string_view wire) {
  using namespace detail;
  notification n;
  const auto lines = lines_of(wire, "message");
  std::size_t at = 0;
  n.header = read_fields(lines, at, "header", true);
  must(at < lines.size(), "header: nothing follows");
  at_most_once(n.header, "header");
  for (const char* name : {"Date", "From", "To", "Subject", "Message-ID", "MIME-Version", "Content-Type"})
    once(n.header, name, "header");
  date(get(n.header, "Date"), "header");
  must(get(n.header, "MIME-Version") == "1.0", "header: MIME-Version");
  must(matches(get(n.header, "Message-ID"), R"(<[!-;=?-~]+@[!-;=?-~]+>)"), "header: Message-ID");
  must(matches(get(n.header, "From"), R"((("([^"\\]|\\.)*"|[A-Za-z0-9 ]+) )?<[^<>\s]+@[A-Za-z0-9.-]+>)"),
       "header: From: " + get(n.header, "From"));
  must(matches(get(n.header, "Auto-Submitted"), "auto-(replied|generated)"),
       "header: Auto-Submitted (RFC 3834 5)");
  must(ascii(get(n.header, "Subject")), "header: Subject");
  const content_type outer = read_content_type(get(n.header, "Content-Type"), "header");
  must(outer.type == "multipart/report", "header: Content-Type " + outer.type);
  must(outer.parameters.contains("report-type") &&
           lower(outer.parameters.at("report-type")) == "delivery-status",
       "header: report-type");
  must(outer.parameters.contains("boundary"), "header: no boundary");
  const std::string boundary = outer.parameters.at("boundary");
  must(matches(boundary, R"([0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-])"), "header: boundary");
  const std::string outer_encoding = lower(get(n.header, "Content-Transfer-Encoding"));
  must(outer_encoding.empty() || outer_encoding == "7bit" || outer_encoding == "8bit",
       "header: a multipart with the encoding " + outer_encoding);

  // Parts: what stands between the delimiters; the line end before one belongs to it.
  std::vector<std::vector<std::string>> parts;
  bool closed = false;
  std::size_t begin = 0;
  bool inside = false;
  for (; at < lines.size(); ++at) {
    const bool last = lines[at] == "--" + boundary + "--";
    if (!last && lines[at] != "--" + boundary) {
      must(!lines[at].starts_with("--" + boundary), "a line that begins like the boundary: " + lines[at]);
      continue;
    }
    must(!closed, "a delimiter behind the last one");
    if (inside) {
      std::vector<std::string> own(lines.begin() + static_cast<std::ptrdiff_t>(begin),
                                   lines.begin() + static_cast<std::ptrdiff_t>(at));
      must(!own.empty() && own.back().empty(), "a part whose last line has no end of its own");
      own.pop_back();
      parts.push_back(std::move(own));
    }
    inside = true;
    begin = at + 1;
    closed = last;
  }
  must(closed, "no closing delimiter");
  must(parts.size() == 2 || parts.size() == 3, "a report of " + std::to_string(parts.size()) + " parts");

  bool eight_bit = false;
  std::vector<part> read;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    read.push_back(read_part(parts[i], "part " + std::to_string(i + 1)));
    eight_bit = eight_bit || read.back().encoding == "8bit";
  }
  must(eight_bit == (outer_encoding == "8bit"), "the encoding of the whole is not that of its parts");
  must(read[0].type.type == "text/plain" && read[0].type.parameters.contains("charset"),
       "part 1: Content-Type");
  n.human = read[0].body;
  must(n.human.size() > 20, "part 1: no text");

  must(read[1].type.type == "message/delivery-status" && read[1].encoding == "7bit", "part 2: Content-Type");
  std::size_t field_at = 0;
  const auto& status = read[1].lines;
  must(!status.empty() && !status.back().empty(), "part 2: ends in a blank line");
  n.message = read_fields(status, field_at, "part 2");
  check_message_fields(n.message);
  while (field_at < status.size()) {
    n.recipients.push_back(read_fields(status, field_at, "part 2"));
    must(!n.recipients.back().empty(), "part 2: two blank lines in a row");
    check_recipient_fields(n.recipients.back());
  }
  must(!n.recipients.empty(), "part 2: no recipient");

  if (read.size() == 3) {
    n.returned_type = read[2].type.type;
    n.returned = read[2].body;
    must(n.returned_type == "message/rfc822" || n.returned_type == "message/global" ||
             n.returned_type == "text/rfc822-headers",
         "part 3: Content-Type " + n.returned_type);
    if (n.returned_type == "text/rfc822-headers")
      must(n.returned.find("\r\n\r\n") == std::string::npos, "part 3: more than a header");
  }
  return n;
}

}  // namespace test::rfc3464
