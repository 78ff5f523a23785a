#include "jobctl/server/journal.hpp"

#include "queue/message_id.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace jobctl {
namespace {

void append(std::string& to, std::string_view field, std::string_view value) {
  to += field;
  if (value.find('\n') == std::string_view::npos) {
    to.append("=").append(value).append("\n");
    return;
  }
  // Its length, 64 bits, least first.
  to += '\n';
  for (int shift = 0; shift < 64; shift += 8)
    to += static_cast<char>(std::uint64_t{value.size()} >> shift & 0xFF);
  to.append(value).append("\n");
}

bool may_be_id(std::string_view word) {
  return std::ranges::count(word, '.') == 2 && mta::queue::parse_message_id(word).has_value();
}

}  // namespace

bool standard_error_is_journal() {
  const char* const named = std::getenv("JOURNAL_STREAM");  // "DEVICE:INODE"
  if (!named) return false;
  const std::string_view text = named;
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return false;
  std::uint64_t device = 0, inode = 0;
  std::from_chars(text.data(), text.data() + colon, device);
  std::from_chars(text.data() + colon + 1, text.data() + text.size(), inode);
  struct stat s {};
  return ::fstat(STDERR_FILENO, &s) == 0 && s.st_dev == device && s.st_ino == inode;
}

std::vector<std::pair<std::string_view, std::string_view>> fields_of(std::string_view line) {
  std::vector<std::pair<std::string_view, std::string_view>> found;
  constexpr std::string_view prefix = "channel ";
  if (line.starts_with(prefix)) {
    const std::size_t end = line.find(':');
    const std::string_view name = line.substr(prefix.size(), end == line.npos ? 0 : end - prefix.size());
    if (!name.empty() && name.find(' ') == name.npos) found.emplace_back("CHANNEL", name);
  }
  for (std::string_view rest = line; !rest.empty();) {
    const std::size_t begin = std::min(rest.find_first_not_of(" ,;:()"), rest.size());
    rest.remove_prefix(begin);
    const std::string_view word = rest.substr(0, rest.find_first_of(" ,;:()"));
    if (may_be_id(word)) {
      found.emplace_back("QUEUE_ID", word);
      break;
    }
    rest.remove_prefix(word.size());
  }
  return found;
}

journal::journal(std::string path)
    : path_(std::move(path)), socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {}

journal::~journal() {
  if (socket_ >= 0) ::close(socket_);
}

bool journal::send(int priority, std::string_view line) const {
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  if (path_.size() >= sizeof to.sun_path) return false;
  path_.copy(to.sun_path, path_.size());
  std::string text;
  append(text, "MESSAGE", line);
  append(text, "PRIORITY", std::to_string(priority));
  append(text, "SYSLOG_IDENTIFIER", "jobctl");
  for (const auto& [field, value] : fields_of(line)) append(text, field, value);
  return ::sendto(socket_, text.data(), text.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&to),
                  sizeof to) == static_cast<ssize_t>(text.size());
}

}  // namespace jobctl
