#include "notify/report.hpp"

#include <mta/dequeue.hpp>

namespace mta::notify {
namespace {

constexpr std::uint32_t bits(notify_flags f) { return static_cast<std::uint32_t>(f); }
constexpr std::uint32_t content = 0x07u;
constexpr std::uint32_t usual =
    bits(notify_flags::content_full) | bits(notify_flags::delay) | bits(notify_flags::failure);

}  // namespace

std::uint32_t effective_flags(const queue::envelope& e, const queue::recipient& r) noexcept {
  const std::uint32_t of_message = e.notify_flags != 0 ? e.notify_flags : usual;
  std::uint32_t flags = r.notify_flags != 0 ? r.notify_flags : of_message;
  if ((flags & content) == 0) flags |= of_message & content;  // it belongs to the message
  if ((flags & content) == 0) flags |= bits(notify_flags::content_full);
  return flags;
}

bool asked_for(kind what, std::uint32_t flags) noexcept {
  switch (what) {
    case kind::failed:
    case kind::returned:
    case kind::timed_out: return (flags & bits(notify_flags::failure)) != 0;
    case kind::delayed: return (flags & bits(notify_flags::delay)) != 0;
    case kind::delivered:
    case kind::relayed: return (flags & bits(notify_flags::success)) != 0;
  }
  return false;
}

}  // namespace mta::notify
