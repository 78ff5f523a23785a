// Callable Send: one call composes a message and submits it, for programs that originate mail and want no
// more to do with it. mtaSend() is a thin layer over this.
//
//   mta::mail m;
//   m.recipients = {{"bob@example.net"}};
//   m.subject = "Report";
//   m.body.push_back({.file = "/tmp/report.pdf", .encoding = mta::content_encoding::base64, .binary = true});
//   auto ids = mta::send(m).value();   // on the disk now
//
// The header is made of the initial header, if there is one, the fields given here, and what an RFC 5322
// message must have beside. Gateways and forwarders use mta::submission instead: send() adds traces of who
// called it (Sender:).
//
// Thread safety: send() from any thread; what it is given must not change meanwhile.
#pragma once

#include <mta/enqueue.hpp>
#include <mta/error.hpp>
#include <mta/export.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mta {

enum class content_encoding : std::uint8_t {
  none,
  base64,
  quoted_printable,
  base85,  ///< Adobe's ASCII85
  binhex,  ///< BinHex 4.0, data fork only; the source is kept in memory
  btoa,
  hexadecimal,
  uuencode,
  compressed_base64,  ///< gzip first; the part is then application/gzip, which any reader can open
  compressed_uuencode,
};

/// The next line, without terminator and good until the next call; nullopt at the end; an error stops the
/// send.
using line_source = std::function<result<std::optional<std::string_view>>()>;

/// Where text comes from: a file, or a routine that is called for each line.
struct mail_source {
  std::string file;     ///< path; not used if `lines` is set
  line_source lines{};  ///< always text
  content_encoding encoding = content_encoding::none;
  bool binary = false;             ///< the file's bytes as they are; else lines that end in LF or CRLF
  bool blank_line_before = false;  ///< a blank line between this and the source before it
  std::string name{};  ///< file name of the content that the receiver is to see, without control characters;
                       ///< empty: none
};

struct mail_recipient {
  std::string address;  ///< "bob@example.net" or "Bob <bob@example.net>"
  recipient_role role = recipient_role::to;
};

/// One message. What is not set is left out or made up.
struct mail {
  std::string channel;  ///< source channel; empty: "l" if there is one, else nobody in particular
  /// Envelope From: one of them. `user` is a local part of this host; naming another user than the process's
  /// own needs the real user id of root or of the site's owner. Neither: the process's user.
  std::optional<std::string> user{};
  std::string subaddress{};  ///< `user+subaddress`; not with envelope_from
  std::optional<std::string> envelope_from{};
  std::optional<std::string> from{};  ///< From:
  std::optional<std::string> subject{};
  std::optional<std::string> content_type{};  ///< body of Content-Type:
  std::vector<std::string> header_lines{};    ///< complete, without line ends; treated as fields of `header`
  std::vector<mail_recipient> recipients{};
  std::optional<mail_source> header{};     ///< the initial header; text behind its blank line begins the body
  bool send_to_header_recipients = false;  ///< To:, Cc: and Bcc: of the initial header are recipients too
  bool resent = true;  ///< if the initial header names recipients, ours go into Resent- fields; else beside
                       ///< them
  std::vector<mail_source>
      body{};  ///< one after another; those of different encodings become parts of a multipart
  bool ignore_errors = false;  ///< go on if at least one recipient and one source (if any) are good
  std::uint64_t fragment_blocks = 0, fragment_lines = 0;  ///< 0: no limit
  std::uint32_t max_recipients = 0;                       ///< of each copy; 0: no limit but that of the queue
  std::function<void()> before_enqueue{};  ///< called immediately before and after the queue is written
  std::function<void()> after_enqueue{};
};

/// What was found out on the way, whatever the result.
struct send_report {
  enum class step : std::uint8_t { items, site, privilege, source_open, source_read, recipients, enqueue };
  struct recipient {
    std::optional<error> why_not{};  ///< empty: accepted
    std::string address{};           ///< as it is in the envelope, once accepted
  };
  std::vector<recipient> recipients{};  ///< one for each of mail::recipients
  step reached = step::items;           ///< where an error happened
};

/// Composes and submits; the ids of what was queued. Errors: errc::out_of_range (a header over 256 KiB);
/// errc::syntax (line breaks in a field, two forms of the sender); errc::rejected (a recipient or the sender
/// is no address or has no route; another user's name without privilege); errc::not_configured (channel);
/// those of init(), of the sources' files and routines, of mta::submission::finish().
MTA_API result<std::vector<std::string>> send(const mail&, send_report* = nullptr);

}  // namespace mta
