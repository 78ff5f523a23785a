#include "base/identity.hpp"

#include "base/text.hpp"

#include <atomic>
#include <chrono>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <random>
#include <unistd.h>

namespace mta {
namespace {

constexpr int digits_of_time = 10;   // 50 bits of microseconds since 2020: until 2055
constexpr int bits_of_process = 22;  // the largest pid_max of Linux is 2^22
constexpr int bits_of_counter = 23;
static_assert(digits_of_time * 5 + bits_of_process + bits_of_counter == unique_name_length * 5);

void append_base32(std::string& out, std::uint64_t value, int digits) {
  static constexpr char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  for (int shift = (digits - 1) * 5; shift >= 0; shift -= 5) out += alphabet[(value >> shift) & 31];
}

std::uint64_t microseconds_since_2020() {
  using namespace std::chrono;
  constexpr auto start = sys_days(year(2020) / 1 / 1);
  return static_cast<std::uint64_t>(duration_cast<microseconds>(system_clock::now() - start).count());
}

}  // namespace

std::string unique_name() {
  // The counter starts anywhere, so that a process with the pid of a dead one, under a clock that was put
  // back, or in another pid namespace, still goes its own way.
  static std::atomic<std::uint32_t> counter{std::random_device{}()};
  const std::uint64_t process = static_cast<std::uint64_t>(::getpid()) & ((1u << bits_of_process) - 1);
  const std::uint64_t count = counter.fetch_add(1, std::memory_order_relaxed) & ((1u << bits_of_counter) - 1);
  std::string out;
  out.reserve(unique_name_length);
  append_base32(out, microseconds_since_2020(), digits_of_time);
  append_base32(out, process << bits_of_counter | count, (bits_of_process + bits_of_counter) / 5);
  return out;
}

std::string host_name() {
  char text[HOST_NAME_MAX + 1] = {};
  if (const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/etc/mailname", "re"),
                                                                 &std::fclose);
      file && std::fgets(text, sizeof text, file.get()) != nullptr) {
    if (const auto name = trim(text); !name.empty()) return lower_case(name);
  }
  if (::gethostname(text, sizeof text - 1) != 0 || text[0] == '\0') return "localhost";
  return lower_case(text);
}

}  // namespace mta
