// The lock of one message, for as long as it lives. Thread safety: as message_file; one thread.
#pragma once

#include "queue/message_file.hpp"

namespace jobctl {

class slot_lock {
 public:
  slot_lock(mta::queue::message_file& f, std::uint32_t slot)
      : file_(f), slot_(slot), locked_(f.try_lock(slot)) {}
  ~slot_lock() {
    if (locked_ && *locked_) (void)file_.unlock(slot_);
  }
  slot_lock(const slot_lock&) = delete;
  slot_lock& operator=(const slot_lock&) = delete;
  /// false: somebody else has it.
  const mta::result<bool>& taken() const { return locked_; }

 private:
  mta::queue::message_file& file_;
  std::uint32_t slot_;
  mta::result<bool> locked_;
};

}  // namespace jobctl
