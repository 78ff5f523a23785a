// A part's content, line by line as it is in the message, into pieces as they are presented: decoded, text by
// lines, anything else by blocks.
// Thread safety: none.
#pragma once

#include "mime/base64.hpp"
#include "mime/header_fields.hpp"
#include "mime/line_splitter.hpp"

#include <mta/mime.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace mta::mime::detail {

class content_decoder {
 public:
  /// Pieces are valid during the call. An error ends the decode.
  using taker = std::function<result<>(const piece&)>;

  content_decoder(std::size_t piece_size, taker);

  /// `kind` is text or binary.
  void begin(piece_kind kind, transfer_encoding);
  result<> line(const line_piece&);
  /// The line end after the last line belongs to the delimiter that follows, or, at the end of the message,
  /// to the content.
  result<> end(bool delimiter_follows);

 private:
  result<> line_break();
  result<> encoded(std::string_view);
  result<> quoted(const line_piece&);
  result<> uuencoded(const line_piece&);
  result<> bytes(std::string_view decoded);
  result<> text(std::string_view decoded);
  result<> text_line(std::string_view part_of_line);
  result<> text_line_end();
  result<> block(std::string_view);
  result<> emit(std::string_view, bool ends_line);

  std::size_t piece_size_;
  taker take_;
  piece_kind kind_ = piece_kind::text;
  transfer_encoding encoding_ = transfer_encoding::identity;
  bool break_owed_ = false;  // a line end was seen; whether it is content, the next line tells
  std::string pending_;      // of text: the line so far; of binary: an incomplete block
  std::string decoded_;
  std::string blanks_;  // of quoted-printable: may turn out to end the line
  base64_decoder base64_;
  int quoted_state_ = 0;
  std::uint32_t quoted_save_ = 0;
  bool in_file_ = false;  // of uuencode: after its begin
};

}  // namespace mta::mime::detail
