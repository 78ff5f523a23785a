#include "accounting/log.hpp"

#include "base/descriptor.hpp"
#include "queue/file_io.hpp"

#include <algorithm>
#include <charconv>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mta::accounting {
namespace {

constexpr std::size_t write_at = 64u << 10;       // bytes collected that are worth a write
constexpr std::size_t most_collected = 1u << 20;  // bytes; more, and whoever records waits for the disk

void warn_on_standard_error(const error& e) {
  const std::string line = "accounting log: " + e.message() + "; records are lost until this is mended\n";
  [[maybe_unused]] const auto ignored = ::write(STDERR_FILENO, line.data(), line.size());
}

/// In hexadecimal; asked for often, since a child process inherits what its parent knew.
std::string process_name() {
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, ::getpid(), 16).ptr;
  return {digits, end};
}

}  // namespace

/// One file. Under file_mutex_.
struct log::sink {
  explicit sink(std::string p) : path(std::move(p)) {}
  ~sink() { close(); }
  sink(const sink&) = delete;
  sink& operator=(const sink&) = delete;

  void close() noexcept {
    if (descriptor >= 0) ::close(descriptor);
    descriptor = -1;
  }
  /// Is the open file still the one of that name?
  bool current() const noexcept {
    struct stat now {};
    return descriptor >= 0 && ::stat(path.c_str(), &now) == 0 && now.st_dev == device && now.st_ino == inode;
  }

  const std::string path;
  int descriptor = -1;
  dev_t device{};
  ino_t inode{};
  bool torn = false;  // the last line in it is not whole: a write stopped within it
};

log_options options_for(const config::settings& site) {
  log_options o;
  o.directory = site.log_directory();
  o.form = site.accounting;
  o.block_size = site.block_size;
  return o;
}

log::log(log_options o)
    : directory_(std::move(o.directory)),
      warn_(o.warn ? std::move(o.warn) : warn_on_standard_error),
      form_(o.form),
      block_size_(o.block_size),
      text_file_(std::make_unique<sink>(directory_ + "/mail.log_current")),
      json_file_(std::make_unique<sink>(directory_ + "/mail.log.json")) {}

log::~log() { close(); }

void log::configure(const config::settings& site) {
  form_ = site.accounting;
  block_size_ = site.block_size;
}

void log::record(const entry& given) noexcept {
  const auto form = form_.load(std::memory_order_relaxed);
  if (form == config::accounting_form::none) return;
  try {
    entry e = given;
    if (e.time.time_since_epoch().count() == 0)
      e.time = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    std::size_t collected = 0;
    {
      const std::lock_guard guard(mutex_);
      if (text_.empty() && json_.empty()) process_ = process_name();
      if (form != config::accounting_form::json) append_text(text_, e);
      if (form != config::accounting_form::text) append_json(json_, e);
      collected = std::max(text_.size(), json_.size());
    }
    if (collected < write_at) return;
    flush();
    if (collected < most_collected) return;
    const std::lock_guard wait(file_mutex_);
  } catch (const std::bad_alloc&) {
    // A line less.
  }
}

void log::flush() noexcept {
  try {
    write_collected();
  } catch (const std::bad_alloc&) {
    const std::lock_guard guard(mutex_);
    writing_ = false;
  }
}

void log::write_collected() {
  std::unique_lock guard(mutex_);
  if (writing_) return;
  writing_ = true;
  while (!text_.empty() || !json_.empty()) {
    std::string text, json;
    text.swap(text_);
    json.swap(json_);
    guard.unlock();
    {
      const std::lock_guard files(file_mutex_);
      if (!text.empty()) write(*text_file_, text);
      if (!json.empty()) write(*json_file_, json);
      if (close_each_) {
        text_file_->close();
        json_file_->close();
      }
    }
    guard.lock();
    if (text_.empty() && text.capacity() <= 2 * write_at) {  // its memory is of further use
      text.clear();
      text_.swap(text);
    }
    if (json_.empty() && json.capacity() <= 2 * write_at) {
      json.clear();
      json_.swap(json);
    }
  }
  writing_ = false;
}

void log::close() noexcept {
  flush();
  const std::lock_guard files(file_mutex_);
  text_file_->close();
  json_file_->close();
}

void log::close_after_each_flush(bool yes) noexcept { close_each_ = yes; }

result<> log::open(sink& s) {
  if (s.current()) return {};
  s.close();
  s.torn = false;
  for (int round = 0;; ++round) {
    s.descriptor = above_standard(::open(s.path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY));
    if (s.descriptor >= 0) break;
    // More than once, since whoever rotates may rename what has just been made.
    if (errno != ENOENT || round > 1000) return os_error("open " + s.path);
    // Made in a way that gives what root makes to the site's user.
    queue::file_io& files = queue::real_file_io();
    if (const auto made = files.make_directory(directory_); !made) return made;
    if (const auto made = files.open(s.path, queue::open_mode::append_create); !made) return made.error();
  }
  struct stat now {};
  if (::fstat(s.descriptor, &now) != 0) return os_error("look at " + s.path);
  s.device = now.st_dev;
  s.inode = now.st_ino;
  return {};
}

void log::write(sink& s, std::string_view lines) noexcept {
  try {
    if (const auto ready = open(s); !ready) return warn_once(ready.error());
    std::string with_end;
    if (s.torn) {
      with_end.append(1, '\n').append(lines);
      lines = with_end;
    }
    while (!lines.empty()) {
      const ssize_t n = ::write(s.descriptor, lines.data(), lines.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return warn_once(os_error("write " + s.path));
      s.torn = lines[static_cast<std::size_t>(n) - 1] != '\n';
      lines.remove_prefix(static_cast<std::size_t>(n));
    }
    warned_ = false;
  } catch (const std::bad_alloc&) {
    // Lines less.
  }
}

void log::warn_once(const error& e) noexcept {
  if (warned_) return;
  warned_ = true;
  warn_(e);
}

}  // namespace mta::accounting
