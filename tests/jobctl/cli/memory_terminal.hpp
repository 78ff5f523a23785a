// Files in memory, to run commands with.
#pragma once

#include "jobctl/cli/cli.hpp"

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

namespace test {

class input_file {
 public:
  explicit input_file(std::string text) : text_(std::move(text)) {
    // fmemopen() refuses an empty buffer.
    file_ = text_.empty() ? std::fopen("/dev/null", "r") : ::fmemopen(text_.data(), text_.size(), "r");
    if (!file_) throw std::runtime_error("fmemopen");
  }
  ~input_file() { std::fclose(file_); }
  input_file(const input_file&) = delete;
  input_file& operator=(const input_file&) = delete;
  std::FILE* file() { return file_; }

 private:
  std::string text_;
  std::FILE* file_;
};

class output_file {
 public:
  output_file() : file_(::open_memstream(&text_, &size_)) {
    if (!file_) throw std::runtime_error("open_memstream");
  }
  ~output_file() {
    std::fclose(file_);
    std::free(text_);
  }
  output_file(const output_file&) = delete;
  output_file& operator=(const output_file&) = delete;
  std::FILE* file() { return file_; }
  std::string text() {
    std::fflush(file_);
    return {text_, size_};
  }

 private:
  char* text_ = nullptr;
  std::size_t size_ = 0;
  std::FILE* file_;
};

struct outcome {
  int status;
  std::string out, err;
};

/// Runs `jobctl ARGUMENTS` in this process.
inline outcome run_jobctl(const std::vector<std::string>& arguments, const std::string& input = {}) {
  input_file in(input);
  output_file out, err;
  const int status = ::jobctl::cli::run(arguments, {in.file(), out.file(), err.file()});
  return {status, out.text(), err.text()};
}

}  // namespace test
