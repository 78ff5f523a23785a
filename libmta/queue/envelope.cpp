#include "queue/envelope.hpp"

#include <charconv>

namespace mta::queue {
namespace {

constexpr std::string_view hex = "0123456789ABCDEF";

bool must_escape(char c) noexcept {
  const auto u = static_cast<unsigned char>(c);
  return u < 0x20 || u == 0x7F || c == '%';
}

void append_line(std::string& out, std::string_view key, std::string_view value) {
  out += key;
  out += ' ';
  for (const char c : value) {
    if (must_escape(c)) {
      const auto u = static_cast<unsigned char>(c);
      out += '%';
      out += hex[u >> 4];
      out += hex[u & 15];
    } else {
      out += c;
    }
  }
  out += '\n';
}

void append_numbers(std::string& out, std::string_view key, std::uint64_t a, std::uint64_t b) {
  char text[64];
  char* end = std::to_chars(text, text + 24, a).ptr;
  *end++ = ' ';
  end = std::to_chars(end, text + sizeof text, b).ptr;
  out += key;
  out += ' ';
  out.append(text, end);
  out += '\n';
}

int hex_value(char c) noexcept {
  const auto at = hex.find(c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

bool unescape(std::string_view value, std::string& out) {
  if (value.find('%') == std::string_view::npos) {
    out.assign(value);
    return true;
  }
  out.clear();
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] != '%') {
      out += value[i];
      continue;
    }
    if (i + 2 >= value.size()) return false;
    const int high = hex_value(value[i + 1]), low = hex_value(value[i + 2]);
    if (high < 0 || low < 0) return false;
    out += static_cast<char>(high << 4 | low);
    i += 2;
  }
  return true;
}

template <class A, class B>
bool two_numbers(std::string_view value, A& a, B& b) {
  const char* const end = value.data() + value.size();
  const auto first = std::from_chars(value.data(), end, a);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != ' ') return false;
  const auto second = std::from_chars(first.ptr + 1, end, b);
  return second.ec == std::errc() && second.ptr == end;
}

/// Takes one line into the envelope; false: its value makes no sense.
bool take_line(std::string_view key, std::string_view value, envelope& e) {
  const auto of_recipient = [&](auto&& use) { return !e.recipients.empty() && use(e.recipients.back()); };
  if (key == "to") return unescape(value, e.recipients.emplace_back().address);
  if (key == "from") return unescape(value, e.from);
  if (key == "orcpt") return of_recipient([&](recipient& r) { return unescape(value, r.original); });
  if (key == "ircpt") return of_recipient([&](recipient& r) { return unescape(value, r.intermediate); });
  if (key == "rflags")
    return of_recipient([&](recipient& r) { return two_numbers(value, r.delivery_flags, r.notify_flags); });
  if (key == "rreplace") return of_recipient([&](recipient& r) { return r.replaces_delivery_flags = true; });
  if (key == "channel") return unescape(value, e.source_channel);
  if (key == "envid") return unescape(value, e.envelope_id);
  if (key == "msgid") return unescape(value, e.header_id);
  if (key == "flags") return two_numbers(value, e.delivery_flags, e.notify_flags);
  if (key == "fragment") return two_numbers(value, e.fragment_blocks, e.fragment_lines);
  return true;  // of a later version
}

}  // namespace

std::string format_envelope(const envelope& e, std::string_view id) {
  std::string out;
  out.reserve(256);
  append_line(out, "id", id);
  append_line(out, "from", e.from);
  if (!e.source_channel.empty()) append_line(out, "channel", e.source_channel);
  if (!e.envelope_id.empty()) append_line(out, "envid", e.envelope_id);
  if (!e.header_id.empty()) append_line(out, "msgid", e.header_id);
  if (e.delivery_flags != 0 || e.notify_flags != 0)
    append_numbers(out, "flags", e.delivery_flags, e.notify_flags);
  if (e.fragment_blocks != 0 || e.fragment_lines != 0)
    append_numbers(out, "fragment", e.fragment_blocks, e.fragment_lines);
  for (const recipient& r : e.recipients) {
    append_line(out, "to", r.address);
    if (!r.original.empty()) append_line(out, "orcpt", r.original);
    if (!r.intermediate.empty()) append_line(out, "ircpt", r.intermediate);
    if (r.delivery_flags != 0 || r.notify_flags != 0)
      append_numbers(out, "rflags", r.delivery_flags, r.notify_flags);
    if (r.replaces_delivery_flags) append_line(out, "rreplace", "delivery");
  }
  return out;
}

result<envelope> parse_envelope(std::string_view text) {
  envelope e;
  std::size_t line_number = 0;
  while (!text.empty()) {
    ++line_number;
    const auto end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    const auto space = line.find(' ');
    const std::string_view key = line.substr(0, space);
    const std::string_view value =
        space == std::string_view::npos ? std::string_view{} : line.substr(space + 1);
    if (!take_line(key, value, e))
      return error(errc::syntax, "envelope line " + std::to_string(line_number) + " (\"" +
                                     std::string(line.substr(0, 80)) + "\")");
  }
  return e;
}

}  // namespace mta::queue
