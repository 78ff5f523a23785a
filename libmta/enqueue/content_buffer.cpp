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

bool has_8bit(std::string_view text) noexcept {
  unsigned char seen = 0;
  for (const char c : text) seen = static_cast<unsigned char>(seen | static_cast<unsigned char>(c));
  return (seen & 0x80) != 0;
}

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
  return file_ ? flush_memory() : result<>{};
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
  if (file_ == nullptr) return memory_.size() > memory_limit_ ? spill() : result<>{};
  return memory_.size() >= write_size ? flush_memory() : result<>{};
}

result<> content_buffer::spill() {
  read_header();
  const std::string path = directory_ + "/.content." + unique_name();
  auto made = io_.open(path, queue::open_mode::create_new);
  if (!made) return made.error();
  if (const auto removed = io_.remove(path); !removed) return removed.error();
  file_ = std::move(*made);
  return flush_memory();
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
  }
  const std::string_view header = all.substr(0, end);
  if ((facts_ & queue::facts::eight_bit) != 0 && has_8bit(header)) facts_ |= queue::facts::non_ascii_header;
  for (const header_field& field : header_fields(header)) {
    if (!equal_ignoring_case(field.name, "message-id")) continue;
    message_id_.clear();
    for (const char c : trim(field.value))
      if (c != '\r' && c != '\n') message_id_ += c;
    message_id_.resize(std::min(message_id_.size(), longest_message_id));
    return;
  }
}

}  // namespace mta::enqueue
