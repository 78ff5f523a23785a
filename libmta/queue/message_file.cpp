#include "queue/message_file.hpp"

#include "queue/format.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace mta::queue {
namespace {

constexpr std::uint32_t entries_per_read = 1024;  // 256 KiB at a time
constexpr std::size_t part_size = 256 * 1024;

std::span<std::byte> as_bytes(std::string& text) {
  return std::as_writable_bytes(std::span<char>(text.data(), text.size()));
}

}  // namespace

message_file::message_file(file_io& io, std::string path, std::unique_ptr<file> f, const file_header& h)
    : io_(io), path_(std::move(path)), file_(std::move(f)), header_(h) {}

result<std::shared_ptr<message_file>> message_file::open(file_io& io, const std::string& path) {
  auto opened = io.open(path, open_mode::read_write);
  if (!opened) return opened.error();
  std::array<std::byte, format::page> page;
  const auto read = (*opened)->read(0, page);
  if (!read) return read.error();
  const auto found = format::decode_header_page(std::span(page).first(*read));
  if (!found) return error(errc::damaged, "header of " + path);
  return std::shared_ptr<message_file>(new message_file(io, path, std::move(*opened), found->header));
}

void message_file::remember(std::uint32_t slot, std::uint32_t sequence_a, std::uint32_t sequence_b) {
  if (copies_.empty()) copies_.resize(header_.capacity);
  slot_copies& c = copies_[slot];
  // A copy that we wrote counts as ours only while it still is the newest one on the file.
  if (c.own_epoch != 0 && (c.sequence[c.own_copy] != (c.own_copy == 0 ? sequence_a : sequence_b) ||
                           (c.own_copy == 0 ? sequence_b : sequence_a) > c.sequence[c.own_copy]))
    c.own_epoch = 0;
  c.sequence[0] = sequence_a;
  c.sequence[1] = sequence_b;
  c.known = true;
}

result<> message_file::read_entries(std::uint32_t first, std::uint32_t count,
                                    const std::function<void(std::uint32_t, const slot_content&)>& visit) {
  if (first >= header_.capacity) return {};
  count = std::min(count, header_.capacity - first);
  std::vector<std::byte> buffer(std::size_t{std::min(count, entries_per_read)} * format::entry_size);
  while (count > 0) {
    const std::uint32_t now = std::min(count, entries_per_read);
    const std::size_t bytes = std::size_t{now} * format::entry_size;
    const auto read = file_->read(format::entry_offset(first), std::span(buffer).first(bytes));
    if (!read) return read.error();
    std::memset(buffer.data() + *read, 0, bytes - *read);  // beyond the end: never written
    for (std::uint32_t i = 0; i < now; ++i) {
      const auto raw =
          std::span<const std::byte>(buffer).subspan(i * format::entry_size).first<format::entry_size>();
      format::state_copies copies;
      const slot_content content = format::decode_entry(raw, id(first + i), copies);
      if (content.what == slot_content::kind::message) {
        const std::scoped_lock guard(mutex_);
        remember(first + i, copies.sequence[0], copies.sequence[1]);
      }
      visit(first + i, content);
    }
    first += now;
    count -= now;
  }
  return {};
}

result<listed_message> message_file::read_entry(std::uint32_t slot) {
  if (slot >= header_.capacity) return error(errc::gone, "message " + to_string(id(slot)));
  slot_content content;
  const auto read = read_entries(slot, 1, [&](std::uint32_t, const slot_content& c) { content = c; });
  if (!read) return read.error();
  if (content.what == slot_content::kind::damaged)
    return error(errc::damaged, "entry of message " + to_string(id(slot)));
  if (content.what == slot_content::kind::empty) return error(errc::gone, "message " + to_string(id(slot)));
  return std::move(content.message);
}

result<envelope> message_file::read_envelope(const entry& e) {
  const message_id which = id(e.slot);
  if (e.envelope_length > format::largest_envelope)
    return error(errc::damaged, "envelope of message " + to_string(which));
  std::string raw(format::record_header_size + e.envelope_length, '\0');
  const auto read = file_->read(e.record_offset, as_bytes(raw));
  if (!read) return read.error();
  const auto bytes = std::as_bytes(std::span<const char>(raw.data(), *read));
  if (bytes.size() != raw.size())
    return error(errc::damaged, "record of message " + to_string(which) + " (cut off)");
  const auto header = format::decode_record_header(bytes.first<format::record_header_size>(), which);
  if (!header || header->envelope_length != e.envelope_length || header->content_length != e.content_length)
    return error(errc::damaged, "record header of message " + to_string(which));
  if (format::check(bytes.subspan(format::record_header_size), format::seed(which)) != header->envelope_check)
    return error(errc::damaged, "envelope of message " + to_string(which));
  auto parsed = parse_envelope(std::string_view(raw).substr(format::record_header_size));
  if (!parsed) return error(errc::damaged, "message " + to_string(which) + ", " + parsed.error().context);
  if (parsed->recipients.size() != e.recipients)
    return error(errc::damaged, "envelope of message " + to_string(which) + " (number of recipients)");
  return parsed;
}

result<std::uint64_t> message_file::checked_content_length(const entry& e) {
  const auto size = file_->size();
  if (!size) return size.error();
  const std::uint64_t start = e.record_offset + format::record_header_size + e.envelope_length;
  if (start > *size || e.content_length > *size - start)
    return error(errc::damaged, "content of message " + to_string(id(e.slot)) + " (cut off)");
  return e.content_length;
}

result<std::string> message_file::read_content(const entry& e) {
  const message_id which = id(e.slot);
  const auto length = checked_content_length(e);
  if (!length) return length.error();
  std::array<std::byte, format::record_header_size> raw;
  const auto head = file_->read(e.record_offset, raw);
  if (!head) return head.error();
  const auto header = format::decode_record_header(raw, which);
  if (!header || header->content_length != e.content_length)
    return error(errc::damaged, "record header of message " + to_string(which));
  std::string content(*length, '\0');
  const auto read = read_content_part(e, 0, as_bytes(content));
  if (!read) return read.error();
  if (*read != content.size() ||
      format::check(std::as_bytes(std::span(content)), format::seed(which)) != header->content_check)
    return error(errc::damaged, "content of message " + to_string(which));
  return content;
}

result<std::size_t> message_file::read_content_part(const entry& e, std::uint64_t offset,
                                                    std::span<std::byte> buffer) {
  if (offset >= e.content_length) return std::size_t{0};
  const auto wanted =
      static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), e.content_length - offset));
  const std::uint64_t start = e.record_offset + format::record_header_size + e.envelope_length;
  const auto read = file_->read(start + offset, buffer.first(wanted));
  if (!read) return read.error();
  if (*read != wanted)
    return error(errc::damaged, "content of message " + to_string(id(e.slot)) + " (cut off)");
  return wanted;
}

result<> message_file::verify(const entry& e) {
  const message_id which = id(e.slot);
  if (const auto envelope = read_envelope(e); !envelope) return envelope.error();
  std::array<std::byte, format::record_header_size> raw;
  if (const auto head = file_->read(e.record_offset, raw); !head) return head.error();
  const auto header = format::decode_record_header(raw, which);
  if (!header) return error(errc::damaged, "record header of message " + to_string(which));
  format::running_check sum(format::seed(which));
  std::vector<std::byte> part(static_cast<std::size_t>(std::min<std::uint64_t>(part_size, e.content_length)));
  for (std::uint64_t at = 0; at < e.content_length;) {
    const auto read = read_content_part(e, at, part);
    if (!read) return read.error();
    sum.add(std::span(part).first(*read));
    at += *read;
  }
  if (sum.value() != header->content_check)
    return error(errc::damaged, "content of message " + to_string(which));
  return {};
}

result<bool> message_file::try_lock(std::uint32_t first, std::uint32_t count) {
  return file_->try_lock(format::slot_locks + first, count);
}

result<> message_file::unlock(std::uint32_t first, std::uint32_t count) {
  return file_->unlock(format::slot_locks + first, count);
}

result<bool> message_file::nobody_holds_any() {
  return file_->is_unlocked(format::slot_locks, header_.capacity);
}

result<message_file::change_plan> message_file::plan_change(std::uint32_t slot) {
  if (slot >= header_.capacity) return error(errc::gone, "message " + to_string(id(slot)));
  slot_copies c;
  bool known = false;
  {
    const std::scoped_lock guard(mutex_);
    if (flush_failed_)
      return error(std::make_error_code(std::errc::io_error),
                   "change a message of " + path_ + " (a flush failed before)");
    if (!copies_.empty()) c = copies_[slot];
    known = c.known;
  }
  if (!known) {
    if (const auto read = read_entry(slot); !read) return read.error();
    const std::scoped_lock guard(mutex_);
    c = copies_[slot];
  }

  // The copy that counts now, and whether a crash would keep it.
  const unsigned newest = c.sequence[1] > c.sequence[0] ? 1 : 0;
  change_plan plan{c.sequence[newest] + 1, newest, c.sequence[newest] == 0 ? 0 : 1 - newest, false};
  if (c.sequence[newest] == 0) return plan;
  bool durable = false, ours = false;
  {
    const std::scoped_lock guard(mutex_);
    ours = c.own_epoch != 0 && c.own_copy == newest;
    durable = ours && c.own_epoch <= durable_epoch_;
  }
  if (ours && !durable)
    plan.target = newest;  // the other copy is what a crash would leave: keep it
  else
    plan.must_settle = !durable && c.sequence[plan.target] != 0;
  return plan;
}

result<> message_file::change_state(std::uint32_t slot, const message_state& state) {
  const auto plan = plan_change(slot);
  if (!plan) return plan.error();
  if (plan->must_settle)
    if (const auto settled = settle(slot, plan->newest); !settled) return settled.error();
  std::array<std::byte, format::state_size> raw;
  format::encode(state, plan->sequence, format::seed(id(slot)), raw);
  const auto written =
      file_->write(format::state_offset(slot, plan->target), std::span<const std::byte>(raw));
  const std::scoped_lock guard(mutex_);
  slot_copies& now = copies_[slot];
  if (!written) {
    now.known = false;  // it may be half there: look again before the next change
    now.own_epoch = 0;
    return written.error();
  }
  now.sequence[plan->target] = plan->sequence;
  now.own_copy = static_cast<std::uint8_t>(plan->target);
  now.own_epoch = epoch_;
  return {};
}

result<> message_file::change_states(std::span<const new_state> all) {
  // What others wrote is written again for each, and flushed for all of them; then it counts as ours.
  bool settled = false;
  for (const new_state& each : all) {
    const auto plan = plan_change(each.slot);
    if (!plan) return plan.error();
    if (!plan->must_settle) continue;
    if (const auto again = rewrite(each.slot, plan->newest); !again) return again.error();
    settled = true;
    const std::scoped_lock guard(mutex_);
    copies_[each.slot].own_copy = static_cast<std::uint8_t>(plan->newest);
    copies_[each.slot].own_epoch = epoch_;
  }
  if (settled)
    if (const auto flushed = flush(); !flushed) return flushed.error();
  for (const new_state& each : all)
    if (const auto changed = change_state(each.slot, each.state); !changed) return changed.error();
  return {};
}

result<> message_file::settle(std::uint32_t slot, unsigned copy) {
  if (const auto again = rewrite(slot, copy); !again) return again.error();
  return flush();
}

result<> message_file::rewrite(std::uint32_t slot, unsigned copy) {
  // Written again, not just flushed: after a flush that failed in another process, the system holds the copy
  // without ever writing it.
  std::array<std::byte, format::state_size> raw;
  const auto read = file_->read(format::state_offset(slot, copy), raw);
  if (!read) return read.error();
  const auto written = file_->write(format::state_offset(slot, copy), std::span<const std::byte>(raw));
  if (!written) return written.error();
  return {};
}

result<> message_file::flush() {
  std::uint32_t covered = 0;
  {
    const std::scoped_lock guard(mutex_);
    if (flush_failed_)
      return error(std::make_error_code(std::errc::io_error), "flush " + path_ + " (failed before)");
    covered = epoch_++;
  }
  if (const auto flushed = file_->flush(); !flushed) {
    const std::scoped_lock guard(mutex_);
    flush_failed_ = true;
    return flushed.error();
  }
  const std::scoped_lock guard(mutex_);
  durable_epoch_ = std::max(durable_epoch_, covered);
  return {};
}

result<> message_file::reset() {
  // Everything finished becomes durable first; then the copy that does not count now takes the next
  // generation.
  if (const auto flushed = flush(); !flushed) return flushed.error();
  std::array<std::byte, format::page> page;
  const auto read = file_->read(0, page);
  if (!read) return read.error();
  const auto found = format::decode_header_page(std::span(page).first(*read));
  if (!found || found->header.generation != header_.generation) return error(errc::gone, "reset " + path_);
  file_header next = found->header;
  ++next.generation;
  next.created = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  std::array<std::byte, format::header_size> raw;
  format::encode(next, raw);
  const std::uint64_t at = (1 - found->copy) * format::header_copy_distance;
  if (const auto written = file_->write(at, std::span<const std::byte>(raw)); !written)
    return written.error();
  return file_->flush();
}

result<> message_file::erase_damaged_entry(std::uint32_t slot) {
  std::array<std::byte, format::entry_size> raw{};
  entry nothing;
  nothing.slot = slot;
  format::encode(nothing, id(slot), std::span(raw).first<format::entry_constant_size>());
  message_state state;
  state.phase = phase::bad;
  state.why = reason::damaged_entry;
  format::encode(state, 1, format::seed(id(slot)),
                 std::span(raw).subspan<format::entry_constant_size, format::state_size>());
  if (const auto written = file_->write(format::entry_offset(slot), std::span<const std::byte>(raw));
      !written)
    return written.error();
  return flush();
}

std::string message_file::history_path() const { return path_.substr(0, path_.rfind('.')) + ".history"; }

void message_file::note_history(std::uint32_t slot, std::string_view json_object) noexcept {
  try {
    const history_note note{slot, std::string(json_object)};
    note_history(std::span(&note, 1));
  } catch (const std::bad_alloc&) {
    // A line less in the history.
  }
}

void message_file::note_history(std::span<const history_note> notes) noexcept {
  try {
    std::string lines;
    for (const history_note& n : notes) {
      if (n.json_object.size() < 2 || n.json_object.front() != '{') continue;
      lines +=
          "{\"generation\":" + std::to_string(header_.generation) + ",\"slot\":" + std::to_string(n.slot);
      if (n.json_object != "{}") lines += ',';
      lines.append(n.json_object, 1);
      lines += '\n';
    }
    if (lines.empty()) return;
    auto opened = io_.open(history_path(), open_mode::append_create);
    if (opened) (void)(*opened)->append(std::as_bytes(std::span(lines)));
  } catch (const std::bad_alloc&) {
    // Lines less in the history.
  }
}

result<std::string> message_file::read_history_text(std::uint64_t most) {
  auto opened = io_.open(history_path(), open_mode::read_write);
  if (!opened) {
    if (opened.error().code == std::errc::no_such_file_or_directory) return std::string();
    return opened.error();
  }
  const auto size = (*opened)->size();
  if (!size) return size.error();
  std::string text(std::min(*size, most), '\0');
  const auto read = (*opened)->read(*size - text.size(), as_bytes(text));
  if (!read) return read.error();
  text.resize(*read);
  if (*size > most) text.erase(0, text.find('\n') == std::string::npos ? text.size() : text.find('\n') + 1);
  return text;
}

result<std::vector<std::string>> message_file::read_history(std::uint32_t slot, std::uint64_t most) {
  std::vector<std::string> lines;
  const auto text = read_history_text(most);
  if (!text) return text.error();
  const std::string prefix =
      "{\"generation\":" + std::to_string(header_.generation) + ",\"slot\":" + std::to_string(slot);
  for (std::size_t at = 0; at < text->size();) {
    const auto end = std::min(text->find('\n', at), text->size());
    const std::string_view line = std::string_view(*text).substr(at, end - at);
    if (line.starts_with(prefix) && line.size() > prefix.size() &&
        (line[prefix.size()] == ',' || line[prefix.size()] == '}'))
      lines.emplace_back(line);
    at = end + 1;
  }
  return lines;
}

result<> message_file::read_history_of_all(
    std::uint64_t most, const std::function<void(std::uint32_t slot, const std::string&)>& visit) {
  const auto text = read_history_text(most);
  if (!text) return text.error();
  const std::string prefix = "{\"generation\":" + std::to_string(header_.generation) + ",\"slot\":";
  std::string line;
  for (std::size_t at = 0; at < text->size();) {
    const auto end = std::min(text->find('\n', at), text->size());
    line.assign(*text, at, end - at);
    at = end + 1;
    std::uint32_t slot = 0;
    if (!line.starts_with(prefix)) continue;
    const auto number = std::from_chars(line.data() + prefix.size(), line.data() + line.size(), slot);
    if (number.ec == std::errc()) visit(slot, line);
  }
  return {};
}

}  // namespace mta::queue
