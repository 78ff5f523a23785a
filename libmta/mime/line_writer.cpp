#include "mime/line_writer.hpp"

namespace mta::mime::detail {
namespace {

constexpr std::size_t bytes_at_a_time = 64u << 10;

}  // namespace

line_writer::line_writer(const output& out) : take_(out.take()), longest_(out.longest_line()) {}

result<> line_writer::add(const line_piece& p, bool header) {
  if (p.starts && line_open_) {
    if (const auto done = add({{}, false, true, true}, header); !done) return done;
  }
  line_open_ = !p.ends || !p.terminated;
  if (longest_ > 0) {
    if (const auto done = add_to_line(p.data, header); !done) return done;
    return line_open_ ? result<>{} : flush();
  }
  buffer_.append(p.data);
  if (!line_open_) buffer_.append("\r\n");
  return buffer_.size() >= bytes_at_a_time ? flush() : result<>{};
}

result<> line_writer::add_to_line(std::string_view data, bool header) {
  buffer_.append(data);
  while (buffer_.size() > longest_) {
    std::size_t cut = longest_;
    bool fold = false;
    if (header) {
      // After the name and at least one character of value, or the continuation would say nothing.
      const auto blank = buffer_.find_last_of(" \t", longest_);
      const auto first = buffer_.find_first_not_of(" \t");
      fold = blank == buffer_.npos || blank == 0 || blank < first;
      if (!fold) cut = blank;
    }
    const std::string rest = buffer_.substr(cut);
    buffer_.resize(cut);
    if (const auto done = flush(); !done) return done;
    // The middle of a line must not become a delimiter: what follows would be a part that nobody looked at.
    if (fold || (!header && rest.front() == '-')) buffer_.assign(1, ' ');
    buffer_.append(rest);
  }
  return {};
}

result<> line_writer::flush() {
  const auto done = take_(buffer_);
  buffer_.clear();
  return done;
}

result<> line_writer::finish() {
  if (longest_ > 0 ? !line_open_ : buffer_.empty()) return {};
  line_open_ = false;
  return flush();
}

}  // namespace mta::mime::detail
