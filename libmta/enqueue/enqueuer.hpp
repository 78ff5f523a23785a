// What a process that enqueues has one of: the site's settings, the queue's writer, the line to the
// controller.
//
// Thread safety: every member from any thread; many submissions may be under way at once and share flushes.
// Lifetime: the file_io, and the enqueuer itself, must outlive every submission.
#pragma once

#include "accounting/log.hpp"
#include "base/error.hpp"
#include "config/settings.hpp"
#include "enqueue/aliases.hpp"
#include "enqueue/backlog.hpp"
#include "enqueue/submission.hpp"
#include "queue/file_io.hpp"
#include "queue/writer.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace mta::enqueue {

/// Told about each committed record, after all records of its submission are durable.
using announce_function = std::function<void(std::string_view channel, const queue::committed&)>;

struct enqueuer_options {
  bool one_shot = false;       ///< a program that commits a message or two and exits
  announce_function announce;  ///< empty: tell the site's controller (wire::announcer)
  std::size_t memory_limit =
      content_buffer::default_memory_limit;   ///< bytes of content kept in memory, per submission
  std::shared_ptr<accounting::log> accounts;  ///< of the process; empty: one of its own
};

class enqueuer {
 public:
  /// Makes the site's root and queue directory where they are missing. Errors: the system's.
  static result<std::unique_ptr<enqueuer>> open(std::shared_ptr<const config::settings>,
                                                enqueuer_options = {},
                                                queue::file_io& = queue::real_file_io());
  ~enqueuer();

  /// Begins a submission with the settings of this moment; `from` empty: the null sender. Errors:
  /// errc::out_of_range (a text over 256 bytes); errc::syntax (not an address); errc::not_configured (unknown
  /// source channel).
  result<submission> start(std::string_view from, const submission_options& = {});

  /// Settings for submissions that begin from now on (a reload). The root must be the same.
  void update(std::shared_ptr<const config::settings>);
  std::shared_ptr<const config::settings> settings() const;

  queue::writer& writer() noexcept { return writer_; }
  accounting::log& accounts() const noexcept { return *options_.accounts; }
  /// The aliases as their file is now; nullptr: the site has none. Error: errc::try_later.
  result<std::shared_ptr<const alias_table>> aliases_of(const config::settings&);
  /// Which channels are full.
  backlog_watch& backlog() noexcept { return backlog_; }
  /// Tells whoever is to be told that a record is durable.
  void announce(std::string_view channel, const queue::committed&) const;

 private:
  enqueuer(std::shared_ptr<const config::settings>, enqueuer_options, queue::file_io&);

  queue::file_io& io_;
  enqueuer_options options_;
  mutable std::mutex mutex_;
  std::shared_ptr<const config::settings> settings_;  // under mutex_
  std::shared_ptr<aliases> aliases_;                  // likewise; those that were asked for last
  queue::writer writer_;
  backlog_watch backlog_;
};

}  // namespace mta::enqueue
