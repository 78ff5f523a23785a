// Which lines of a message are text as a person reads it: those of a body, or of a part, that is text/* and
// not encoded. Everything else (headers, attachments, quoted-printable and base64, what is signed or
// encrypted) would be damaged by an editor that does not know it.
//
// Thread safety: a value; one thread at a time.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace transform {

class text_lines {
 public:
  /// Takes the next line of the message, from the first on, without its terminator; true: it is text.
  bool take(std::string_view line);

 private:
  bool is_boundary(std::string_view line) const;
  void end_field();
  void end_header();

  bool in_header_ = true, is_text_ = false;
  bool sealed_ = false;                  // signed or encrypted: nothing within may change
  std::vector<std::string> boundaries_;  // of the multiparts seen so far, with their two dashes
  std::string field_;                    // of the header, unfolded as far as it has been read
  std::string type_, encoding_;          // of the part whose header is being read
};

}  // namespace transform
