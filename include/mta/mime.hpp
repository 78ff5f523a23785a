// Looking into MIME messages, and rewriting them: the C++ face of libmta/mime, which is also what
// mtaDecodeMessage() runs.
//
//   // Takes programs out of a message on its way.
//   auto done = mta::mime::rewrite(message, submission, [](mta::mime::part& p, const mta::mime::piece& x) {
//     if (x.kind == mta::mime::piece_kind::end && p.filename().ends_with(".exe"))
//       (void)p.replace({.text = "A program was removed here.\n"});
//   });
//
// A message is a tree; its leaves are its parts. They are presented in the order in which they are found,
// while the message is read once, from its beginning to its end: of each part the lines of its header, then
// its content, decoded (base64, quoted-printable, uuencode), piece by piece, then its end. Multiparts and
// messages inside messages are opened, not presented; a visitor that wants to know gets enter() and leave().
// What cannot be opened (no boundary, or one that never comes; deeper than levels_max) is presented as
// text: nothing that is in a message is withheld because it is malformed, and no input is an error.
//
// Rewriting copies the message byte for byte, except for parts that are removed or replaced. Signatures over
// what was left alone stay good.
//
// Memory: some hundred KiB, whatever the message's size. A part whose fate is not decided yet waits in a
// temporary file (options::temporary_directory) once it is over 1 MiB; keep() and remove() at its first
// header line avoid that.
//
// Thread safety: any number of decodes at the same time, each on one thread.
#pragma once

#include <mta/dequeue.hpp>
#include <mta/enqueue.hpp>
#include <mta/error.hpp>
#include <mta/export.hpp>

#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace mta::mime {

namespace detail {
class decoding;
struct entity_facts;
}  // namespace detail

/// How lines of the input end.
enum class line_ends : std::uint8_t {
  any,   ///< LF or CRLF, in any mix
  none,  ///< each block that the input hands over is one line
  cr,
  crlf,
  lf,
  lfcr,
};

/// Where a message comes from. Cheap to copy; what it was made of must live until the decode has ended.
class MTA_API input {
 public:
  /// Hands out block after block, each valid until the next call; nullopt: the end. An error ends the decode
  /// and is returned by it.
  using reader = std::function<result<std::optional<std::string_view>>()>;

  /// A message in hand, from its read point to its end, where the read point then is (message::rewind()).
  input(message& m);              // NOLINT(google-explicit-constructor)
  input(std::string_view whole);  // NOLINT(google-explicit-constructor)
  input(const char* whole) : input(std::string_view(whole)) {}
  input(const std::string& whole) : input(std::string_view(whole)) {}
  explicit input(reader read, line_ends ends = line_ends::any)
      : open_([r = std::move(read)] { return r; }), line_ends_(ends) {}

  reader open() const { return open_(); }
  line_ends ends() const noexcept { return line_ends_; }

 private:
  std::function<reader()> open_;
  line_ends line_ends_ = line_ends::any;
};

/// Where a rewritten message goes.
class MTA_API output {
 public:
  using taker = std::function<result<>(std::string_view)>;

  /// A submission that has its recipients; header and body are written, finish() is the caller's.
  output(submission& s);  // NOLINT(google-explicit-constructor)
  /// Bytes, every line ended by CRLF, in pieces of any size.
  static output to_bytes(taker);
  /// A line a call, without its end and never over `longest` bytes. Parts with longer lines are encoded anew
  /// (quoted-printable or base64), longer header lines are folded.
  static output to_lines(taker, std::size_t longest = 1024);

  const taker& take() const noexcept { return take_; }
  std::size_t longest_line() const noexcept { return longest_; }  ///< 0: bytes

 private:
  output(taker take, std::size_t longest) : take_(std::move(take)), longest_(longest) {}
  taker take_;
  std::size_t longest_ = 0;
};

struct options {
  /// Deepest nesting of multiparts and messages that is opened; deeper ones are presented unparsed, as text.
  /// 0: nothing is opened. Never more than 1000.
  std::size_t levels_max = 1000;
  /// Most parts presented. What follows them is not looked into; it is copied when rewriting.
  std::size_t parts_max = std::numeric_limits<std::size_t>::max();
  /// Make MIME of a message that is none but has uuencoded or BinHex files, or several parts (RFC 1154), in
  /// it, before it is presented or copied.
  bool convert_non_mime = false;
  /// Longest piece of content, and of a header line, bytes.
  std::size_t piece_size = 1024;
  /// For parts that wait for a decision; empty: TMPDIR, else /var/tmp.
  std::string temporary_directory{};
};

/// What was seen.
struct summary {
  std::size_t parts = 0;
  bool levels_limited = false;  ///< something was presented unparsed because of levels_max
  bool parts_limited = false;   ///< there was more than parts_max
  bool converted = false;       ///< convert_non_mime made MIME of it
  bool changed = false;         ///< a part was removed or replaced
};

struct parameter {
  std::string name;   ///< as written
  std::string value;  ///< unquoted; UTF-8 where a charset was given (RFC 2231, RFC 2047)
};

/// Something with a header of its own: a part, a multipart, a message. Strings live as long as it does.
class MTA_API entity {
 public:
  explicit entity(const detail::entity_facts& facts) noexcept : facts_(&facts) {}
  entity(const entity&) = delete;
  entity& operator=(const entity&) = delete;

  std::string_view type() const noexcept;     ///< lower case; "text" where none is given
  std::string_view subtype() const noexcept;  ///< lower case; "plain" where none is given
  bool is(std::string_view type, std::string_view subtype) const noexcept;  ///< both in lower case
  std::string_view charset() const noexcept;      ///< "us-ascii" where none is given
  std::string_view disposition() const noexcept;  ///< lower case; empty: none
  const std::vector<parameter>& type_parameters() const noexcept;
  const std::vector<parameter>& disposition_parameters() const noexcept;
  /// The name of the file that it is, from the disposition or the type; UTF-8; empty: none.
  std::string_view filename() const noexcept;
  /// The first header field of that name, in any case: unfolded, without blanks around it, not decoded.
  /// Looks at the header's first 256 KiB.
  std::optional<std::string> header(std::string_view name) const;
  /// The same with encoded words (RFC 2047) decoded, as UTF-8.
  std::optional<std::string> header_text(std::string_view name) const;
  /// Multiparts and messages that it is in.
  std::size_t depth() const noexcept;

 protected:
  const detail::entity_facts* facts_;
};

/// Text that takes the place of a part.
struct replacement {
  std::string_view text{};  ///< lines end in LF or CRLF; encoded as needed
  std::string_view type = "text";
  std::string_view subtype = "plain";
  std::string_view charset = "us-ascii";    ///< a text beyond that is called utf-8 or unknown-8bit
  std::string_view disposition = "inline";  ///< may have parameters; empty: none
  std::string_view language{};              ///< Content-Language; empty: none
};

/// A part while it is presented; valid until the visitor returns.
class MTA_API part : public entity {
 public:
  part(const detail::entity_facts& facts, detail::decoding& d) noexcept : entity(facts), decoding_(&d) {}

  std::size_t number() const noexcept;  ///< from 0
  /// Presented unparsed: a multipart or message that could not, or was not to be, opened.
  bool unparsed() const noexcept;

  /// Whether its fate is still open: it is being rewritten, and nothing has been said about it.
  bool decidable() const noexcept;

  // What becomes of it. Each ends its presentation, and may be called once. Errors: errc::out_of_range when
  // nothing is rewritten, when it was decided before, or when a string of the replacement has a line end in
  // it; those of writing.
  result<> keep();    ///< as it is; so is a part about which nothing is said
  result<> remove();  ///< it disappears; of a message that is one part, the content does
  result<> replace(const replacement&);

 private:
  detail::decoding* decoding_;
};

enum class piece_kind : std::uint8_t {
  header,  ///< a line of its header, as it is there: continuation lines by themselves
  text,    ///< a line of content of text/* and message/*, or of what was not opened
  binary,  ///< bytes of any other content
  end,     ///< no data: the end of the part
};

struct piece {
  piece_kind kind{};
  std::string_view data{};  ///< without line end; at most options::piece_size
  /// A line end follows. False: the line goes on in the next piece, or the content ends without one.
  bool ends_line = false;
};

/// What a decode calls. An error that is returned, or an exception, ends the decode.
class MTA_API visitor {
 public:
  virtual ~visitor();
  virtual result<> visit(part&, const piece&) = 0;
  virtual result<> enter(const entity& multipart_or_message);  ///< opened; its header is complete
  virtual result<> leave(const entity& multipart_or_message);
};

/// Presents the parts of a message. Errors: those of the input and the visitor, and the system's, from a
/// temporary file.
MTA_API result<summary> decode(const input&, visitor&, const options& = {});
/// Presents the parts, and writes the message with the changes that the visitor asked for. Errors: as
/// decode(), and those of the output. After an error the output is incomplete and must be dropped.
MTA_API result<summary> rewrite(const input&, const output&, visitor&, const options& = {});

namespace detail {
/// A function as a visitor.
template <class F>
class function_visitor final : public visitor {
 public:
  explicit function_visitor(F& f) noexcept : function_(f) {}
  result<> visit(part& p, const piece& x) override {
    if constexpr (std::is_void_v<std::invoke_result_t<F&, part&, const piece&>>) {
      function_(p, x);
      return {};
    } else {
      return function_(p, x);
    }
  }

 private:
  F& function_;
};
}  // namespace detail

/// The same with a function `void(part&, const piece&)` or `result<>(part&, const piece&)`.
template <class F>
requires std::invocable<F&, part&, const piece&> result<summary> decode(const input& in, F&& f,
                                                                        const options& o = {}) {
  detail::function_visitor<std::remove_reference_t<F>> v(f);
  return decode(in, static_cast<visitor&>(v), o);
}
template <class F>
requires std::invocable<F&, part&, const piece&> result<summary> rewrite(const input& in, const output& out,
                                                                         F&& f, const options& o = {}) {
  detail::function_visitor<std::remove_reference_t<F>> v(f);
  return rewrite(in, out, static_cast<visitor&>(v), o);
}

}  // namespace mta::mime
