// Makes MIME of messages from before MIME: uuencoded and BinHex files between lines of text, and the parts
// that an Encoding: field (RFC 1154, RFC 1505) names. Stands between the input's lines and the decoder.
//
// Whether a message has any is known at its end, so a message without MIME waits in a spool until then.
// Thread safety: none.
#pragma once

#include "mime/header_fields.hpp"
#include "mime/line_splitter.hpp"
#include "mime/spool.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace mta::mime::detail {

class conversion {
 public:
  using taker = std::function<result<>(const line_piece&)>;

  conversion(bool wanted, std::string temporary_directory, taker next);

  result<> feed(const line_piece& p) { return off_ ? next_(p) : examine(p); }
  result<> finish();
  bool converted() const noexcept { return converted_; }

 private:
  result<> examine(const line_piece&);

  bool off_;
  bool converted_ = false;
  taker next_;
};

}  // namespace mta::mime::detail
