#include "notify/compose.hpp"

#include "base/identity.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "enqueue/header.hpp"
#include "notify/templates.hpp"

#include <mta/dequeue.hpp>

#include <algorithm>
#include <optional>

namespace mta::notify {
namespace {

constexpr std::size_t largest_header = 256 * 1024;  // bytes of it that are returned
constexpr std::size_t longest_line = 998;           // RFC 5322 2.1.1, without CRLF
constexpr std::size_t wrap_at = 76;
constexpr std::size_t longest_reason = 2000;  // bytes of a reason that are passed on

std::string date(queue::time_point t) { return rfc5322_date(std::chrono::floor<std::chrono::seconds>(t)); }

// --- addresses and fields of the machine part

/// RFC 3464 2.1.2 and RFC 6533 3: what is not ASCII goes as code points, so that the part is 7-bit.
std::string typed_address(std::string_view address) {
  if (!has_8bit(address)) return "rfc822; " + std::string(address);
  std::string out = "utf-8; ";
  for (std::size_t i = 0; i < address.size();) {
    const auto c = static_cast<unsigned char>(address[i]);
    const std::size_t length = c < 0x80 ? 1 : c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;
    std::uint32_t point = length == 1 ? (c < 0x80 ? c : 0xFFFDu) : c & (0xFFu >> (length + 1));
    bool whole = i + length <= address.size();
    for (std::size_t k = 1; whole && k < length; ++k) {
      const auto next = static_cast<unsigned char>(address[i + k]);
      whole = (next & 0xC0u) == 0x80u;
      point = point << 6 | (next & 0x3Fu);
    }
    if (!whole) point = 0xFFFD;
    if (point < 0x80 && point > ' ' && point != '\\' && point != '+' && point != '=' && point != 0x7F) {
      out += static_cast<char>(point);
    } else {
      char hex[16];
      std::snprintf(hex, sizeof hex, "\\x{%02X}", static_cast<unsigned>(point));
      out += hex;
    }
    i += whole ? length : 1;
  }
  return out;
}

/// One line of printable ASCII: for a field of a program's or a person's making.
std::string one_line(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, longest_reason)) {
    const char shown = is_control(c) ? ' ' : is_8bit(c) ? '?' : c;
    if (shown != ' ' || (!out.empty() && out.back() != ' ')) out += shown;
  }
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

/// "Name: value", folded at blanks; a word that is too long for a line of mail is cut.
void field(std::string& out, std::string_view name, std::string_view value) {
  std::size_t length = name.size() + 1;
  out.append(name).append(":");
  for (const std::string_view word : split_words(value)) {
    const std::string_view piece = word.substr(0, longest_line - 80);
    if (length > name.size() + 1 && length + 1 + piece.size() > wrap_at) {
      out += "\n";
      length = 0;
    }
    out.append(" ").append(piece);
    length += 1 + piece.size();
  }
  out += '\n';
}

/// "4.4.7" at the beginning of a text: RFC 3463's class.subject.detail.
std::string_view enhanced_status(std::string_view text) {
  const auto digits = [&](std::size_t from) {
    std::size_t n = 0;
    while (from + n < text.size() && is_digit(text[from + n])) ++n;
    return n;
  };
  if (text.size() < 5 || (text[0] != '2' && text[0] != '4' && text[0] != '5') || text[1] != '.') return {};
  const std::size_t subject_length = digits(2);
  const std::size_t dot = 2 + subject_length;
  if (subject_length == 0 || subject_length > 3 || dot >= text.size() || text[dot] != '.') return {};
  const std::size_t detail = digits(dot + 1);
  const std::size_t end = dot + 1 + detail;
  if (detail == 0 || detail > 3 || (end < text.size() && text[end] != ' ')) return {};
  return text.substr(0, end);
}

bool is_smtp_reply(std::string_view text) {
  return text.size() >= 4 && text[0] >= '2' && text[0] <= '5' && text[0] != '3' && is_digit(text[1]) &&
         is_digit(text[2]) && (text[3] == ' ' || text[3] == '-');
}

/// The status that the reason names, if it fits what happened; else the usual one.
std::string status(kind what, std::string_view reason) {
  const std::string_view named = enhanced_status(is_smtp_reply(reason) ? reason.substr(4) : reason);
  const bool fits = !named.empty() && what != kind::timed_out &&
                    (is_failure(what)        ? named[0] != '2'
                     : what == kind::delayed ? named[0] == '4'
                                             : named[0] == '2');
  if (fits) return std::string(named);
  switch (what) {
    case kind::failed:
    case kind::returned: return "5.0.0";
    case kind::timed_out: return "4.4.7";
    case kind::delayed: return "4.0.0";
    case kind::delivered:
    case kind::relayed: break;
  }
  return "2.0.0";
}

std::string_view action(kind what) {
  switch (what) {
    case kind::failed:
    case kind::returned:
    case kind::timed_out: return "failed";
    case kind::delayed: return "delayed";
    case kind::delivered: return "delivered";
    case kind::relayed: return "relayed";
  }
  return "failed";
}

std::string machine_part(const config::settings& site, const subject& s,
                         std::span<const recipient_report> reports) {
  std::string out;
  if (!s.envelope.envelope_id.empty()) field(out, "Original-Envelope-Id", one_line(s.envelope.envelope_id));
  field(out, "Reporting-MTA", "dns; " + site.host);
  field(out, "Arrival-Date", date(s.entry.committed));
  for (const recipient_report& r : reports) {
    const queue::recipient& to = s.envelope.recipients.at(r.place);
    const std::string reason = one_line(r.reason);
    out += '\n';
    // Not folded: a quoted local part may have blanks.
    if (!to.original.empty()) out += "Original-Recipient: " + typed_address(to.original) + '\n';
    out += "Final-Recipient: " + typed_address(to.address) + '\n';
    field(out, "Action", action(r.what));
    field(out, "Status", status(r.what, reason));
    if (!reason.empty())
      field(out, "Diagnostic-Code", (is_smtp_reply(reason) ? "smtp; " : "x-jobctl; ") + reason);
    if (s.last_attempt != queue::time_point{}) field(out, "Last-Attempt-Date", date(s.last_attempt));
    field(out, "Final-Log-ID", s.id);
    if (r.what == kind::delayed && s.expires != queue::time_point{})
      field(out, "Will-Retry-Until", date(s.expires));
  }
  return out;
}

// --- bodies and their encoding

struct part {
  std::string type, encoding, language, body;  // encoding empty: 7bit
};

/// RFC 2045 6.7, for text whose lines end in LF or CRLF.
std::string quoted_printable(std::string_view text) {
  static constexpr char hex[] = "0123456789ABCDEF";
  std::string out;
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    std::size_t column = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
      const char c = line[i];
      const bool plain =
          c != '=' && !is_8bit(c) && (!is_control(c) || c == '\t') && !(is_blank(c) && i + 1 == line.size());
      const std::size_t width = plain ? 1 : 3;
      if (column + width > 75) {
        out += "=\n";
        column = 0;
      }
      if (plain) {
        out += c;
      } else {
        out += '=';
        out += hex[static_cast<unsigned char>(c) >> 4];
        out += hex[static_cast<unsigned char>(c) & 15];
      }
      column += width;
    }
    out += '\n';
  }
  return out;
}

struct text_facts {
  bool eight_bit = false, long_line = false, odd = false;  // odd: NUL, a CR alone: not even 8bit
};
text_facts look_at(std::string_view text) {
  text_facts f;
  std::size_t line = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n') {
      line = 0;
      continue;
    }
    if (c == '\r') {
      if (i + 1 < text.size() && text[i + 1] == '\n') continue;
      f.odd = true;
    }
    f.odd = f.odd || c == '\0';
    f.eight_bit = f.eight_bit || is_8bit(c);
    f.long_line = f.long_line || ++line > longest_line;
  }
  return f;
}

part text_part(std::string type, std::string_view text) {
  const text_facts f = look_at(text);
  part p;
  p.type = std::move(type);
  if (f.eight_bit || f.long_line || f.odd) {
    p.encoding = "quoted-printable";
    p.body = quoted_printable(text);
  } else {
    p.body = std::string(text);
  }
  return p;
}

// --- the message that is reported about

/// All of the content. nullopt: it is damaged.
result<std::optional<std::string>> content_of(const subject& s, std::uint64_t most) {
  std::string all(static_cast<std::size_t>(std::min(most, s.entry.content_length)), '\0');
  std::size_t at = 0;
  while (at < all.size()) {
    const auto got = s.read(at, std::as_writable_bytes(std::span(all)).subspan(at));
    if (!got) {
      if (got.error().code == errc::damaged) return std::optional<std::string>{};
      return got.error();
    }
    if (*got == 0) break;
    at += *got;
  }
  all.resize(at);
  return std::optional(std::move(all));
}

std::uint32_t content_wanted(const subject& s, std::span<const recipient_report> reports) {
  // RFC 3461 4.3: RET is about notifications of failure; others return the header.
  std::uint32_t flags = 0;
  bool failure = false;
  for (const recipient_report& r : reports) {
    flags |= effective_flags(s.envelope, s.envelope.recipients.at(r.place));
    failure = failure || is_failure(r.what);
  }
  const auto bit = [](notify_flags f) { return static_cast<std::uint32_t>(f); };
  if (failure && (flags & bit(notify_flags::content_full)) != 0) return bit(notify_flags::content_full);
  if ((flags & (bit(notify_flags::content_full) | bit(notify_flags::content_header))) != 0)
    return bit(notify_flags::content_header);
  return bit(notify_flags::content_none);
}

/// What is returned of it; nullopt: nothing.
result<std::optional<part>> returned_part(const config::settings& site, const subject& s,
                                          std::uint32_t wanted, const std::string& header) {
  if (wanted == static_cast<std::uint32_t>(notify_flags::content_none)) return std::optional<part>{};
  if (wanted == static_cast<std::uint32_t>(notify_flags::content_full) &&
      s.entry.content_length <= site.notify.content_limit) {
    auto content = content_of(s, s.entry.content_length);
    if (!content) return content.error();
    if (*content) {
      const text_facts f = look_at(**content);
      // message/rfc822 must not be encoded (RFC 2046 5.2.1): what does not fit a line of mail stays behind.
      if (!f.long_line && !f.odd)
        return std::optional(part{has_8bit(header) ? "message/global" : "message/rfc822",  // RFC 6532 3.7
                                  f.eight_bit ? "8bit" : "", "", std::move(**content)});
    }
  }
  if (header.empty()) return std::optional<part>{};
  return std::optional(text_part("text/rfc822-headers", header));
}

/// The fields of a header by which a person knows a message, each line behind two blanks.
std::string familiar_fields(std::string_view header) {
  std::string out;
  for (const enqueue::header_field& f : enqueue::header_fields(header)) {
    bool familiar = false;
    for (const std::string_view name : {"date", "from", "to", "cc", "subject", "message-id"})
      familiar = familiar || equal_ignoring_case(f.name, name);
    if (!familiar || f.whole.size() > 2 * longest_line) continue;
    std::string_view rest = f.whole;
    while (!rest.empty()) {
      const auto end = rest.find('\n');
      std::string_view line = rest.substr(0, end);
      rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
      if (line.ends_with('\r')) line.remove_suffix(1);
      out.append("  ").append(line).append("\n");
    }
  }
  return out;
}

std::string for_people(const subject& s, const recipient_report& r) {
  const queue::recipient& to = s.envelope.recipients.at(r.place);
  std::string out = "  " + to.address;
  if (!to.original.empty() && to.original != to.address) out += " (sent to " + to.original + ")";
  out += '\n';
  std::string reason;
  for (const char c : r.reason.substr(0, longest_reason)) reason += is_control(c) ? ' ' : c;
  std::size_t column = 0;
  for (const std::string_view word : split_words(reason)) {
    if (column == 0 || column + 1 + word.size() > wrap_at) {
      if (column != 0) out += '\n';
      out += "     ";
      column = 5;
    }
    out.append(" ").append(word);
    column += 1 + word.size();
  }
  return column == 0 ? out : out + '\n';
}

/// RFC 2047, where a header's text is not ASCII.
std::string encoded_words(std::string_view text) {
  if (!has_8bit(text)) return std::string(text);
  static constexpr char hex[] = "0123456789ABCDEF";
  std::string out;
  std::string word;
  const auto close = [&] {
    if (word.empty()) return;
    out += (out.empty() ? "=?utf-8?q?" : "\n =?utf-8?q?") + word + "?=";
    word.clear();
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    // A character is not divided between two words.
    if ((static_cast<unsigned char>(c) & 0xC0u) != 0x80u && word.size() > 40) close();
    if (is_letter(c) || is_digit(c)) {
      word += c;
    } else if (c == ' ') {
      word += '_';
    } else {
      word += '=';
      word += hex[static_cast<unsigned char>(c) >> 4];
      word += hex[static_cast<unsigned char>(c) & 15];
    }
  }
  close();
  return out;
}

/// A display name: in quotes unless it is words of letters and digits.
std::string display_name(std::string_view name) {
  if (std::all_of(name.begin(), name.end(), [](char c) { return is_letter(c) || is_digit(c) || c == ' '; }))
    return std::string(name);
  return quoted_string(name);
}

/// Fit to be repeated in a header: "<…@…>" in one piece.
bool is_message_id(std::string_view id) {
  return id.size() > 2 && id.size() <= 250 && id.front() == '<' && id.back() == '>' &&
         std::count(id.begin(), id.end(), '<') == 1 && std::count(id.begin(), id.end(), '>') == 1 &&
         std::count(id.begin(), id.end(), '@') == 1 &&
         std::none_of(id.begin(), id.end(), [](char c) { return is_control(c) || c == ' ' || is_8bit(c); });
}

void append_part(std::string& out, const part& p, std::string_view boundary) {
  out.append("--").append(boundary).append("\n");
  out += "Content-Type: " + p.type + '\n';
  if (!p.language.empty()) out += "Content-Language: " + p.language + '\n';
  if (!p.encoding.empty()) out += "Content-Transfer-Encoding: " + p.encoding + '\n';
  out += '\n';
  out += p.body;
  if (!p.body.ends_with('\n')) out += '\n';
  out += '\n';
}

}  // namespace

result<std::string> header_of(const subject& s) {
  auto content = content_of(s, largest_header);
  if (!content) return content.error();
  if (!*content) return std::string();
  std::string& text = **content;
  const auto split = enqueue::split_header(text, true);
  const bool cut = text.size() < s.entry.content_length && split->header.size() == text.size();
  std::string header(split->header);
  if (cut) header.resize(header.rfind('\n') + 1);  // npos + 1: nothing
  return header;
}

result<composed> compose(const config::settings& site, const subject& s,
                         std::span<const recipient_report> reports, std::string_view to, bool marked) {
  composed done;
  auto header = header_of(s);
  if (!header) return header.error();
  auto returned = returned_part(site, s, content_wanted(s, reports), *header);
  if (!returned) return returned.error();

  placeholders p;
  p.headers = familiar_fields(*header);
  for (const recipient_report& r : reports)
    p.recipients[static_cast<std::size_t>(r.what)] += for_people(s, r);
  p.queued = s.now - s.entry.committed;
  if (s.expires != queue::time_point{}) {
    p.left = s.expires - s.now;
    p.total = s.expires - s.entry.committed;
  }
  p.host = site.host;
  p.postmaster = site.postmaster;
  human_part human = fill_in(site.templates_directory(), p);
  done.problems = std::move(human.problems);

  const std::string unique = unique_name(), boundary = "=_" + unique_name() + "_report";
  std::string& out = done.text;
  out += "Date: " + date(s.now) + '\n';
  out += "From: " + display_name(site.notify.name) + " <" + site.postmaster + ">\n";
  out += "To: <" + std::string(to) + ">\n";
  out += "Subject: " + encoded_words(human.subject) + '\n';
  out += "Message-ID: <" + unique + '@' + site.host + ">\n";
  if (is_message_id(s.envelope.header_id)) {
    out += "In-Reply-To: " + s.envelope.header_id + '\n';
    out += "References: " + s.envelope.header_id + '\n';
  }
  out += "Auto-Submitted: auto-replied\n";
  if (marked) out.append(postmaster_mark).append(": postmaster\n");
  out += "MIME-Version: 1.0\n";
  out += "Content-Type: multipart/report; report-type=delivery-status;\n boundary=\"" + boundary + "\"\n";
  if (*returned && (*returned)->encoding == "8bit") out += "Content-Transfer-Encoding: 8bit\n";
  out += "\nThis is a report in the format of RFC 3464, in several parts.\n\n";

  part text = text_part(human.content_type, human.text);
  text.language = human.language;
  append_part(out, text, boundary);
  append_part(out, {"message/delivery-status", "", "", machine_part(site, s, reports)}, boundary);
  if (*returned) append_part(out, **returned, boundary);
  out += "--" + boundary + "--\n";
  return done;
}

}  // namespace mta::notify
