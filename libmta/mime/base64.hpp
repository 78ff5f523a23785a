// Base64 as mail has it: characters outside the alphabet are skipped, missing padding is forgiven, and data
// goes on after padding. (GMime's decoder stops at the first padding, and drops a tail that lacks its own.)
// Thread safety: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mta::mime::detail {

class base64_decoder {
 public:
  /// Room that the output of so many characters may need.
  static constexpr std::size_t room_for(std::size_t characters) noexcept { return characters / 4 * 3 + 6; }

  /// Decodes into `out`, and returns how many bytes were written.
  std::size_t decode(std::string_view in, char* out) noexcept;
  /// What an unpadded end left.
  std::size_t finish(char* out) noexcept;

 private:
  std::uint32_t bits_ = 0;
  unsigned count_ = 0;  // characters in bits_, under 4
};

}  // namespace mta::mime::detail
