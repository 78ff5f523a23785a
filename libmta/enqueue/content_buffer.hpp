// Collects a message's content in wire form: every line ends in CRLF, a CR that stands alone is kept. Notes
// on the way what senders want to know (queue::facts). Kept in memory up to a limit, then in a temporary file
// that has no name any more, so that nothing is left behind whatever happens.
//
// Thread safety: none. Lifetime: the file_io must outlive it; what content() returns is valid until the
// buffer changes.
#pragma once

#include "base/error.hpp"
#include "base/utf8.hpp"
#include "queue/file_io.hpp"
#include "queue/writer.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace mta::enqueue {

class content_buffer {
 public:
  static constexpr std::size_t default_memory_limit = 4u << 20;

  /// The temporary file is made in `directory` when the content outgrows `memory_limit` bytes.
  content_buffer(queue::file_io&, std::string directory, std::size_t memory_limit = default_memory_limit);

  /// When the body turns out to be 8-bit and the header says nothing about it (has_mime_labels()), labels are
  /// added at the header's end: text/plain, 8bit, and this charset; "auto": utf-8 if it is, else unknown-8bit
  /// (RFC 1428); "no": nothing is added. Before the first write.
  void label_8bit(std::string charset) { charset_ = charset == "no" ? std::string() : std::move(charset); }
  /// Adds bytes; LF and CRLF are line ends, in any mix, pieces may begin and end anywhere, even inside a
  /// CRLF. Errors: the system's, when the temporary file cannot be made or written; the buffer is then of no
  /// further use.
  result<> write(std::string_view bytes);
  /// Adds one line without its line end; all of it is content, a CR at its end included. A LF in it ends a
  /// line.
  result<> write_line(std::string_view line);
  /// Ends an unfinished last line. To be called once, before content().
  result<> finish();

  /// The Message-ID, without blanks around it; empty: none. After finish().
  const std::string& message_id() const noexcept { return message_id_; }
  /// How many Received: fields there are. After finish().
  std::size_t hops() const noexcept { return hops_; }
  /// After finish().
  queue::content_source content() const noexcept;

  bool empty() const noexcept { return length_ == 0; }
  std::uint64_t length() const noexcept { return length_; }  ///< bytes so far, wire form
  bool spilled() const noexcept { return file_ != nullptr; }

 private:
  result<> emit(std::string_view piece);
  void note_line_part(std::string_view part) noexcept;
  void note_line_end() noexcept;
  void read_header();
  void note_body(std::string_view piece) noexcept;
  result<> add_labels();
  result<> insert_into_file(std::string_view labels);
  result<> spill_to(std::unique_ptr<queue::file>&);
  result<> spill();
  result<> flush_memory();

  queue::file_io& io_;
  std::string directory_;
  std::size_t memory_limit_;
  std::string memory_;                 // content, or, once spilled, what is not yet in the file
  std::unique_ptr<queue::file> file_;  // once spilled
  std::uint64_t in_file_ = 0;          // bytes
  std::uint64_t length_ = 0;
  std::uint64_t line_length_ = 0;  // bytes of the line being written, without a CR that may belong to its end
  std::uint64_t longest_line_ = 0;
  std::uint8_t facts_ = 0;
  bool pending_cr_ = false;  // the last byte written was a CR
  bool header_read_ = false;
  std::string charset_;         // of label_8bit(); empty: no labels are wanted, or there are some
  std::size_t header_end_ = 0;  // where labels would go; once the header was read
  bool body_8bit_ = false;      // once spilled, if labels are wanted
  utf8_check body_check_;       // likewise
  std::string message_id_;
  std::size_t hops_ = 0;
};

}  // namespace mta::enqueue
