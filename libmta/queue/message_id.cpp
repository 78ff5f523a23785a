#include "queue/message_id.hpp"

#include <atomic>
#include <charconv>
#include <chrono>
#include <random>
#include <unistd.h>

namespace mta::queue {
namespace {

constexpr std::string_view digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::size_t name_length = 13;

int digit_value(char c) noexcept {
  if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  const auto at = digits.find(c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

error bad_id(std::string_view text) {
  return {errc::syntax,
          "message id \"" + std::string(text.substr(0, 80)) + "\" (expected FILE.GENERATION.SLOT)"};
}

template <class Number>
bool parse_number(std::string_view text, Number& value) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failure == std::errc() && end == text.data() + text.size();
}

}  // namespace

file_number number_of_process(std::chrono::microseconds since_2020, pid_t process) {
  static const std::uint64_t random_salt = [] {
    std::random_device source;
    return std::uint64_t{source()} << 32 | source();
  }();
  const auto us = static_cast<std::uint64_t>(since_2020.count());
  // A process and its children share the salt, but not the id. The multiplication brings every bit of all
  // three into the twelve that are used.
  const std::uint64_t mixed =
      (random_salt ^ us ^ (static_cast<std::uint64_t>(process) << 24)) * 0x9E3779B97F4A7C15u;
  return file_number{us << 12 | mixed >> 52};
}

file_number new_file_number() {
  using namespace std::chrono;
  static std::atomic<std::uint64_t> last{0};
  const auto since_2020 = system_clock::now() - sys_days{year{2020} / 1 / 1};
  auto number =
      static_cast<std::uint64_t>(number_of_process(duration_cast<microseconds>(since_2020), ::getpid()));
  std::uint64_t before = last.load();
  do {
    if (number <= before) number = before + 1;
  } while (!last.compare_exchange_weak(before, number));
  return file_number{number};
}

std::chrono::system_clock::time_point made_at(file_number number) {
  using namespace std::chrono;
  const microseconds since_2020(static_cast<std::uint64_t>(number) >> 12);
  return sys_days{year{2020} / 1 / 1} + since_2020;
}

std::string to_string(file_number number) {
  std::string text(name_length, '0');
  auto rest = static_cast<std::uint64_t>(number);
  for (std::size_t i = name_length; i-- > 0; rest >>= 5) text[i] = digits[rest & 31];
  return text;
}

result<file_number> parse_file_number(std::string_view text) {
  if (text.size() != name_length || digit_value(text[0]) > 15)
    return error(errc::syntax, "file number \"" + std::string(text.substr(0, 40)) + "\"");
  std::uint64_t number = 0;
  for (const char c : text) {
    const int value = digit_value(c);
    if (value < 0) return error(errc::syntax, "file number \"" + std::string(text) + "\"");
    number = number << 5 | static_cast<std::uint64_t>(value);
  }
  return file_number{number};
}

std::string to_string(const message_id& id) {
  std::string text = to_string(id.file);
  text += '.';
  text += std::to_string(id.generation);
  text += '.';
  text += std::to_string(id.slot);
  return text;
}

result<message_id> parse_message_id(std::string_view text) {
  if (text.size() < name_length + 4 || text[name_length] != '.') return bad_id(text);
  const auto file = parse_file_number(text.substr(0, name_length));
  const auto second_dot = text.find('.', name_length + 1);
  message_id id;
  if (!file || second_dot == std::string_view::npos ||
      !parse_number(text.substr(name_length + 1, second_dot - name_length - 1), id.generation) ||
      !parse_number(text.substr(second_dot + 1), id.slot))
    return bad_id(text);
  id.file = *file;
  return id;
}

}  // namespace mta::queue
