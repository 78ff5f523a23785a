#include "queue/append_hint.hpp"

#include <algorithm>
#include <span>

namespace mta::queue {
namespace {

constexpr std::size_t line_length = 14;  // name and LF

std::string hint_path(const std::string& directory) { return directory + "/.append"; }

}  // namespace

std::vector<file_number> read_append_hint(file_io& io, const std::string& directory) {
  std::vector<file_number> numbers;
  auto opened = io.open(hint_path(directory), open_mode::append_create);
  if (!opened) return numbers;
  std::string text(line_length * most_append_hints * 2, '\0');
  const auto read = (*opened)->read(0, std::as_writable_bytes(std::span(text)));
  if (!read) return numbers;
  text.resize(*read);
  for (std::size_t at = 0; at + line_length <= text.size(); at += line_length)
    if (const auto number = parse_file_number(std::string_view(text).substr(at, line_length - 1)))
      if (std::ranges::find(numbers, *number) == numbers.end()) numbers.push_back(*number);
  return numbers;
}

void add_append_hint(file_io& io, const std::string& directory, file_number number) {
  auto opened = io.open(hint_path(directory), open_mode::append_create);
  if (!opened) return;
  const auto size = (*opened)->size();
  if (!size) return;
  auto known = read_append_hint(io, directory);
  if (std::ranges::find(known, number) != known.end()) return;
  if (*size % line_length != 0 || *size >= line_length * most_append_hints) {
    if (known.size() > most_append_hints / 2)
      known.erase(known.begin(), known.end() - static_cast<std::ptrdiff_t>(most_append_hints / 2));
    known.push_back(number);
    return replace_append_hint(io, directory, known);
  }
  const std::string line = to_string(number) + '\n';
  (void)(*opened)->append(std::as_bytes(std::span(line)));
}

void replace_append_hint(file_io& io, const std::string& directory, const std::vector<file_number>& numbers) {
  auto opened = io.open(hint_path(directory), open_mode::append_create);
  if (!opened) return;
  std::string text;
  for (const file_number number : numbers) text += to_string(number) + '\n';
  if ((*opened)->truncate(0) && !text.empty()) (void)(*opened)->append(std::as_bytes(std::span(text)));
}

}  // namespace mta::queue
