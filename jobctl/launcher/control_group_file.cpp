#include "jobctl/launcher/control_group_file.hpp"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <sstream>
#include <unistd.h>

namespace jobctl {

std::string read_group_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> words_of_group_file(const std::string& path) {
  std::istringstream in(read_group_file(path));
  return {std::istream_iterator<std::string>(in), {}};
}

mta::result<> write_group_file(const std::string& path, std::string_view text) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (file < 0) return mta::os_error(fmt::format("write '{}' to {}", text, path));
  const ssize_t written = ::write(file, text.data(), text.size());
  const int number = written < 0 ? errno : EIO;
  ::close(file);
  if (written != static_cast<ssize_t>(text.size()))
    return mta::os_error(fmt::format("write '{}' to {}", text, path), number);
  return {};
}

}  // namespace jobctl
