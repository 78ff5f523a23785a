// Bytes to lines of base64 or quoted-printable, by GMime.
// Thread safety: none.
#pragma once

#include "mime/line_splitter.hpp"

#include <gmime/gmime-encodings.h>
#include <string>
#include <string_view>

namespace mta::mime::detail {

class encoder {
 public:
  /// The lines go to `take`. Of quoted-printable, LF in what is added makes a line end.
  encoder(GMimeContentEncoding encoding, line_splitter::taker take) : lines_(line_ends::lf, std::move(take)) {
    g_mime_encoding_init_encode(&state_, encoding);
  }
  result<> add(std::string_view data) {
    out_.resize(g_mime_encoding_outlen(&state_, data.size()) + 100);
    return lines_.feed({out_.data(), g_mime_encoding_step(&state_, data.data(), data.size(), out_.data())});
  }
  result<> finish() {
    out_.resize(g_mime_encoding_outlen(&state_, 0) + 100);
    const std::size_t n = g_mime_encoding_flush(&state_, "", 0, out_.data());
    if (const auto done = lines_.feed({out_.data(), n}); !done) return done;
    return lines_.finish();
  }

 private:
  GMimeEncoding state_{};
  line_splitter lines_;
  std::string out_;
};

}  // namespace mta::mime::detail
