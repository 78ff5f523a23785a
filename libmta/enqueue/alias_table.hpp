// An aliases file in memory: names of this host and the addresses that they stand for, in the format of
// aliases(5) without programs, files and includes (docs/aliases.md).
//
// Thread safety: a table does not change; reading it from many threads is safe.
#pragma once

#include "base/error.hpp"
#include "config/settings.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mta::enqueue {

struct alias_problem {
  int line = 0;  ///< where the alias begins; 0: the file as a whole
  std::string text;
};

/// What an address stands for.
struct expanded_address {
  std::string address;  ///< canonical form
  std::string sender;   ///< owner-NAME@host of the innermost alias that has an owner; empty: none has
};

class alias_table {
 public:
  /// Takes a file's text. Everything in it is checked; a table with `problems()` must not be used.
  alias_table(std::string text, std::string path);
  ~alias_table();
  alias_table(const alias_table&) = delete;
  alias_table& operator=(const alias_table&) = delete;

  const std::string& path() const noexcept { return path_; }
  const std::vector<alias_problem>& problems() const noexcept { return problems_; }
  std::size_t size() const noexcept;  ///< aliases

  /// Is there an alias of this name? Regardless of case.
  bool contains(std::string_view name) const;

  /// What `local` at this host stands for, to the last: each address once, in the order of the file. An
  /// address of the host that is no alias, one that is written \name, and an alias that names itself, stand
  /// for themselves. `local` itself must be an alias. Error: errc::try_later, naming file and line: a loop,
  /// or aliases nested too deeply.
  result<std::vector<expanded_address>> expand(std::string_view local, const config::settings&) const;

  /// Calls it for every address that an alias names, with the alias's line.
  void for_each_target(
      const std::function<void(int line, std::string_view alias, const std::string& address)>&,
      const config::settings&) const;
  /// One problem for every alias that leads back to itself through others.
  std::vector<alias_problem> loops(const config::settings&) const;

 private:
  struct alias {
    std::string_view list;  // addresses, without comments, on one line
    int line = 0;
  };
  struct index;
  struct expansion;
  struct target {
    std::string address;   // canonical
    std::string local;     // of this host: the local part, unquoted; else empty
    bool literal = false;  // \name
  };

  void read(std::string_view rest);
  void take_alias(int line, std::string_view text);
  void check_list(int line, std::string_view name, std::string_view list);
  result<> expand_into(expansion&, std::string_view name, const alias&, std::string_view sender) const;
  static result<target> read_target(std::string_view item, std::string_view host);

  const std::string path_, text_;
  std::deque<std::string> joined_;  // what does not stand in text_ as it is needed
  std::unique_ptr<index> index_;
  std::vector<alias_problem> problems_;
};

/// The local part of an address as a name: without the quotes and backslashes of a quoted string.
std::string local_name(std::string_view local);

}  // namespace mta::enqueue
