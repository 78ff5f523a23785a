#include "jobctl/server/work_pool.hpp"

#include <algorithm>
#include <signal.h>

namespace jobctl {

work_pool::work_pool(unsigned threads) : own_(std::max(1u, threads)) {
  // Signals are for the loop's thread.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  for (std::size_t i = 0; i < own_.size(); ++i) threads_.emplace_back([this, i] { run(i); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

work_pool::~work_pool() { stop(); }

void work_pool::submit(work w) {
  {
    const std::lock_guard guard(mutex_);
    if (stopped_) return;
    shared_.push_back(std::move(w));
  }
  changed_.notify_all();
}

void work_pool::submit(std::uint64_t key, work w) {
  {
    const std::lock_guard guard(mutex_);
    if (stopped_) return;
    own_[(key * 0x9E3779B97F4A7C15u >> 32) % own_.size()].push_back(std::move(w));
  }
  changed_.notify_all();
}

void work_pool::stop() {
  std::deque<work> dropped;
  {
    const std::lock_guard guard(mutex_);
    stopped_ = true;
    dropped.swap(shared_);
    for (auto& queue : own_) {
      std::move(queue.begin(), queue.end(), std::back_inserter(dropped));
      queue.clear();
    }
  }
  changed_.notify_all();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

void work_pool::run(std::size_t self) {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stopped_ || !own_[self].empty() || !shared_.empty(); });
    if (stopped_) return;
    auto& from = own_[self].empty() ? shared_ : own_[self];
    const work w = std::move(from.front());
    from.pop_front();
    lock.unlock();
    w();
    lock.lock();
  }
}

}  // namespace jobctl
