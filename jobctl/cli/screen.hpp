// A terminal taken over for a full-screen view, by ANSI sequences that every terminal of today understands;
// given back as it was at the end, also by a signal.
//
// Thread safety: one screen at a time in a process (signals are handled for it).
#pragma once

#include <chrono>
#include <string>
#include <termios.h>
#include <vector>

namespace jobctl::cli {

class screen {
 public:
  /// `in` and `out`: descriptors of a terminal.
  screen(int in, int out);
  ~screen();
  screen(const screen&) = delete;
  screen& operator=(const screen&) = delete;

  struct extent {
    std::size_t rows, columns;
  };
  extent size() const;

  struct line {
    std::string text;  ///< control characters are shown as spaces; what is too long is cut off
    bool inverse = false, bold = false;
  };
  /// Replaces what is shown.
  void show(const std::vector<line>&);

  enum key { none, end, resized, up, down, left, right, page_up, page_down, enter, escape, character };
  struct pressed {
    screen::key key = none;
    char character = 0;
  };
  /// Waits for a key. none: nothing within `timeout`; end: a signal asks for the end, or the terminal is
  /// gone.
  pressed wait(std::chrono::milliseconds timeout);

 private:
  pressed decode();
  void write(const std::string&);

  int in_, out_;
  termios before_{};
  std::string typed_;
};

}  // namespace jobctl::cli
