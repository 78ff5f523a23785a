#include "enqueue/backlog.hpp"

#include <charconv>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mta::enqueue {
namespace {

constexpr std::string_view everything = "*";
constexpr std::size_t largest_file = 4u << 20;

std::int64_t nanoseconds_of(const timespec& t) { return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec; }

bool take_number(std::string_view word, std::uint64_t& n) {
  const auto [end, wrong] = std::from_chars(word.data(), word.data() + word.size(), n);
  return wrong == std::errc() && end == word.data() + word.size();
}

std::string_view take_word(std::string_view& line) {
  const auto end = std::min(line.find(' '), line.size());
  const auto word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

error refusal(const full_channel& f) {
  const std::string counts =
      std::to_string(f.messages) + " messages, and its backlog_limit is " + std::to_string(f.limit);
  return {errc::try_later,
          f.channel.empty() ? "the queue holds " + counts : "channel " + f.channel + " holds " + counts};
}

}  // namespace

std::string backlog_text(std::span<const full_channel> all) {
  std::string text;
  for (const full_channel& f : all)
    text += (f.channel.empty() ? std::string(everything) : f.channel) + ' ' + std::to_string(f.messages) +
            ' ' + std::to_string(f.limit) + '\n';
  return text;
}

std::vector<full_channel> parse_backlog(std::string_view text) {
  std::vector<full_channel> all;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    full_channel f;
    const std::string_view name = take_word(line), messages = take_word(line);
    if (name.empty() || !take_number(messages, f.messages) || !take_number(line, f.limit)) continue;
    if (name != everything) f.channel = name;
    all.push_back(std::move(f));
  }
  return all;
}

result<> backlog_watch::check(std::string_view channel, backlog_limits which, clock::time_point when) {
  if (which == backlog_limits::none) return {};
  const auto now = when.time_since_epoch().count();
  const bool due = now >= next_look_.load(std::memory_order_relaxed);
  if (!due && !any_.load(std::memory_order_relaxed)) return {};
  const std::scoped_lock guard(mutex_);
  if (now >= next_look_.load(std::memory_order_relaxed)) {
    next_look_.store(now + clock::duration(backlog_look).count(), std::memory_order_relaxed);
    look();
    any_.store(!full_.empty(), std::memory_order_relaxed);
  }
  for (const full_channel& f : full_)
    if (f.channel == channel || (f.channel.empty() && which == backlog_limits::all)) return refusal(f);
  return {};
}

// One system call, as long as nothing is full. What cannot be read says nothing: mail goes on.
void backlog_watch::look() {
  struct stat now {};
  timespec clock_now{};
  if (::stat(path_.c_str(), &now) != 0 || ::clock_gettime(CLOCK_REALTIME, &clock_now) != 0)
    return full_.clear();
  const std::int64_t written = nanoseconds_of(now.st_mtim);
  const std::int64_t age = nanoseconds_of(clock_now) - written;
  if (std::abs(age) > std::chrono::nanoseconds(backlog_valid).count()) return full_.clear();
  if (!full_.empty() && inode_ == now.st_ino && written_ == written) return;
  full_.clear();
  inode_ = now.st_ino;
  written_ = written;
  const int file = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  std::string text;
  char part[4096];
  ssize_t got = 0;
  while (text.size() < largest_file && (got = ::read(file, part, sizeof part)) > 0)
    text.append(part, static_cast<std::size_t>(got));
  ::close(file);
  full_ = parse_backlog(text);
}

}  // namespace mta::enqueue
