#include "mime/encode.hpp"

#include "base/text.hpp"
#include "base/utf8.hpp"
#include "mime/start_gmime.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <fmt/format.h>
#include <gio/gio.h>
#include <gmime/gmime.h>
#include <new>
#include <utility>
#include <vector>

namespace mta::mime {
namespace {

/// Lines of a fixed length out of a stream of characters.
class line_breaker {
 public:
  explicit line_breaker(std::size_t length) : length_(length) {}
  void put(char c, std::string& out) {
    if (column_ == length_) end(out);
    out += c;
    ++column_;
  }
  void end(std::string& out) {
    if (column_ > 0) out += '\n';
    column_ = 0;
  }

 private:
  std::size_t length_, column_ = 0;
};

/// Base64 and the lines of uuencode, by GMime.
class gmime_encoder final : public encoder {
 public:
  gmime_encoder(GMimeContentEncoding encoding, std::string_view name)
      : uuencode_(encoding == GMIME_CONTENT_ENCODING_UUENCODE), name_(name) {
    detail::start_gmime();
    g_mime_encoding_init_encode(&state_, encoding);
  }
  void add(std::string_view bytes, std::string& out) override {
    if (bytes.empty()) return;
    begin(out);
    buffer_.resize(g_mime_encoding_outlen(&state_, bytes.size()));
    const std::size_t n = g_mime_encoding_step(&state_, bytes.data(), bytes.size(), buffer_.data());
    out.append(buffer_.data(), n);
  }
  void finish(std::string& out) override {
    begin(out);
    buffer_.resize(g_mime_encoding_outlen(&state_, 0) + 128);
    const std::size_t n = g_mime_encoding_flush(&state_, "", 0, buffer_.data());
    out.append(buffer_.data(), n);
    if (!out.empty() && out.back() != '\n') out += '\n';
    if (uuencode_) out += "end\n";
  }

 private:
  void begin(std::string& out) {
    if (uuencode_ && !begun_) out += "begin 644 " + name_ + '\n';
    begun_ = true;
  }
  GMimeEncoding state_{};
  bool uuencode_, begun_ = false;
  std::string name_;
  std::vector<char> buffer_;
};

/// RFC 2045 6.7. GMime's own takes every LF for a line end, which binary content cannot bear.
class quoted_printable final : public encoder {
 public:
  explicit quoted_printable(bool binary) : binary_(binary) {}
  void add(std::string_view bytes, std::string& out) override {
    for (const char c : bytes) {
      if (!binary_) {
        if (c == '\n') {
          pending_cr_ = false;
          flush_blank(out, true);
          out += '\n';
          column_ = 0;
          continue;
        }
        if (std::exchange(pending_cr_, c == '\r')) quote('\r', out);  // one that stands alone
        if (c == '\r') continue;
      }
      flush_blank(out, false);
      if (is_blank(c))
        blank_ = c;
      else if (is_control(c) || is_8bit(c) || c == '=' || (column_ == 0 && c == '.'))
        quote(c, out);
      else
        put(std::string_view(&c, 1), out);
    }
  }
  void finish(std::string& out) override {
    if (pending_cr_) quote('\r', out);
    flush_blank(out, true);
    if (column_ > 0) out += "=\n";  // the content does not end with a line end
  }

 private:
  /// A blank at the end of a line would be lost on the way.
  void flush_blank(std::string& out, bool at_end) {
    if (blank_ == 0) return;
    const char blank = blank_;
    blank_ = 0;
    if (at_end)
      quote(blank, out);
    else
      put(std::string_view(&blank, 1), out);
  }
  void quote(char c, std::string& out) {
    flush_blank(out, false);
    put(fmt::format("={:02X}", static_cast<unsigned char>(c)), out);
  }
  void put(std::string_view piece, std::string& out) {
    if (column_ + piece.size() > 75) {
      out += "=\n";
      column_ = 0;
    }
    out += piece;
    column_ += piece.size();
  }
  bool binary_;
  bool pending_cr_ = false;
  char blank_ = 0;  // not yet written: it may turn out to end its line
  std::size_t column_ = 0;
};

class hexadecimal final : public encoder {
 public:
  void add(std::string_view bytes, std::string& out) override {
    for (const char c : bytes)
      for (const char digit : fmt::format("{:02X}", static_cast<unsigned char>(c))) lines_.put(digit, out);
  }
  void finish(std::string& out) override { lines_.end(out); }

 private:
  line_breaker lines_{76};
};

/// Four bytes as five digits to the base 85. Adobe's form is framed by <~ and ~>; btoa's has a first and a
/// last line, the last with sizes and checksums (version 4.2 of the program).
class base85 final : public encoder {
 public:
  explicit base85(bool btoa) : btoa_(btoa), lines_(btoa ? 78 : 76) {}
  void add(std::string_view bytes, std::string& out) override {
    begin(out);
    for (const char byte : bytes) {
      const auto value = static_cast<unsigned char>(byte);
      ++count_;
      xor_ ^= value;
      sum_ += value + 1;
      rotated_ = (rotated_ << 1 | rotated_ >> 31) + value;
      word_ = word_ << 8 | value;
      if (++filled_ == 4) put_word(4, out);
    }
  }
  void finish(std::string& out) override {
    begin(out);
    if (filled_ > 0) {
      const int have = filled_;
      for (int i = have; i < 4; ++i) word_ <<= 8;
      put_word(btoa_ ? 4 : have, out);
    }
    if (!btoa_) {
      lines_.put('~', out);
      out += '>';
      lines_.end(out);
      return;
    }
    lines_.end(out);
    out += fmt::format("xbtoa End N {} {:x} E {:x} S {:x} R {:x}\n", count_, count_, xor_, sum_, rotated_);
  }

 private:
  void begin(std::string& out) {
    if (begun_) return;
    begun_ = true;
    if (btoa_)
      out += "xbtoa Begin\n";
    else
      for (const char c : {'<', '~'}) lines_.put(c, out);
  }
  void put_word(int bytes, std::string& out) {
    if (word_ == 0 && bytes == 4) {
      lines_.put('z', out);
    } else {
      std::array<char, 5> digits{};
      std::uint32_t rest = word_;
      for (int i = 4; i >= 0; --i) {
        digits[static_cast<std::size_t>(i)] = static_cast<char>('!' + rest % 85);
        rest /= 85;
      }
      for (int i = 0; i <= bytes; ++i) lines_.put(digits[static_cast<std::size_t>(i)], out);
    }
    word_ = 0;
    filled_ = 0;
  }
  bool btoa_, begun_ = false;
  line_breaker lines_;
  std::uint32_t word_ = 0, xor_ = 0, sum_ = 0, rotated_ = 0;
  int filled_ = 0;
  std::uint64_t count_ = 0;
};

/// BinHex 4.0 (RFC 1741): header, data fork and an empty resource fork, each with a CRC, run lengths
/// compressed, six bits a character. The lengths come first, so everything is kept until the end.
class binhex final : public encoder {
 public:
  explicit binhex(std::string_view name) : name_(name.substr(0, 63)) {}
  void add(std::string_view bytes, std::string&) override { data_ += bytes; }
  void finish(std::string& out) override {
    out += "(This file must be converted with BinHex 4.0)\n\n";
    lines_.put(':', out);
    std::string header(1, static_cast<char>(name_.size()));
    header += name_ + '\0' + "????" + "????" + std::string(2, '\0');
    header += big_endian(data_.size(), 4) + big_endian(0, 4);
    for (const std::string_view fork :
         {std::string_view(header), std::string_view(data_), std::string_view()})
      put_bytes(std::string(fork) + big_endian(crc(fork), 2), out);
    end_run(out);
    if (bits_ > 0) put_six(value_ << (6 - bits_), out);
    lines_.put(':', out);
    lines_.end(out);
  }

 private:
  static std::string big_endian(std::uint64_t value, int bytes) {
    std::string text;
    while (bytes-- > 0) text += static_cast<char>(value >> (8 * bytes) & 0xFF);
    return text;
  }
  static std::uint16_t crc(std::string_view bytes) {
    std::uint32_t sum = 0;
    for (const char byte : bytes) {
      sum ^= static_cast<std::uint32_t>(static_cast<unsigned char>(byte)) << 8;
      for (int i = 0; i < 8; ++i) sum = (sum & 0x8000) != 0 ? sum << 1 ^ 0x1021 : sum << 1;
      sum &= 0xFFFF;
    }
    return static_cast<std::uint16_t>(sum);
  }
  void put_bytes(std::string_view bytes, std::string& out) {
    for (const char c : bytes) {
      if (run_ > 0 && (c != byte_ || run_ == 255)) end_run(out);
      byte_ = c;
      ++run_;
    }
  }
  void end_run(std::string& out) {
    if (run_ > 3) {
      put_byte(byte_, out);
      put_eight(0x90, out);
      put_eight(static_cast<unsigned>(run_), out);
    } else {
      for (int i = 0; i < run_; ++i) put_byte(byte_, out);
    }
    run_ = 0;
  }
  void put_byte(char c, std::string& out) {
    put_eight(static_cast<unsigned char>(c), out);
    if (static_cast<unsigned char>(c) == 0x90) put_eight(0, out);
  }
  void put_eight(unsigned byte, std::string& out) {
    value_ = value_ << 8 | byte;
    bits_ += 8;
    while (bits_ >= 6) {
      bits_ -= 6;
      put_six(value_ >> bits_, out);
      value_ &= (1u << bits_) - 1;
    }
  }
  void put_six(unsigned six, std::string& out) {
    static constexpr std::string_view alphabet =
        "!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr";
    lines_.put(alphabet[six & 63], out);
  }
  std::string name_, data_;
  char byte_ = 0;
  int run_ = 0;
  unsigned value_ = 0;
  int bits_ = 0;
  line_breaker lines_{64};
};

/// gzip (RFC 1952), then another encoder. By GIO, which GMime brings: GMime's own filter leaves out the last
/// block.
class compressed final : public encoder {
 public:
  explicit compressed(std::unique_ptr<encoder> next)
      : next_(std::move(next)), converter_(g_zlib_compressor_new(G_ZLIB_COMPRESSOR_FORMAT_GZIP, 6)) {}
  ~compressed() override { g_object_unref(converter_); }
  compressed(const compressed&) = delete;
  compressed& operator=(const compressed&) = delete;
  void add(std::string_view bytes, std::string& out) override {
    while (!bytes.empty()) bytes.remove_prefix(step(bytes, G_CONVERTER_NO_FLAGS, out));
  }
  void finish(std::string& out) override {
    while (!finished_) step({}, G_CONVERTER_INPUT_AT_END, out);
    next_->finish(out);
  }

 private:
  /// How much was taken.
  std::size_t step(std::string_view bytes, GConverterFlags flags, std::string& out) {
    std::array<char, 16384> buffer;
    gsize taken = 0, made = 0;
    const auto how =
        g_converter_convert(G_CONVERTER(converter_), bytes.empty() ? "" : bytes.data(), bytes.size(),
                            buffer.data(), buffer.size(), flags, &taken, &made, nullptr);
    if (how == G_CONVERTER_ERROR) throw std::bad_alloc();  // nothing else can go wrong when compressing
    finished_ = how == G_CONVERTER_FINISHED;
    next_->add(std::string_view(buffer.data(), made), out);
    return taken;
  }
  std::unique_ptr<encoder> next_;
  GZlibCompressor* converter_;
  bool finished_ = false;
};

/// Texts of unknown origin as UTF-8.
std::string as_utf8(std::string_view text) {
  if (is_utf8(text)) return std::string(text);
  std::string out;
  for (const char c : text) {
    const auto value = static_cast<unsigned char>(c);
    if (value < 0x80) {
      out += c;
    } else {
      out += static_cast<char>(0xC0 | value >> 6);
      out += static_cast<char>(0x80 | (value & 0x3F));
    }
  }
  return out;
}

std::string taken(char* text) {
  std::string copy(text != nullptr ? text : "");
  g_free(text);
  return copy;
}

}  // namespace

std::unique_ptr<encoder> make_encoder(content_encoding encoding, std::string_view name, bool binary) {
  if (name.empty()) name = "content";
  using enum content_encoding;
  switch (encoding) {
    case quoted_printable: return std::make_unique<mime::quoted_printable>(binary);
    case uuencode: return std::make_unique<gmime_encoder>(GMIME_CONTENT_ENCODING_UUENCODE, name);
    case hexadecimal: return std::make_unique<mime::hexadecimal>();
    case base85: return std::make_unique<mime::base85>(false);
    case btoa: return std::make_unique<mime::base85>(true);
    case binhex: return std::make_unique<mime::binhex>(name);
    case compressed_uuencode:
      return std::make_unique<compressed>(make_encoder(uuencode, std::string(name) + ".gz", true));
    case compressed_base64: return std::make_unique<compressed>(make_encoder(base64, name, true));
    case none:
    case base64: break;
  }
  return std::make_unique<gmime_encoder>(GMIME_CONTENT_ENCODING_BASE64, name);
}

std::string_view transfer_encoding(content_encoding encoding) noexcept {
  using enum content_encoding;
  switch (encoding) {
    case quoted_printable: return "quoted-printable";
    case uuencode:
    case compressed_uuencode: return "x-uuencode";
    case hexadecimal: return "x-hexadecimal";
    case base85: return "x-base85";
    case btoa: return "x-btoa";
    case binhex: return "x-binhex40";
    case none: return "7bit";
    case base64:
    case compressed_base64: break;
  }
  return "base64";
}

bool compresses(content_encoding encoding) noexcept {
  return encoding == content_encoding::compressed_base64 || encoding == content_encoding::compressed_uuencode;
}

std::string encode_header_text(std::string_view text) {
  if (std::none_of(text.begin(), text.end(), is_8bit)) return std::string(text);
  detail::start_gmime();
  return taken(g_mime_utils_header_encode_text(nullptr, as_utf8(text).c_str(), "utf-8"));
}

std::string encode_phrase(std::string_view name) {
  detail::start_gmime();
  return taken(g_mime_utils_header_encode_phrase(nullptr, as_utf8(name).c_str(), "utf-8"));
}

}  // namespace mta::mime
