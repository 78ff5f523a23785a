#include "enqueue/aliases.hpp"

#include <chrono>
#include <fcntl.h>
#include <unistd.h>

namespace mta::enqueue {
namespace {

constexpr std::int64_t largest_file = 1 << 30;  // bytes

/// The text, and what the file was like when it was opened.
result<std::string> read_text(const std::string& path, struct stat& about) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return os_error("open aliases file " + path);
  const auto closing = [&](result<std::string> r) {
    ::close(descriptor);
    return r;
  };
  if (::fstat(descriptor, &about) != 0) return closing(os_error("look at aliases file " + path));
  if (!S_ISREG(about.st_mode) || about.st_size > largest_file)
    return closing(error(errc::out_of_range, "aliases file " + path + " (expected a file of at most 1 GiB)"));
  std::string text(static_cast<std::size_t>(about.st_size), '\0');
  std::size_t done = 0;
  while (true) {
    if (done == text.size()) text.resize(done + 4096);  // it may have grown
    const ssize_t got = ::read(descriptor, text.data() + done, text.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return closing(os_error("read aliases file " + path));
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
    if (static_cast<std::int64_t>(done) > largest_file)
      return closing(error(errc::out_of_range, "aliases file " + path));
  }
  text.resize(done);
  return closing(std::move(text));
}

bool same(const struct stat& a, const struct stat& b) noexcept {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec &&
         a.st_ctim.tv_sec == b.st_ctim.tv_sec && a.st_ctim.tv_nsec == b.st_ctim.tv_nsec;
}

/// Times of files move in ticks: what was written within the last one could be written again unseen.
bool is_settled(const struct stat& about) noexcept {
  const auto changed =
      std::chrono::seconds(about.st_ctim.tv_sec) + std::chrono::nanoseconds(about.st_ctim.tv_nsec);
  return std::chrono::system_clock::now().time_since_epoch() - changed > std::chrono::milliseconds(50);
}

std::string at(const std::string& path, const alias_problem& p) {
  return path + (p.line > 0 ? ':' + std::to_string(p.line) : std::string()) + ": " + p.text;
}

}  // namespace

result<std::shared_ptr<const alias_table>> read_aliases(const std::string& path) {
  struct stat about {};
  auto text = read_text(path, about);
  if (!text) return text.error();
  return std::shared_ptr<const alias_table>(std::make_shared<alias_table>(std::move(*text), path));
}

result<std::shared_ptr<const alias_table>> aliases::load(struct stat& about) const {
  auto text = read_text(path_, about);
  if (!text) {
    about = {};  // like no file: it is tried again even if the file does not change
    return error(errc::try_later, text.error().message());
  }
  auto table = std::make_shared<const alias_table>(std::move(*text), path_);
  const auto& problems = table->problems();
  if (problems.empty()) return table;
  std::string what = at(path_, problems.front());
  if (problems.size() > 1)
    what += " (and " + std::to_string(problems.size() - 1) + " more; see 'jobctl check')";
  return error(errc::try_later, what);
}

result<std::shared_ptr<const alias_table>> aliases::current() {
  const std::lock_guard guard(mutex_);
  struct stat now {};
  if (::stat(path_.c_str(), &now) != 0) {
    known_ = false;
    return error(errc::try_later, os_error("open aliases file " + path_).message());
  }
  if (known_ && settled_ && same(now, seen_)) return table_;
  table_ = load(seen_);
  settled_ = is_settled(seen_);
  known_ = true;
  return table_;
}

std::vector<std::string> problems_of_aliases(const config::settings& site) {
  if (site.aliases.empty()) return {};
  const auto table = read_aliases(site.aliases);
  if (!table) return {table.error().message()};
  std::vector<std::string> out;
  for (const alias_problem& p : (*table)->problems()) out.push_back(at(site.aliases, p));
  if (out.empty())
    for (const alias_problem& p : (*table)->loops(site)) out.push_back(at(site.aliases, p));
  return out;
}

}  // namespace mta::enqueue
