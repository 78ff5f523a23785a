// Makes MIME of messages from before MIME: uuencoded and BinHex files between lines of text, and the parts
// that an Encoding: field (RFC 1154, RFC 1505) names. Stands between the input's lines and the decoder.
//
// Whether a message has any is known at its end, so a message without MIME waits in a spool until then. A
// file counts only when it is complete and its lines are what they should be; all else stays text. Thread
// safety: none.
#pragma once

#include "mime/binhex.hpp"
#include "mime/header_fields.hpp"
#include "mime/line_splitter.hpp"
#include "mime/section_writer.hpp"
#include "mime/spool.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
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
  static constexpr std::size_t most_files = 1000;  // what follows stays text

  result<> examine(const line_piece&);
  result<> pass_on();
  void look_at(std::string_view line, std::size_t number);
  void add_text(std::string_view line);
  void add_file(section&&, std::size_t end);
  void read_encoding_field(std::string_view);
  void count_declared(std::string_view line);
  bool declared_fit() const noexcept;

  result<> write(const std::vector<section>&);
  result<> write_header(const std::string& boundary);

  bool off_;
  bool converted_ = false;
  taker next_;
  spool held_;
  header_fields fields_;
  bool in_body_ = false, header_begun_ = false;
  std::size_t line_number_ = 0;

  // Files between text: what is found, the text since, and what may become a file.
  std::vector<section> found_;
  section text_;
  std::optional<section> candidate_;
  section text_before_;  // `text_` as it was when the candidate began
  std::optional<binhex_decoder> binhex_;

  // Parts as declared by an Encoding: field.
  std::vector<section> declared_;
  std::vector<std::optional<std::size_t>> counts_;
  std::size_t part_ = 0, lines_of_part_ = 0;
  bool misdeclared_ = false;
};

}  // namespace mta::mime::detail
