// A disk for tests: files in memory behind queue::file_io, which knows what a power failure may leave of
// them.
//
// * Writes are visible at once; they are durable after a flush that began after them. Until then any part of
// each may
//   or may not be on the disk, in any order, torn at any byte (512-byte sectors most of the time).
// * Names (create, rename, remove) are durable after their directory's flush. Until then each may or may not
// have happened.
// * Every call can be made to fail, once. A failed flush leaves the writes that it should have covered in
// limbo: readable,
//   but any part of them may never reach the disk.
//
// Thread safety: all members from any thread. Handles may outlive nothing: the disk must live longer.
#pragma once

#include "queue/file_io.hpp"

#include <array>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace test {

namespace queue = mta::queue;
using mta::error;
using mta::result;

/// The content of a file, shared page by page between copies.
class sparse_bytes {
 public:
  static constexpr std::size_t page_size = 4096;
  using page = std::array<std::byte, page_size>;

  std::uint64_t size() const { return size_; }
  void resize(std::uint64_t to) {
    if (to < size_) {
      pages_.erase(pages_.lower_bound((to + page_size - 1) / page_size), pages_.end());
      if (to % page_size != 0)
        if (auto* p = writable(to / page_size))
          std::memset(p->data() + to % page_size, 0, page_size - to % page_size);
    }
    size_ = to;
  }
  void write(std::uint64_t offset, const std::byte* data, std::size_t length) {
    size_ = std::max(size_, offset + length);
    while (length > 0) {
      const std::size_t in_page = offset % page_size, now = std::min(length, page_size - in_page);
      std::memcpy(writable(offset / page_size)->data() + in_page, data, now);
      offset += now;
      data += now;
      length -= now;
    }
  }
  std::size_t read(std::uint64_t offset, std::byte* out, std::size_t length) const {
    if (offset >= size_) return 0;
    length = static_cast<std::size_t>(std::min<std::uint64_t>(length, size_ - offset));
    for (std::size_t done = 0; done < length;) {
      const std::uint64_t at = offset + done;
      const std::size_t in_page = at % page_size, now = std::min(length - done, page_size - in_page);
      const auto found = pages_.find(at / page_size);
      if (found == pages_.end())
        std::memset(out + done, 0, now);
      else
        std::memcpy(out + done, found->second->data() + in_page, now);
      done += now;
    }
    return length;
  }

 private:
  page* writable(std::uint64_t number) {
    auto& p = pages_[number];
    if (!p)
      p = std::make_shared<page>();
    else if (p.use_count() > 1)
      p = std::make_shared<page>(*p);
    return p.get();
  }
  std::map<std::uint64_t, std::shared_ptr<page>> pages_;
  std::uint64_t size_ = 0;
};

class simulated_disk final : public queue::file_io {
 public:
  /// Called before each call of the interface with its number and kind; an error makes the call fail.
  struct failure {
    error why;
    double done_before = 0;  ///< of a write: the part that is carried out before it fails
  };
  using fault = std::function<std::optional<failure>(std::uint64_t call, const char* kind)>;

  void set_fault(fault f) {
    const std::scoped_lock guard(mutex_);
    fault_ = std::move(f);
  }
  std::uint64_t calls() const {
    const std::scoped_lock guard(mutex_);
    return calls_;
  }
  /// Decides what of the data a failed flush leaves to be written.
  void set_luck(std::uint64_t seed) { limbo_.seed(seed); }
  void set_free_space(std::uint64_t bytes) { free_space_ = bytes; }
  /// Called (without locks) after every call that changes something: a point at which the power may fail.
  void set_observer(std::function<void()> observer) { observer_ = std::move(observer); }
  /// Writes and names not yet durable.
  std::size_t pending() const {
    const std::scoped_lock guard(mutex_);
    std::size_t n = pending_names_.size();
    for (const auto& [number, node] : nodes_) n += node->pending.size();
    return n;
  }

  /// A disk as the power failure leaves this one: what is durable, and of everything else what `random`
  /// decides. `style` 0: nothing pending, 1: everything, 2: whole writes or not, 3: sectors, 4: torn at any
  /// byte.
  std::unique_ptr<simulated_disk> after_power_failure(std::mt19937_64& random, int style) const {
    const std::scoped_lock guard(mutex_);
    auto left = std::make_unique<simulated_disk>();
    const auto chance = [&] { return style == 0 ? false : style == 1 ? true : (random() & 1) != 0; };
    left->names_ = durable_names_;
    for (const name_change& change : pending_names_) {
      if (!chance()) continue;
      if (!change.from.empty()) left->names_.erase(change.from);
      if (change.node == 0)
        left->names_.erase(change.to);
      else
        left->names_[change.to] = change.node;
    }
    left->directories_ = directories_;
    for (const auto& [path, number] : left->names_) {
      const inode& source = *nodes_.at(number);
      auto copy = std::make_shared<inode>();
      copy->visible = source.durable;
      for (const pending_write& w : source.pending) apply_part(copy->visible, w, random, style);
      copy->durable = copy->visible;
      left->nodes_[number] = copy;
    }
    left->durable_names_ = left->names_;
    left->next_node_ = next_node_;
    return left;
  }

  // --- queue::file_io
  // --------------------------------------------------------------------------------------------
  result<std::unique_ptr<queue::file>> open(const std::string& path, queue::open_mode mode) override {
    {
      const std::scoped_lock guard(mutex_);
      if (const auto f = fails("open")) return f->why;
      const auto found = names_.find(path);
      if (found != names_.end()) {
        if (mode == queue::open_mode::create_new) return mta::os_error("open " + path, EEXIST);
        return handle(found->second, mode);
      }
      if (mode == queue::open_mode::read_write) return mta::os_error("open " + path, ENOENT);
      if (!directories_.contains(parent(path))) return mta::os_error("open " + path, ENOENT);
    }
    std::unique_ptr<queue::file> made;
    {
      const std::scoped_lock guard(mutex_);
      const std::uint64_t number = next_node_++;
      nodes_[number] = std::make_shared<inode>();
      names_[path] = number;
      pending_names_.push_back({{}, path, number});
      made = handle(number, mode);
    }
    observe();
    return made;
  }
  result<> rename(const std::string& from, const std::string& to) override {
    {
      const std::scoped_lock guard(mutex_);
      if (const auto f = fails("rename")) return f->why;
      const auto found = names_.find(from);
      if (found == names_.end()) return mta::os_error("rename " + from, ENOENT);
      if (names_.contains(to)) return mta::os_error("rename " + from, EEXIST);
      const std::uint64_t number = found->second;
      names_.erase(found);
      names_[to] = number;
      pending_names_.push_back({from, to, number});
    }
    observe();
    return {};
  }
  result<> remove(const std::string& path) override {
    {
      const std::scoped_lock guard(mutex_);
      if (const auto f = fails("remove")) return f->why;
      if (names_.erase(path) == 0) return mta::os_error("remove " + path, ENOENT);
      pending_names_.push_back({{}, path, 0});
    }
    observe();
    return {};
  }
  result<std::vector<std::string>> list(const std::string& directory) override {
    const std::scoped_lock guard(mutex_);
    if (const auto f = fails("list")) return f->why;
    if (!directories_.contains(directory)) return mta::os_error("list " + directory, ENOENT);
    std::vector<std::string> found;
    for (const auto& [path, number] : names_)
      if (parent(path) == directory) found.push_back(path.substr(directory.size() + 1));
    for (const std::string& path : directories_)
      if (parent(path) == directory) found.push_back(path.substr(directory.size() + 1));
    return found;
  }
  result<> make_directory(const std::string& directory) override {
    const std::scoped_lock guard(mutex_);
    if (const auto f = fails("make_directory")) return f->why;
    if (!directories_.contains(parent(directory)))
      return mta::os_error("make directory " + directory, ENOENT);
    directories_.insert(directory);  // directories are taken as durable: losing one loses only what it holds
    return {};
  }
  result<> flush_directory(const std::string& directory) override {
    {
      const std::scoped_lock guard(mutex_);
      if (const auto f = fails("flush_directory")) return f->why;
      std::vector<name_change> rest;
      for (const name_change& change : pending_names_) {
        if (parent(change.to) != directory) {
          rest.push_back(change);
          continue;
        }
        if (!change.from.empty()) durable_names_.erase(change.from);
        if (change.node == 0)
          durable_names_.erase(change.to);
        else
          durable_names_[change.to] = change.node;
      }
      pending_names_ = std::move(rest);
    }
    observe();
    return {};
  }
  result<std::uint64_t> free_space(const std::string&) override {
    const std::scoped_lock guard(mutex_);
    if (const auto f = fails("free_space")) return f->why;
    return free_space_;
  }

 private:
  struct pending_write {
    std::uint64_t offset = 0;
    std::vector<std::byte> data;
    std::uint64_t truncate_to = ~0ull;  // a truncation instead
  };
  struct inode {
    sparse_bytes visible, durable;
    std::vector<pending_write> pending;
    std::map<std::uint64_t, std::pair<std::uint64_t, const void*>> locks;  // first -> end, holder
  };
  struct name_change {
    std::string from, to;
    std::uint64_t node = 0;  // 0: removed
  };

  class open_file final : public queue::file {
   public:
    open_file(simulated_disk& disk, std::shared_ptr<inode> node) : disk_(disk), node_(std::move(node)) {}
    ~open_file() override {
      const std::scoped_lock guard(disk_.mutex_);
      std::erase_if(node_->locks, [this](const auto& l) { return l.second.second == this; });
    }
    result<std::size_t> read(std::uint64_t offset, std::span<std::byte> buffer) override {
      const std::scoped_lock guard(disk_.mutex_);
      if (const auto f = disk_.fails("read")) return f->why;
      return node_->visible.read(offset, buffer.data(), buffer.size());
    }
    result<> write(std::uint64_t offset, std::span<const std::span<const std::byte>> pieces) override {
      {
        const std::scoped_lock guard(disk_.mutex_);
        std::vector<std::byte> all;
        for (const auto& piece : pieces) all.insert(all.end(), piece.begin(), piece.end());
        const auto f = disk_.fails("write");
        if (f) all.resize(static_cast<std::size_t>(static_cast<double>(all.size()) * f->done_before));
        if (!all.empty()) {
          node_->visible.write(offset, all.data(), all.size());
          node_->pending.push_back({offset, std::move(all)});
        }
        if (f) return f->why;
      }
      disk_.observe();
      return {};
    }
    result<> append(std::span<const std::byte> data) override {
      std::uint64_t end = 0;
      {
        const std::scoped_lock guard(disk_.mutex_);
        end = node_->visible.size();
      }
      const std::span<const std::byte> piece = data;
      return write(end, std::span(&piece, 1));
    }
    result<> flush() override {
      {
        const std::scoped_lock guard(disk_.mutex_);
        if (const auto f = disk_.fails("flush")) {
          // Whatever was to be written may be lost for good, though it can still be read.
          for (auto& w : node_->pending) {
            if (w.data.empty() || (disk_.limbo_() & 1) != 0) continue;
            w.data.resize(w.data.size() / 2);
          }
          std::erase_if(node_->pending, [this](const auto& w) {
            return w.truncate_to == ~0ull && (disk_.limbo_() & 1) != 0;
          });
          return f->why;
        }
        for (const auto& w : node_->pending) {
          if (w.truncate_to != ~0ull)
            node_->durable.resize(w.truncate_to);
          else
            node_->durable.write(w.offset, w.data.data(), w.data.size());
        }
        node_->pending.clear();
      }
      disk_.observe();
      return {};
    }
    result<std::uint64_t> size() override {
      const std::scoped_lock guard(disk_.mutex_);
      if (const auto f = disk_.fails("size")) return f->why;
      return node_->visible.size();
    }
    result<> truncate(std::uint64_t to) override {
      const std::scoped_lock guard(disk_.mutex_);
      if (const auto f = disk_.fails("truncate")) return f->why;
      node_->visible.resize(to);
      node_->pending.push_back({0, {}, to});
      return {};
    }
    result<bool> try_lock(std::uint64_t first, std::uint64_t count) override {
      const std::scoped_lock guard(disk_.mutex_);
      if (const auto f = disk_.fails("lock")) return f->why;
      if (!unlocked(first, count)) return false;
      node_->locks[first] = {first + count, this};
      return true;
    }
    result<> unlock(std::uint64_t first, std::uint64_t) override {
      const std::scoped_lock guard(disk_.mutex_);
      if (const auto f = disk_.fails("unlock")) return f->why;
      const auto found = node_->locks.find(first);
      if (found != node_->locks.end() && found->second.second == this) node_->locks.erase(found);
      return {};
    }
    result<bool> is_unlocked(std::uint64_t first, std::uint64_t count) override {
      const std::scoped_lock guard(disk_.mutex_);
      if (const auto f = disk_.fails("test lock")) return f->why;
      return unlocked(first, count);
    }

   private:
    bool unlocked(std::uint64_t first, std::uint64_t count) const {
      for (const auto& [start, lock] : node_->locks)
        if (lock.second != this && start < first + count && first < lock.first) return false;
      return true;
    }
    simulated_disk& disk_;
    std::shared_ptr<inode> node_;
  };

  static std::string parent(const std::string& path) { return path.substr(0, path.rfind('/')); }
  std::unique_ptr<queue::file> handle(std::uint64_t number, queue::open_mode) {
    return std::make_unique<open_file>(*this, nodes_.at(number));
  }
  std::optional<failure> fails(const char* kind) {
    const std::uint64_t call = calls_++;
    return fault_ ? fault_(call, kind) : std::nullopt;
  }
  void observe() {
    if (observer_) observer_();
  }

  static void apply_part(sparse_bytes& to, const pending_write& w, std::mt19937_64& random, int style) {
    if (style == 0) return;
    if (w.truncate_to != ~0ull) {
      if (style == 1 || (random() & 1) != 0) to.resize(w.truncate_to);
      return;
    }
    if (style == 1 || style == 2) {
      if (style == 1 || (random() & 1) != 0) to.write(w.offset, w.data.data(), w.data.size());
      return;
    }
    // Sector by sector; once in a while a run of them alike, so that large writes do not always end up half
    // and half.
    constexpr std::uint64_t sector = 512;
    bool take = (random() & 1) != 0;
    for (std::uint64_t at = 0; at < w.data.size();) {
      const std::uint64_t next =
          std::min<std::uint64_t>(w.data.size(), (w.offset + at) / sector * sector + sector - w.offset);
      if (random() % 4 != 0) take = (random() & 1) != 0;
      std::uint64_t end = next;
      if (take && style == 4 && random() % 3 == 0) end = at + random() % (next - at + 1);
      if (take && end > at) to.write(w.offset + at, w.data.data() + at, end - at);
      at = next;
    }
  }

  mutable std::mutex mutex_;
  std::map<std::string, std::uint64_t> names_, durable_names_;
  std::set<std::string> directories_{"/q"};
  std::vector<name_change> pending_names_;
  std::map<std::uint64_t, std::shared_ptr<inode>> nodes_;
  std::uint64_t next_node_ = 1;
  std::uint64_t calls_ = 0;
  std::uint64_t free_space_ = 1ull << 40;
  fault fault_;
  std::function<void()> observer_;
  std::mt19937_64 limbo_{1};
};

}  // namespace test
