#include "dequeue/context.hpp"

#include "base/json_text.hpp"
#include "dequeue/log.hpp"
#include "queue/spread.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>

namespace mta::dequeueing {
namespace {

constexpr auto window_size = std::size_t{256} * 1024;  // bytes of content read at a time

constexpr std::string_view names[] = {"deferred",        "delivered", "failed",   "relayed",
                                      "relayed_foreign", "returned",  "timed_out"};

/// The message has reached somebody who is responsible for it now.
bool is_handed_on(disposition d) {
  return d == disposition::delivered || d == disposition::relayed || d == disposition::relayed_foreign;
}
bool is_failure(disposition d) {
  return d == disposition::failed || d == disposition::returned || d == disposition::timed_out;
}

/// What there may be to tell the sender; nothing of a deferral, and of what another system answers for.
std::optional<notify::kind> report_of(disposition d) {
  switch (d) {
    case disposition::delivered: return notify::kind::delivered;
    case disposition::failed: return notify::kind::failed;
    case disposition::relayed_foreign: return notify::kind::relayed;
    case disposition::returned: return notify::kind::returned;
    case disposition::timed_out: return notify::kind::timed_out;
    case disposition::deferred:
    case disposition::relayed: break;
  }
  return {};
}

queue::time_point now_ms() {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

}  // namespace

context::context(claimed c, notifier& n, const config::channel& channel, int thread_id)
    : claimed_(std::move(c)),
      notifier_(n),
      channel_(channel),
      thread_id_(thread_id),
      id_(to_string(claimed_.id)) {}

result<std::unique_ptr<context>> context::open(claimed c, notifier& n, const config::channel& channel,
                                               int thread_id) {
  std::unique_ptr<context> made(new context(std::move(c), n, channel, thread_id));
  auto envelope = made->claimed_.lock->file().read_envelope(made->entry());
  if (!envelope) return envelope.error();
  made->envelope_ = std::move(*envelope);
  const auto& all = made->envelope_.recipients;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (made->claimed_.listed.state.finished.test(i)) continue;
    recipient r;
    r.address = all[i].address;
    r.original = all[i].original;
    r.intermediate = all[i].intermediate.empty() ? all[i].address : all[i].intermediate;
    r.delivery_flags = all[i].delivery_flags | channel.delivery_flags;
    if (!all[i].replaces_delivery_flags) r.delivery_flags |= made->envelope_.delivery_flags;
    r.notify = static_cast<notify_flags>(notify::effective_flags(made->envelope_, all[i]));
    r.index = static_cast<std::uint16_t>(i);
    made->recipients_.push_back(r);
  }
  if (made->recipients_.empty())
    return error(errc::damaged, "message " + made->id_ + " (queued, but every recipient is finished)");
  made->noted_.resize(made->recipients_.size());
  return made;
}

result<> context::check_content() {
  if (checked_) return {};
  queue::message_file& file = claimed_.lock->file();
  if (entry().content_length <= window_size) {
    auto all = file.read_content(entry());
    if (!all) {
      damaged_ = all.error().code == errc::damaged;
      return all.error();
    }
    window_ = std::move(*all);
    window_start_ = 0;
  } else if (const auto verified = file.verify(entry()); !verified) {
    damaged_ = verified.error().code == errc::damaged;
    return verified.error();
  }
  checked_ = true;
  return {};
}

result<std::string_view> context::content() {
  if (const auto checked = check_content(); !checked) return checked.error();
  if (window_start_ != 0 || window_.size() != entry().content_length) {
    std::string all(entry().content_length, '\0');
    const auto read =
        claimed_.lock->file().read_content_part(entry(), 0, std::as_writable_bytes(std::span(all)));
    if (!read) return read.error();
    window_ = std::move(all);
    window_start_ = 0;
  }
  return std::string_view(window_);
}

result<std::size_t> context::read(std::uint64_t offset, std::span<std::byte> buffer) {
  if (const auto checked = check_content(); !checked) return checked.error();
  if (offset >= entry().content_length) return std::size_t{0};
  const auto n =
      static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), entry().content_length - offset));
  if (offset >= window_start_ && offset + n <= window_start_ + window_.size()) {
    std::memcpy(buffer.data(), window_.data() + static_cast<std::size_t>(offset - window_start_), n);
    return n;
  }
  return claimed_.lock->file().read_content_part(entry(), offset, buffer);
}

result<std::optional<std::string_view>> context::next_line() {
  if (const auto checked = check_content(); !checked) return checked.error();
  const std::uint64_t length = entry().content_length;
  if (position_ >= length) return std::optional<std::string_view>{};
  std::size_t wanted = window_size;
  while (true) {
    if (position_ >= window_start_ && position_ < window_start_ + window_.size()) {
      const auto at = static_cast<std::size_t>(position_ - window_start_);
      const std::string_view rest = std::string_view(window_).substr(at);
      const auto end = rest.find("\r\n");
      const bool last = window_start_ + window_.size() == length;
      if (end != std::string_view::npos) {
        position_ += end + 2;
        return std::optional(rest.substr(0, end));
      }
      if (last) {
        position_ = length;
        return std::optional(rest);
      }
      wanted = std::max(wanted, rest.size() * 2);
    }
    // From the read point on; more for a line that is longer than what was read.
    std::string part(static_cast<std::size_t>(std::min<std::uint64_t>(wanted, length - position_)), '\0');
    const auto read =
        claimed_.lock->file().read_content_part(entry(), position_, std::as_writable_bytes(std::span(part)));
    if (!read) return read.error();
    window_ = std::move(part);
    window_start_ = position_;
  }
}

result<std::optional<std::string_view>> context::next_block(std::string& buffer, std::size_t most) {
  buffer.resize(static_cast<std::size_t>(std::min<std::uint64_t>(most, entry().content_length - position_)));
  if (buffer.empty()) return std::optional<std::string_view>();
  const auto got = read(position_, std::as_writable_bytes(std::span(buffer)));
  if (!got) return got.error();
  position_ += *got;
  return std::optional(std::string_view(buffer).substr(0, *got));
}

result<> context::rest(const std::function<result<>(std::string_view)>& take) {
  if (const auto checked = check_content(); !checked) return checked.error();
  std::string part;
  while (position_ < entry().content_length) {
    part.resize(
        static_cast<std::size_t>(std::min<std::uint64_t>(window_size, entry().content_length - position_)));
    const auto got = read(position_, std::as_writable_bytes(std::span(part)));
    if (!got) return got.error();
    if (const auto taken = take(std::string_view(part).substr(0, *got)); !taken) return taken.error();
    position_ += *got;
  }
  return {};
}

void context::dispose(std::size_t place, disposition d, std::string_view reason) {
  if (place >= noted_.size()) return;
  noted_[place] = {true, d, std::string(reason)};
}

void context::dispose_rest(disposition what, std::string_view reason) {
  for (std::size_t i = 0; i < noted_.size(); ++i)
    if (!noted_[i].set) dispose(i, what, reason);
}

result<> context::finish() {
  if (finished_) return error(errc::gone, "finish message " + id_ + " (finished already)");
  // The notification first, and durably: only then may the queue forget the recipients that it is about.
  const auto told = tell_sender();
  untold_ = !told;
  queue::message_state state = claimed_.listed.state;
  bool all_final = true, any_final = false, waiting = false;
  for (std::size_t i = 0; i < noted_.size(); ++i) {
    const disposition d = disposition_of(i);
    // What was handed on is, whether or not its sender can be told; to do it again would be worse.
    const bool final = is_handed_on(d) || (is_failure(d) && told);
    if (final) state.finished.set(recipients_[i].index);
    all_final = all_final && final;
    any_final = any_final || final;
    waiting = waiting || d == disposition::deferred;
  }
  if (told)
    log_failures(*told);
  else
    write_log_line("message " + id_ + ": its sender cannot be notified: " + told.error().message());
  if (all_final) {
    state.phase = queue::phase::finished;
    if (state.attempts > 0) note_history(noted_, now_ms());
    return write(state, wire::outcome::finished);
  }
  if (state.attempts < 0xFFFF) ++state.attempts;
  note_history(noted_, now_ms());
  if (!told) note_text("its sender cannot be notified: " + told.error().message(), now_ms());
  if (!told && notify::is_lasting(told.error()) && !waiting) {
    // Nobody to tell, now and later: an operator must decide. Nothing is dropped silently.
    state.phase = queue::phase::held;
    state.why = queue::reason::undeliverable;
    return write(state, wire::outcome::held);
  }
  state.phase = queue::phase::deferred;
  const auto written = write(state, wire::outcome::deferred);
  if (written && !told && !any_final) return told.error();  // all are deferred, whatever was said
  return written;
}

/// Nothing at all for what is delivered the usual way.
result<notify::told> context::tell_sender() {
  std::vector<notify::recipient_report> reports;
  for (std::size_t i = 0; i < noted_.size(); ++i) {
    const auto what = report_of(disposition_of(i));
    if (!what) continue;
    const auto flags = static_cast<std::uint32_t>(recipients_[i].notify);
    if (is_failure(disposition_of(i)) || (!envelope_.from.empty() && notify::asked_for(*what, flags)))
      reports.push_back({recipients_[i].index, *what, noted_[i].reason});
  }
  if (reports.empty()) return notify::told{};
  const auto now = now_ms();
  const notify::subject about{
      envelope_,
      entry(),
      id_,
      channel_.name,
      [this](std::uint64_t offset, std::span<std::byte> buffer) { return read(offset, buffer); },
      now,
      now,
      {}};
  return notifier_.send(about, reports);
}

void context::log_failures(const notify::told& told) const {
  std::string line;
  for (std::size_t i = 0; i < noted_.size(); ++i) {
    if (!is_failure(disposition_of(i))) continue;
    line += (line.empty() ? "" : "; ") + std::string(recipients_[i].address) + ' ' +
            std::string(names[static_cast<std::size_t>(noted_[i].what)]);
    if (!noted_[i].reason.empty()) line += ": " + noted_[i].reason;
  }
  for (const std::string& remark : told.remarks) write_log_line("message " + id_ + ": " + remark);
  if (line.empty()) return;
  std::string ids;
  for (const std::string& id : told.ids) ids += (ids.empty() ? "" : ", ") + id;
  write_log_line("message " + id_ + ": " + line +
                 (!ids.empty()             ? "; notified by " + ids
                  : envelope_.from.empty() ? "; it has no sender who could be notified"
                                           : "; its sender does not want to be notified"));
}

result<> context::defer(std::string_view reason) {
  if (finished_) return error(errc::gone, "defer message " + id_ + " (finished already)");
  if (damaged_) {  // another attempt would find the same; the controller sets it aside
    finished_ = true;
    outcome_ = {claimed_.id, wire::outcome::bad, {}};
    claimed_.lock->unlock(claimed_.id.slot);
    return {};
  }
  noted_.assign(noted_.size(), noted{true, disposition::deferred, std::string(reason)});
  note_history(noted_, now_ms());
  queue::message_state state = claimed_.listed.state;
  if (state.attempts < 0xFFFF) ++state.attempts;
  state.phase = queue::phase::deferred;
  return write(state, wire::outcome::deferred);
}

result<> context::write(queue::message_state state, wire::outcome what) {
  finished_ = true;
  const auto now = now_ms();
  state.changed = now;
  const auto& schedule = channel_.backoff[static_cast<std::size_t>(entry().priority)];
  const queue::time_point next = now + queue::spread(config::backoff_after(schedule, state.attempts),
                                                     channel_.backoff_jitter, claimed_.id, state.attempts);
  state.next_attempt = what == wire::outcome::deferred ? next : queue::time_point{};
  const auto changed = claimed_.lock->file().change_state(claimed_.id.slot, state);
  // What cannot be written down is tried again: better twice than lost.
  outcome_ = {claimed_.id, changed ? what : wire::outcome::deferred,
              !changed || what == wire::outcome::deferred ? next : queue::time_point{}};
  if (outcome_.outcome != wire::outcome::finished) claimed_.lock->unlock(claimed_.id.slot);
  if (changed) {
    account(now, nullptr);
  } else {
    const error trouble = changed.error();
    account(now, &trouble);
  }
  if (!changed) return changed.error();
  return {};
}

void context::account(queue::time_point now, const error* trouble) {
  if (accounts_ == nullptr || !channel_.logging || !accounts_->enabled()) return;
  const std::string why = trouble != nullptr ? trouble->message() : std::string();
  accounting::entry e;
  e.source = channel_.name;
  e.size = entry().content_length;
  e.from = envelope_.from;
  e.id = id_;
  e.envelope_id = envelope_.envelope_id;
  e.message_id = envelope_.header_id;
  e.attempt = claimed_.listed.state.attempts + 1u;
  e.queue_time = now - entry().committed;
  e.time = now;
  for (std::size_t i = 0; i < noted_.size(); ++i) {
    const disposition d = trouble == nullptr ? disposition_of(i) : disposition::deferred;
    e.code = is_handed_on(d)             ? accounting::action::dequeued
             : is_failure(d) && !untold_ ? accounting::action::rejected
                                         : accounting::action::deferred;
    if (e.code == accounting::action::rejected &&
        !notify::asked_for(notify::kind::failed, static_cast<std::uint32_t>(recipients_[i].notify)))
      e.code = accounting::action::unreported;  // NOTIFY=NEVER, and the like
    e.disposition = names[static_cast<std::size_t>(d)];
    e.original = recipients_[i].original;
    e.to = recipients_[i].address;
    e.reason = trouble != nullptr ? std::string_view(why) : std::string_view(noted_[i].reason);
    accounts_->record(e);
  }
}

void context::note_text(std::string_view text, queue::time_point now) {
  std::string line = "{\"time\":" + std::to_string(now.time_since_epoch().count()) + ",\"text\":";
  append_json_string(line, text);
  line += '}';
  claimed_.lock->file().note_history(claimed_.id.slot, line);
}

void context::note_history(const std::vector<noted>& all, queue::time_point now) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::string line = "{\"time\":" + std::to_string(now.time_since_epoch().count()) +
                       ",\"attempt\":" + std::to_string(claimed_.listed.state.attempts + 1) +
                       ",\"recipient\":";
    append_json_string(line, recipients_[i].address);
    line += ",\"disposition\":";
    append_json_string(line,
                       names[static_cast<std::size_t>(all[i].set ? all[i].what : disposition::deferred)]);
    line += ",\"reason\":";
    append_json_string(
        line, all[i].reason.empty() && !all[i].set ? std::string_view("not finished") : all[i].reason);
    line += '}';
    claimed_.lock->file().note_history(claimed_.id.slot, line);
  }
}

}  // namespace mta::dequeueing
