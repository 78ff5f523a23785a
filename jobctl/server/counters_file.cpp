#include "jobctl/server/counters_file.hpp"

#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace jobctl {
namespace {

constexpr char magic[8] = {'J', 'O', 'B', 'C', 'T', 'L', 'C', '1'};
constexpr std::size_t header_size = 64, most_channels = 4096;

struct header {
  char magic[8];
  std::int64_t since;
};

}  // namespace

struct counters_file::record {
  char name[64];
  channel_totals totals;
  std::uint64_t unused;
};

namespace {
constexpr std::size_t record_size = 128;
constexpr std::size_t file_size = header_size + most_channels * record_size;  // sparse
}  // namespace

counters_file::record* counters_file::at(std::size_t index) const {
  static_assert(sizeof(record) == record_size && sizeof(channel_totals) == 7 * 8);
  return reinterpret_cast<record*>(static_cast<char*>(memory_) + header_size + index * record_size);
}

counters_file::~counters_file() {
  if (memory_) ::munmap(memory_, file_size);
}

mta::result<std::string> counters_file::open(const std::string& path, mta::queue::time_point now) {
  path_ = path;
  std::string remark;
  const auto open_it = [&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640); };
  int file = open_it();
  if (file < 0) return mta::os_error("open " + path);
  struct stat s {};
  char beginning[sizeof magic] = {};
  (void)::fstat(file, &s);
  const bool fresh = s.st_size == 0;
  const bool ours = s.st_size == static_cast<off_t>(file_size) &&
                    ::pread(file, beginning, sizeof beginning, 0) == sizeof beginning &&
                    std::memcmp(beginning, magic, sizeof magic) == 0;
  if (!fresh && !ours) {
    ::close(file);
    const std::string aside = path + ".bad";
    if (::rename(path.c_str(), aside.c_str()) != 0) return mta::os_error("rename " + path);
    remark = path + " was not a file of counters of this version: it is " + aside +
             " now, and counting begins again";
    file = open_it();
    if (file < 0) return mta::os_error("open " + path);
  }
  if (!ours && ::ftruncate(file, static_cast<off_t>(file_size)) != 0) {
    const int number = errno;
    ::close(file);
    return mta::os_error("make " + path, number);
  }
  void* const memory = ::mmap(nullptr, file_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  const int number = errno;
  ::close(file);
  if (memory == MAP_FAILED) return mta::os_error("map " + path, number);
  memory_ = memory;
  if (!ours) {
    header h{};
    std::memcpy(h.magic, magic, sizeof magic);
    h.since = now.time_since_epoch().count();
    std::memcpy(memory_, &h, sizeof h);
  }
  for (std::size_t i = 0; i < most_channels && at(i)->name[0] != '\0'; ++i)
    index_.emplace(std::string(at(i)->name, ::strnlen(at(i)->name, longest_name)), i);
  return remark;
}

mta::queue::time_point counters_file::since() const {
  if (!memory_) return {};
  header h{};
  std::memcpy(&h, memory_, sizeof h);
  return mta::queue::time_point(std::chrono::milliseconds(h.since));
}

std::vector<std::pair<std::string, channel_totals>> counters_file::load() const {
  std::vector<std::pair<std::string, channel_totals>> all;
  for (const auto& [name, i] : index_) all.emplace_back(name, at(i)->totals);
  return all;
}

void counters_file::store(std::string_view channel, const channel_totals& t) {
  if (!memory_ || channel.empty() || channel.size() > longest_name) return;
  auto found = index_.find(channel);
  if (found == index_.end()) {
    if (index_.size() == most_channels) return;
    found = index_.emplace(channel, index_.size()).first;
    record* const r = at(found->second);
    r->totals = t;
    // The name last: a record with a name is complete.
    std::memcpy(r->name, channel.data(), channel.size());
    return;
  }
  at(found->second)->totals = t;
}

mta::result<> counters_file::sync() {
  if (memory_ && ::msync(memory_, file_size, MS_SYNC) != 0) return mta::os_error("flush " + path_);
  return {};
}

}  // namespace jobctl
