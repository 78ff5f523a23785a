#include "jobctl/server/event_log.hpp"

#include <algorithm>
#include <random>

namespace jobctl {
namespace {

std::uint64_t random_run() {
  std::random_device source;
  return std::uint64_t{source()} | 1;
}

}  // namespace

std::string_view name_of(event_kind kind) { return event_names[static_cast<std::size_t>(kind)]; }

bool find_event_kind(std::string_view name, event_kind& kind) {
  const auto at = std::ranges::find(event_names, name);
  if (at == std::end(event_names)) return false;
  kind = static_cast<event_kind>(at - event_names);
  return true;
}

event_log::event_log(std::size_t capacity) : capacity_(capacity), run_(random_run()) {}

std::string_view event_log::text(std::uint64_t number) const {
  const auto found = texts_.find(number);
  return found == texts_.end() ? std::string_view() : std::string_view(found->second);
}

// The ring grows until it is full; then the oldest makes room.
event& event_log::put() {
  const std::size_t i = index(next_);
  if (ring_.size() < capacity_ && i >= ring_.size())
    ring_.resize(std::min(capacity_, std::max(i + 1, ring_.size() * 2)));
  if (count_ == capacity_) {
    if (ring_[i].kind() >= event_kind::launched) texts_.erase(next_ - capacity_);
  } else {
    ++count_;
  }
  ++next_;
  return ring_[i];
}

void event_log::append(time_point when, const std::vector<transition>& all) {
  for (const transition& t : all) put() = {when, t};
  if (!waiting_.empty() && !all.empty()) wake_all();
}

void event_log::append(time_point when, event_kind kind, channel_no channel, std::string text) {
  transition t;
  t.channel = channel;
  t.kind = static_cast<transition_kind>(kind);
  const std::uint64_t number = next_;
  put() = {when, t};
  if (!text.empty()) texts_.emplace(number, std::move(text));
  wake_all();
}

void event_log::wait(std::uint64_t number, std::function<void()> wake) {
  if (number < next_) return wake();
  waiting_.push_back(std::move(wake));
}

void event_log::wake_all() {
  for (const auto& wake : std::exchange(waiting_, {})) wake();
}

}  // namespace jobctl
