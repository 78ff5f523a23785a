#include "jobctl/admin/token.hpp"

#include <algorithm>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace jobctl::admin {

mta::result<std::string> read_token(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (file < 0) return mta::os_error("read the token file " + path);
  char buffer[longest_token + 64];
  struct stat s {};
  (void)::fstat(file, &s);
  const ssize_t n = ::read(file, buffer, sizeof buffer);
  const int number = errno;
  ::close(file);
  if (n < 0) return mta::os_error("read the token file " + path, number);
  if ((s.st_mode & S_IROTH) != 0)
    return mta::error(
        mta::errc::not_configured,
        fmt::format("the token file {} may be read by everybody; 'chmod o-r {}' ends that", path, path));
  std::string_view token(buffer, static_cast<std::size_t>(n));
  token.remove_prefix(std::min(token.find_first_not_of(" \t\r\n"), token.size()));
  token = token.substr(0, token.find_last_not_of(" \t\r\n") + 1);
  const bool printable = std::ranges::all_of(token, [](char c) { return c > ' ' && c <= '~'; });
  if (token.size() < shortest_token || token.size() > longest_token || !printable)
    return mta::error(
        mta::errc::not_configured,
        fmt::format("the token file {}: expected one word of {} to {} letters, digits and signs", path,
                    shortest_token, longest_token));
  return std::string(token);
}

}  // namespace jobctl::admin
