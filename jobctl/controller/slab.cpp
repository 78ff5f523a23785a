#include "jobctl/controller/model.hpp"

#include <algorithm>

namespace jobctl {

std::uint32_t message_slab::allocate() {
  ++live_;
  if (free_ != none) {
    const std::uint32_t i = free_;
    free_ = (*this)[i].next;
    (*this)[i] = message{};
    return i;
  }
  if ((used_ & mask) == 0) chunks_.push_back(std::make_unique<chunk>());
  return used_++;
}

void message_slab::release(std::uint32_t i) {
  --live_;
  message& m = (*this)[i];
  m = message{};
  m.next = free_;
  free_ = i;
}

void message_list::push_back(message_slab& slab, std::uint32_t i) {
  slab[i].next = none;
  slab[i].prev = tail;
  (tail == none ? head : slab[tail].next) = i;
  tail = i;
}

void message_list::push_front(message_slab& slab, std::uint32_t i) {
  slab[i].prev = none;
  slab[i].next = head;
  (head == none ? tail : slab[head].prev) = i;
  head = i;
}

void message_list::remove(message_slab& slab, std::uint32_t i) {
  message& m = slab[i];
  (m.prev == none ? head : slab[m.prev].next) = m.next;
  (m.next == none ? tail : slab[m.next].prev) = m.prev;
  m.next = m.prev = none;
}

void timer_heap::add(message_slab& slab, std::uint32_t i) {
  heap_.push_back(i);
  slab[i].next = static_cast<std::uint32_t>(heap_.size() - 1);
  up(slab, slab[i].next);
}

void timer_heap::remove(message_slab& slab, std::uint32_t i) {
  const std::uint32_t at = slab[i].next;
  const std::uint32_t last = heap_.back();
  heap_.pop_back();
  slab[i].next = none;
  if (last == i) return;
  heap_[at] = last;
  slab[last].next = at;
  up(slab, at);
  down(slab, slab[last].next);
}

void timer_heap::shift(message_slab& slab, std::int64_t by) {
  for (const std::uint32_t i : heap_) slab[i].due += by;
}

void timer_heap::up(message_slab& slab, std::uint32_t at) {
  const std::uint32_t i = heap_[at];
  while (at > 0) {
    const std::uint32_t parent = (at - 1) / 4;
    if (slab[heap_[parent]].due <= slab[i].due) break;
    heap_[at] = heap_[parent];
    slab[heap_[at]].next = at;
    at = parent;
  }
  heap_[at] = i;
  slab[i].next = at;
}

void timer_heap::down(message_slab& slab, std::uint32_t at) {
  const std::uint32_t i = heap_[at];
  const auto size = static_cast<std::uint32_t>(heap_.size());
  while (true) {
    std::uint32_t best = at;
    std::int64_t best_due = slab[i].due;
    for (std::uint32_t child = at * 4 + 1; child < std::min(at * 4 + 5, size); ++child)
      if (slab[heap_[child]].due < best_due) {
        best = child;
        best_due = slab[heap_[child]].due;
      }
    if (best == at) break;
    heap_[at] = heap_[best];
    slab[heap_[at]].next = at;
    at = best;
  }
  heap_[at] = i;
  slab[i].next = at;
}

bool timer_heap::in_order(const message_slab& slab) const {
  for (std::uint32_t at = 0; at < heap_.size(); ++at) {
    if (slab[heap_[at]].next != at) return false;
    if (at > 0 && slab[heap_[(at - 1) / 4]].due > slab[heap_[at]].due) return false;
  }
  return true;
}

}  // namespace jobctl
