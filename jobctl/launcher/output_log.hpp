// What a channel's programs print: one log file per channel, each line with the time and the process that
// wrote it. When the file has reached its limit it becomes FILE.1 (replacing an older one), so that a channel
// uses at most twice the limit.
//
// Failures to write (a full disk) lose lines, never hold up the mail: they are counted and told in the log
// once writing works again.
//
// Thread safety: none; the loop's thread. Line splitting is output_lines, which does no I/O.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace jobctl {

class output_log {
 public:
  /// Opens nothing yet: the file is made with the first line. `limit` in bytes.
  output_log(std::string path, std::uint64_t limit);
  ~output_log();
  output_log(const output_log&) = delete;
  output_log& operator=(const output_log&) = delete;

  /// Adds a line of process `pid`, without its line end. Control characters are kept as they are.
  void add(pid_t pid, std::string_view line);
  /// Writes what was added. Call it after a burst of lines.
  void write();
  /// Closes the file; the next line opens it again (after somebody moved it away).
  void reopen();

 private:
  void open();
  void rotate();

  std::string path_;
  std::uint64_t limit_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
  std::uint64_t lost_lines_ = 0;
  std::uint64_t pending_lines_ = 0;
  std::string pending_;
};

/// Cuts a stream of bytes into lines. A line longer than 8 KiB is cut into several.
class output_lines {
 public:
  static constexpr std::size_t longest = 8192;
  using line_handler = std::function<void(std::string_view)>;

  void feed(std::string_view bytes, const line_handler&);
  /// The stream has ended: what is left without a line end is a line too.
  void finish(const line_handler&);

 private:
  std::string partial_;
};

}  // namespace jobctl
