// Lines to where the rewritten message goes.
// Thread safety: none.
#pragma once

#include "mime/line_splitter.hpp"

#include <mta/mime.hpp>

#include <string>
#include <string_view>

namespace mta::mime::detail {

class line_writer {
 public:
  explicit line_writer(const output&);

  /// The longest line that may be written as it is; longer ones are broken. 0: any.
  std::size_t longest_line() const noexcept { return longest_; }

  result<> write(const line_piece& p) { return add(p, false); }
  /// Of a header: broken at a blank, so that it can be joined again, or with one put in.
  result<> write_header(const line_piece& p) { return add(p, true); }
  result<> write(std::string_view line) { return add({line}, false); }
  result<> finish();

 private:
  result<> add(const line_piece&, bool header);
  result<> add_to_line(std::string_view data, bool header);
  result<> flush();

  output::taker take_;
  std::size_t longest_;
  std::string buffer_;      // bytes not yet handed on; or the present line
  bool line_open_ = false;  // the last line written has no end yet
};

}  // namespace mta::mime::detail
