// Lines kept for later: in memory up to a limit, then in a temporary file without a name, so that nothing is
// left behind whatever happens.
// Thread safety: none.
#pragma once

#include "mime/line_splitter.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace mta::mime::detail {

/// What a line is in its part.
enum class line_role : std::uint8_t { delimiter, header, separator, content };

class spool {
 public:
  static constexpr std::size_t memory_limit = 1u << 20;
  using taker = std::function<result<>(line_role, const line_piece&)>;

  /// The temporary file is made in `directory`; empty: TMPDIR, else /var/tmp.
  explicit spool(std::string directory);
  ~spool();
  spool(const spool&) = delete;
  spool& operator=(const spool&) = delete;

  /// Errors: the system's.
  result<> add(line_role, const line_piece&);
  /// All that was added, in order; pieces are valid during the call. May be repeated.
  result<> each(const taker&) const;
  void clear() noexcept;
  bool empty() const noexcept { return memory_.empty() && in_file_ == 0; }

 private:
  result<> spill();

  std::string directory_;
  std::string memory_;         // records: role, flags, length, bytes
  int file_ = -1;              // kept open when cleared: it is used again
  std::uint64_t in_file_ = 0;  // bytes of it that count
};

}  // namespace mta::mime::detail
