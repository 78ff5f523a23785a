// The aliases file of a site, read when it is first needed and again when it has changed.
//
// Thread safety: every member from any thread.
#pragma once

#include "base/error.hpp"
#include "enqueue/alias_table.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <sys/stat.h>

namespace mta::enqueue {

class aliases {
 public:
  explicit aliases(std::string path) : path_(std::move(path)) {}

  const std::string& path() const noexcept { return path_; }

  /// The table as the file is now. Error: errc::try_later, saying what is wrong with the file and where: mail
  /// for this host must wait until it is mended, since nobody knows whom it is for.
  result<std::shared_ptr<const alias_table>> current();

 private:
  result<std::shared_ptr<const alias_table>> load(struct stat&) const;

  const std::string path_;
  std::mutex mutex_;
  struct stat seen_ {};   // of the file that `table_` is of
  bool settled_ = false;  // it was not being written when it was read
  result<std::shared_ptr<const alias_table>> table_ = error(errc::try_later, "never read");
  bool known_ = false;
};

/// Reads and checks a file. Errors: the system's. For `jobctl check`, which wants to know every problem.
result<std::shared_ptr<const alias_table>> read_aliases(const std::string& path);

/// All that is wrong with the aliases of a site, a line of text each, with file and line: what keeps the file
/// from being read, its mistakes, its loops. Empty: nothing, or there is no aliases file.
std::vector<std::string> problems_of_aliases(const config::settings&);

}  // namespace mta::enqueue
