// Text in ASCII, independent of the locale: what mail protocols and configuration files need.
// Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mta {

constexpr bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }
constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool is_control(char c) noexcept { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }
constexpr bool is_8bit(char c) noexcept { return (static_cast<unsigned char>(c) & 0x80) != 0; }
constexpr char to_lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
constexpr bool is_letter(char c) noexcept { return to_lower(c) >= 'a' && to_lower(c) <= 'z'; }

/// Only A-Z change.
std::string lower_case(std::string_view);
/// Without regard to the case of A-Z.
bool equal_ignoring_case(std::string_view, std::string_view) noexcept;
/// Without blanks, CR and LF at both ends.
std::string_view trim(std::string_view) noexcept;
/// A byte over 127 somewhere.
bool has_8bit(std::string_view) noexcept;
/// `*` in the pattern stands for any text, `?` for any one character; the case of A-Z does not matter.
bool matches_wildcards(std::string_view text, std::string_view pattern) noexcept;
/// Does the pattern have a `*` or `?`?
constexpr bool has_wildcards(std::string_view pattern) noexcept {
  return pattern.find_first_of("*?") != std::string_view::npos;
}
/// In double quotes, with backslashes before these and backslashes (RFC 5322 3.2.4).
std::string quoted_string(std::string_view);
/// Pieces between runs of blanks; none is empty.
std::vector<std::string_view> split_words(std::string_view);

/// How many insertions, removals, replacements and swaps of neighbours turn one into the other.
std::size_t edit_distance(std::string_view, std::string_view);

/// The candidate that a person who typed `word` most likely meant: the one with the least edit distance, the
/// first of equals. Empty without candidates.
template <class Range>
std::string_view nearest(std::string_view word, const Range& candidates) {
  std::string_view best;
  std::size_t best_distance = static_cast<std::size_t>(-1);
  for (const auto& candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace mta
