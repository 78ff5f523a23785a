// One allocation of a thread can be made to fail: operator new of the whole test program.
#pragma once

namespace test {

/// The calling thread's next allocation (0), the one after it (1), … throws std::bad_alloc. Once.
void fail_allocation(int number);
/// Has it come to that? In any case no allocation fails any more.
bool allocation_has_failed();

}  // namespace test
