// transform: an intermediate channel that replaces a text in each line of the body and passes the message on.
//
// Options (option.NAME in the channel's section):
//   find       the text to look for, compared byte for byte. Required
//   replace    what takes its place. Default: nothing
//
// Only text is touched: see text_lines.hpp. Where a message goes next is decided by the routes for mail that
// this channel enqueues (`[routes from NAME]` in the configuration). A recipient whose mail would come
// straight back is deferred, and the reason says which routes are missing.
//
// The new message is on the disk before the old one is finished: a crash in between enqueues it twice, never
// not at all.
//
// Exit status: 0, or 75 when the dequeue loop could not run; the reason is in the log.
#include "text_lines.hpp"

#include <mta/dequeue.hpp>
#include <mta/enqueue.hpp>
#include <mta/program.hpp>

#include <string>

namespace {

struct settings {
  std::string find, replace;
};

std::string replaced(std::string_view line, const settings& s) {
  std::string made;
  for (;;) {
    const auto at = line.find(s.find);
    made += line.substr(0, at);
    if (at == std::string_view::npos) return made;
    made += s.replace;
    line.remove_prefix(at + s.find.size());
  }
}

// Adds the recipients that can be passed on, and notes for each what becomes of him. False: there are none.
mta::result<bool> add_recipients(mta::submission& next, mta::message& m) {
  bool any = false;
  for (const mta::recipient& to : m.recipients()) {
    const auto channel = mta::channel_for(to.address, m.channel());
    if (channel && *channel == m.channel()) {
      m.dispose(to, mta::disposition::deferred,
                "the routes lead from channel " + *channel +
                    " back to itself; give the configuration a [routes from " + *channel + "] section");
      continue;
    }
    const auto added = next.add(to.address, {.like = &to});
    if (added) {
      m.dispose(to, mta::disposition::relayed);
      any = true;
    } else if (added.error().code == mta::errc::rejected) {
      m.dispose(to, mta::disposition::failed, added.error().message());
    } else {
      return added.error();
    }
  }
  return any;
}

mta::result<> write_changed(mta::submission& next, mta::message& m, const settings& s) {
  transform::text_lines text;
  for (std::string_view line : m.lines()) {
    auto written = text.take(line) ? next.write_line(replaced(line, s)) : next.write_line(line);
    if (!written) return written;
  }
  return {};
}

// Everything up to the new message being on the disk.
mta::result<> pass_on(mta::message& m, const settings& s) {
  auto next = mta::submission::start(m.sender(), {.channel = m.channel(), .like = &m});
  if (!next) return next.error();
  const auto somebody = add_recipients(*next, m);
  if (!somebody) return somebody.error();
  if (!*somebody) return {};
  if (auto r = write_changed(*next, m, s); !r) return r;
  const auto ids = next->finish();
  if (ids) return {};
  if (ids.error().code != mta::errc::rejected) return ids.error();
  m.dispose(mta::disposition::failed, ids.error().message());  // a mail loop: another attempt will not help
  return {};
}

void process(mta::message& m, const settings& s) {
  const auto passed = pass_on(m, s);
  const auto ended = passed ? m.finish() : m.defer(passed.error().message());
  for (const auto& r : {passed, ended})
    if (!r) mta::log_line(std::string(m.id()) + ": " + r.error().message());
}

}  // namespace

int main() {
  const settings s{mta::option_or("find", ""), mta::option_or("replace", "")};
  if (s.find.empty()) {
    mta::log_line("transform: option find: there must be a text to look for");
    return 75;
  }
  const auto done = mta::dequeue({}, [&](mta::message& m) { process(m, s); });
  if (!done) mta::log_line("transform: " + done.error().message());
  return done ? 0 : 75;
}
