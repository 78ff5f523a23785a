#include "folder.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fcntl.h>
#include <mutex>
#include <sys/stat.h>
#include <unistd.h>
#include <unordered_set>
#include <utility>

namespace maildir {
namespace {

constexpr std::size_t longest_component = 200;  // bytes; file systems allow 255
constexpr std::size_t buffer_size = 64 << 10;

std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (unsigned char c : text) hash = (hash ^ c) * 0x100000001b3u;
  return hash;
}

// One path component that cannot leave its directory, whatever the address holds.
std::string component(std::string_view text) {
  constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyz0123456789_+=,-.";
  std::string made;
  for (unsigned char c : text) {
    char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : static_cast<char>(c);
    if (plain.find(lower) != std::string_view::npos && !(lower == '.' && made.empty())) {
      made += lower;
      continue;
    }
    char escaped[4];
    std::snprintf(escaped, sizeof escaped, "%%%02x", c);
    made += escaped;
  }
  if (made.empty()) return "%";
  if (made.size() <= longest_component) return made;
  char hash[20];
  std::snprintf(hash, sizeof hash, "%%~%016llx", static_cast<unsigned long long>(fnv1a(made)));
  return made.substr(0, longest_component - 18) + hash;
}

mta::result<> flush_directory(const std::string& directory) {
  int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return mta::os_error("open " + directory);
  int status = ::fsync(descriptor);
  int error = errno;
  ::close(descriptor);
  if (status != 0) return mta::os_error("flush " + directory, error);
  return {};
}

// Folders that this process has made sure of, up to the root of the file system.
std::mutex known_mutex;
std::unordered_set<std::string> known;

bool is_known(const std::string& directory) {
  std::lock_guard lock(known_mutex);
  return known.contains(directory);
}

// Makes `directory` and its parents. Each is flushed into its parent once per process, whether it was us who
// made it or not: another process may have made it a moment ago and have been killed before its flush.
mta::result<> make_durably(const std::string& directory) {
  if (directory.empty() || is_known(directory)) return {};
  std::string parent = directory.substr(0, directory.find_last_of('/'));
  if (auto r = make_durably(parent); !r) return r;
  bool made = ::mkdir(directory.c_str(), 0700) == 0;
  if (!made && errno != EEXIST) return mta::os_error("make directory " + directory);
  struct stat what {};
  if (!made && ::stat(directory.c_str(), &what) == 0 && !S_ISDIR(what.st_mode))
    return mta::os_error("use " + directory, ENOTDIR);
  if (auto r = flush_directory(parent.empty() ? "/" : parent); !r) {
    // A directory far up may be closed to us; then it is not ours to make durable, either.
    if (made || r.error().code != std::errc::permission_denied) return r;
  }
  std::lock_guard lock(known_mutex);
  known.insert(directory);
  return {};
}

mta::result<> make_folder(const std::string& folder) {
  for (const char* part : {"", "/tmp", "/new", "/cur"})
    if (auto r = make_durably(folder + part); !r) return r;
  return {};
}

void forget_folder(const std::string& folder) {
  std::lock_guard lock(known_mutex);
  std::erase_if(known, [&](const std::string& directory) {
    return directory.starts_with(folder) || folder.starts_with(directory);
  });
}

}  // namespace

std::string directory_for(std::string_view pattern, std::string_view address) {
  auto at = address.rfind('@');
  std::string local = component(address.substr(0, at));
  std::string domain = at == std::string_view::npos ? "localhost" : component(address.substr(at + 1));
  std::string made;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    char next = pattern[i] == '%' && i + 1 < pattern.size() ? pattern[i + 1] : '\0';
    if (next == 'u')
      made += local;
    else if (next == 'd')
      made += domain;
    else if (next == '%')
      made += '%';
    else {
      made += pattern[i];
      continue;
    }
    ++i;
  }
  return made;
}

delivery::delivery(std::string folder, std::string name, int descriptor)
    : folder_(std::move(folder)), name_(std::move(name)), descriptor_(descriptor) {
  buffer_.reserve(buffer_size);
}

delivery::delivery(delivery&& other) noexcept
    : folder_(std::move(other.folder_)),
      name_(std::move(other.name_)),
      buffer_(std::move(other.buffer_)),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

delivery::~delivery() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary().c_str());
}

mta::result<delivery> delivery::start(std::string folder, std::string name) {
  std::string path = folder + "/tmp/" + name;
  for (bool again = true;; again = false) {
    auto made = make_folder(folder);
    // Truncates what an earlier attempt left when it was killed.
    int descriptor = made ? ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    if (descriptor >= 0) return delivery(std::move(folder), std::move(name), descriptor);
    mta::error failure = made ? mta::os_error("create " + path) : made.error();
    if (failure.code != std::errc::no_such_file_or_directory || !again) return failure;
    forget_folder(folder);  // somebody has removed the mailbox since we made sure of it
  }
}

mta::result<> delivery::write(std::string_view bytes) {
  while (!bytes.empty()) {
    std::size_t some = std::min(bytes.size(), buffer_size - buffer_.size());
    buffer_.append(bytes.substr(0, some));
    bytes.remove_prefix(some);
    if (buffer_.size() == buffer_size)
      if (auto r = write_out(); !r) return r;
  }
  return {};
}

mta::result<> delivery::write_out() {
  for (std::string_view rest = buffer_; !rest.empty();) {
    ssize_t written = ::write(descriptor_, rest.data(), rest.size());
    if (written < 0 && errno != EINTR) return mta::os_error("write " + temporary());
    if (written > 0) rest.remove_prefix(static_cast<std::size_t>(written));
  }
  buffer_.clear();
  return {};
}

mta::result<> delivery::commit() {
  if (auto r = write_out(); !r) return r;
  if (::fsync(descriptor_) != 0) return mta::os_error("flush " + temporary());
  std::string target = folder_ + "/new/" + name_;
  if (::rename(temporary().c_str(), target.c_str()) != 0) return mta::os_error("rename to " + target);
  ::close(std::exchange(descriptor_, -1));
  return flush_directory(folder_ + "/new");
}

}  // namespace maildir
