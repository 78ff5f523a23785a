#include "enqueue/header.hpp"

#include "base/identity.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "enqueue/address.hpp"

#include <algorithm>
#include <set>

namespace mta::enqueue {
namespace {

/// Takes one line off the front, its line end included.
std::string_view take_line(std::string_view& text) noexcept {
  const auto end = text.find('\n');
  const std::string_view line = text.substr(0, end == text.npos ? end : end + 1);
  text.remove_prefix(line.size());
  return line;
}

std::string_view without_line_end(std::string_view line) noexcept {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

bool continues(std::string_view line) noexcept { return !line.empty() && is_blank(line.front()); }

/// Length of the field name that a line begins with; 0: it does not.
std::size_t name_length(std::string_view line) noexcept {
  std::size_t length = 0;
  while (length < line.size() && line[length] > ' ' && line[length] < 0x7F && line[length] != ':') ++length;
  std::size_t colon = length;
  while (colon < line.size() && is_blank(line[colon])) ++colon;
  return colon < line.size() && line[colon] == ':' ? length : 0;
}

/// A display name as a phrase: in quotes unless it is atoms and blanks.
std::string phrase(std::string_view name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return is_letter(c) || is_digit(c) || is_8bit(c) ||
           std::string_view(" !#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
  });
  if (plain) return std::string(name);
  std::string out = "\"";
  for (const char c : name) {
    if (is_control(c)) continue;
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

bool is_bcc(std::string_view name) noexcept {
  return equal_ignoring_case(name, "bcc") || equal_ignoring_case(name, "resent-bcc");
}

}  // namespace

std::optional<split_message> split_header(std::string_view text, bool complete) {
  constexpr std::string_view mailbox_line = "From ";
  if (!complete && text.size() < mailbox_line.size() && text.find('\n') == text.npos) return std::nullopt;
  std::string_view rest = text;
  if (rest.starts_with(mailbox_line)) {
    if (!complete && rest.find('\n') == rest.npos) return std::nullopt;
    take_line(rest);
  }
  const char* const start = rest.data();
  std::size_t length = 0;
  while (!rest.empty()) {
    if (!complete && rest.find('\n') == rest.npos) return std::nullopt;
    std::string_view behind = rest;
    const std::string_view line = take_line(behind);
    if (without_line_end(line).empty()) return split_message{{start, length}, behind, true};
    const bool header_line = continues(line) ? length > 0 : name_length(line) > 0;
    if (!header_line) return split_message{{start, length}, rest, false};
    length += line.size();
    rest = behind;
  }
  if (!complete) return std::nullopt;
  return split_message{{start, length}, {}, false};
}

std::vector<header_field> header_fields(std::string_view header) {
  std::vector<header_field> fields;
  while (!header.empty()) {
    std::string_view whole = take_line(header);
    const std::size_t name = name_length(whole);
    while (continues(header)) whole = {whole.data(), whole.size() + take_line(header).size()};
    if (name == 0) continue;
    std::string_view value = without_line_end(whole.substr(whole.find(':') + 1));
    while (continues(value)) value.remove_prefix(1);
    fields.push_back({whole.substr(0, name), value, whole});
  }
  return fields;
}

std::string received_line(const header_completion& with) {
  std::string out = "Received: ";
  if (!with.received_from.empty()) out += "from " + std::string(with.received_from) + "\n\t";
  out += "by " + std::string(with.host) + " (jobctl" +
         (with.submitter.empty() ? "" : ", " + std::string(with.submitter)) + ") with " +
         (with.received_with.empty() ? "local" : std::string(with.received_with));
  if (!with.id.empty()) out += " id " + std::string(with.id);
  return out + ";\n\t" + rfc5322_date(with.now) + '\n';
}

std::string missing_fields(std::string_view header, const header_completion& with) {
  bool date = false, id = false, from = false;
  for (const header_field& field : header_fields(header)) {
    date |= equal_ignoring_case(field.name, "date");
    id |= equal_ignoring_case(field.name, "message-id");
    from |= equal_ignoring_case(field.name, "from");
  }
  std::string out;
  const std::string host(with.host);
  if (!date) out += "Date: " + rfc5322_date(with.now) + '\n';
  if (!id) out += "Message-ID: <" + unique_name() + '@' + host + ">\n";
  if (!from) {
    const std::string address = with.sender.empty() ? "MAILER-DAEMON@" + host : std::string(with.sender);
    out += "From: " + (with.sender_name.empty() ? address : phrase(with.sender_name) + " <" + address + '>') +
           '\n';
  }
  return out;
}

std::string complete_headers(std::string_view header, const header_completion& with) {
  std::string out = received_line(with);
  for (const header_field& field : header_fields(header)) {
    if (with.strip_bcc && is_bcc(field.name)) continue;
    out += field.whole;
    if (!field.whole.ends_with('\n')) out += '\n';
  }
  return out + missing_fields(header, with);
}

std::string without_bcc(std::string_view header) {
  std::string kept;
  for (const header_field& field : header_fields(header))
    if (!is_bcc(field.name)) kept += field.whole;
  return kept;
}

bool has_mime_labels(std::string_view header) {
  for (const header_field& field : header_fields(header))
    for (const std::string_view name : {"mime-version", "content-type", "content-transfer-encoding"})
      if (equal_ignoring_case(field.name, name)) return true;
  return false;
}

result<std::vector<std::string>> header_recipients(std::string_view header) {
  const auto fields = header_fields(header);
  const auto is_one_of = [](std::string_view name, std::string_view prefix) {
    for (const std::string_view wanted : {"to", "cc", "bcc"})
      if (equal_ignoring_case(name, std::string(prefix) + std::string(wanted))) return true;
    return false;
  };
  const bool resent =
      std::any_of(fields.begin(), fields.end(), [&](const auto& f) { return is_one_of(f.name, "resent-"); });
  std::vector<std::string> recipients;
  std::set<std::string, std::less<>> seen;
  for (const header_field& field : fields) {
    if (!is_one_of(field.name, resent ? "resent-" : "")) continue;
    const address_list list = parse_address_list(field.value);
    if (!list.problems.empty()) {
      const address_problem& first = list.problems.front();
      const std::size_t from = first.offset > 20 ? first.offset - 20 : 0;
      return error(errc::syntax, "header line " + std::string(field.name) + ", near \"" +
                                     printable(field.value.substr(from, 40)) + "\": " + first.text);
    }
    for (const mailbox& m : list.mailboxes)
      if (seen.insert(m.address()).second) recipients.push_back(m.address());
  }
  return recipients;
}

}  // namespace mta::enqueue
