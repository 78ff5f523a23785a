// Is a text UTF-8? Looked at piece by piece, as it comes. And texts of which it is not known, made so.
// Thread safety: values; pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mta {

/// Checks a text that comes in pieces; a piece may end within a character. By RFC 3629: no overlong forms, no
/// surrogates, nothing beyond U+10FFFF.
class utf8_check {
 public:
  void take(std::string_view piece) noexcept;
  /// So far nothing was wrong; at the end of the text, `complete()` has to be true as well.
  bool good() const noexcept { return good_; }
  /// No character is unfinished.
  bool complete() const noexcept { return good_ && wanted_ == 0; }

 private:
  bool good_ = true;
  std::uint8_t wanted_ = 0;                  // continuation bytes to come
  std::uint8_t least_ = 0x80, most_ = 0xBF;  // that the next of them may be
};

inline bool is_utf8(std::string_view text) noexcept {
  utf8_check check;
  check.take(text);
  return check.complete();
}

/// The text, with each byte that is not part of a character taken for one of ISO 8859-1; what was UTF-8
/// stays.
std::string as_utf8(std::string text);

}  // namespace mta
