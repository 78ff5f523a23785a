#include "config/option_file.hpp"

#include "base/text.hpp"

#include <cerrno>
#include <fstream>

namespace mta::config {

result<option_file> read_option_file(const std::string& path) {
  errno = 0;
  std::ifstream in(path);
  if (!in) return os_error("open option file " + path);
  option_file file;
  for (std::string line; std::getline(in, line);) {
    const std::string_view text = trim(line);
    if (text.empty() || text.front() == '!' || text.front() == '#') continue;
    const auto equals = text.find('=');
    if (equals == text.npos || equals == 0)
      file.well_formed = false;
    else
      file.values[lower_case(trim(text.substr(0, equals)))] = trim(text.substr(equals + 1));
  }
  if (in.bad()) return os_error("read option file " + path, EIO);
  return file;
}

}  // namespace mta::config
