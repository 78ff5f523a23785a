#include "mime/section_writer.hpp"

#include "base/text.hpp"
#include "mime/header_fields.hpp"
#include "mime/uuencode.hpp"

namespace mta::mime::detail {
namespace {

std::string big_endian(std::uint32_t n, int bytes = 4) {
  std::string out;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += static_cast<char>(n >> shift);
  return out;
}

/// The head of an AppleDouble header file (RFC 1740): the resource fork follows.
std::string apple_double(const binhex_decoder::contents& f) {
  const std::string finder = f.type + f.creator + f.flags + std::string(22, '\0');
  constexpr std::uint32_t entries = 3, head = 26 + 12 * entries;
  const auto name_length = static_cast<std::uint32_t>(f.name.size());
  const auto entry = [](std::uint32_t id, std::uint32_t offset, std::uint32_t length) {
    return big_endian(id) + big_endian(offset) + big_endian(length);
  };
  return big_endian(0x0005'1607) + big_endian(0x0002'0000) + std::string(16, '\0') + big_endian(entries, 2) +
         entry(3, head, name_length) + entry(9, head + name_length, 32) +
         entry(2, head + name_length + 32, f.resource_length) + f.name + finder;
}

}  // namespace

section_writer::section_writer(std::string boundary, taker next)
    : boundary_(std::move(boundary)), next_(std::move(next)) {}

result<> section_writer::begin(const section& s) {
  kind_ = s.kind;
  switch (kind_) {
    case section_kind::message: return lines("--" + boundary_ + "\nContent-Type: message/rfc822\n\n");
    case section_kind::postscript:
      return lines("--" + boundary_ + "\nContent-Type: application/postscript\n\n");
    case section_kind::uuencode: in_file_ = false; return file_header("application/octet-stream", s.name);
    case section_kind::binhex:
      data_begun_ = resource_begun_ = false;
      binhex_.emplace([this](std::string_view bytes) { decoded_ += bytes; },
                      [this](std::string_view bytes) { resource_ += bytes; });
      return {};
    case section_kind::text: break;
  }
  return lines("--" + boundary_ +
               (s.eight_bit
                    ? "\nContent-Type: text/plain; charset=unknown-8bit\nContent-Transfer-Encoding: 8bit\n\n"
                    : "\nContent-Type: text/plain; charset=us-ascii\n\n"));
}

result<> section_writer::file_header(std::string_view type, std::string_view name) {
  encode_.emplace(GMIME_CONTENT_ENCODING_BASE64, next_);
  return lines("--" + boundary_ + "\nContent-Type: " + with_parameter(std::string(type), "name", name) +
               "\nContent-Transfer-Encoding: base64\nContent-Disposition: " +
               with_parameter("attachment", "filename", name) + "\n\n");
}

result<> section_writer::line(const line_piece& p) {
  switch (kind_) {
    case section_kind::uuencode: return uu_line(p.data);
    case section_kind::binhex: return binhex_line(p.data);
    default: return next_({p.data, p.starts, p.ends, true});
  }
}

result<> section_writer::uu_line(std::string_view text) {
  if (!in_file_) {
    in_file_ = uu_begin(text).has_value();
    return {};
  }
  if (trim(text) == "end") return {};
  decoded_.clear();
  uu_decode(text, decoded_);
  return encode_->add(decoded_);
}

result<> section_writer::binhex_line(std::string_view text) {
  if (binhex_begins(text)) return {};
  decoded_.clear();
  resource_.clear();
  binhex_->add(text);
  if (!binhex_->header_known()) return {};
  if (!data_begun_) {
    data_begun_ = true;
    if (const auto done = file_header("application/octet-stream", binhex_->file().name); !done) return done;
  }
  if (const auto done = encode_->add(decoded_); !done) return done;
  if (resource_.empty()) return {};
  if (!resource_begun_) {
    resource_begun_ = true;
    if (const auto done = encode_->finish(); !done) return done;
    if (const auto done = file_header("application/applefile", binhex_->file().name); !done) return done;
    if (const auto done = encode_->add(apple_double(binhex_->file())); !done) return done;
  }
  return encode_->add(resource_);
}

result<> section_writer::end() {
  if (!encode_) return {};
  const auto done = encode_->finish();
  encode_.reset();
  return done;
}

result<> section_writer::lines(std::string_view text) {
  line_splitter split(line_ends::lf, next_);
  if (const auto done = split.feed(text); !done) return done;
  return split.finish();
}

}  // namespace mta::mime::detail
