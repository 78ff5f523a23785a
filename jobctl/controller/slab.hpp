// Tables of things named by 32-bit index, in chunks: growing moves nothing and leaves at most one chunk
// unused, where a std::vector would keep up to half of its memory empty.
//
// Thread safety: none. Lifetime: a reference stays good until its element is released; an index is used
// again.
#pragma once

#include "jobctl/controller/index_list.hpp"

#include <bit>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace jobctl {

/// Elements are made by make() and destroyed by release(); 2^Bits of them to a chunk.
template <class T, unsigned Bits>
class slab {
  static_assert(sizeof(T) >= sizeof(std::uint32_t) && Bits >= 6);
  static constexpr std::uint32_t per_chunk = 1u << Bits, mask = per_chunk - 1;
  struct chunk {
    alignas(T) std::byte bytes[sizeof(T) * per_chunk];
    std::uint64_t live[per_chunk / 64];
  };

 public:
  slab() = default;
  slab(const slab&) = delete;
  slab& operator=(const slab&) = delete;
  ~slab() { clear(); }

  T& operator[](std::uint32_t i) { return *std::launder(reinterpret_cast<T*>(place(i))); }
  const T& operator[](std::uint32_t i) const { return *std::launder(reinterpret_cast<const T*>(place(i))); }

  std::uint32_t make() {
    std::uint32_t i = free_;
    if (i != none) {
      std::memcpy(&free_, place(i), sizeof free_);
    } else {
      i = end_++;
      if (i >> Bits == chunks_.size()) {
        chunks_.push_back(
            std::unique_ptr<chunk>(new chunk));  // not value-initialised: its pages stay untouched
        std::memset(chunks_.back()->live, 0, sizeof(chunk::live));
      }
    }
    new (place(i)) T();
    chunks_[i >> Bits]->live[(i & mask) / 64] |= std::uint64_t{1} << (i % 64);
    ++size_;
    return i;
  }

  void release(std::uint32_t i) {
    (*this)[i].~T();
    chunks_[i >> Bits]->live[(i & mask) / 64] &= ~(std::uint64_t{1} << (i % 64));
    if (--size_ == 0) {  // after a backlog its memory goes back
      if (chunks_.size() > 1) chunks_.resize(1);
      end_ = 0;
      free_ = none;
      return;
    }
    std::memcpy(place(i), &free_, sizeof free_);
    free_ = i;
  }

  bool live(std::uint32_t i) const {
    return i < end_ && (chunks_[i >> Bits]->live[(i & mask) / 64] >> (i % 64) & 1) != 0;
  }
  /// The first live index from `i` on, or end().
  std::uint32_t next_live(std::uint32_t i) const {
    while (i < end_) {
      const std::uint64_t rest = chunks_[i >> Bits]->live[(i & mask) / 64] >> (i % 64);
      if (rest != 0) return i + static_cast<std::uint32_t>(std::countr_zero(rest));
      i = (i | 63) + 1;
    }
    return end_;
  }
  std::uint32_t end() const { return end_; }  ///< one past the highest index in use
  std::uint32_t size() const { return size_; }
  std::size_t memory() const { return chunks_.size() * sizeof(chunk) + chunks_.capacity() * sizeof(void*); }

 private:
  std::byte* place(std::uint32_t i) { return chunks_[i >> Bits]->bytes + sizeof(T) * (i & mask); }
  const std::byte* place(std::uint32_t i) const { return chunks_[i >> Bits]->bytes + sizeof(T) * (i & mask); }
  void clear() {
    for (std::uint32_t i = next_live(0); i < end_; i = next_live(i + 1)) (*this)[i].~T();
  }

  std::vector<std::unique_ptr<chunk>> chunks_;
  std::uint32_t free_ = none, end_ = 0, size_ = 0;
};

/// What a heap needs of a std::vector, in chunks.
template <class T, unsigned Bits>
class chunked_vector {
  static constexpr std::uint32_t per_chunk = 1u << Bits, mask = per_chunk - 1;

 public:
  T& operator[](std::uint32_t i) { return chunks_[i >> Bits][i & mask]; }
  const T& operator[](std::uint32_t i) const { return chunks_[i >> Bits][i & mask]; }
  std::uint32_t size() const { return size_; }
  void push_back(const T& value) {
    if (size_ >> Bits == chunks_.size()) chunks_.push_back(std::make_unique_for_overwrite<T[]>(per_chunk));
    (*this)[size_++] = value;
  }
  void pop_back() {
    --size_;
    if (size_ + 2 * per_chunk <= chunks_.size() << Bits) chunks_.pop_back();  // one spare is kept
  }
  std::size_t memory() const {
    return chunks_.size() * per_chunk * sizeof(T) + chunks_.capacity() * sizeof(void*);
  }

 private:
  std::vector<std::unique_ptr<T[]>> chunks_;
  std::uint32_t size_ = 0;
};

}  // namespace jobctl
