#include "mime/binhex.hpp"

#include <array>

namespace mta::mime::detail {
namespace {

constexpr std::string_view alphabet = "!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr";
static_assert(alphabet.size() == 64);
constexpr unsigned char repetition = 0x90;
constexpr std::size_t after_name = 1 + 4 + 4 + 2 + 4 + 4;  // version, type, creator, flags, lengths

constexpr auto table = [] {
  std::array<std::int8_t, 256> t{};
  t.fill(-1);
  for (std::size_t i = 0; i < alphabet.size(); ++i)
    t[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  return t;
}();

/// CRC-16 of CCITT, beginning with 0.
std::uint16_t crc(std::uint16_t so_far, unsigned char byte) noexcept {
  so_far = static_cast<std::uint16_t>(so_far ^ byte << 8);
  for (int i = 0; i < 8; ++i)
    so_far = static_cast<std::uint16_t>((so_far & 0x8000) != 0 ? so_far << 1 ^ 0x1021 : so_far << 1);
  return so_far;
}

std::uint32_t number(std::string_view four) noexcept {
  std::uint32_t n = 0;
  for (const char c : four) n = n << 8 | static_cast<unsigned char>(c);
  return n;
}

}  // namespace

bool binhex_begins(std::string_view line) noexcept {
  return line.starts_with("(This file must be converted with BinHex");
}

binhex_decoder::state binhex_decoder::add(std::string_view line) {
  for (const char c : line) {
    if (state_ == state::complete || state_ == state::wrong) break;
    if (c == ' ' || c == '\t') continue;
    if (state_ == state::wanted) {
      state_ = c == ':' ? state::going_on : state::wrong;
      continue;
    }
    if (c == ':') {
      state_ = part_ == part::end ? state::complete : state::wrong;
      break;
    }
    const int value = table[static_cast<unsigned char>(c)];
    if (value < 0) {
      state_ = state::wrong;
      break;
    }
    bits_ = bits_ << 6 | static_cast<std::uint32_t>(value);
    bit_count_ += 6;
    if (bit_count_ < 8) continue;
    bit_count_ -= 8;
    byte(static_cast<unsigned char>(bits_ >> bit_count_));
  }
  flush();
  return state_;
}

void binhex_decoder::byte(unsigned char b) {
  if (repeat_) {
    repeat_ = false;
    if (b == 0) return put(last_ = repetition);
    for (unsigned i = 1; i < b; ++i) put(last_);
    return;
  }
  if (b == repetition) {
    repeat_ = true;
    return;
  }
  put(last_ = b);
}

void binhex_decoder::put(unsigned char b) {
  if (state_ == state::wrong || part_ == part::end) return;  // padding of the last bits
  if (part_ == part::header) {
    if (header_.empty()) left_ = b + static_cast<std::uint32_t>(after_name) + 1;
    header_ += static_cast<char>(b);
  }
  if (left_ > 0) {
    --left_;
    check_ = crc(check_, b);
    if (part_ != part::header) buffer_ += static_cast<char>(b);
    return;
  }
  given_ = static_cast<std::uint16_t>(given_ << 8 | b);
  if (--check_left_ == 0) end_of_part();
}

void binhex_decoder::end_of_part() {
  if (given_ != check_) {
    state_ = state::wrong;
    return;
  }
  flush();
  if (part_ == part::header) {
    const std::size_t name = static_cast<unsigned char>(header_[0]);
    const std::string_view rest = std::string_view(header_).substr(1 + name + 1);
    file_.name = header_.substr(1, name);
    file_.type = rest.substr(0, 4);
    file_.creator = rest.substr(4, 4);
    file_.flags = rest.substr(8, 2);
    file_.data_length = number(rest.substr(10, 4));
    file_.resource_length = number(rest.substr(14, 4));
    left_ = file_.data_length;
    part_ = part::data;
  } else if (part_ == part::data) {
    left_ = file_.resource_length;
    part_ = part::resource;
  } else {
    part_ = part::end;
  }
  check_left_ = 2;
  check_ = given_ = 0;
}

void binhex_decoder::flush() {
  const taker& take = part_ == part::data ? data_ : resource_;
  if (!buffer_.empty() && take) take(buffer_);
  buffer_.clear();
}

}  // namespace mta::mime::detail
