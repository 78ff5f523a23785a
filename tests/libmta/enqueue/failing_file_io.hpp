// The real files, except that what a test names fails.
#pragma once

#include "queue/file_io.hpp"

#include <cerrno>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace test {

class failing_file_io final : public mta::queue::file_io {
 public:
  /// Asked before every operation with its name and path; a number other than 0 is the errno that it fails
  /// with.
  using rule = std::function<int(const std::string& operation, const std::string& path)>;
  rule fail = [](const std::string&, const std::string&) { return 0; };

  mta::result<std::unique_ptr<mta::queue::file>> open(const std::string& path,
                                                      mta::queue::open_mode mode) override {
    if (const int e = fail("open", path)) return mta::os_error("open " + path, e);
    auto opened = real_.open(path, mode);
    if (!opened) return opened.error();
    return std::unique_ptr<mta::queue::file>(std::make_unique<failing_file>(*this, path, std::move(*opened)));
  }
  mta::result<> rename(const std::string& from, const std::string& to) override {
    return real_.rename(from, to);
  }
  mta::result<> remove(const std::string& path) override {
    if (const int e = fail("remove", path)) return mta::os_error("remove " + path, e);
    return real_.remove(path);
  }
  mta::result<std::vector<std::string>> list(const std::string& directory) override {
    return real_.list(directory);
  }
  mta::result<> make_directory(const std::string& directory) override {
    if (const int e = fail("make_directory", directory)) return mta::os_error("make " + directory, e);
    return real_.make_directory(directory);
  }
  mta::result<> flush_directory(const std::string& directory) override {
    return real_.flush_directory(directory);
  }
  mta::result<std::uint64_t> free_space(const std::string& path) override { return real_.free_space(path); }

 private:
  class failing_file final : public mta::queue::file {
   public:
    failing_file(failing_file_io& io, std::string path, std::unique_ptr<file> real)
        : io_(io), path_(std::move(path)), real_(std::move(real)) {}
    mta::result<std::size_t> read(std::uint64_t offset, std::span<std::byte> buffer) override {
      return real_->read(offset, buffer);
    }
    mta::result<> write(std::uint64_t offset, std::span<const std::span<const std::byte>> pieces) override {
      if (const int e = io_.fail("write", path_)) return mta::os_error("write " + path_, e);
      return real_->write(offset, pieces);
    }
    mta::result<> append(std::span<const std::byte> data) override { return real_->append(data); }
    mta::result<> flush() override { return real_->flush(); }
    mta::result<std::uint64_t> size() override { return real_->size(); }
    mta::result<> truncate(std::uint64_t size) override { return real_->truncate(size); }
    mta::result<bool> try_lock(std::uint64_t first, std::uint64_t count) override {
      return real_->try_lock(first, count);
    }
    mta::result<> unlock(std::uint64_t first, std::uint64_t count) override {
      return real_->unlock(first, count);
    }
    mta::result<bool> is_unlocked(std::uint64_t first, std::uint64_t count) override {
      return real_->is_unlocked(first, count);
    }

   private:
    failing_file_io& io_;
    std::string path_;
    std::unique_ptr<file> real_;
  };

  mta::queue::file_io& real_ = mta::queue::real_file_io();
};

}  // namespace test
