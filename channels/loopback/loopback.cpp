// loopback: takes each message out of its channel's queue and enqueues it again. The smallest
// intermediate channel; one that changes messages would write its own lines where this one copies.
//
// Where the message goes next is decided by the routes for mail that this channel enqueues (`[routes from
// NAME]` in the configuration); without them it would come straight back, which is noticed and fails the
// message.
//
// The new message is on the disk before the old one is finished: a crash in between enqueues it twice, never
// not at all.
//
// Exit status: 0, or 75 when the dequeue loop could not run; the reason is in the log.
#include <mta/dequeue.hpp>
#include <mta/enqueue.hpp>
#include <mta/program.hpp>

#include <string>

namespace {

// Enqueues the message for every recipient that is accepted, and disposes of them all.
mta::result<> pass_on(mta::message& m) {
  mta::submission_options options{.channel = m.channel(), .like = &m};
  // What was only put off goes where it would have gone at once.
  if (m.channel() == "reprocess") options.routes_of = m.source_channel();
  auto next = mta::submission::start(m.sender(), options);
  if (!next) return next.error();
  bool somebody = false;
  for (const mta::recipient& to : m.recipients()) {
    auto added = next->add(to.address, {.like = &to});
    if (added) {
      m.dispose(to, mta::disposition::relayed);
      somebody = true;
    } else if (added.error().code == mta::errc::rejected) {
      m.dispose(to, mta::disposition::failed, added.error().message());
    } else {
      return added;
    }
  }
  if (!somebody) return {};
  if (auto r = next->copy(m); !r) return r;
  auto ids = next->finish();
  if (ids) return {};
  if (ids.error().code != mta::errc::rejected) return ids.error();
  m.dispose(mta::disposition::failed, ids.error().message());  // a mail loop: another attempt will not help
  return {};
}

void process(mta::message& m) {
  if (m.source_channel() == m.channel()) {
    (void)m.finish(mta::disposition::failed, "the routes lead from channel " + std::string(m.channel()) +
                                                 " back to itself; give it a [routes from " +
                                                 std::string(m.channel()) + "] section");
    return;
  }
  auto passed = pass_on(m);
  auto ended = passed ? m.finish() : m.defer(passed.error().message());
  for (const auto& r : {passed, ended})
    if (!r) mta::log_line(std::string(m.id()) + ": " + r.error().message());
}

}  // namespace

int main() {
  auto done = mta::dequeue({}, process);
  if (!done) mta::log_line("loopback: " + done.error().message());
  return done ? 0 : 75;
}
