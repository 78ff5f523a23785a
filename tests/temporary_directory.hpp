// A directory for one test, removed at the end.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace test {

class temporary_directory {
 public:
  temporary_directory() {
    const char* base = std::getenv("TMPDIR");
    std::string pattern =
        std::string(base != nullptr && *base != '\0' ? base : "/tmp") + "/jobctl-test.XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp " + pattern);
    path_ = pattern;
  }
  ~temporary_directory() {
    std::error_code failed;
    std::filesystem::remove_all(path_, failed);
    if (!failed) return;
    std::fprintf(stderr, "remove %s: %s; left in it:\n", path_.c_str(), failed.message().c_str());
    for (const auto& left : std::filesystem::recursive_directory_iterator(path_, failed))
      std::fprintf(stderr, "  %s\n", left.path().c_str());
  }
  temporary_directory(const temporary_directory&) = delete;
  temporary_directory& operator=(const temporary_directory&) = delete;
  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

}  // namespace test
