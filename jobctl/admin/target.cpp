#include "jobctl/admin/target.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace jobctl::admin {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

mta::result<std::string> decode(std::string_view text, bool plus_is_space) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      const std::string_view digits = text.substr(i + 1, 2);
      const int high = digits.size() == 2 ? hex_digit(digits[0]) : -1;
      const int low = digits.size() == 2 ? hex_digit(digits[1]) : -1;
      if (high < 0 || low < 0)
        return mta::error(mta::errc::syntax,
                          fmt::format("'{}' has a '%' without two hexadecimal digits", text));
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

// Calls `visit` for each part of `text` between separators.
template <class Visit>
mta::result<> split(std::string_view text, char separator, Visit visit) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    if (auto ok = visit(text.substr(0, end)); !ok) return ok;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return {};
}

}  // namespace

const std::string* target::find(std::string_view parameter) const {
  const auto found =
      std::find_if(parameters.begin(), parameters.end(), [&](const auto& p) { return p.first == parameter; });
  return found == parameters.end() ? nullptr : &found->second;
}

mta::result<target> parse_target(std::string_view text) {
  if (!text.starts_with('/'))
    return mta::error(mta::errc::syntax, fmt::format("'{}' does not begin with '/'", text));
  target t;
  const std::size_t question = std::min(text.find('?'), text.size());
  auto ok = split(text.substr(1, question - 1), '/', [&](std::string_view segment) -> mta::result<> {
    auto name = decode(segment, false);
    if (!name) return name.error();
    t.path.push_back(std::move(*name));
    return {};
  });
  if (!ok) return ok.error();
  ok = split(text.substr(std::min(question + 1, text.size())), '&',
             [&](std::string_view pair) -> mta::result<> {
               if (pair.empty()) return {};
               const std::size_t equals = std::min(pair.find('='), pair.size());
               auto name = decode(pair.substr(0, equals), true);
               auto value = decode(pair.substr(std::min(equals + 1, pair.size())), true);
               if (!name) return name.error();
               if (!value) return value.error();
               if (t.find(*name))
                 return mta::error(mta::errc::syntax, fmt::format("parameter '{}' is given twice", *name));
               t.parameters.emplace_back(std::move(*name), std::move(*value));
               return {};
             });
  if (!ok) return ok.error();
  return t;
}

std::string percent_encode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain)
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace jobctl::admin
