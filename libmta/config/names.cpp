#include "config/names.hpp"

#include "base/text.hpp"
#include "config/settings.hpp"

#include <algorithm>

namespace mta::config {
namespace {

bool name_character(char c) noexcept {
  return is_letter(c) || is_digit(c) || c == '_' || c == '-' || c == '.';
}

}  // namespace

bool valid_pool_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= max_channel_name && (is_letter(name[0]) || is_digit(name[0])) &&
         std::all_of(name.begin(), name.end(), name_character);
}

bool valid_channel_name(std::string_view name) noexcept {
  return valid_pool_name(name) &&
         std::none_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

bool valid_domain(std::string_view domain) noexcept {
  if (domain.empty() || domain.size() > 253) return false;
  while (true) {
    const auto dot = domain.find('.');
    const std::string_view label = domain.substr(0, dot);
    if (label.empty() || label.size() > 63) return false;
    if (!std::all_of(label.begin(), label.end(), [](char c) {
          return is_letter(c) || is_digit(c) || c == '-' || c == '_' || is_8bit(c);
        }))
      return false;
    if (dot == domain.npos) return true;
    domain.remove_prefix(dot + 1);
  }
}

bool valid_literal(std::string_view text) noexcept {
  if (text.size() < 3 || text.front() != '[' || text.back() != ']') return false;
  text = text.substr(1, text.size() - 2);
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c > ' ' && c < 0x7F && c != '[' && c != ']' && c != '\\'; });
}

bool valid_route_pattern(std::string_view pattern) noexcept {
  if (pattern == "*" || pattern == "[*]") return true;
  if (pattern.starts_with('[')) return valid_literal(pattern);
  if (pattern.starts_with('.')) pattern.remove_prefix(1);
  return valid_domain(pattern);
}

}  // namespace mta::config
