#include "mime/base64.hpp"

#include <array>

namespace mta::mime::detail {
namespace {

constexpr std::uint32_t padding = 0x4000'0000, foreign = 0x8000'0000;
constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A character's bits, moved to its place among four; padding and foreign are above all of them.
constexpr auto table(unsigned shift) {
  std::array<std::uint32_t, 256> t{};
  t.fill(foreign);
  for (std::uint32_t i = 0; i < 64; ++i) t[static_cast<unsigned char>(alphabet[i])] = i << shift;
  t['='] = padding;
  return t;
}
constexpr auto first = table(18), second = table(12), third = table(6), fourth = table(0);

}  // namespace

std::size_t base64_decoder::decode(std::string_view in, char* const out) noexcept {
  const auto* at = reinterpret_cast<const unsigned char*>(in.data());
  const auto* const end = at + in.size();
  char* to = out;
  while (at != end) {
    if (count_ == 0) {
      while (end - at >= 4) {
        const std::uint32_t four = first[at[0]] | second[at[1]] | third[at[2]] | fourth[at[3]];
        if (four >= padding) break;
        to[0] = static_cast<char>(four >> 16);
        to[1] = static_cast<char>(four >> 8);
        to[2] = static_cast<char>(four);
        to += 3;
        at += 4;
      }
      if (at == end) break;
    }
    const std::uint32_t one = fourth[*at++];
    if (one == foreign) continue;
    if (one == padding) {
      to += finish(to);
      continue;
    }
    bits_ = bits_ << 6 | one;
    if (++count_ < 4) continue;
    *to++ = static_cast<char>(bits_ >> 16);
    *to++ = static_cast<char>(bits_ >> 8);
    *to++ = static_cast<char>(bits_);
    bits_ = count_ = 0;
  }
  return static_cast<std::size_t>(to - out);
}

std::size_t base64_decoder::finish(char* out) noexcept {
  std::size_t n = 0;
  if (count_ == 2) {
    out[n++] = static_cast<char>(bits_ >> 4);
  } else if (count_ == 3) {
    out[n++] = static_cast<char>(bits_ >> 10);
    out[n++] = static_cast<char>(bits_ >> 2);
  }
  bits_ = count_ = 0;
  return n;
}

}  // namespace mta::mime::detail
