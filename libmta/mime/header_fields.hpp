// What a header says about its entity. Syntax of Content-Type, Content-Disposition and their parameters
// (RFC 2045, 2183, 2231, and what real programs make of them) is GMime's business.
// Thread safety: none; read-only use of finished facts from any thread.
#pragma once

#include "mime/line_splitter.hpp"

#include <mta/mime.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mta::mime::detail {

enum class transfer_encoding : std::uint8_t { identity, base64, quoted_printable, uuencode };

struct entity_facts {
  std::string type, subtype;  ///< lower case
  std::string charset;        ///< us-ascii: none given
  std::string disposition;    ///< lower case
  std::vector<parameter> type_parameters, disposition_parameters;
  std::string filename;
  transfer_encoding encoding = transfer_encoding::identity;
  std::optional<std::string> boundary;
  bool is_mime = false;        ///< it has MIME-Version or Content-Type
  std::string encoding_field;  ///< RFC 1154
  std::string text;            ///< the header's first 256 KiB, lines ended by LF
  std::size_t depth = 0;
};

/// The value of the first field of that name in `header` (lines ended by LF), unfolded.
std::optional<std::string> find_field(std::string_view header, std::string_view name);
/// `value` and a parameter, encoded and folded as needed (RFC 2231); lines end in LF.
std::string with_parameter(std::string value, std::string_view name, std::string_view text);
/// Encoded words decoded.
std::string decode_words(const std::string& value);

/// Whether a line can be one of a header: a field's first, a continuation, or, as the first of all, the line
/// that mailbox files put before a message.
bool is_header_line(std::string_view line, bool first) noexcept;

/// Collects a header line by line. Fields that decide what an entity is are found however long the header
/// is; the first of several counts.
class header_fields {
 public:
  static constexpr std::size_t longest_text = 256u << 10;
  static constexpr std::size_t longest_field = 64u << 10;

  void add(const line_piece&);
  /// `message_by_default`: as in a multipart/digest.
  entity_facts finish(bool message_by_default, std::size_t depth);

 private:
  enum field : std::uint8_t {
    content_type,
    content_disposition,
    content_encoding,
    mime_version,
    encoding,
    fields
  };
  static constexpr std::size_t none = fields;

  std::string text_;
  std::optional<std::string> values_[fields];
  std::size_t current_ = none;
};

}  // namespace mta::mime::detail
