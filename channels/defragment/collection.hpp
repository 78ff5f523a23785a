// The fragments of one message that have come so far, in a directory of their own:
//
//   <directory>/<hash of sender and id>/
//     key                sender and id in full: two sets of one hash do not mix
//     total              how many there will be, once a fragment has said so
//     1 2 3 …            the fragments, each written aside, flushed and renamed
//     1.body 2.body …    at which byte the body of each begins
//     <recipient>.<n>    that fragment n has come for him; <recipient> is a hash of the address
//     <recipient>.done   that the whole has been queued for him; flushed
//     <recipient>.late   that the rest is not waited for any more
//
// It is a memory, not the mail: every fragment stays in the queue, deferred, until the whole is queued or the
// fragment itself is passed on. If the directory is lost, the next attempts fill it again.
//
// Thread safety: one thread at a time; any number of objects, threads and processes for one set, since the
// object holds a lock on it for as long as it lives.
#pragma once

#include <mta/error.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace defragment {

class collection {
 public:
  /// Waits for the set's lock. Errors: the system's.
  static mta::result<collection> open(const std::string& directory, std::string_view sender,
                                      std::string_view id);
  collection(collection&& other) noexcept;
  collection(const collection&) = delete;
  ~collection();

  /// Gives the next bytes of a fragment; empty: no more.
  using reader = std::function<mta::result<std::string_view>()>;

  enum class added { yes, conflict };  ///< conflict: another one of that number, total or key is there
  /// Keeps a fragment; one that is there already must be the same from byte `compare_from` on (headers of two
  /// copies differ), where `total` 0 says nothing. Errors: the system's.
  mta::result<added> add(std::uint32_t number, std::uint32_t total, std::size_t compare_from, const reader&);

  enum class standing { waiting, done, late };
  /// Of a fragment that was queued at that time. One that came after the whole was queued begins the set anew
  /// for him: it was sent again, or is of another message with the same id.
  standing of(std::string_view recipient, std::chrono::system_clock::time_point committed);
  void came(std::string_view recipient, std::uint32_t number);
  /// Have all fragments come for him? Then the whole can be read.
  bool complete(std::string_view recipient) const;
  /// How many have, of how many (0: not known).
  std::pair<std::uint32_t, std::uint32_t> progress(std::string_view recipient) const;
  std::uint32_t total() const noexcept { return total_; }
  /// Durable when it returns. Errors: the system's.
  mta::result<> set_done(std::string_view recipient);
  void set_late(std::string_view recipient);
  /// Contents that nobody waits for any more are removed.
  void drop_contents_if_over();

  /// Where the body of a fragment begins.
  std::uint64_t body_of(std::uint32_t number) const;
  /// Reads fragment `number` from `offset` on, in pieces.
  mta::result<> read(std::uint32_t number, std::uint64_t offset,
                     const std::function<mta::result<>(std::string_view)>& take) const;

  /// Removes sets in which nothing has changed for so long, unless they are in use.
  static void sweep(const std::string& directory, std::chrono::seconds age);

 private:
  collection(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
  std::string mark(std::string_view recipient, std::string_view what) const;
  std::string file(std::uint32_t number) const { return path_ + '/' + std::to_string(number); }
  mta::result<> write(const std::string& name, std::string_view text) const;

  std::string path_;
  int lock_ = -1;
  bool foreign_ = false;  // another set has the same hash
  std::uint32_t total_ = 0;
};

}  // namespace defragment
