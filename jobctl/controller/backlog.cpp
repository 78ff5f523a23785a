// How much may be queued: a channel is full when it holds its backlog_limit, and until it has a tenth less
// than that; so is the queue as a whole. What that means for enqueuers is the server's affair.
#include "jobctl/controller/impl.hpp"

namespace jobctl {
namespace {

bool is_full(bool before, std::uint64_t messages, std::uint64_t limit) {
  if (limit == 0) return false;
  return before ? messages > limit - (limit + 9) / 10 : messages >= limit;
}

std::uint64_t messages_in(const channel_state& c) { return c.ready + c.in_hand + c.deferred + c.held; }

std::string words(bool full, std::uint64_t messages, std::uint64_t limit) {
  const std::string count = "holds " + std::to_string(messages) + " messages";
  if (full)
    return count + ", and its backlog_limit is " + std::to_string(limit) +
           ": whoever enqueues more is told to try again later";
  return count + " and takes more again";
}

}  // namespace

void controller::impl::review_backlog(std::uint32_t number) {
  channel_state& c = channels[number];
  if (is_full(c.full, messages_in(c), c.limits.backlog_limit) == c.full) return;
  c.full = !c.full;
  report(c.full ? action::severity::warning : action::severity::info,
         "channel " + c.limits.name + ": it " + words(c.full, messages_in(c), c.limits.backlog_limit),
         c.full ? action::subject::backlog_full : action::subject::backlog_relieved, channel_no{number});
}

void controller::impl::review_whole_backlog() {
  if (is_full(full, messages.size(), backlog_limit) == full) return;
  full = !full;
  report(full ? action::severity::warning : action::severity::info,
         "the queue " + words(full, messages.size(), backlog_limit),
         full ? action::subject::backlog_full : action::subject::backlog_relieved);
}

std::vector<full_backlog> controller::full_backlogs() const {
  const impl& s = *impl_;
  std::vector<full_backlog> all;
  if (s.full) all.push_back({no_channel, s.messages.size(), s.backlog_limit});
  for (std::uint32_t c = 0; c < s.channels.size(); ++c)
    if (s.channels[c].full)
      all.push_back({channel_no{c}, messages_in(s.channels[c]), s.channels[c].limits.backlog_limit});
  return all;
}

}  // namespace jobctl
