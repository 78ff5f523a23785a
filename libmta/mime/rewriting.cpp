// What decoding writes.
#include "base/text.hpp"
#include "base/utf8.hpp"
#include "mime/decoding.hpp"
#include "mime/encoder.hpp"

#include <algorithm>

namespace mta::mime::detail {
namespace {

constexpr std::size_t longest_short_line = 998;  // RFC 5322 2.1.1

bool begins_with(std::string_view line, std::string_view name) noexcept {
  return line.size() >= name.size() && equal_ignoring_case(line.substr(0, name.size()), name);
}

/// Leaves out header fields by name, continuation lines included.
class field_filter {
 public:
  explicit field_filter(std::string_view beginning) : beginning_(beginning) {}
  bool passes(const line_piece& p) noexcept {
    const bool continues =
        !p.starts || (!p.data.empty() && (p.data.front() == ' ' || p.data.front() == '\t'));
    if (!continues) dropping_ = begins_with(p.data, beginning_);
    return !dropping_;
  }

 private:
  std::string_view beginning_;
  bool dropping_ = false;
};

/// How a text can be carried: as it is, or encoded. A line that begins with hyphens could be taken for a
/// delimiter.
GMimeContentEncoding encoding_for(std::string_view text) {
  bool eight_bit = false, long_line = false, hyphens = false;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    long_line = long_line || line.size() > longest_short_line;
    hyphens = hyphens || line.starts_with("--");
    eight_bit = eight_bit || std::any_of(line.begin(), line.end(),
                                         [](char c) { return static_cast<signed char>(c) <= 0; });
  }
  if (hyphens) return GMIME_CONTENT_ENCODING_BASE64;
  return eight_bit || long_line ? GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE : GMIME_CONTENT_ENCODING_7BIT;
}

/// A line of base64 or quoted-printable. The latter's may begin with hyphens, where the encoder broke a line
/// of text, and would be taken for a delimiter.
result<> write_encoded(line_writer& out, const line_piece& p) {
  constexpr std::size_t longest = 76;  // RFC 2045 6.7 (5)
  if (!p.data.starts_with("--")) return out.write(p);
  std::string line = "=2D" + std::string(p.data.substr(1));
  if (line.size() > longest) {
    std::size_t cut = longest / 2;
    while (line[cut - 1] == '=' || line[cut - 2] == '=') --cut;  // not within "=2D"
    if (const auto done = out.write(line.substr(0, cut) + '='); !done) return done;
    line.erase(0, cut);
    if (line.starts_with("--")) line.replace(0, 1, "=2D");
  }
  return out.write({line, true, p.ends, p.terminated});
}

}  // namespace

result<> decoding::write(const line_piece& p) { return writer_ ? writer_->write(p) : result<>{}; }

result<> decoding::write_held() {
  if (!writer_) return {};
  return held_.each([this](line_role role, const line_piece& p) {
    return role == line_role::header ? writer_->write_header(p) : writer_->write(p);
  });
}

/// What was decided is done, unless it has to wait for the whole part.
result<> decoding::settle() {
  if (!writer_ || settled_ || replaying_ || fate_ == fate::open) return {};
  if (fate_ == fate::kept && writer_->longest_line() > 0) return {};
  settled_ = true;
  const auto done = fate_ == fate::kept               ? write_held()
                    : substitute_text_ || is_message_ ? write_substitute()
                                                      : result<>{};
  held_.clear();
  return done;
}

/// Multiparts and messages must not be encoded (RFC 2045 6.4).
bool decoding::held_has_long_line() const {
  const std::size_t longest = writer_->longest_line();
  if (longest == 0 || facts_.type == "multipart" || facts_.type == "message") return false;
  std::size_t length = 0;
  const auto read = held_.each([&](line_role role, const line_piece& p) -> result<> {
    if (role != line_role::content) return {};
    length = (p.starts ? 0 : length) + p.data.size();
    return length > longest ? result<>(error(errc::out_of_range, {})) : result<>{};
  });
  return !read && read.error().code == errc::out_of_range;
}

result<> decoding::write_held_encoded(bool delimiter_follows) {
  // What was encoded may be of bytes that look like line ends and are none, as UTF-16 has.
  const bool is_text = facts_.type == "text" && facts_.encoding == transfer_encoding::identity;
  const auto take = [this](const line_piece& p) { return write_encoded(*writer_, p); };
  encoder encode(is_text ? GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE : GMIME_CONTENT_ENCODING_BASE64, take);
  content_decoder decoded(options_.piece_size, [&](const piece& x) -> result<> {
    if (const auto done = encode.add(x.data); !done) return done;
    return x.ends_line ? encode.add("\n") : result<>{};
  });
  decoded.begin(is_text ? piece_kind::text : piece_kind::binary, facts_.encoding);
  field_filter others("content-transfer-encoding:");
  bool in_content = false, mime_version = !is_message_;
  const auto done = held_.each([&](line_role role, const line_piece& p) -> result<> {
    if (role == line_role::delimiter) return writer_->write(p);
    if (role == line_role::header) {
      mime_version = mime_version || (p.starts && begins_with(p.data, "mime-version:"));
      return others.passes(p) ? writer_->write_header(p) : result<>{};
    }
    if (!in_content) {
      in_content = true;
      if (!mime_version)
        if (const auto written = writer_->write("MIME-Version: 1.0"); !written) return written;
      const auto written = writer_->write(is_text ? "Content-Transfer-Encoding: quoted-printable"
                                                  : "Content-Transfer-Encoding: base64");
      if (!written) return written;
      if (const auto blank = writer_->write(""); !blank) return blank;
    }
    return role == line_role::content ? decoded.line(p) : result<>{};
  });
  if (!done) return done;
  if (const auto ended = decoded.end(delimiter_follows); !ended) return ended;
  return encode.finish();
}

result<> decoding::replace(const replacement& r) {
  std::string header;
  const auto field = [&header](std::string_view name, std::string_view value) {
    if (!value.empty()) header.append(name).append(": ").append(value).append("\n");
  };
  for (const std::string_view s : {r.type, r.subtype, r.charset, r.disposition, r.language})
    if (s.find_first_of(std::string_view("\r\n\0", 3)) != s.npos)
      return error(errc::out_of_range, "replace a part (a line end within a header field)");
  if (r.type.empty() || r.subtype.empty())
    return error(errc::out_of_range, "replace a part (a type and a subtype are needed)");
  std::string type = std::string(r.type) + "/" + std::string(r.subtype);
  if (equal_ignoring_case(r.type, "text") && !r.charset.empty()) {
    const bool ascii = !equal_ignoring_case(r.charset, "us-ascii") || !has_8bit(r.text);
    type += "; charset=";
    type += ascii             ? r.charset
            : is_utf8(r.text) ? std::string_view("utf-8")
                              : std::string_view("unknown-8bit");
  }
  field("Content-Type", type);
  field("Content-Disposition", r.disposition);
  field("Content-Language", r.language);
  if (const auto decided = decide(fate::removed); !decided) return decided;
  summary_.changed = true;
  substitute_header_ = std::move(header);
  std::string_view text = r.text;  // the line end after the last line is the delimiter's
  if (text.ends_with('\n')) text.remove_suffix(text.ends_with("\r\n") ? 2 : 1);
  substitute_text_ = std::string(text);
  return {};
}

/// Of a message the header stays, but for what described the old content.
result<> decoding::write_substitute() {
  field_filter others("content-");
  bool mime_version = false;
  const auto kept = held_.each([&](line_role role, const line_piece& p) -> result<> {
    if (role == line_role::delimiter) return writer_->write(p);
    if (role != line_role::header || !is_message_ || !others.passes(p)) return {};
    mime_version = mime_version || (p.starts && begins_with(p.data, "mime-version:"));
    return writer_->write_header(p);
  });
  if (!kept) return kept;
  if (!substitute_text_) return writer_->write("");
  if (is_message_ && !mime_version) {
    if (const auto done = writer_->write("MIME-Version: 1.0"); !done) return done;
  }
  const auto encoding = encoding_for(*substitute_text_);
  if (encoding != GMIME_CONTENT_ENCODING_7BIT)
    *substitute_header_ +=
        std::string("Content-Transfer-Encoding: ") + g_mime_content_encoding_to_string(encoding) + "\n";
  line_splitter header(line_ends::lf, [this](const line_piece& p) { return writer_->write_header(p); });
  if (const auto done = header.feed(*substitute_header_); !done) return done;
  if (const auto done = writer_->write(""); !done) return done;
  if (encoding == GMIME_CONTENT_ENCODING_7BIT) {
    line_splitter text(line_ends::any, [this](const line_piece& p) {
      return writer_->write({p.data, p.starts, p.ends, true});
    });
    if (const auto done = text.feed(*substitute_text_); !done) return done;
    return text.finish();
  }
  // The canonical form has CRLF, the encoder of quoted-printable makes line ends of LF.
  const bool quoted = encoding == GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE;
  encoder encode(encoding, [this](const line_piece& p) { return write_encoded(*writer_, p); });
  line_splitter text(line_ends::any, [&](const line_piece& p) -> result<> {
    if (const auto done = encode.add(p.data); !done) return done;
    return p.ends && p.terminated ? encode.add(quoted ? "\n" : "\r\n") : result<>{};
  });
  if (const auto done = text.feed(*substitute_text_); !done) return done;
  if (const auto done = text.finish(); !done) return done;
  return encode.finish();
}

}  // namespace mta::mime::detail
