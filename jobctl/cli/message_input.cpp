#include "jobctl/cli/message_input.hpp"

#include <algorithm>
#include <cerrno>

namespace jobctl::cli {

// Looks for the line that ends the message. `safe`: how much of the text belongs to the message for certain.
// True: the end is there.
bool message_input::find_end(std::string_view text, bool complete, std::size_t& safe) {
  bool line_start = at_line_start_;
  for (std::size_t i = 0; i < text.size();) {
    if (line_start && text[i] == '.') {
      const std::string_view line = text.substr(i, 3);
      const bool unfinished = line == "." || line == ".\r";
      if (line.starts_with(".\n") || line == ".\r\n" || (unfinished && complete)) {
        safe = i;
        return true;
      }
      if (unfinished) {
        safe = i;
        at_line_start_ = true;
        return false;
      }
    }
    const std::size_t end = text.find('\n', i);
    line_start = end != std::string_view::npos;
    i = line_start ? end + 1 : text.size();
  }
  if (!text.empty()) at_line_start_ = line_start;
  safe = text.size();
  return false;
}

mta::result<bool> message_input::read(std::string& to) {
  if (ended_) return false;
  constexpr std::size_t piece = 64 * 1024;
  std::string text = std::move(held_);
  held_.clear();
  const std::size_t before = text.size();
  text.resize(before + piece);
  errno = 0;
  const std::size_t got = std::fread(text.data() + before, 1, piece, in_);
  if (got < piece && std::ferror(in_))
    return mta::os_error("read the message from standard input", errno ? errno : EIO);
  text.resize(before + got);
  const bool complete = got < piece;
  std::size_t safe = text.size();
  ended_ = (dot_ends_ && find_end(text, complete, safe)) || complete;
  to.append(text, 0, safe);
  if (!ended_) held_ = text.substr(safe);
  return true;
}

}  // namespace jobctl::cli
