// Things that wait for a time, in order of it: a 4-ary heap of (time, index), where each thing knows its
// position, so that it can leave at any moment. The time is kept in the heap too: finding the least of four
// looks at one cache line instead of four things.
//
// Thread safety: none. Costs: O(log n) to add and remove, O(1) to look; 12 bytes for each.
#pragma once

#include "jobctl/controller/slab.hpp"

#include <algorithm>

namespace jobctl {

/// `Position` is the member that holds a thing's place here: timer_heap<&message::position, 16>. 2^Bits to a
/// chunk.
template <auto Position, unsigned Bits>
class timer_heap {
 public:
  bool empty() const { return heap_.size() == 0; }
  std::uint32_t size() const { return heap_.size(); }
  std::uint32_t first() const { return heap_[0].index; }
  std::int64_t first_time() const { return heap_[0].time(); }
  std::int64_t time_at(std::uint32_t position) const { return heap_[position].time(); }
  std::uint32_t index_at(std::uint32_t position) const { return heap_[position].index; }

  template <class Table>
  void add(Table& table, std::uint32_t index, std::int64_t time) {
    heap_.push_back({});
    up(table, heap_.size() - 1, item(index, time));
  }
  template <class Table>
  void remove(Table& table, std::uint32_t index) {
    const std::uint32_t at = table[index].*Position;
    table[index].*Position = none;
    const item last = heap_[heap_.size() - 1];
    heap_.pop_back();
    if (at == heap_.size()) return;
    if (at > 0 && last.time() < heap_[(at - 1) / 4].time())
      up(table, at, last);
    else
      down(table, at, last);
  }
  std::size_t memory() const { return heap_.memory(); }

  /// For tests: the order holds and everything knows its position.
  template <class Table>
  bool consistent(const Table& table) const {
    for (std::uint32_t at = 0; at < heap_.size(); ++at)
      if (table[heap_[at].index].*Position != at || (at > 0 && heap_[(at - 1) / 4].time() > heap_[at].time()))
        return false;
    return true;
  }

 private:
  struct item {
    item() = default;
    item(std::uint32_t i, std::int64_t time)
        : index(i),
          low(static_cast<std::uint32_t>(time)),
          high(static_cast<std::uint32_t>(static_cast<std::uint64_t>(time) >> 32)) {}
    std::int64_t time() const { return static_cast<std::int64_t>(std::uint64_t{high} << 32 | low); }
    std::uint32_t index = none, low = 0, high = 0;  // not one of 8 bytes, which would make 16 of 12
  };

  template <class Table>
  void put(Table& table, std::uint32_t at, const item& what) {
    heap_[at] = what;
    table[what.index].*Position = at;
  }
  template <class Table>
  void up(Table& table, std::uint32_t at, const item& what) {
    while (at > 0 && what.time() < heap_[(at - 1) / 4].time()) {
      put(table, at, heap_[(at - 1) / 4]);
      at = (at - 1) / 4;
    }
    put(table, at, what);
  }
  template <class Table>
  void down(Table& table, std::uint32_t at, const item& what) {
    while (true) {
      const std::uint64_t child = std::uint64_t{at} * 4 + 1;
      if (child >= heap_.size()) break;
      auto best = static_cast<std::uint32_t>(child);
      const auto end = static_cast<std::uint32_t>(std::min<std::uint64_t>(child + 4, heap_.size()));
      for (std::uint32_t c = best + 1; c < end; ++c)
        if (heap_[c].time() < heap_[best].time()) best = c;
      if (heap_[best].time() >= what.time()) break;
      put(table, at, heap_[best]);
      at = best;
    }
    put(table, at, what);
  }

  chunked_vector<item, Bits> heap_;
};

}  // namespace jobctl
