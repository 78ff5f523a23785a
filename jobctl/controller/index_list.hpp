// Doubly linked lists of things that live in a table and are named by 32-bit index. The links are a member of
// the thing itself, so that joining and leaving a list allocates nothing.
//
// Thread safety: none.
#pragma once

#include <cstdint>

namespace jobctl {

inline constexpr std::uint32_t none = 0xFFFF'FFFF;

struct links {
  std::uint32_t prev = none, next = none;
};

/// `at` gives the links of a thing by its index: links& at(std::uint32_t).
struct index_list {
  std::uint32_t head = none, tail = none;

  bool empty() const { return head == none; }

  template <class At>
  void push_back(At at, std::uint32_t i) {
    at(i) = links{tail, none};
    (tail == none ? head : at(tail).next) = i;
    tail = i;
  }
  template <class At>
  void push_front(At at, std::uint32_t i) {
    at(i) = links{none, head};
    (head == none ? tail : at(head).prev) = i;
    head = i;
  }
  template <class At>
  void remove(At at, std::uint32_t i) {
    const links l = at(i);
    (l.prev == none ? head : at(l.prev).next) = l.next;
    (l.next == none ? tail : at(l.next).prev) = l.prev;
    at(i) = links{};
  }
  template <class At>
  void to_back(At at, std::uint32_t i) {
    if (i == tail) return;
    remove(at, i);
    push_back(at, i);
  }
};

}  // namespace jobctl
