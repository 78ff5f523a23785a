// mta::message onto the context behind it.
#include "dequeue/context.hpp"

namespace mta {

std::string_view message::id() const noexcept { return context_->id(); }
std::string_view message::channel() const noexcept { return context_->channel().name; }
std::string_view message::sender() const noexcept { return context_->envelope().from; }
std::span<const recipient> message::recipients() const noexcept { return context_->recipients(); }
std::string_view message::source_channel() const noexcept { return context_->envelope().source_channel; }
std::string_view message::envelope_id() const noexcept { return context_->envelope().envelope_id; }
std::string_view message::header_id() const noexcept { return context_->envelope().header_id; }
std::string_view message::host() const noexcept { return context_->entry().host; }
std::uint32_t message::delivery_flags() const noexcept {
  return context_->envelope().delivery_flags | context_->channel().delivery_flags;
}
notify_flags message::notify() const noexcept {
  const std::uint32_t flags = context_->envelope().notify_flags;
  return static_cast<notify_flags>(flags == 0 ? 0x19u : (flags & 0x07u) == 0 ? flags | 0x01u : flags);
}
message_priority message::priority() const noexcept {
  return static_cast<message_priority>(context_->entry().priority);
}
unsigned message::attempts() const noexcept { return context_->claim().listed.state.attempts; }
std::chrono::sys_time<std::chrono::milliseconds> message::committed() const noexcept {
  return context_->entry().committed;
}
int message::thread_id() const noexcept { return context_->thread_id(); }

std::uint64_t message::size() const noexcept { return context_->entry().content_length; }
content_facts message::facts() const noexcept {
  const std::uint8_t f = context_->entry().facts;
  return {(f & queue::facts::eight_bit) != 0, (f & queue::facts::long_line) != 0,
          (f & queue::facts::leading_dot) != 0, (f & queue::facts::non_ascii_header) != 0,
          context_->entry().longest_line};
}
result<std::string_view> message::content() { return context_->content(); }
result<std::size_t> message::read(std::uint64_t offset, std::span<std::byte> buffer) {
  return context_->read(offset, buffer);
}
result<std::optional<std::string_view>> message::next_line() { return context_->next_line(); }
void message::rewind() noexcept { context_->rewind(); }

void message::dispose(const recipient& r, disposition d, std::string_view reason) {
  const auto all = context_->recipients();
  for (std::size_t i = 0; i < all.size(); ++i)
    if (all[i].index == r.index) context_->dispose(i, d, reason);
}
void message::dispose(disposition d, std::string_view reason) {
  for (std::size_t i = 0; i < context_->recipients().size(); ++i) context_->dispose(i, d, reason);
}
result<> message::finish() { return context_->finish(); }
result<> message::defer(std::string_view reason) { return context_->defer(reason); }
bool message::finished() const noexcept { return context_->finished(); }

dequeue_handler::~dequeue_handler() = default;

}  // namespace mta
