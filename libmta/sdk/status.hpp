// Status codes, and contexts that can be recognised.
// Thread safety: any thread; mtaErrno() is the calling thread's own.
#pragma once

#include "base/error.hpp"

#include <mtasdk.h>

#include <deque>
#include <memory>
#include <mutex>
#include <vector>

namespace mta::sdk {

/// Saves an error status for mtaErrno() and returns it; MTA_OK is returned and not saved. With MTA_DEBUG_SDK
/// it is logged too, with the routine that returns it, unless it only says that there is no more.
int status(int code, const char* routine = __builtin_FUNCTION()) noexcept;
/// The status for an error; `otherwise` where none fits better.
int status_of(const error&, int otherwise) noexcept;

/// The status when the site's configuration cannot be had: MTA_FOPEN when there is none to be read, MTA_NO
/// when it is wrong.
int initialisation_status(const error&) noexcept;
/// The status of a write or a commit: MTA_FCREATE where a file could not be made, MTA_FIO where it could not
/// be written.
int file_status(const error&) noexcept;

/// Contexts of one kind. They are never freed but used again, the longest unused first, so that a stale
/// pointer is recognised instead of followed.
template <class Context>
class context_pool {
 public:
  Context* acquire() {
    const std::scoped_lock guard(mutex_);
    Context* c = nullptr;
    if (free_.size() > 16) {
      c = free_.front();
      free_.pop_front();
    } else {
      c = all_.emplace_back(std::make_unique<Context>()).get();
    }
    c->magic = Context::live;
    return c;
  }
  void release(Context* c) {
    const std::scoped_lock guard(mutex_);
    if (c->magic != Context::live) return;  // finished twice at a time: it must not be given out twice
    c->magic = 0;
    free_.push_back(c);
  }
  /// Releases all that are in use, each after `before(context)`; a call that uses one at the moment is waited
  /// for.
  template <class Before>
  void release_all(Before before) {
    const std::scoped_lock guard(mutex_);
    for (const auto& c : all_) {
      if (c->magic != Context::live) continue;
      const std::scoped_lock no_call(c->in_use);
      before(*c);
      c->magic = 0;
      free_.push_back(c.get());
    }
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Context>> all_;
  std::deque<Context*> free_;
};

/// One call's use of a context: valid, and nobody else's at the moment.
template <class Context>
class use {
 public:
  explicit use(void* pointer) : context_(static_cast<Context*>(pointer)) {
    if (context_ == nullptr || context_->magic != Context::live) {
      code_ = MTA_BADARGS;
      context_ = nullptr;
    } else if (!context_->in_use.try_lock()) {
      code_ = MTA_THREAD;
      context_ = nullptr;
    }
  }
  ~use() {
    if (context_ != nullptr) context_->in_use.unlock();
  }
  use(const use&) = delete;
  use& operator=(const use&) = delete;
  explicit operator bool() const noexcept { return context_ != nullptr; }
  int code() const noexcept { return code_; }
  Context* operator->() const noexcept { return context_; }
  Context& operator*() const noexcept { return *context_; }

 private:
  Context* context_;
  int code_ = MTA_OK;
};

}  // namespace mta::sdk
