#include "partial.hpp"

#include <algorithm>
#include <charconv>
#include <functional>

namespace defragment {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

std::string lower_case(std::string_view text) {
  std::string out;
  for (const char c : text) out += lower(c);
  return out;
}

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/// Calls `take(name in lower case, value, whole field with its line ends)` for each field.
void for_each_field(std::string_view header,
                    const std::function<void(const std::string&, std::string_view, std::string_view)>& take) {
  while (!header.empty()) {
    std::size_t end = 0;
    do {
      end = std::min(header.find('\n', end), header.size() - 1) + 1;
    } while (end < header.size() && (header[end] == ' ' || header[end] == '\t'));
    const std::string_view field = header.substr(0, end);
    header.remove_prefix(end);
    const auto colon = field.find(':');
    if (colon == field.npos) continue;
    std::string_view name = field.substr(0, colon);
    while (!name.empty() && is_space(name.back())) name.remove_suffix(1);
    take(lower_case(name), field.substr(colon + 1), field);
  }
}

/// Reads the tokens of a structured field (RFC 2045 5.1), without comments and white space.
class token_reader {
 public:
  explicit token_reader(std::string_view text) : rest_(text) {}
  /// A token, the contents of a quoted string, or one special character; empty: the end.
  std::string next() {
    skip();
    if (rest_.empty()) return {};
    if (rest_.front() == '"') return quoted();
    if (is_special(rest_.front())) {
      const std::string one(1, rest_.front());
      rest_.remove_prefix(1);
      return one;
    }
    std::size_t n = 0;
    while (n < rest_.size() && !is_special(rest_[n]) && !is_space(rest_[n]) && rest_[n] != '"') ++n;
    const std::string token(rest_.substr(0, n));
    rest_.remove_prefix(n);
    return token;
  }

  /// What follows an equals sign. Ids are often not quoted although they have characters that ask for it.
  std::string next_value() {
    skip();
    if (!rest_.empty() && rest_.front() == '"') return quoted();
    std::size_t n = 0;
    while (n < rest_.size() && rest_[n] != ';' && !is_space(rest_[n])) ++n;
    const std::string value(rest_.substr(0, n));
    rest_.remove_prefix(n);
    return value;
  }

 private:
  static bool is_special(char c) {
    return std::string_view("()<>@,;:\\/[]?=").find(c) != std::string_view::npos;
  }
  void skip() {
    int depth = 0;
    while (!rest_.empty() && (depth > 0 || is_space(rest_.front()) || rest_.front() == '(')) {
      if (rest_.front() == '\\' && rest_.size() > 1)
        rest_.remove_prefix(1);
      else if (rest_.front() == '(')
        ++depth;
      else if (rest_.front() == ')')
        --depth;
      rest_.remove_prefix(1);
    }
  }
  std::string quoted() {
    std::string text;
    rest_.remove_prefix(1);
    while (!rest_.empty() && rest_.front() != '"') {
      if (rest_.front() == '\\' && rest_.size() > 1) rest_.remove_prefix(1);
      if (rest_.front() != '\r' && rest_.front() != '\n') text += rest_.front();
      rest_.remove_prefix(1);
    }
    if (!rest_.empty()) rest_.remove_prefix(1);
    return text;
  }
  std::string_view rest_;
};

std::uint32_t to_number(const std::string& text) {
  std::uint32_t value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failed == std::errc() && end == text.data() + text.size() && value <= most_fragments ? value : 0;
}

bool describes_content(const std::string& name) {
  return name.starts_with("content-") || name == "subject" || name == "message-id" || name == "encrypted" ||
         name == "mime-version";
}

}  // namespace

std::optional<fragment_place> read_place(std::string_view header) {
  std::optional<fragment_place> place;
  for_each_field(header, [&](const std::string& name, std::string_view value, std::string_view) {
    if (name != "content-type" || place) return;
    token_reader tokens(value);
    if (lower_case(tokens.next()) != "message" || tokens.next() != "/" ||
        lower_case(tokens.next()) != "partial")
      return;
    fragment_place found;
    bool said_total = false;
    for (std::string token = tokens.next(); token == ";"; token = tokens.next()) {
      const std::string parameter = lower_case(tokens.next());
      if (tokens.next() != "=") return;
      const std::string text = tokens.next_value();
      if (parameter == "id") found.id = text;
      if (parameter == "number") found.number = to_number(text);
      if (parameter == "total") {
        found.total = to_number(text);
        said_total = true;
      }
    }
    const bool fine = !found.id.empty() && found.number > 0 && (!said_total || found.number <= found.total);
    if (fine) place = std::move(found);
  });
  return place;
}

bool only_fields(std::string_view text) {
  std::size_t size = 0;
  for_each_field(text, [&size](const std::string& name, std::string_view, std::string_view field) {
    const bool proper =
        !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c <= '~'; });
    if (proper) size += field.size();
  });
  return size == text.size();
}

std::string whole_header(std::string_view enclosing, std::string_view enclosed) {
  std::string out;
  const auto add = [&out](std::string_view field) {
    out += field;
    if (!out.ends_with('\n')) out += "\r\n";
  };
  for_each_field(enclosing, [&](const std::string& name, std::string_view, std::string_view field) {
    if (!describes_content(name)) add(field);
  });
  for_each_field(enclosed, [&](const std::string& name, std::string_view, std::string_view field) {
    if (describes_content(name)) add(field);
  });
  return out;
}

}  // namespace defragment
