// One message on its way into the queue: sender, recipients, content, commit. Made by enqueuer::start().
//
// A submission becomes one message record for each destination channel (and destination host, for channels
// with `group = host`) and each 256 recipients; they share the content.
//
// What an error of commit() means: the caller must treat the message as not accepted and may try again.
// Records that were already durable when a later one failed are taken back where nobody has begun to process
// them; where that fails, the error says how many were queued all the same, and trying again will send those
// recipients a second copy. Nothing is ever lost, and nothing is announced as queued that is not on the disk.
//
// Thread safety: one thread at a time. Lifetime: the enqueuer must outlive it. Destroying an uncommitted one
// drops it.
#pragma once

#include "base/error.hpp"
#include "config/settings.hpp"
#include "enqueue/backlog.hpp"
#include "enqueue/content_buffer.hpp"
#include "enqueue/routing.hpp"
#include "queue/envelope.hpp"
#include "queue/message_id.hpp"
#include "queue/state.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mta::enqueue {

class enqueuer;

struct submission_options {
  std::string_view source_channel;  ///< who enqueues; empty: nobody in particular (jobctl submit). Else it
                                    ///< must be configured
  std::string_view envelope_id;     ///< ENVID, at most 256 bytes
  std::uint32_t delivery_flags = 0;
  std::uint32_t notify_flags = 0;                         ///< for recipients that set none; 0: the default
  std::uint64_t fragment_blocks = 0, fragment_lines = 0;  ///< 0: no limit
  bool sort_recipients = true;                            ///< order each record's recipients by their bytes
  bool expand_aliases = true;  ///< by the site's aliases file, and postmaster by the configuration
  /// Recipients beyond so many, after expansion, are left to the channel "reprocess", which enqueues them
  /// again later; without such a channel they are not. nullopt: no limit.
  std::optional<std::uint32_t> expand_limit{};
  /// Whose routes apply, if not source_channel's: for a channel through which mail is led on its way.
  std::optional<std::string_view> routes_of{};
  std::uint32_t max_recipients = 0;  ///< of each record; 0: as many as one can have
  backlog_limits limits = backlog_limits::all;
};

struct recipient_options {
  std::string_view original;      ///< ORCPT, bare address, at most 256 bytes
  std::string_view intermediate;  ///< at most 256 bytes
  std::uint32_t delivery_flags = 0;
  std::uint32_t notify_flags = 0;        ///< 0: those of the message
  bool replaces_delivery_flags = false;  ///< instead of adding to the message's
  bool expanded = false;                 ///< aliases were expanded before: it is nobody's alias any more
};

/// One record that commit() made durable.
struct accepted {
  queue::message_id id;
  std::string channel;
  std::string host;  ///< destination host; empty: several
  std::uint32_t recipients = 0;
};

class submission {
 public:
  submission(submission&&) noexcept;
  submission& operator=(submission&&) noexcept;
  ~submission();

  /// Canonical form of the sender; empty: the null sender.
  const std::string& sender() const noexcept;
  const submission_options& options() const noexcept;  ///< its texts live as long as the submission
  std::size_t recipients() const noexcept;             ///< accepted so far

  /// Adds a recipient; an address that is already there, with the same options, is added once. An alias adds
  /// all that it stands for, or nobody; what is returned is the first. Errors, after which others can still
  /// be added: errc::rejected (no such route, not an address), errc::out_of_range (a text over 256 bytes),
  /// errc::try_later (something is wrong with the aliases; its channel, or the queue, is full).
  /// std::errc::operation_not_permitted: something was written already.
  result<routed> add_recipient(std::string_view address, const recipient_options& = {});

  /// A line that goes before everything that is written: trace lines. Without its line end; in the order of
  /// the calls. std::errc::operation_not_permitted: something was written already.
  result<> add_header_line(std::string_view line);
  /// 8-bit text that does not say what it is will be labelled, by `charset8` of the site. Before the first
  /// write.
  void label_8bit();
  /// Content, see content_buffer.
  result<> write(std::string_view bytes);
  result<> write_line(std::string_view line);
  std::uint64_t size() const noexcept;  ///< bytes of content so far, wire form

  /// Makes it durable and tells the controller. The submission is over, whatever the result. Errors:
  /// errc::out_of_range: no recipient, or no content; errc::no_space; the system's. See above for what an
  /// error means.
  result<std::vector<accepted>> commit(queue::priority = queue::priority::normal,
                                       queue::time_point not_before = {});
  /// Drops it. Anything but destroying it is then an error (std::errc::operation_not_permitted).
  void abort() noexcept;

 private:
  friend class enqueuer;
  struct impl;
  explicit submission(std::unique_ptr<impl>) noexcept;
  std::unique_ptr<impl> impl_;
};

}  // namespace mta::enqueue
