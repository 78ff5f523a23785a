#include "collection.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace defragment {
namespace {

namespace fs = std::filesystem;

struct closer {
  void operator()(std::FILE* f) const noexcept { std::fclose(f); }
};
using file_handle = std::unique_ptr<std::FILE, closer>;

/// FNV-1a. Names only: what a set is, its file `key` says.
std::string hash(std::string_view text) {
  std::uint64_t h = 14695981039346656037ull;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  std::array<char, 17> name{};
  std::snprintf(name.data(), name.size(), "%016llx", static_cast<unsigned long long>(h));
  return name.data();
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

mta::result<> flush_directory(const std::string& path) {
  const int directory = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return mta::os_error("open " + path);
  const bool done = ::fsync(directory) == 0;
  const mta::error failure = done ? mta::error() : mta::os_error("flush " + path);
  ::close(directory);
  return done ? mta::result<>{} : failure;
}

mta::result<> flush_and_rename(file_handle file, const std::string& from, const std::string& to) {
  if (std::fflush(file.get()) != 0 || ::fsync(::fileno(file.get())) != 0)
    return mta::os_error("write " + from);
  file.reset();
  if (std::rename(from.c_str(), to.c_str()) != 0) return mta::os_error("rename " + from);
  return {};
}

bool is_file(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

}  // namespace

collection::collection(collection&& other) noexcept
    : path_(std::move(other.path_)),
      lock_(std::exchange(other.lock_, -1)),
      foreign_(other.foreign_),
      total_(other.total_) {}

collection::~collection() {
  if (lock_ >= 0) ::close(lock_);
}

mta::result<collection> collection::open(const std::string& directory, std::string_view sender,
                                         std::string_view id) {
  const std::string key = std::string(sender) + '\n' + std::string(id) + '\n';
  const std::string path = directory + '/' + hash(key);
  int lock = -1;
  while (lock < 0) {
    std::error_code failed;
    fs::create_directories(path, failed);
    if (failed) return mta::error(failed, "make " + path);
    lock = ::open((path + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (lock < 0 && errno == ENOENT) continue;  // swept away in between
    if (lock < 0) return mta::os_error("open " + path + "/lock");
    while (::flock(lock, LOCK_EX) != 0)
      if (errno != EINTR) {
        const mta::error failure = mta::os_error("lock " + path);
        ::close(lock);
        return failure;
      }
    struct stat about {};
    if (::fstat(lock, &about) != 0 || about.st_nlink == 0) {  // likewise
      ::close(lock);
      lock = -1;
    }
  }
  collection set(path, lock);
  const std::string known = read_file(path + "/key");
  if (known.empty()) {
    if (auto done = set.write("key", key); !done) return done.error();
  }
  set.foreign_ = !known.empty() && known != key;
  set.total_ = static_cast<std::uint32_t>(std::strtoul(read_file(path + "/total").c_str(), nullptr, 10));
  return set;
}

mta::result<> collection::write(const std::string& name, std::string_view text) const {
  const std::string to = path_ + '/' + name, aside = to + ".new";
  file_handle out(std::fopen(aside.c_str(), "wbe"));
  if (!out || std::fwrite(text.data(), 1, text.size(), out.get()) != text.size())
    return mta::os_error("write " + aside);
  return flush_and_rename(std::move(out), aside, to);
}

mta::result<collection::added> collection::add(std::uint32_t number, std::uint32_t total,
                                               std::size_t compare_from, const reader& next) {
  if (foreign_ || (total_ != 0 && ((total != 0 && total != total_) || number > total_)))
    return added::conflict;
  if (total != 0 && total_ == 0) {
    // What came before may already be beyond it.
    for (const auto& entry : fs::directory_iterator(path_)) {
      const std::string name = entry.path().filename().string();
      if (name.find_first_not_of("0123456789") == name.npos &&
          std::strtoul(name.c_str(), nullptr, 10) > total)
        return added::conflict;
    }
    if (auto done = write("total", std::to_string(total)); !done) return done.error();
    total_ = total;
  }
  const std::string to = file(number), aside = to + ".new";
  file_handle out(std::fopen(aside.c_str(), "w+be"));
  if (!out) return mta::os_error("write " + aside);
  while (true) {
    const auto bytes = next();
    if (!bytes) return bytes.error();
    if (bytes->empty()) break;
    if (std::fwrite(bytes->data(), 1, bytes->size(), out.get()) != bytes->size())
      return mta::os_error("write " + aside);
  }
  if (!is_file(to)) {
    if (auto done = write(std::to_string(number) + ".body", std::to_string(compare_from)); !done)
      return done.error();
    if (auto done = flush_and_rename(std::move(out), aside, to); !done) return done.error();
    return added::yes;
  }
  const std::uint64_t other_from = body_of(number);
  file_handle other(std::fopen(to.c_str(), "rbe"));
  if (!other) return mta::os_error("read " + to);
  bool same = std::fflush(out.get()) == 0 &&
              std::fseek(out.get(), static_cast<long>(compare_from), SEEK_SET) == 0 &&
              std::fseek(other.get(), static_cast<long>(other_from), SEEK_SET) == 0;
  std::array<char, 65536> a, b;
  while (same) {
    const std::size_t have = std::fread(a.data(), 1, a.size(), out.get());
    const std::size_t there = std::fread(b.data(), 1, b.size(), other.get());
    same = have == there && std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(have), b.begin());
    if (have == 0) break;
  }
  ::unlink(aside.c_str());
  return same ? added::yes : added::conflict;
}

std::uint64_t collection::body_of(std::uint32_t number) const {
  return std::strtoull(read_file(file(number) + ".body").c_str(), nullptr, 10);
}

std::string collection::mark(std::string_view recipient, std::string_view what) const {
  return path_ + '/' + hash(recipient) + '.' + std::string(what);
}

collection::standing collection::of(std::string_view recipient,
                                    std::chrono::system_clock::time_point committed) {
  if (foreign_) return standing::waiting;
  const std::string over = mark(recipient, "done");
  struct stat about {};
  if (::stat(over.c_str(), &about) == 0) {
    const std::chrono::system_clock::time_point when{std::chrono::seconds(about.st_mtim.tv_sec + 1)};
    if (committed <= when + std::chrono::nanoseconds(about.st_mtim.tv_nsec)) return standing::done;
    // Sent again, or another message of the same id.
    const std::string begin = over.substr(path_.size() + 1, over.size() - path_.size() - 5);
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator(path_, failed)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with(begin) && name.find_first_not_of("0123456789", begin.size()) == name.npos)
        ::unlink(entry.path().c_str());
    }
    ::unlink(over.c_str());
  }
  return is_file(mark(recipient, "late")) ? standing::late : standing::waiting;
}

// Marks that are lost come again with the fragment's next attempt.
void collection::came(std::string_view recipient, std::uint32_t number) {
  std::ofstream(mark(recipient, std::to_string(number)));
}
void collection::set_late(std::string_view recipient) { std::ofstream(mark(recipient, "late")); }

std::pair<std::uint32_t, std::uint32_t> collection::progress(std::string_view recipient) const {
  std::uint32_t have = 0;
  const std::string begin = hash(recipient) + '.';
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(path_, failed)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(begin)) continue;
    const std::string number = name.substr(begin.size());
    if (number.find_first_not_of("0123456789") == number.npos && is_file(path_ + '/' + number)) ++have;
  }
  return {have, total_};
}

bool collection::complete(std::string_view recipient) const {
  const auto [have, all] = progress(recipient);
  return all != 0 && have == all;
}

mta::result<> collection::set_done(std::string_view recipient) {
  const std::string path = mark(recipient, "done");
  const file_handle out(std::fopen(path.c_str(), "we"));
  if (!out || ::fsync(::fileno(out.get())) != 0) return mta::os_error("write " + path);
  return flush_directory(path_);
}

void collection::drop_contents_if_over() {
  std::error_code failed;
  std::vector<std::string> numbers;
  for (const auto& entry : fs::directory_iterator(path_, failed)) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") == name.npos) numbers.push_back(name);
    const auto dot = name.find('.');
    if (dot != 16) continue;  // not a mark
    const std::string recipient = path_ + '/' + name.substr(0, dot);
    if (!is_file(recipient + ".done") && !is_file(recipient + ".late")) return;
  }
  for (const std::string& number : numbers) {
    fs::remove(path_ + '/' + number, failed);
    fs::remove(path_ + '/' + number + ".body", failed);
  }
}

mta::result<> collection::read(std::uint32_t number, std::uint64_t offset,
                               const std::function<mta::result<>(std::string_view)>& take) const {
  const file_handle in(std::fopen(file(number).c_str(), "rbe"));
  if (!in || ::fseeko(in.get(), static_cast<off_t>(offset), SEEK_SET) != 0)
    return mta::os_error("read " + file(number));
  std::array<char, 65536> piece;
  while (const std::size_t n = std::fread(piece.data(), 1, piece.size(), in.get()))
    if (auto done = take(std::string_view(piece.data(), n)); !done) return done;
  if (std::ferror(in.get()) != 0) return mta::os_error("read " + file(number));
  return {};
}

void collection::sweep(const std::string& directory, std::chrono::seconds age) {
  std::error_code failed;
  const auto oldest = fs::file_time_type::clock::now() - age;
  for (const auto& entry : fs::directory_iterator(directory, failed)) {
    if (entry.last_write_time(failed) > oldest || failed) continue;
    const std::string lock_path = entry.path().string() + "/lock";
    const int lock = ::open(lock_path.c_str(), O_RDWR | O_CLOEXEC);
    if (lock < 0) continue;
    if (::flock(lock, LOCK_EX | LOCK_NB) == 0) fs::remove_all(entry.path(), failed);
    ::close(lock);
  }
}

}  // namespace defragment
