#include "jobctl/server/periodic_record.hpp"

#include "jobctl/server/small_file.hpp"

#include <array>
#include <charconv>
#include <fmt/format.h>

namespace jobctl {
namespace {

constexpr std::size_t largest = 1u << 20;

// Takes a word off the front.
std::string_view take_word(std::string_view& line) {
  const auto end = line.find(' ');
  const auto word = line.substr(0, end);
  line.remove_prefix(end == line.npos ? line.size() : end + 1);
  return word;
}

bool read_line(std::string_view line, kept_periodic& k) {
  k.status.name = take_word(line);
  std::array<std::int64_t, 6> numbers{};
  for (auto& number : numbers) {
    const auto word = take_word(line);
    const auto [end, failure] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (failure != std::errc{} || end != word.data() + word.size() || number < 0) return false;
  }
  const auto time = [](std::int64_t t) { return time_point{std::chrono::milliseconds{t}}; };
  k.status.last_due = time(numbers[0]);
  k.status.started = time(numbers[1]);
  k.status.ended = time(numbers[2]);
  k.status.clean = numbers[3] == 1;
  k.process = static_cast<pid_t>(numbers[4]);
  k.began = static_cast<std::uint64_t>(numbers[5]);
  k.status.outcome = line;
  return !k.status.name.empty();
}

}  // namespace

mta::result<std::vector<kept_periodic>> load_periodic(const std::string& path) {
  const auto text = read_small_file(path, largest);
  if (!text) return text.error();
  std::vector<kept_periodic> all;
  for (std::string_view rest = *text; !rest.empty();) {
    const auto end = rest.find('\n');
    kept_periodic k;
    if (end != rest.npos && read_line(rest.substr(0, end), k)) all.push_back(std::move(k));
    rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
  }
  return all;
}

mta::result<> save_periodic(const std::string& path, const std::vector<kept_periodic>& all) {
  std::string text;
  for (const kept_periodic& k : all) {
    const auto& s = k.status;
    text += fmt::format("{} {} {} {} {} {} {} {}\n", s.name, s.last_due.time_since_epoch().count(),
                        s.started.time_since_epoch().count(), s.ended.time_since_epoch().count(),
                        s.clean ? 1 : 0, k.process, k.began, s.outcome);
  }
  return replace_file(path, text, durability::of_the_kernel);
}

std::uint64_t process_start(pid_t pid) {
  if (pid <= 0) return 0;
  const auto text = read_small_file(fmt::format("/proc/{}/stat", pid));
  if (!text) return 0;
  // PID (NAME) STATE …, of which the 22nd is it; the name may have anything in it.
  const auto behind_name = text->rfind(')');
  if (behind_name == std::string::npos) return 0;
  std::string_view rest = std::string_view(*text).substr(std::min(behind_name + 2, text->size()));
  if (rest.starts_with('Z')) return 0;
  for (int field = 3; field < 22; ++field) take_word(rest);
  const auto word = take_word(rest);
  std::uint64_t ticks = 0;
  std::from_chars(word.data(), word.data() + word.size(), ticks);
  return ticks;
}

bool still_runs(const kept_periodic& k) {
  return k.process > 0 && k.began != 0 && process_start(k.process) == k.began;
}

}  // namespace jobctl
