// Bytes to lines. Lines of any length go through in bounded memory: a long one comes in several pieces.
// Thread safety: none.
#pragma once

#include <mta/error.hpp>
#include <mta/mime.hpp>

#include <functional>
#include <string>
#include <string_view>

namespace mta::mime::detail {

/// A line, or a piece of one that is longer than line_splitter::longest_piece.
struct line_piece {
  std::string_view data;   ///< without the line end
  bool starts = true;      ///< the line begins here
  bool ends = true;        ///< the line ends here
  bool terminated = true;  ///< by a line end, not by the end of the input
};

class line_splitter {
 public:
  /// So much of a line is seen as a whole: more than any delimiter or header field name has.
  static constexpr std::size_t longest_piece = 64u << 10;
  using taker = std::function<result<>(const line_piece&)>;

  line_splitter(line_ends, taker);

  /// Passes on what the block completes; pieces are valid during the call of the taker.
  result<> feed(std::string_view block);
  /// The last line, if it has no end.
  result<> finish();

 private:
  result<> split_at(std::string_view block, char last, char first, bool first_optional);
  result<> emit(std::string_view data, bool ends, bool terminated);
  result<> shorten();

  line_ends ends_;
  taker take_;
  std::string carry_;       // an unfinished line's piece
  bool line_open_ = false;  // a piece of the present line has been passed on
};

}  // namespace mta::mime::detail
