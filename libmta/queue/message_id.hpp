// Names of message files and messages (docs/queue-format.md, Directories).
// Thread safety: values; new_file_number() may be called from any thread.
#pragma once

#include "base/error.hpp"

#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace mta::queue {

/// A message file's number; its name is the number in Crockford base 32, 13 characters.
enum class file_number : std::uint64_t { none = 0 };

/// A number that no other file has: microseconds since 2020 and 12 random bits.
file_number new_file_number();
/// What new_file_number() gives to a process at that time, unless it gave as much before: processes that ask
/// in the same microsecond get different numbers, but for one pair in 4096.
file_number number_of_process(std::chrono::microseconds since_2020, pid_t process);
/// The time that is in a number.
std::chrono::system_clock::time_point made_at(file_number);
std::string to_string(file_number);
/// Accepts exactly 13 characters, upper or lower case. Error: errc::syntax.
result<file_number> parse_file_number(std::string_view);

/// One use of a file: the file, and how often it has been reset.
struct file_key {
  file_number file{};
  std::uint32_t generation = 0;
  auto operator<=>(const file_key&) const = default;
};

/// Names one message for ever.
struct message_id {
  file_number file{};
  std::uint32_t generation = 0;
  std::uint32_t slot = 0;
  file_key key() const noexcept { return {file, generation}; }
  auto operator<=>(const message_id&) const = default;
};

/// "0C9V3K8ZC4S0R.1.17"
std::string to_string(const message_id&);
/// Error: errc::syntax, naming the text.
result<message_id> parse_message_id(std::string_view);

}  // namespace mta::queue

template <>
struct std::hash<mta::queue::file_key> {
  std::size_t operator()(const mta::queue::file_key& k) const noexcept {
    return static_cast<std::size_t>((static_cast<std::uint64_t>(k.file) ^ k.generation) *
                                    0x9E3779B97F4A7C15u);
  }
};
