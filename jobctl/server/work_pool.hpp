// A few threads for what may wait for the disk: scans, maintenance, reading messages for operators.
//
// Thread safety: every member from any thread. Lifetime: the destructor waits for the work that has begun and
// drops the rest.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace jobctl {

class work_pool {
 public:
  using work = std::function<void()>;

  explicit work_pool(unsigned threads);
  ~work_pool();
  work_pool(const work_pool&) = delete;
  work_pool& operator=(const work_pool&) = delete;

  /// On any thread, in no particular order.
  void submit(work);
  /// Work of the same key runs one after another, in order. It goes before that of submit().
  void submit(std::uint64_t key, work);
  /// Drops all work that has not begun; nothing is accepted any more. Waits for what has begun.
  void stop();

 private:
  void run(std::size_t self);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<work> shared_;
  std::vector<std::deque<work>> own_;  // by thread
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace jobctl
