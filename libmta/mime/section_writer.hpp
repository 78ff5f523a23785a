// A section of a message from before MIME, as a part of a multipart.
// Thread safety: none.
#pragma once

#include "mime/binhex.hpp"
#include "mime/encoder.hpp"
#include "mime/line_splitter.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace mta::mime::detail {

enum class section_kind : std::uint8_t { text, message, postscript, uuencode, binhex };

struct section {
  section_kind kind = section_kind::text;
  std::size_t first = 0, last = 0;  ///< lines of the body, from 0; `last` is not in it
  std::string name;                 ///< of the file; or the keyword of RFC 1154
  bool eight_bit = false;
  bool blank = true;  ///< of text: nothing but blanks
};

class section_writer {
 public:
  using taker = std::function<result<>(const line_piece&)>;

  section_writer(std::string boundary, taker next);

  result<> begin(const section&);
  result<> line(const line_piece&);
  result<> end();

 private:
  result<> file_header(std::string_view type, std::string_view name);
  result<> uu_line(std::string_view);
  result<> binhex_line(std::string_view);
  result<> lines(std::string_view text);

  std::string boundary_;
  taker next_;
  section_kind kind_ = section_kind::text;
  std::optional<encoder> encode_;
  std::string decoded_, resource_;
  bool in_file_ = false;  // of uuencode: after its begin
  bool data_begun_ = false, resource_begun_ = false;
  std::optional<binhex_decoder> binhex_;
};

}  // namespace mta::mime::detail
