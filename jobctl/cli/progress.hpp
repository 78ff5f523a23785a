// How far something has come that takes a while: one line on standard error that is written over, if that is
// a terminal; else nothing. Thread safety: none.
#pragma once

#include "jobctl/cli/command.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace jobctl::cli {

class progress {
 public:
  /// "looked at 12800 messages"
  progress(const terminal&, std::string verb);
  ~progress();
  void add(std::uint64_t messages);
  /// Removes the line: something else is to be printed.
  void clear();
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;

 private:
  std::FILE* out_;  // null: nobody looks
  std::string verb_;
  std::uint64_t count_ = 0;
  bool shown_ = false;
  std::chrono::steady_clock::time_point next_{};  // when it may change again
};

}  // namespace jobctl::cli
