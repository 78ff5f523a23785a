// A message in hand: what mta::message and the C interface's mta_dq_t stand for.
// Thread safety: one thread at a time. Lifetime: from its claim to the return of the process function.
#pragma once

#include "accounting/log.hpp"
#include "config/settings.hpp"
#include "dequeue/claims.hpp"
#include "dequeue/notifier.hpp"
#include "queue/envelope.hpp"

#include <mta/dequeue.hpp>

#include <string>
#include <vector>

namespace mta::dequeueing {

class context {
 public:
  /// Reads the envelope. Errors: errc::damaged (to be set aside), the system's.
  static result<std::unique_ptr<context>> open(claimed, notifier&, const config::channel&, int thread_id);

  const claimed& claim() const noexcept { return claimed_; }
  const std::string& id() const noexcept { return id_; }
  const config::channel& channel() const noexcept { return channel_; }
  const queue::envelope& envelope() const noexcept { return envelope_; }
  const queue::entry& entry() const noexcept { return claimed_.listed.entry; }
  const std::vector<recipient>& recipients() const noexcept { return recipients_; }
  int thread_id() const noexcept { return thread_id_; }

  result<std::string_view> content();
  result<std::size_t> read(std::uint64_t offset, std::span<std::byte> buffer);
  result<std::optional<std::string_view>> next_line();
  void rewind() noexcept { position_ = 0; }
  /// Up to `most` bytes from the read point on, which moves behind them; nullopt at the end. Valid until the
  /// buffer changes.
  result<std::optional<std::string_view>> next_block(std::string& buffer, std::size_t most);
  bool at_end() const noexcept { return position_ >= entry().content_length; }
  /// Everything from the read point on, piece by piece.
  result<> rest(const std::function<result<>(std::string_view)>& take);

  void dispose(std::size_t place, disposition, std::string_view reason);
  /// For those for which nothing was noted.
  void dispose_rest(disposition, std::string_view reason);
  /// Notifies the sender, then writes the state; from then on `outcome()` says what to report. Once only.
  result<> finish();
  result<> defer(std::string_view reason);
  bool finished() const noexcept { return finished_; }
  /// Where what becomes of each recipient is recorded, if the channel's is. It must outlive the context.
  void account_in(accounting::log& log) noexcept { accounts_ = &log; }
  const wire::message_result& outcome() const noexcept { return outcome_; }

 private:
  struct noted {
    bool set = false;
    mta::disposition what = disposition::deferred;
    std::string reason;
  };
  context(claimed, notifier&, const config::channel&, int thread_id);
  result<> check_content();
  result<> write(queue::message_state, wire::outcome);
  void note_history(const std::vector<noted>&, queue::time_point now);
  /// A line for each recipient that was in hand; `trouble`: why all of them are deferred all the same.
  void account(queue::time_point now, const error* trouble);
  void note_text(std::string_view, queue::time_point now);
  mta::disposition disposition_of(std::size_t place) const noexcept {
    return noted_[place].set ? noted_[place].what : disposition::deferred;
  }
  result<notify::told> tell_sender();
  void log_failures(const notify::told&) const;

  claimed claimed_;
  notifier& notifier_;
  const config::channel& channel_;
  int thread_id_;
  std::string id_;
  queue::envelope envelope_;
  std::vector<recipient> recipients_;
  std::vector<noted> noted_;

  bool checked_ = false;  // the content as a whole
  std::string window_;    // part of the content, from window_start_
  std::uint64_t window_start_ = 0;
  std::uint64_t position_ = 0;  // read point of next_line()
  bool finished_ = false;
  bool untold_ = false;   ///< its sender was to be notified, and could not be
  bool damaged_ = false;  ///< the content failed its check
  accounting::log* accounts_ = nullptr;
  wire::message_result outcome_;
};

}  // namespace mta::dequeueing
