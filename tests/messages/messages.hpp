// Made-up mail for tests, the demo and benches: every shape that has ever surprised a mail program, the same
// for the same seed on every machine.
//
// Thread safety: a generator belongs to one thread. What it returns is by value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace messages {

/// The shapes, in the order in which a generator goes through them (the first 14 messages are one of each).
enum class kind : std::uint8_t {
  plain,             ///< a short text
  multipart,         ///< text, HTML and a base64 attachment
  eight_bit,         ///< UTF-8 and Latin-1 octets in the body
  long_lines,        ///< lines of 998, 999 and up to 100,000 bytes
  leading_dots,      ///< lines that start with a dot, or are one
  empty_sender,      ///< a notification: empty envelope From:
  many_recipients,   ///< 100 recipients
  no_final_newline,  ///< the last line has no line end
  header_only,       ///< no blank line, no body
  empty_body,        ///< a blank line, then nothing
  utf8_header,       ///< raw UTF-8 in the header
  folded_header,     ///< header lines continued over many lines
  binary,            ///< NUL and every other octet except CR
  large,             ///< 256 KiB to 1 MiB
};
inline constexpr int kinds = 14;

std::string_view name(kind) noexcept;

struct message {
  messages::kind kind;
  std::uint64_t number;         ///< from 1; also in its Message-ID, <number.seed@generator.example>
  std::string from;             ///< envelope From:, empty for a notification
  std::vector<std::string> to;  ///< envelope recipients, no two alike
  std::string content;          ///< header and body; lines end in LF, or in CRLF for every third message

  /// The content as it is queued: every line ends in CRLF, the last one too.
  std::string wire_form() const;
};

class generator {
 public:
  /// Recipients are user1 … user120 at `domains`, in turn, and at least one domain is needed.
  generator(std::uint64_t seed, std::vector<std::string> domains);

  message next();

 private:
  std::uint64_t random();
  std::uint64_t below(std::uint64_t bound) { return random() % bound; }
  std::string words(std::size_t count);
  std::string text(std::size_t lines);
  std::string base64(std::size_t bytes);
  std::string body(kind);

  std::uint64_t seed_;
  std::uint64_t state_;
  std::uint64_t made_ = 0;
  std::uint64_t addressed_ = 0;
  std::vector<std::string> domains_;
};

}  // namespace messages
