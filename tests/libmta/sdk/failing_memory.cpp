#include "failing_memory.hpp"

#include <cstdlib>
#include <new>

namespace {

thread_local int allocations_left = -1;  // until the one that fails; -1: none does

bool fails_now() noexcept { return allocations_left >= 0 && allocations_left-- == 0; }

}  // namespace

namespace test {

void fail_allocation(int number) { allocations_left = number; }

bool allocation_has_failed() {
  const bool failed = allocations_left < 0;
  allocations_left = -1;
  return failed;
}

}  // namespace test

void* operator new(std::size_t size) {
  if (void* const memory = fails_now() ? nullptr : std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return fails_now() ? nullptr : std::malloc(size == 0 ? 1 : size);
}
void* operator new[](std::size_t size, const std::nothrow_t& none) noexcept {
  return operator new(size, none);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
