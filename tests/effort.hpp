// How much of a heavy test to run. What these tests search through is the same code on one thread in every
// build; the release build searches all of it, the sanitizers, which are many times slower, a share.
#pragma once

namespace test {

#if defined(__SANITIZE_THREAD__)
inline constexpr unsigned effort_divisor = 40;
#elif defined(__SANITIZE_ADDRESS__)
inline constexpr unsigned effort_divisor = 10;
#else
inline constexpr unsigned effort_divisor = 1;
#endif

}  // namespace test
