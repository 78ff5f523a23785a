// The sources of a message that mta::send() composes, and the bodies that it makes of them.
//
// Thread safety: one thread at a time.
#pragma once

#include "base/error.hpp"
#include "enqueue/content_buffer.hpp"
#include "enqueue/submission.hpp"
#include "mime/encode.hpp"

#include <mta/send.hpp>

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace mta::mime {

/// A source being read.
class mail_input {
 public:
  /// Errors: the system's, when the file cannot be opened.
  static result<mail_input> open(const mail_source&);

  bool binary() const noexcept { return binary_; }
  /// The next line of text without LF or CRLF; nullopt: no more. Valid until the next call.
  result<std::optional<std::string_view>> next_line();
  /// A blank line that comes next is passed over.
  result<> skip_blank_line();
  /// The next bytes of a binary source; empty: no more.
  result<std::string_view> next_bytes();

 private:
  struct closer {
    void operator()(std::FILE* f) const noexcept { std::fclose(f); }
  };
  result<> fill();

  std::string path_;
  line_source lines_;
  std::unique_ptr<std::FILE, closer> file_;
  bool binary_ = false, ended_ = false;
  std::string buffer_, kept_;
  std::size_t position_ = 0;
  std::optional<std::string> pushed_back_;
};

/// Sources of one encoding, one after another, encoded.
class mail_body {
 public:
  mail_body(const std::string& directory, const mail_source& first);
  /// May the source be joined to this body?
  bool takes(const mail_source&) const noexcept;
  result<> copy(mail_input&);
  result<> add_line(std::string_view line);
  result<> add_text(std::string_view lines);  ///< lines ended by LF
  result<> finish();
  result<> write_to(enqueue::submission&);

  bool empty() const noexcept { return empty_; }
  content_encoding encoding() const noexcept { return encoding_; }
  const std::string& name() const noexcept { return name_; }
  /// Known after finish().
  bool eight_bit() const noexcept { return eight_bit_; }
  /// Plain ASCII text as it is: the message needs no MIME fields because of it.
  bool needs_no_label() const noexcept {
    return encoding_ == content_encoding::none && !eight_bit_ && !binary_ && name_.empty();
  }
  std::string default_type() const;

 private:
  result<> add(std::string_view bytes);

  content_encoding encoding_;
  bool binary_;
  std::string name_;
  std::unique_ptr<encoder> encoder_;  // none: as it is
  enqueue::content_buffer content_;
  std::string encoded_;
  bool empty_ = true, eight_bit_ = false, utf8_ = true;
};

}  // namespace mta::mime
