// The bytes of docs/queue-format.md: encoding and decoding, nothing else. Internal to libmta/queue and its
// tests. Thread safety: pure functions.
#pragma once

#include "queue/message_file.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace mta::queue::format {

inline constexpr std::uint64_t page = 4096;
inline constexpr std::uint64_t header_size = 64;
inline constexpr std::uint64_t header_copy_distance = 2048;
inline constexpr std::uint64_t table_start = page;
inline constexpr std::uint64_t entry_size = 256;
inline constexpr std::uint64_t entry_constant_size = 128;
inline constexpr std::uint64_t state_size = 64;
inline constexpr std::uint64_t record_alignment = 64;
inline constexpr std::uint64_t record_header_size = 64;
inline constexpr std::uint32_t largest_capacity = 1u << 20;
inline constexpr std::uint32_t largest_envelope = 4u << 20;
inline constexpr std::size_t longest_inline_host = 55;

inline constexpr std::uint64_t writer_lock = 1ull << 40;
inline constexpr std::uint64_t slot_locks = 1ull << 41;

constexpr std::uint64_t align(std::uint64_t value, std::uint64_t to) { return (value + to - 1) / to * to; }
constexpr std::uint64_t entry_offset(std::uint32_t slot) { return table_start + entry_size * slot; }
constexpr std::uint64_t state_offset(std::uint32_t slot, unsigned copy) {
  return entry_offset(slot) + entry_constant_size + state_size * copy;
}
constexpr std::uint64_t data_start_for(std::uint32_t capacity) { return align(entry_offset(capacity), page); }

using bytes = std::span<const std::byte>;

std::uint64_t seed(const message_id&) noexcept;
std::uint64_t check(bytes data, std::uint64_t seed) noexcept;

/// The same check over data that comes in parts.
class running_check {
 public:
  explicit running_check(std::uint64_t seed);
  ~running_check();
  void add(bytes part) noexcept;
  std::uint64_t value() const noexcept;
  running_check(const running_check&) = delete;
  running_check& operator=(const running_check&) = delete;

 private:
  void* state_;
};

void encode(const file_header&, std::span<std::byte, header_size>) noexcept;
std::optional<file_header> decode_header(std::span<const std::byte, header_size>) noexcept;
/// The copy that counts (0 or 1) of a header page of at least 2112 bytes; nothing if neither is valid.
struct found_header {
  file_header header;
  unsigned copy = 0;
};
std::optional<found_header> decode_header_page(bytes page) noexcept;

/// The constant part.
void encode(const entry&, const message_id&, std::span<std::byte, entry_constant_size>) noexcept;
void encode(const message_state&, std::uint32_t sequence, std::uint64_t seed,
            std::span<std::byte, state_size>) noexcept;

struct state_copies {
  std::uint32_t sequence[2] = {0, 0};  ///< 0: the copy is not valid
  message_state state;                 ///< of the copy that counts
};
state_copies decode_states(std::span<const std::byte, 2 * state_size>, std::uint64_t seed) noexcept;
/// A whole entry. `copies` receives what is known of its state copies.
slot_content decode_entry(std::span<const std::byte, entry_size>, const message_id&, state_copies& copies);

struct record_header {
  std::uint32_t envelope_length = 0;
  std::uint64_t content_length = 0;
  std::uint64_t envelope_check = 0;
  std::uint64_t content_check = 0;
};
void encode(const record_header&, const message_id&, std::span<std::byte, record_header_size>) noexcept;
std::optional<record_header> decode_record_header(std::span<const std::byte, record_header_size>,
                                                  const message_id&) noexcept;

}  // namespace mta::queue::format
