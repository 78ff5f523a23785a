// The header of a message that a user or a program submits: finding it, completing it, and the recipients in
// it.
//
// Thread safety: pure functions and values.
#pragma once

#include "base/error.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mta::enqueue {

/// One header field. Views into the text that it was found in.
struct header_field {
  std::string_view name;   ///< as written, without the colon and blanks before it
  std::string_view value;  ///< all lines, folds included, without the last line end and leading blanks
  std::string_view whole;  ///< name to line end, as written
};

struct split_message {
  std::string_view header;      ///< ends with its last line's end; may be empty
  std::string_view body;        ///< behind the blank line
  bool has_blank_line = false;  ///< false: no body, or it began with a line that is no header line
};

/// Divides a message; lines end in LF or CRLF. The header ends at the first blank line, or before the first
/// line that cannot be a header line (then the body begins with that line, as sendmail does it). A "From "
/// line at the very start, as mailbox files have it, is dropped. nullopt: the end of the header is not in
/// `text`, and `complete` (there is no more) is false.
std::optional<split_message> split_header(std::string_view text, bool complete);

/// All fields in order.
std::vector<header_field> header_fields(std::string_view header);

/// What complete_headers() adds with.
struct header_completion {
  std::string_view host;    ///< official host name
  std::string_view sender;  ///< envelope From:, for a missing From:; empty: postmaster's MAILER-DAEMON form
  std::string_view sender_name;    ///< display name for a missing From:; may be empty
  std::string_view received_from;  ///< text behind "from" of the Received: line; empty: left out
  std::string_view received_with;  ///< text behind "with"; empty: "local"
  std::string_view submitter;      ///< who, in the comment behind "by": "from userid 1000"; may be empty
  std::string_view id;             ///< text behind "id"
  std::chrono::sys_seconds now{};
  bool strip_bcc = false;  ///< remove Bcc: and Resent-Bcc:
};

/// The header with a Received: line before it, and with Date:, Message-ID: and From: added where they are
/// missing. Everything else stays as it was, byte for byte. Line ends: LF.
std::string complete_headers(std::string_view header, const header_completion&);

/// The Date:, Message-ID: and From: lines that complete_headers() would add. Line ends: LF.
std::string missing_fields(std::string_view header, const header_completion&);

/// A Received: line (RFC 5321 4.4), folded, ending in LF.
std::string received_line(const header_completion&);

/// The header without its Bcc: and Resent-Bcc: fields.
std::string without_bcc(std::string_view header);

/// Does the header say what its body is: MIME-Version:, Content-Type: or Content-Transfer-Encoding:?
bool has_mime_labels(std::string_view header);

/// Recipients of the To:, Cc: and Bcc: lines, or of the Resent- lines if there are any, each once, in order.
/// Error: errc::syntax naming field and place of the first address that cannot be read (nobody is left out
/// silently).
result<std::vector<std::string>> header_recipients(std::string_view header);

}  // namespace mta::enqueue
