// defragment: collects the fragments of messages (message/partial, RFC 2046 5.2.2) and enqueues the whole.
//
// Mail comes here when a channel has `defragment = yes`: its fragments are sent here first. Each stays in
// this channel's queue, deferred, while the others are waited for; a copy of what it brings is kept in the
// directory of its set (collection.hpp). The last one to come has the whole enqueued, for the recipients for
// whom all have come, and a mark made; the others are done with at their next attempt. So nothing is lost
// whenever the program is killed: until the whole is on the disk, all fragments are in the queue.
//
// Crash window: killed between the enqueueing and the mark, the last fragment comes again and the whole is
// enqueued a second time.
//
// What cannot be put together is passed on as it is: fragments whose set is not complete `time_limit` seconds
// after they came, and those that contradict what came before (another content of the same number, another
// total).
//
// Options: directory (<root>/defragment), time_limit (seconds, 172800).
// Exit status: 0, or 75 when the dequeue loop could not run or an option is wrong; the reason is in the log.
#include "collection.hpp"
#include "partial.hpp"

#include <mta/dequeue.hpp>
#include <mta/enqueue.hpp>
#include <mta/program.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <span>
#include <string>
#include <vector>

namespace {

using defragment::collection;
using recipients = std::vector<const mta::recipient*>;

constexpr std::size_t longest_header = 256 * 1024;  // bytes

struct settings {
  std::string directory;
  std::chrono::seconds time_limit{172'800};
};

/// The header at the beginning of a text, and where what follows the blank line begins.
struct split {
  std::string_view header;
  std::size_t body = 0;
};
split split_header(std::string_view text) {
  if (text.starts_with("\r\n")) return {{}, 2};
  const auto end = text.find("\r\n\r\n");
  return end == text.npos ? split{text, text.size()} : split{text.substr(0, end + 2), end + 4};
}

mta::result<std::string> beginning(mta::message& m) {
  std::string text(static_cast<std::size_t>(std::min<std::uint64_t>(m.size(), longest_header)), '\0');
  auto n = m.read(0, std::as_writable_bytes(std::span(text)));
  if (!n) return n.error();
  text.resize(*n);
  return text;
}

/// Begins a successor for some recipients, and disposes of those that no route leads on for.
mta::result<mta::submission> begin(mta::message& m, recipients& to) {
  // It goes where it would have gone without this channel.
  auto next = mta::submission::start(m.sender(),
                                     {.channel = m.channel(), .like = &m, .routes_of = m.source_channel()});
  if (!next) return next.error();
  recipients accepted;
  for (const mta::recipient* r : to) {
    auto added = next->add(r->address, {.like = r});
    if (added) {
      accepted.push_back(r);
    } else if (added.error().code == mta::errc::rejected) {
      m.dispose(*r, mta::disposition::failed, added.error().message());
    } else {
      return added.error();
    }
  }
  to = std::move(accepted);
  return next;
}

/// Queues the successor and says whether its recipients are done with; a mail loop fails them.
mta::result<bool> finish(mta::submission& next, mta::message& m, const recipients& to) {
  const auto ids = next.finish();
  if (ids) return true;
  if (ids.error().code != mta::errc::rejected) return ids.error();
  for (const mta::recipient* r : to) m.dispose(*r, mta::disposition::failed, ids.error().message());
  return false;
}

/// The fragment itself goes on.
mta::result<> pass_on(mta::message& m, recipients to) {
  if (to.empty()) return {};
  auto next = begin(m, to);
  if (!next) return next.error();
  if (to.empty()) return {};
  if (auto copied = next->copy(m); !copied) return copied;
  const auto queued = finish(*next, m, to);
  if (!queued) return queued.error();
  if (!*queued) return {};
  for (const mta::recipient* r : to) m.dispose(*r, mta::disposition::relayed);
  return {};
}

/// The whole goes on.
mta::result<> enqueue_whole(mta::message& m, collection& set, recipients to) {
  auto next = begin(m, to);
  if (!next) return next.error();
  if (!to.empty()) {
    const auto write = [&](std::string_view bytes) { return next->write(bytes); };
    std::string first;  // as much as has both headers
    std::uint64_t at = 0;
    if (auto done = set.read(1, 0,
                             [&](std::string_view bytes) {
                               if (first.size() < 2 * longest_header) first += bytes;
                               return mta::result<>{};
                             });
        !done)
      return done;
    const split outer = split_header(first);
    split inner = split_header(std::string_view(first).substr(outer.body));
    const bool has_end = outer.body + inner.header.size() < first.size() || first.size() < 2 * longest_header;
    if (!has_end || !defragment::only_fields(inner.header)) inner = {};  // all of it is body
    at = outer.body + inner.body;
    if (auto done = write(defragment::whole_header(outer.header, inner.header) + "\r\n"); !done) return done;
    for (std::uint32_t n = 1; n <= set.total(); ++n) {
      if (auto done = set.read(n, n == 1 ? at : set.body_of(n), write); !done) return done;
    }
    const auto queued = finish(*next, m, to);
    if (!queued) return queued.error();
    if (!*queued) return {};
    mta::log_line(std::string(m.id()) + ": put together " + std::to_string(set.total()) + " fragments");
  }
  for (const mta::recipient* r : to) {
    if (auto done = set.set_done(r->address); !done) return done;
    m.dispose(*r, mta::disposition::relayed);
  }
  return {};
}

mta::result<> collect(mta::message& m, const settings& options) {
  const auto text = beginning(m);
  if (!text) return text.error();
  recipients everybody;
  for (const mta::recipient& r : m.recipients()) everybody.push_back(&r);
  const split parts = split_header(*text);
  const auto place = defragment::read_place(parts.header);
  if (!place) return pass_on(m, everybody);

  auto set = collection::open(options.directory, m.sender(), place->id);
  if (!set) return set.error();
  recipients open, late;
  for (const mta::recipient* r : everybody) switch (set->of(r->address, m.committed())) {
      case collection::standing::done: m.dispose(*r, mta::disposition::relayed); break;
      case collection::standing::late: late.push_back(r); break;
      case collection::standing::waiting: open.push_back(r); break;
    }
  if (!open.empty()) {
    std::uint64_t at = 0;
    std::string piece(65536, '\0');
    const auto added =
        set->add(place->number, place->total, parts.body, [&]() -> mta::result<std::string_view> {
          auto n = m.read(at, std::as_writable_bytes(std::span(piece)));
          if (!n) return n.error();
          at += *n;
          return std::string_view(piece).substr(0, *n);
        });
    if (!added) return added.error();
    if (*added == collection::added::conflict) {
      mta::log_line(std::string(m.id()) + ": contradicts other fragments of " + place->id +
                    "; passed on as it is");
      open.insert(open.end(), late.begin(), late.end());
      return pass_on(m, open);
    }
    recipients complete;
    for (const mta::recipient* r : open) {
      set->came(r->address, place->number);
      if (set->complete(r->address)) complete.push_back(r);
    }
    if (!complete.empty())
      if (auto done = enqueue_whole(m, *set, complete); !done) return done;
    const bool too_old = std::chrono::system_clock::now() - m.committed() >= options.time_limit;
    for (const mta::recipient* r : open) {
      if (std::find(complete.begin(), complete.end(), r) != complete.end()) continue;
      if (too_old) {
        set->set_late(r->address);
        late.push_back(r);
        continue;
      }
      const auto [have, all] = set->progress(r->address);
      m.dispose(*r, mta::disposition::deferred,
                "waiting for other fragments: " + std::to_string(have) + " of " +
                    (all != 0 ? std::to_string(all) : "?") + " have come");
    }
  }
  if (auto passed = pass_on(m, late); !passed) return passed;
  set->drop_contents_if_over();
  return {};
}

void process(mta::message& m, const settings& options) {
  auto done = collect(m, options);
  auto ended = done ? m.finish() : m.defer(done.error().message());
  for (const auto& r : {done, ended})
    if (!r) mta::log_line(std::string(m.id()) + ": " + r.error().message());
}

mta::result<settings> read_settings() {
  settings s;
  const auto root = mta::site_root();
  if (!root) return root.error();
  s.directory = mta::option_or("directory", *root + "/defragment");
  if (!s.directory.starts_with('/'))
    return mta::error(mta::errc::syntax, "option directory: expected an absolute path, found " + s.directory);
  if (const auto text = mta::option("time_limit")) {
    long seconds = -1;
    const auto [end, failed] = std::from_chars(text->data(), text->data() + text->size(), seconds);
    if (failed != std::errc() || end != text->data() + text->size() || seconds < 0)
      return mta::error(mta::errc::syntax, "option time_limit: expected a number of seconds, found " + *text);
    s.time_limit = std::chrono::seconds(seconds);
  }
  return s;
}

}  // namespace

int main() {
  const auto options = read_settings();
  if (!options) {
    mta::log_line("defragment: " + options.error().message());
    return 75;
  }
  // What is over is remembered long enough for all fragments to have had another attempt.
  collection::sweep(options->directory, 2 * options->time_limit + std::chrono::hours(24 * 14));
  auto done = mta::dequeue({}, [&](mta::message& m) { process(m, *options); });
  if (!done) mta::log_line("defragment: " + done.error().message());
  return done ? 0 : 75;
}
