#include "enqueue/content_buffer.hpp"

#include "base/identity.hpp"
#include "base/text.hpp"
#include "enqueue/header.hpp"
#include "queue/state.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <span>

namespace mta::enqueue {
namespace {

constexpr std::size_t write_size = 256u << 10;     // bytes per write to the temporary file
constexpr std::uint64_t longest_short_line = 998;  // RFC 5322 2.1.1, without CRLF
constexpr std::size_t longest_message_id = 998;

}  // namespace

content_buffer::content_buffer(queue::file_io& io, std::string directory, std::size_t memory_limit)
    : io_(io), directory_(std::move(directory)), memory_limit_(memory_limit) {}

result<> content_buffer::write(std::string_view bytes) {
  if (has_8bit(bytes)) facts_ |= queue::facts::eight_bit;
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, end);
    note_line_part(part);
    if (const auto done = emit(part); !done) return done;
    if (end == bytes.npos) return {};
    bytes.remove_prefix(end + 1);
    const bool after_cr = pending_cr_;
    if (after_cr) --line_length_;  // it belongs to the line end
    note_line_end();
    if (const auto done = emit(after_cr ? "\n" : "\r\n"); !done) return done;
  }
  return {};
}

result<> content_buffer::write_line(std::string_view line) {
  if (const auto done = write(line); !done) return done;
  note_line_end();
  return emit("\r\n");
}

result<> content_buffer::finish() {
  if (line_length_ > 0) {
    note_line_end();
    if (const auto done = emit("\r\n"); !done) return done;
  }
  if (!header_read_) read_header();
  if (!charset_.empty() && (facts_ & queue::facts::eight_bit) != 0)
    if (const auto labelled = add_labels(); !labelled) return labelled;
  return file_ ? flush_memory() : result<>{};
}

void content_buffer::note_body(std::string_view piece) noexcept {
  body_8bit_ = body_8bit_ || has_8bit(piece);
  body_check_.take(piece);
}

/// Labels the body if it needs it.
result<> content_buffer::add_labels() {
  if (!file_) note_body(std::string_view(memory_).substr(header_end_));
  if (!body_8bit_) return {};
  std::string charset = charset_;
  if (charset == "auto") charset = body_check_.complete() ? "utf-8" : "unknown-8bit";
  const std::string labels = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=" + charset +
                             "\r\nContent-Transfer-Encoding: 8bit\r\n";
  length_ += labels.size();
  if (file_) return insert_into_file(labels);
  memory_.insert(header_end_, labels);
  return {};
}

/// Into a new file, since the rest has to move. Only text that is larger than `memory_limit_`, 8-bit and not
/// labelled comes here.
result<> content_buffer::insert_into_file(std::string_view labels) {
  if (const auto flushed = flush_memory(); !flushed) return flushed;
  const std::unique_ptr<queue::file> from = std::move(file_);
  const std::uint64_t size = std::exchange(in_file_, 0);
  if (const auto made = spill_to(file_); !made) return made;
  if (header_end_ == 0) memory_.append(labels);
  std::string piece;
  for (std::uint64_t at = 0; at < size;) {
    // The header first, by itself.
    const std::uint64_t most = at < header_end_ ? header_end_ - at : size - at;
    piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(most, write_size)));
    const auto got = from->read(at, std::as_writable_bytes(std::span(piece)));
    if (!got) return got.error();
    if (*got == 0) return error(errc::damaged, "read back a temporary file that has become shorter");
    memory_.append(piece, 0, *got);
    at += *got;
    if (at == header_end_) memory_.append(labels);
    if (const auto written = flush_memory(); !written) return written;
  }
  return {};
}

queue::content_source content_buffer::content() const noexcept {
  queue::content_source source;
  if (file_)
    source.spilled = file_.get();
  else
    source.memory = memory_;
  source.length = length_;
  source.facts = facts_;
  source.longest_line = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(longest_line_, std::numeric_limits<std::uint32_t>::max()));
  return source;
}

void content_buffer::note_line_part(std::string_view part) noexcept {
  if (part.empty()) return;
  if (line_length_ == 0 && part.front() == '.') facts_ |= queue::facts::leading_dot;
  line_length_ += part.size();
  pending_cr_ = part.back() == '\r';
}

void content_buffer::note_line_end() noexcept {
  longest_line_ = std::max(longest_line_, line_length_);
  if (line_length_ > longest_short_line) facts_ |= queue::facts::long_line;
  line_length_ = 0;
  pending_cr_ = false;
}

result<> content_buffer::emit(std::string_view piece) {
  memory_.append(piece);
  length_ += piece.size();
  if (file_ != nullptr && !charset_.empty()) note_body(piece);
  if (file_ == nullptr) return memory_.size() > memory_limit_ ? spill() : result<>{};
  return memory_.size() >= write_size ? flush_memory() : result<>{};
}

result<> content_buffer::spill() {
  read_header();
  if (!charset_.empty()) note_body(std::string_view(memory_).substr(header_end_));
  if (const auto made = spill_to(file_); !made) return made;
  return flush_memory();
}

result<> content_buffer::spill_to(std::unique_ptr<queue::file>& file) {
  const std::string path = directory_ + "/.content." + unique_name();
  auto made = io_.open(path, queue::open_mode::create_new);
  if (!made) return made.error();
  if (const auto removed = io_.remove(path); !removed) return removed.error();
  file = std::move(*made);
  return {};
}

result<> content_buffer::flush_memory() {
  if (memory_.empty()) return {};
  if (const auto written = file_->write(in_file_, std::as_bytes(std::span(memory_))); !written)
    return written.error();
  in_file_ += memory_.size();
  memory_.clear();
  return {};
}

/// All of the header is in memory: when the content outgrows it, the first `memory_limit_` bytes count.
void content_buffer::read_header() {
  header_read_ = true;
  const std::string_view all = memory_;
  std::size_t end = 0;
  if (!all.starts_with("\r\n")) {
    const auto blank_line = all.find("\r\n\r\n");
    end = blank_line == all.npos ? all.size() : blank_line + 2;
    if (blank_line == all.npos) charset_.clear();  // no body, or a header without an end
  }
  const std::string_view header = all.substr(0, end);
  header_end_ = end;
  if (!charset_.empty() && has_mime_labels(header)) charset_.clear();
  if ((facts_ & queue::facts::eight_bit) != 0 && has_8bit(header)) facts_ |= queue::facts::non_ascii_header;
  bool found_id = false;
  for (const header_field& field : header_fields(header)) {
    if (equal_ignoring_case(field.name, "received")) ++hops_;
    if (found_id || !equal_ignoring_case(field.name, "message-id")) continue;
    found_id = true;
    for (const char c : trim(field.value))
      if (c != '\r' && c != '\n') message_id_ += c;
    message_id_.resize(std::min(message_id_.size(), longest_message_id));
  }
}

}  // namespace mta::enqueue
