#include "base/utf8.hpp"

#include <cstring>

namespace mta {

void utf8_check::take(std::string_view piece) noexcept {
  if (!good_) return;
  for (std::size_t i = 0; i < piece.size(); ++i) {
    if (wanted_ == 0 && piece.size() - i >= 8) {  // most text is ASCII
      std::uint64_t eight = 0;
      std::memcpy(&eight, piece.data() + i, sizeof eight);
      if ((eight & 0x8080'8080'8080'8080) == 0) {
        i += 7;
        continue;
      }
    }
    const auto byte = static_cast<std::uint8_t>(piece[i]);
    if (wanted_ > 0) {
      good_ = byte >= least_ && byte <= most_;
      least_ = 0x80;
      most_ = 0xBF;
      --wanted_;
    } else if (byte >= 0x80) {
      good_ = byte >= 0xC2 && byte <= 0xF4;
      wanted_ = static_cast<std::uint8_t>(byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : 1);
      if (byte == 0xE0) least_ = 0xA0;
      if (byte == 0xED) most_ = 0x9F;
      if (byte == 0xF0) least_ = 0x90;
      if (byte == 0xF4) most_ = 0x8F;
    }
    if (!good_) return;
  }
}

std::string as_utf8(std::string text) {
  if (is_utf8(text)) return text;
  std::string made;
  made.reserve(text.size() + 16);
  const std::string_view all = text;
  for (std::size_t at = 0; at < all.size();) {
    const auto byte = static_cast<std::uint8_t>(all[at]);
    const std::size_t length = byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
    if (const auto character = all.substr(at, length); character.size() == length && is_utf8(character)) {
      made += character;
      at += length;
      continue;
    }
    made += static_cast<char>(0xC0 | byte >> 6);
    made += static_cast<char>(0x80 | (byte & 0x3F));
    ++at;
  }
  return made;
}

}  // namespace mta
