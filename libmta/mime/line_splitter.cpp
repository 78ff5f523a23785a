#include "mime/line_splitter.hpp"

namespace mta::mime::detail {

line_splitter::line_splitter(line_ends ends, taker take) : ends_(ends), take_(std::move(take)) {}

result<> line_splitter::feed(std::string_view block) {
  switch (ends_) {
    case line_ends::none: {
      while (block.size() > longest_piece) {
        if (const auto done = emit(block.substr(0, longest_piece), false, false); !done) return done;
        block.remove_prefix(longest_piece);
      }
      return emit(block, true, true);
    }
    case line_ends::any: return split_at(block, '\n', '\r', true);
    case line_ends::cr: return split_at(block, '\r', '\0', false);
    case line_ends::lf: return split_at(block, '\n', '\0', false);
    case line_ends::crlf: return split_at(block, '\n', '\r', false);
    case line_ends::lfcr: return split_at(block, '\r', '\n', false);
  }
  return {};
}

/// Lines end in `last`, which follows `first` (if that is not NUL), always or optionally.
result<> line_splitter::split_at(std::string_view block, char last, char first, bool first_optional) {
  std::size_t from = 0;  // where to look for a line end
  while (true) {
    const auto at = block.find(last, from);
    if (at == block.npos) break;
    std::string_view line = block.substr(0, at);
    if (first != '\0') {
      const bool preceded = line.empty() ? !carry_.empty() && carry_.back() == first : line.back() == first;
      if (!preceded && !first_optional) {
        from = at + 1;
        continue;
      }
      if (preceded && line.empty())
        carry_.pop_back();
      else if (preceded)
        line.remove_suffix(1);
    }
    result<> done;
    if (carry_.empty()) {
      while (line.size() > longest_piece) {
        if (done = emit(line.substr(0, longest_piece), false, false); !done) return done;
        line.remove_prefix(longest_piece);
      }
      done = emit(line, true, true);
    } else {
      carry_.append(line);
      if (done = shorten(); !done) return done;
      done = emit(carry_, true, true);
      carry_.clear();
    }
    if (!done) return done;
    block.remove_prefix(at + 1);
    from = 0;
  }
  carry_.append(block);
  return shorten();
}

/// Passes on what is too long to wait for its end; keeps a byte at least, which may be half of a line end.
result<> line_splitter::shorten() {
  std::size_t sent = 0;
  while (carry_.size() - sent > longest_piece) {
    if (const auto done = emit(std::string_view(carry_).substr(sent, longest_piece), false, false); !done)
      return done;
    sent += longest_piece;
  }
  if (sent > 0) carry_.erase(0, sent);
  return {};
}

result<> line_splitter::finish() {
  if (carry_.empty() && !line_open_) return {};
  const auto done = emit(carry_, true, false);
  carry_.clear();
  return done;
}

result<> line_splitter::emit(std::string_view data, bool ends, bool terminated) {
  const bool starts = !line_open_;
  line_open_ = !ends;
  return take_({data, starts, ends, terminated});
}

}  // namespace mta::mime::detail
