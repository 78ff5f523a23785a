// Submitting messages: the C++ face of libmta/enqueue, which is also what mtaEnqueueStart() and its relatives
// run.
//
//   auto s = mta::submission::start("ann@example.org").value();
//   s.add("bob@example.net").value();
//   s.write_line("Subject: hello").value();
//   s.write_line("").value();
//   s.write_line("Hello.").value();
//   auto ids = s.finish().value();   // on the disk now
//
// Thread safety: different submissions from different threads; one submission from one thread at a time. A
// submission that is destroyed unfinished is dropped.
#pragma once

#include <mta/dequeue.hpp>
#include <mta/error.hpp>
#include <mta/export.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mta {

/// Where a recipient appears. Once one is named in the header, the message is taken to originate here: what
/// the header lacks is added (From:, To:, Cc:, Date:, Message-ID:), and if it names recipients of its own,
/// resent fields are put before it. Blind copies are named in no copy, neither those given here nor those of
/// a Bcc: line that the program writes, which is taken out; 8-bit text without MIME labels is labelled. A
/// message whose recipients are all in the envelope only is left as it is, but for a Received: line.
enum class recipient_role : std::uint8_t {
  envelope,  ///< envelope only: transferred and re-enqueued mail
  to,        ///< envelope, and the To: line that is then made
  cc,
  bcc,
  header_to,  ///< the To: line only
  header_cc,
  header_bcc,  ///< nowhere: a blind copy has no place in any header
};

struct submission_options {
  std::string_view channel;  ///< source channel; empty: that of `like`, else PMDF_CHANNEL
  /// Copy all per-message envelope fields (envelope id, flags, …) from a message in hand: intermediate
  /// channels.
  const message* like = nullptr;
  std::string_view envelope_id{};
  std::uint32_t delivery_flags = 0;
  std::optional<notify_flags> notify{};  ///< for recipients that set none
  message_priority priority = message_priority::normal;
  std::chrono::sys_time<std::chrono::milliseconds> not_before{};  ///< epoch: at once
  std::uint64_t fragment_blocks = 0, fragment_lines = 0;          ///< 0: no limit
  bool sort_recipients = true;
  /// Local recipients that are aliases (docs/aliases.md) are replaced by what they stand for. Those that are
  /// copied from a message in hand have been, and stay as they are.
  bool expand_aliases = true;
  /// Recipients beyond so many are left to the channel "reprocess", if the site has one; nullopt: no limit.
  std::optional<std::uint32_t> expand_limit{};
  std::string_view received_from{};  ///< behind "from" of the Received: line; empty: the source channel
  std::string_view protocol{};       ///< behind "with", such as "ESMTPS"; empty: "local"
  /// The channel whose routes apply ("": those for nobody in particular), if not those of `channel`. For a
  /// channel through which mail is led on its way to another one.
  std::optional<std::string_view> routes_of{};
};

struct recipient_options {
  recipient_role role = recipient_role::envelope;
  const recipient* like =
      nullptr;                  ///< copy the per-recipient fields from this recipient of a message in hand
  std::string_view original{};  ///< ORCPT, bare address
  std::uint32_t delivery_flags = 0;
  std::optional<notify_flags> notify{};
  bool replace_delivery_flags = false;  ///< they count instead of the message's and those of `like`
};

/// The channel that takes mail for an address when `source` enqueues it (empty: PMDF_CHANNEL, or no channel
/// if that is not set). An intermediate channel asks it whether its own mail would come back to it. Errors:
/// errc::rejected (no route, or no address: the context says why), errc::out_of_range (over 256 bytes), those
/// of init().
MTA_API result<std::string> channel_for(std::string_view address, std::string_view source = {});

/// One message being submitted.
class MTA_API submission {
 public:
  /// Begins a message; an empty `from` is the null sender. Errors: errc::not_configured (no or an unknown
  /// source channel), errc::out_of_range (an address over 256 bytes), those of init().
  static result<submission> start(std::string_view from, const submission_options& = {});

  submission(submission&&) noexcept;
  submission& operator=(submission&&) noexcept;
  ~submission();

  /// Adds a recipient, before the first write. Errors: errc::rejected (no route, or no address: the context
  /// says why; others may still be added), errc::out_of_range, errc::try_later (something is wrong with the
  /// site's aliases; the channel that the address leads to, or the queue, holds its `backlog_limit`).
  result<> add(std::string_view address, const recipient_options& = {});
  /// Adds bytes of header or body; lines end in LF or CRLF, and pieces may begin and end anywhere.
  result<> write(std::string_view bytes);
  /// Adds one line; the terminator is supplied.
  result<> write_line(std::string_view line);
  /// Adds the content of a message in hand, from its read point (`from_start`: from its first line) to its
  /// end.
  result<> copy(message&, bool from_start = true);
  /// Commits it. On success it is on the disk, once for each destination channel, and the ids are returned;
  /// the job controller has been told if it runs. The submission is over whatever the result. Errors:
  /// errc::no_space, errc::rejected, the system's; errc::out_of_range: nothing was written, or nobody added.
  result<std::vector<std::string>> finish();
  /// Drops it.
  void abandon() noexcept;

 private:
  struct impl;
  explicit submission(std::unique_ptr<impl>) noexcept;
  std::unique_ptr<impl> impl_;
};

}  // namespace mta
