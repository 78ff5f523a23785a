#include "mime/mail_input.hpp"

#include "base/text.hpp"
#include "base/utf8.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace mta::mime {
namespace {

constexpr std::size_t chunk = 64 * 1024;  // bytes per read

}  // namespace

result<mail_input> mail_input::open(const mail_source& source) {
  mail_input input;
  input.lines_ = source.lines;
  input.binary_ = source.binary && !source.lines;
  if (!source.lines) {
    input.path_ = source.file;
    input.file_.reset(std::fopen(source.file.c_str(), "rbe"));
    if (!input.file_) return os_error("open " + source.file);
  }
  return input;
}

/// Appends what comes next of the file to buffer_.
result<> mail_input::fill() {
  buffer_.erase(0, position_);
  position_ = 0;
  const std::size_t before = buffer_.size();
  buffer_.resize(before + chunk);
  const std::size_t n = std::fread(buffer_.data() + before, 1, chunk, file_.get());
  buffer_.resize(before + n);
  if (n == 0) {
    if (std::ferror(file_.get()) != 0) return os_error("read " + path_);  // a directory, for one
    ended_ = true;
  }
  return {};
}

result<std::optional<std::string_view>> mail_input::next_line() {
  if (pushed_back_) {
    kept_ = std::move(*pushed_back_);
    pushed_back_.reset();
    return std::optional<std::string_view>(kept_);
  }
  if (lines_) return lines_();
  std::size_t searched = position_;
  while (true) {
    const auto end = buffer_.find('\n', searched);
    if (end != buffer_.npos) {
      std::string_view line(buffer_.data() + position_, end - position_);
      position_ = end + 1;
      if (line.ends_with('\r')) line.remove_suffix(1);
      return std::optional<std::string_view>(line);
    }
    const std::size_t unfinished = buffer_.size() - position_;
    if (auto filled = fill(); !filled) return filled.error();
    if (ended_) {
      if (unfinished == 0) return std::optional<std::string_view>();
      const std::string_view line(buffer_.data() + position_, unfinished);
      position_ = buffer_.size();
      return std::optional<std::string_view>(line);
    }
    searched = unfinished;
  }
}

result<> mail_input::skip_blank_line() {
  auto line = next_line();
  if (!line) return line.error();
  if (*line && !(*line)->empty()) pushed_back_ = std::string(**line);
  return {};
}

result<std::string_view> mail_input::next_bytes() {
  position_ = buffer_.size();
  if (auto filled = fill(); !filled) return filled.error();
  return std::string_view(buffer_);
}

mail_body::mail_body(const std::string& directory, const mail_source& first)
    : encoding_(first.encoding),
      binary_(first.binary && !first.lines),
      name_(first.name),
      content_(queue::real_file_io(), directory) {
  if (encoding_ != content_encoding::none) encoder_ = make_encoder(encoding_, name_, binary_);
}

bool mail_body::takes(const mail_source& source) const noexcept {
  return source.encoding == encoding_ &&
         (encoding_ == content_encoding::none || (source.binary && !source.lines) == binary_);
}

result<> mail_body::add(std::string_view bytes) {
  empty_ = false;
  eight_bit_ |= has_8bit(bytes);
  if (!encoder_) return content_.write(bytes);
  encoded_.clear();
  encoder_->add(bytes, encoded_);
  return content_.write(encoded_);
}

result<> mail_body::add_line(std::string_view line) {
  utf8_ = utf8_ && is_utf8(line);
  if (auto done = add(line); !done) return done;
  return add("\r\n");
}

result<> mail_body::add_text(std::string_view lines) {
  while (!lines.empty()) {
    const auto end = std::min(lines.find('\n'), lines.size() - 1);
    std::string_view line = lines.substr(0, end + 1);
    lines.remove_prefix(line.size());
    if (line.ends_with('\n')) line.remove_suffix(1);
    if (auto done = add_line(line); !done) return done;
  }
  return {};
}

result<> mail_body::copy(mail_input& input) {
  while (input.binary()) {
    auto bytes = input.next_bytes();
    if (!bytes) return bytes.error();
    if (bytes->empty()) return {};
    if (auto done = add(*bytes); !done) return done;
  }
  while (true) {
    auto line = input.next_line();
    if (!line) return line.error();
    if (!*line) return {};
    if (auto done = add_line(**line); !done) return done;
  }
}

result<> mail_body::finish() {
  if (encoder_) {
    encoded_.clear();
    encoder_->finish(encoded_);
    if (auto done = content_.write(encoded_); !done) return done;
  }
  return content_.finish();
}

result<> mail_body::write_to(enqueue::submission& message) {
  const queue::content_source content = content_.content();
  if (content.spilled == nullptr) return message.write(content.memory);
  std::string piece(chunk, '\0');
  for (std::uint64_t at = 0; at < content.length;) {
    auto n = content.spilled->read(at, std::as_writable_bytes(std::span(piece)));
    if (!n) return n.error();
    if (*n == 0) return error(errc::damaged, "a temporary file of the message has become shorter");
    if (auto done = message.write(std::string_view(piece).substr(0, *n)); !done) return done;
    at += *n;
  }
  return {};
}

std::string mail_body::default_type() const {
  if (compresses(encoding_)) return "application/gzip";
  if (binary_) return "application/octet-stream";
  if (!eight_bit_) return "text/plain; charset=us-ascii";
  return utf8_ ? "text/plain; charset=utf-8" : "text/plain; charset=unknown-8bit";
}

}  // namespace mta::mime
