// The totals of all channels in a file that outlives the controller: DIR/run/counters, mapped into memory.
//
// What was stored before a kill -9 is there afterwards: the pages belong to the system, not to the process.
// After a failure of the machine it may be what was stored up to `sync_interval` before. A file that is not
// ours or of another version is put aside as counters.bad, and counting begins again.
//
// Layout, little-endian: a header of 64 bytes (magic "JOBCTLC1", u64 ms since 1970 when counting began), then
// records of 128 bytes: 64 bytes name (NUL-padded), then the u64 figures of channel_totals in their order.
//
// Thread safety: none; the server's loop thread, but for sync(), which may run on any one thread. Lifetime:
// the mapping lasts as long as the object.
#pragma once

#include "base/error.hpp"
#include "jobctl/controller/totals.hpp"
#include "queue/state.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jobctl {

class counters_file {
 public:
  static constexpr std::chrono::seconds sync_interval{5};
  static constexpr std::size_t longest_name = 63;

  counters_file() = default;
  ~counters_file();
  counters_file(const counters_file&) = delete;
  counters_file& operator=(const counters_file&) = delete;

  /// Opens or makes it. `now`: when counting begins, if it is new. Returns what is worth a line in the log,
  /// or nothing. After an error, store() does nothing.
  mta::result<std::string> open(const std::string& path, mta::queue::time_point now);
  mta::queue::time_point since() const;
  /// What was stored, by channel.
  std::vector<std::pair<std::string, channel_totals>> load() const;
  /// A few stores to memory. Names over 63 bytes, and channels beyond the 4096th, are not kept.
  void store(std::string_view channel, const channel_totals&);
  /// Writes what was stored to the disk.
  mta::result<> sync();

 private:
  struct record;
  record* at(std::size_t index) const;

  std::string path_;
  void* memory_ = nullptr;
  std::map<std::string, std::size_t, std::less<>> index_;
};

}  // namespace jobctl
