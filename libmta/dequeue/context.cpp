#include "dequeue/context.hpp"

#include "dequeue/log.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>

namespace mta::dequeueing {
namespace {

constexpr auto window_size = std::size_t{256} * 1024;  // bytes of content read at a time

constexpr std::string_view names[] = {"deferred",        "delivered", "failed",   "relayed",
                                      "relayed_foreign", "returned",  "timed_out"};

bool is_final(disposition d) {
  return d == disposition::delivered || d == disposition::relayed || d == disposition::relayed_foreign;
}
bool wants_hold(disposition d) {
  return d == disposition::failed || d == disposition::returned || d == disposition::timed_out;
}

queue::time_point now_ms() {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

void append_json_string(std::string& out, std::string_view text) {
  static constexpr char hex[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (u < 0x20 || u == 0x7f) {
      out += "\\u00";
      out += hex[u >> 4];
      out += hex[u & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

}  // namespace

context::context(claimed c, const config::settings& settings, const config::channel& channel, int thread_id)
    : claimed_(std::move(c)),
      settings_(settings),
      channel_(channel),
      thread_id_(thread_id),
      id_(to_string(claimed_.id)) {}

result<std::unique_ptr<context>> context::open(claimed c, const config::settings& settings,
                                               const config::channel& channel, int thread_id) {
  std::unique_ptr<context> made(new context(std::move(c), settings, channel, thread_id));
  auto envelope = made->claimed_.lock->file().read_envelope(made->entry());
  if (!envelope) return envelope.error();
  made->envelope_ = std::move(*envelope);
  const auto& all = made->envelope_.recipients;
  const std::uint32_t default_notify =
      made->envelope_.notify_flags != 0 ? made->envelope_.notify_flags : 0x19u;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (made->claimed_.listed.state.finished.test(i)) continue;
    recipient r;
    r.address = all[i].address;
    r.original = all[i].original;
    r.intermediate = all[i].intermediate.empty() ? all[i].address : all[i].intermediate;
    r.delivery_flags = all[i].delivery_flags | channel.delivery_flags;
    if (!all[i].replaces_delivery_flags) r.delivery_flags |= made->envelope_.delivery_flags;
    std::uint32_t notify = all[i].notify_flags != 0 ? all[i].notify_flags : default_notify;
    // How much content to return is always said; it belongs to the message.
    if ((notify & 0x07u) == 0) notify |= default_notify & 0x07u;
    if ((notify & 0x07u) == 0) notify |= 0x01u;
    r.notify = static_cast<notify_flags>(notify);
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

result<> context::finish() {
  if (finished_) return error(errc::gone, "finish message " + id_ + " (finished already)");
  queue::message_state state = claimed_.listed.state;
  bool all_final = true, hold = false;
  for (std::size_t i = 0; i < noted_.size(); ++i) {
    const disposition d = noted_[i].set ? noted_[i].what : disposition::deferred;
    if (is_final(d))
      state.finished.set(recipients_[i].index);
    else
      all_final = false;
    hold = hold || wants_hold(d);
  }
  if (all_final) {
    state.phase = queue::phase::finished;
    if (state.attempts > 0) note_history(noted_, now_ms());
    return write(state, wire::outcome::finished);
  }
  if (state.attempts < 0xFFFF) ++state.attempts;
  note_history(noted_, now_ms());
  if (hold) {
    state.phase = queue::phase::held;
    state.why = queue::reason::undeliverable;
    return write(state, wire::outcome::held);
  }
  state.phase = queue::phase::deferred;
  return write(state, wire::outcome::deferred);
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
  const queue::time_point next = now + config::backoff_after(schedule, state.attempts);
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
    const disposition d = noted_[i].set && trouble == nullptr ? noted_[i].what : disposition::deferred;
    e.code = is_final(d)     ? accounting::action::dequeued
             : wants_hold(d) ? accounting::action::rejected
                             : accounting::action::deferred;
    constexpr auto reports = notify_flags::delay | notify_flags::failure | notify_flags::success;
    if (e.code == accounting::action::rejected && !has(recipients_[i].notify, reports))
      e.code = accounting::action::unreported;  // NOTIFY=NEVER
    e.disposition = names[static_cast<std::size_t>(d)];
    e.original = recipients_[i].original;
    e.to = recipients_[i].address;
    e.reason = trouble != nullptr ? std::string_view(why) : std::string_view(noted_[i].reason);
    accounts_->record(e);
  }
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
