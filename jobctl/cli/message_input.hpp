// A message on standard input, as sendmail takes it: to the end of the input or, unless dots are ignored, to
// a line that is a single dot. Thread safety: none.
#pragma once

#include "base/error.hpp"

#include <cstdio>
#include <string>

namespace jobctl::cli {

class message_input {
 public:
  /// `dot_ends`: a line that consists of "." (and LF or CRLF) ends the message; it and what follows are not
  /// part of it.
  message_input(std::FILE* in, bool dot_ends) : in_(in), dot_ends_(dot_ends) {}

  /// Appends the next piece of the message. False: there is no more. Error: the system's.
  mta::result<bool> read(std::string& to);

 private:
  bool find_end(std::string_view text, bool complete, std::size_t& safe);

  std::FILE* in_;
  bool dot_ends_;
  bool ended_ = false;
  bool at_line_start_ = true;
  std::string held_;  // a line begun with a dot, as long as it may still be the end
};

}  // namespace jobctl::cli
