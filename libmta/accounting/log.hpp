// The accounting log: one line for each thing that happens to a recipient of a message, in
// <root>/log/mail.log_current and mail.log.json (docs/accounting.md has both formats).
//
// Many processes write the same files. Each write(2) is of whole lines and goes to the end (O_APPEND), so
// lines are never mixed; before each, the file's name is looked up, so that a file that was renamed or
// removed is left and a new one begun. What cannot be written is dropped, with one warning until it works
// again: mail goes before records.
//
// Thread safety: every member from any thread; while one thread writes, the lines of others collect and go
// out with its next write. Lifetime: what entry views need only live for the call.
#pragma once

#include "base/error.hpp"
#include "config/settings.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace mta::accounting {

/// Entry codes of the original's mail.log_current.
enum class action : char {
  enqueued = 'E',    ///< queued for a channel
  dequeued = 'D',    ///< left its queue: delivered or handed on
  deferred = 'Q',    ///< temporary failure; it will be tried again
  rejected = 'R',    ///< permanent failure of a queued recipient, or returned to the sender
  unreported = 'K',  ///< as `rejected`, and the sender asked not to be told
  warned = 'W',      ///< a delay warning was sent
  refused = 'J',     ///< an attempt to enqueue was refused
};

/// One line. Empty views: not known, or there is none.
struct entry {
  action code = action::enqueued;
  std::string_view modifiers{};    ///< letters behind the code: "E" ESMTP, "S" TLS, "A" authenticated, …
  std::string_view source{};       ///< channel that enqueued; of a dequeue: the channel doing the work
  std::string_view destination{};  ///< channel that it is queued for; of a dequeue: none
  std::uint64_t size = 0;          ///< of the content, bytes
  std::string_view from{};         ///< envelope sender; empty: the null sender
  std::string_view original{};     ///< recipient as first given; empty: the same as `to`
  std::string_view to{};
  std::string_view id{};  ///< of the queued message
  std::string_view envelope_id{};
  std::string_view message_id{};                            ///< of the header, with its <>
  std::string_view disposition{};                           ///< "delivered", "relayed", …
  std::uint32_t attempt = 0;                                ///< number of this attempt to dequeue; 0: none
  std::chrono::milliseconds queue_time{-1};                 ///< since it was queued; negative: not said
  std::string_view reason{};                                ///< why, in words
  std::chrono::sys_time<std::chrono::milliseconds> time{};  ///< epoch: now
};

struct log_options {
  std::string directory;  ///< <root>/log; made where it is missing
  config::accounting_form form = config::accounting_form::text;
  std::uint32_t block_size = 1024;         ///< unit of sizes in the text form, bytes
  std::function<void(const error&)> warn;  ///< empty: a line on standard error. Must not call the log
};
log_options options_for(const config::settings&);

class log {
 public:
  explicit log(log_options);
  ~log();  ///< writes what is left
  log(const log&) = delete;
  log& operator=(const log&) = delete;

  /// Does anybody want lines? Else record() does nothing.
  bool enabled() const noexcept {
    return form_.load(std::memory_order_relaxed) != config::accounting_form::none;
  }

  /// Adds a line to those that the next flush() writes. To be called once for each recipient, when what it
  /// says has happened: after the commit, after the result is on the disk. Never fails.
  void record(const entry&) noexcept;
  /// Writes what was recorded. When it returns, that has been written, or another thread is just doing so.
  void flush() noexcept;
  /// Writes what was recorded and closes the files; the next flush opens them again (mtaAccountingLogClose).
  void close() noexcept;
  /// true: close after each flush (MTA_INTERACTIVE).
  void close_after_each_flush(bool) noexcept;
  /// Another form or block size from now on; the directory must be the same.
  void configure(const config::settings&);

 private:
  struct sink;
  void write_collected();
  void write(sink&, std::string_view lines) noexcept;
  result<> open(sink&);
  void warn_once(const error&) noexcept;
  void append_text(std::string& out, const entry&);
  void append_json(std::string& out, const entry&);

  const std::string directory_;
  const std::function<void(const error&)> warn_;
  std::atomic<config::accounting_form> form_;
  std::atomic<std::uint32_t> block_size_;
  std::atomic<bool> close_each_{false};

  std::mutex mutex_;                // of what is collected
  std::string text_, json_;         // lines
  std::string process_;             // of the lines in them, as each of them names it
  bool writing_ = false;            // some thread writes, and will look here again before it ends
  std::int64_t stamp_second_ = -1;  // that `stamp_` is of
  std::string stamp_;               // "21-Nov-2026 16:20:00"
  std::mutex file_mutex_;           // of the files; taken without mutex_ held, or after it was given up
  std::unique_ptr<sink> text_file_, json_file_;
  bool warned_ = false;
};

}  // namespace mta::accounting
