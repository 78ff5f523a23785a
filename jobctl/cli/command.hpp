// What a subcommand is, and what it is given. Each subcommand is one file in this folder that defines one
// `command`; cli.cpp lists them all and does the rest: parsing, `--help`, suggestions for misspelt names.
// Parser, help, manual pages (man_page.hpp) and completion (completion.hpp) read the same description, so
// they cannot disagree.
//
// To add one: write NAME.cpp with `const command NAME_command = {…}`, declare it below, and list it in
// cli.cpp.
//
// Thread safety: none; the command line runs on one thread (a command may start its own).
#pragma once

#include "base/error.hpp"

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/variables_map.hpp>

#include <cstdio>
#include <span>
#include <string>
#include <string_view>

namespace jobctl::cli {

/// Exit statuses: those of sysexits.h, because mail programs have always understood them. See docs/cli.md.
enum exit_status : int {
  success = 0,
  failure = 1,       ///< a request was understood and could not be fulfilled (no such message, …)
  usage = 64,        ///< wrong option or argument; nothing was done
  data_error = 65,   ///< the input (a message, a message id) is not what it should be
  no_user = 67,      ///< address not valid
  no_host = 68,      ///< no route for the address
  unavailable = 69,  ///< the controller does not run or does not answer
  software = 70,     ///< a defect in this program
  io_error = 74,
  temporary_failure = 75,  ///< nothing was done now; the same command may succeed later
  no_permission = 77,
  config_error = 78,
};

/// Where a command reads and writes. Tests give it files in memory.
struct terminal {
  std::FILE* in = stdin;
  std::FILE* out = stdout;
  std::FILE* err = stderr;
};

struct command;

/// One run of one command. Lives until `command::run` returns.
struct invocation {
  const cli::command& command;
  const boost::program_options::variables_map& options;
  const terminal& io;

  bool has(const char* option) const { return options.count(option) != 0 && !options[option].defaulted(); }
  template <class T>
  const T& get(const char* option) const {
    return options[option].as<T>();
  }
  /// The value of a text option; empty when it was not given.
  std::string text(const char* option) const;

  /// --root and --config as given (empty: not given; then JOBCTL_ROOT and JOBCTL_CONFIG count, see
  /// find_site()).
  std::string root() const { return text("root"); }
  std::string config() const { return text("config"); }

  /// Prints "jobctl NAME: what" to io.err; returns `status`, so that `return in.fail(…)` ends a command.
  int fail(int status, std::string_view what) const;
  /// The same for an error value, with the exit status that suits its code.
  int fail(const mta::error&) const;
};

/// The exit status that tells a caller what `code` means to him.
int exit_status_of(std::error_code code);

/// A subcommand. All text is for people, without a newline at its end; that of `details` is wrapped, lines of
/// `examples` and `exits` are printed as they are (at most 78 wide).
struct command {
  const char* name;
  const char* summary;    ///< one line, begins with a verb
  const char* arguments;  ///< for the usage line, e.g. "[OPTIONS] CHANNEL…"
  const char* details;    ///< what it does, in a paragraph or more
  const char* examples;   ///< commands with a comment each
  const char* exits;      ///< its exit statuses, one a line
  /// Adds its options. --root, --config and --help are added to every command.
  void (*describe)(boost::program_options::options_description&);
  /// The option (a std::vector<std::string>) that collects arguments without a dash; null: it takes none. It
  /// is not shown in help; its value_name() says what the arguments are (value_kinds.hpp).
  const char* operands;
  int (*run)(const invocation&);
};

/// Every command, in the order of the overview. Manual pages and completion are made from these, too.
std::span<const command* const> all_commands();
/// nullptr: there is none of that name.
const command* find_command(std::string_view name);
/// " Did you mean …": what to say of a name that is none.
std::string unknown_command(std::string_view name);
/// All its options: what its `describe` adds, and those that every command has. In the order of its help.
boost::program_options::options_description options_of(const command&);

extern const command serve_command, submit_command, summary_command, ls_command, show_command, run_command,
    stop_command, start_command, reload_command, check_command, hold_command, release_command, retry_command,
    route_command, bounce_command, rm_command, why_command, help_command, version_command, counters_command,
    top_command, jobs_command, pools_command, history_command, log_command, periodic_command, import_command;

}  // namespace jobctl::cli
