// Encodings of content on its way into a message: those of MIME, and the older ones that Callable Send offers
// (Developer's Reference ch. 8). Base64, uuencode and gzip are GMime's; the others are small and ours.
//
// Thread safety: one encoder belongs to one thread at a time; the functions are pure.
#pragma once

#include "base/error.hpp"

#include <mta/send.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace mta::mime {

/// Encodes a stream of bytes into lines, each ended by LF. Bytes are encoded as they come: whoever wants line
/// ends of text in their canonical form (RFC 2049 4) writes CRLF.
class encoder {
 public:
  virtual ~encoder() = default;
  /// Appends what is ready to `out`.
  virtual void add(std::string_view bytes, std::string& out) = 0;
  /// Appends the rest. Once, after which the encoder is of no further use.
  virtual void finish(std::string& out) = 0;
};

/// `name` is the file name that some encodings carry inside (uuencode, BinHex); empty: "content".
/// `binary`: line ends in quoted-printable are bytes like others. Not for content_encoding::none.
std::unique_ptr<encoder> make_encoder(content_encoding, std::string_view name, bool binary);

/// The word for Content-Transfer-Encoding:; encodings that MIME does not define begin with "x-" (RFC 2045
/// 6.3).
std::string_view transfer_encoding(content_encoding) noexcept;
/// Whether the content is compressed before it is encoded.
bool compresses(content_encoding) noexcept;

/// Text of a header field in which bytes over 127 (UTF-8, else taken for ISO 8859-1) are encoded words (RFC
/// 2047).
std::string encode_header_text(std::string_view text);
/// The same for a display name, quoted where it must be.
std::string encode_phrase(std::string_view name);

}  // namespace mta::mime
