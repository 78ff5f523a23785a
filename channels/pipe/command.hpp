// Running one command with the message on its standard input: no shell, no inherited descriptors, a process
// group of its own, a time limit, and what it printed kept as the reason for what became of the message.
//
// Thread safety: everything may be called from any thread at once.
#pragma once

#include <mta/error.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace pipe_channel {

/// Splits a command line into words at blanks; "…" and '…' keep blanks, \ keeps the next character. Nothing
/// else is special. Error: errc::syntax (no word, or a quote that is not closed).
mta::result<std::vector<std::string>> split_command(std::string_view line);

/// What ${name} in a command line stands for. `recipients` may be several words, but only where it is a word
/// of its own.
struct substitutions {
  std::string sender, recipient, channel, id;
  std::vector<std::string> recipients;
};

/// Replaces ${sender} ${recipient} ${recipients} ${channel} ${id} in each word. Words are never split again,
/// so whatever an address holds, it stays one argument. Errors: errc::syntax (unknown name); errc::rejected:
/// a word would begin with "-" that came out of an address, which the command would take for an option.
mta::result<std::vector<std::string>> substitute(const std::vector<std::string>& words, const substitutions&);

/// A nameless file with the message, to be a command's standard input. Closes itself.
class input_file {
 public:
  /// Errors: the system's.
  static mta::result<input_file> make();
  mta::result<> write(std::string_view bytes);
  /// After the last write, before the first command.
  mta::result<> finish();
  int descriptor() const { return descriptor_; }

  input_file(input_file&& other) noexcept;
  input_file& operator=(input_file&&) = delete;
  ~input_file();

 private:
  explicit input_file(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
  std::string buffer_;
};

enum class verdict { delivered, deferred, failed };

struct ending {
  pipe_channel::verdict verdict = verdict::deferred;
  std::string reason;  ///< for a person: exit status in words, then the end of what the command printed
};

struct job {
  std::vector<std::string> words;  ///< the program's path (or a name to look up in PATH) and its arguments
  std::vector<std::string> environment;  ///< NAME=value
  std::string directory;                 ///< to run in
  std::chrono::milliseconds time_limit{};
};

/// Runs the command to its end. Never fails: a command that cannot be run is a deferral with the reason.
ending run(const job&, const input_file&);

}  // namespace pipe_channel
