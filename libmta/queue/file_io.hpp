// All that the queue asks of the file system. One interface, so that tests can record every call, replay each
// legal state after a crash, and make each call fail once (tests/crash).
//
// Every path is absolute. Errors are the operating system's, with the operation and path as context.
// Thread safety: real_file_io() may be used from any thread; several threads may use one handle at once.
#pragma once

#include "base/error.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace mta::queue {

enum class open_mode {
  read_write,     ///< must exist
  create_new,     ///< must not exist
  append_create,  ///< writes go to the end; made if missing (history files)
};

/// An open file. Destroying it closes the file and drops its locks.
class file {
 public:
  virtual ~file() = default;
  /// Reads up to buffer.size() bytes; fewer only at the end of the file.
  virtual result<std::size_t> read(std::uint64_t offset, std::span<std::byte> buffer) = 0;
  /// Writes all the pieces one after another at `offset`, or fails.
  virtual result<> write(std::uint64_t offset, std::span<const std::span<const std::byte>> pieces) = 0;
  /// Writes at the end (append_create).
  virtual result<> append(std::span<const std::byte> data) = 0;
  /// fdatasync. After a failure nothing about the file's durability may be assumed.
  virtual result<> flush() = 0;
  virtual result<std::uint64_t> size() = 0;
  virtual result<> truncate(std::uint64_t size) = 0;
  /// Exclusive open-file-description lock on [first, first + count). false: somebody else holds part of it.
  virtual result<bool> try_lock(std::uint64_t first, std::uint64_t count) = 0;
  virtual result<> unlock(std::uint64_t first, std::uint64_t count) = 0;
  /// Would try_lock succeed now?
  virtual result<bool> is_unlocked(std::uint64_t first, std::uint64_t count) = 0;

  result<> write(std::uint64_t offset, std::span<const std::byte> data) {
    return write(offset, std::span<const std::span<const std::byte>>(&data, 1));
  }
};

class file_io {
 public:
  virtual ~file_io() = default;
  virtual result<std::unique_ptr<file>> open(const std::string& path, open_mode mode) = 0;
  /// Fails (EEXIST) if there is a file of the new name.
  virtual result<> rename(const std::string& from, const std::string& to) = 0;
  virtual result<> remove(const std::string& path) = 0;
  /// Names in a directory, without "." and "..", unsorted.
  virtual result<std::vector<std::string>> list(const std::string& directory) = 0;
  /// Makes the directory (mode 0750) if missing; its parent must exist.
  virtual result<> make_directory(const std::string& directory) = 0;
  virtual result<> flush_directory(const std::string& directory) = 0;
  /// Bytes an unprivileged process can still write on the file system of `path`.
  virtual result<std::uint64_t> free_space(const std::string& path) = 0;
};

file_io& real_file_io();

}  // namespace mta::queue
