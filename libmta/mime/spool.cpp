#include "mime/spool.hpp"

#include "base/descriptor.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace mta::mime::detail {
namespace {

struct record {
  line_role role;
  bool starts, ends, terminated;
  std::uint32_t length;
};

}  // namespace

spool::spool(std::string directory) : directory_(std::move(directory)) {
  if (!directory_.empty()) return;
  const char* const named = std::getenv("TMPDIR");
  directory_ = named != nullptr && *named != '\0' ? named : "/var/tmp";
}

spool::~spool() {
  if (file_ >= 0) ::close(file_);
}

result<> spool::add(line_role role, const line_piece& p) {
  const record r{role, p.starts, p.ends, p.terminated, static_cast<std::uint32_t>(p.data.size())};
  char head[sizeof r];
  std::memcpy(head, &r, sizeof r);
  memory_.append(head, sizeof head);
  memory_.append(p.data);
  return memory_.size() > memory_limit ? spill() : result<>{};
}

result<> spool::spill() {
  if (file_ < 0) {
    file_ = above_standard(::open(directory_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (file_ < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
      std::string name = directory_ + "/mime.XXXXXX";
      file_ = ::mkostemp(name.data(), O_CLOEXEC);
      if (file_ >= 0) ::unlink(name.c_str());
      file_ = above_standard(file_);
    }
    if (file_ < 0) return os_error("make a temporary file in " + directory_ + " (TMPDIR names another)");
  }
  for (std::size_t done = 0; done < memory_.size();) {
    const ssize_t n =
        ::pwrite(file_, memory_.data() + done, memory_.size() - done, static_cast<off_t>(in_file_ + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return os_error("write a temporary file in " + directory_);
    done += static_cast<std::size_t>(n);
  }
  in_file_ += memory_.size();
  memory_.clear();
  return {};
}

result<> spool::each(const taker& take) const {
  std::string window;
  const auto run = [&](std::string_view bytes) -> result<std::size_t> {  // whole records; how much they are
    std::size_t at = 0;
    record r{};
    while (bytes.size() - at >= sizeof r) {
      std::memcpy(&r, bytes.data() + at, sizeof r);
      if (bytes.size() - at - sizeof r < r.length) break;
      const line_piece p{bytes.substr(at + sizeof r, r.length), r.starts, r.ends, r.terminated};
      if (const auto taken = take(r.role, p); !taken) return taken.error();
      at += sizeof r + r.length;
    }
    return at;
  };
  for (std::uint64_t at = 0; at < in_file_;) {
    window.resize(static_cast<std::size_t>(std::min<std::uint64_t>(in_file_ - at, memory_limit)));
    const ssize_t n = ::pread(file_, window.data(), window.size(), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0)
      return n < 0 ? os_error("read a temporary file in " + directory_)
                   : error(errc::damaged, "read a temporary file in " + directory_ + " (it is too short)");
    const auto used = run(std::string_view(window).substr(0, static_cast<std::size_t>(n)));
    if (!used) return used.error();
    if (*used == 0) return error(errc::damaged, "read a temporary file in " + directory_);
    at += *used;
  }
  const auto used = run(memory_);
  return used ? result<>{} : used.error();
}

void spool::clear() noexcept {
  memory_.clear();
  if (in_file_ > 0 && ::ftruncate(file_, 0) != 0) {
    // The room is given back when the file is closed.
  }
  in_file_ = 0;
}

}  // namespace mta::mime::detail
