#include "mime/uuencode.hpp"

#include "base/text.hpp"

#include <algorithm>

namespace mta::mime::detail {
namespace {

constexpr std::size_t value(char c) noexcept { return static_cast<std::size_t>((c - ' ') & 0x3F); }
constexpr std::size_t encoded_length(std::size_t bytes) noexcept { return (bytes + 2) / 3 * 4; }

}  // namespace

std::optional<std::string_view> uu_begin(std::string_view line) noexcept {
  constexpr std::string_view word = "begin ";
  if (!line.starts_with(word)) return {};
  line.remove_prefix(word.size());
  const auto mode = std::min(line.find_first_not_of("01234567"), line.size());
  if (mode < 3 || mode > 5 || mode == line.size() || line[mode] != ' ') return {};
  const std::string_view name = trim(line.substr(mode));
  return name.empty() ? std::optional<std::string_view>() : name;
}

bool is_uu_line(std::string_view line) noexcept {
  if (line.empty()) return true;
  if (std::any_of(line.begin(), line.end(), [](char c) { return c < ' ' || c > '`'; })) return false;
  const std::size_t wanted = 1 + encoded_length(value(line.front()));
  return line.size() <= wanted + 4;
}

void uu_decode(std::string_view line, std::string& out) {
  if (line.empty()) return;
  const std::size_t bytes = value(line.front());
  const auto at = [&](std::size_t i) { return i < line.size() ? value(line[i]) : 0; };
  const std::size_t size = out.size() + bytes;
  for (std::size_t i = 1; i < 1 + encoded_length(bytes); i += 4) {
    const std::size_t bits = at(i) << 18 | at(i + 1) << 12 | at(i + 2) << 6 | at(i + 3);
    out += static_cast<char>(bits >> 16);
    out += static_cast<char>(bits >> 8);
    out += static_cast<char>(bits);
  }
  out.resize(size);
}

}  // namespace mta::mime::detail
