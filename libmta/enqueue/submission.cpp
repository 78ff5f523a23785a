#include "enqueue/submission.hpp"

#include "base/text.hpp"
#include "enqueue/address.hpp"
#include "enqueue/enqueuer.hpp"
#include "enqueue/submission_impl.hpp"
#include "queue/store.hpp"

#include <algorithm>
#include <map>
#include <tuple>

namespace mta::enqueue {
namespace {

error too_late(std::string_view what) {
  return {std::make_error_code(std::errc::operation_not_permitted), std::string(what)};
}

constexpr std::size_t most_hops = 100;  // RFC 5321 6.3

}  // namespace

submission::submission(std::unique_ptr<impl> i) noexcept : impl_(std::move(i)) {}
submission::submission(submission&&) noexcept = default;
submission& submission::operator=(submission&&) noexcept = default;
submission::~submission() = default;

const std::string& submission::sender() const noexcept { return impl_->sender; }
const submission_options& submission::options() const noexcept { return impl_->options; }
std::size_t submission::recipients() const noexcept { return impl_->recipients.size(); }
std::uint64_t submission::size() const noexcept { return impl_->content.length(); }
void submission::abort() noexcept { impl_->phase = impl::over; }

submission::impl::impl(enqueuer& e, std::shared_ptr<const config::settings> s, queue::file_io& io,
                       std::size_t memory_limit, std::string from, const submission_options& o)
    : owner(e),
      site(std::move(s)),
      files(io),
      sender(std::move(from)),
      source_channel(o.source_channel),
      routes_of(o.routes_of.value_or(o.source_channel)),
      envelope_id(o.envelope_id),
      options(o),
      content(io, site->queue_root(), memory_limit) {
  options.source_channel = source_channel;
  options.routes_of = routes_of;
  options.envelope_id = envelope_id;
}

result<> submission::add_header_line(std::string_view line) {
  impl& i = *impl_;
  if (i.phase != impl::open) return too_late("add a header line after the content");
  i.header_lines.emplace_back(line);
  return {};
}

void submission::label_8bit() { impl_->content.label_8bit(impl_->site->charset8); }

/// What add_header_line() collected goes first.
result<> submission::impl::begin_content() {
  if (phase == over) return too_late("write to a message that was committed or dropped");
  if (phase == writing) return {};
  phase = writing;
  for (const std::string& line : header_lines)
    if (const auto done = keep_failure(content.write_line(line)); !done) return done;
  return {};
}

result<> submission::write(std::string_view bytes) {
  if (const auto ready = impl_->begin_content(); !ready) return ready;
  return impl_->keep_failure(impl_->content.write(bytes));
}

result<> submission::write_line(std::string_view line) {
  if (const auto ready = impl_->begin_content(); !ready) return ready;
  return impl_->keep_failure(impl_->content.write_line(line));
}

result<> submission::impl::keep_failure(result<> outcome) {
  if (!outcome && !failure) failure = outcome.error();
  return outcome;
}

std::vector<submission::impl::record> submission::impl::make_records() {
  // In the order of each group's first recipient.
  std::vector<std::vector<const pending*>> groups;
  std::map<std::tuple<std::string_view, std::string_view, std::string_view>, std::size_t> places;
  for (const pending& p : recipients) {
    const config::channel* c = site->find_channel(p.way.channel);
    const bool by_host = c != nullptr && c->group == config::grouping::host;
    const std::tuple<std::string_view, std::string_view, std::string_view> key(
        p.way.channel, by_host ? p.way.host : std::string_view{}, p.sender);
    const auto [place, added] = places.try_emplace(key, groups.size());
    if (added) groups.emplace_back();
    groups[place->second].push_back(&p);
  }

  std::vector<record> records;
  for (auto& group : groups) {
    if (options.sort_recipients)
      std::stable_sort(group.begin(), group.end(),
                       [](const pending* a, const pending* b) { return a->way.address < b->way.address; });
    const config::channel* c = site->find_channel(group.front()->way.channel);
    const std::size_t most = options.max_recipients == 0
                                 ? queue::max_recipients
                                 : std::min<std::size_t>(options.max_recipients, queue::max_recipients);
    for (std::size_t first = 0; first < group.size(); first += most) {
      const std::size_t count = std::min(most, group.size() - first);
      record r;
      r.channel = group[first]->way.channel;
      r.host = group[first]->way.host;
      r.envelope.from = group[first]->sender.empty() ? sender : group[first]->sender;
      r.envelope.source_channel = source_channel;
      r.envelope.envelope_id = envelope_id;
      r.envelope.header_id = content.message_id();
      r.envelope.delivery_flags = options.delivery_flags | (c != nullptr ? c->delivery_flags : 0);
      r.envelope.notify_flags = options.notify_flags;
      r.envelope.fragment_blocks = options.fragment_blocks;
      r.envelope.fragment_lines = options.fragment_lines;
      r.non_ascii_address = has_8bit(r.envelope.from);
      for (std::size_t n = first; n < first + count; ++n) {
        if (group[n]->way.host != r.host) r.host.clear();
        r.non_ascii_address |= has_8bit(group[n]->way.address);
        r.envelope.recipients.push_back(group[n]->recipient);
      }
      records.push_back(std::move(r));
    }
  }
  return records;
}

/// The priority of a message of `bytes` in the channel: large ones may go behind.
queue::priority submission::impl::lowered(queue::priority p, std::string_view channel,
                                          std::uint64_t bytes) const {
  const config::channel* c = site->find_channel(channel);
  if (c == nullptr) return p;
  const std::uint64_t blocks = (bytes + site->block_size - 1) / site->block_size;
  for (const auto step : {queue::priority::urgent, queue::priority::normal}) {
    const std::uint32_t limit = c->block_limits[static_cast<std::size_t>(step)];
    if (p == step && limit > 0 && blocks > limit)
      p = static_cast<queue::priority>(static_cast<int>(step) + 1);
  }
  return p;
}

/// Marks a record finished that nobody was told about, unless somebody found it already. true: it will not be
/// delivered.
bool submission::impl::take_back(const record& r) {
  queue::store store(files, site->queue_root());
  const queue::message_id& id = r.committed.id;
  const auto file = store.open(r.channel, id.file);
  if (!file || (*file)->header().generation != id.generation) return false;
  const auto locked = (*file)->try_lock(id.slot);
  if (!locked || !*locked) return false;
  const auto found = (*file)->read_entry(id.slot);
  bool done = false;
  if (found && found->state.phase == r.committed.phase && found->state.attempts == 0) {
    queue::message_state state = found->state;
    state.phase = queue::phase::finished;
    state.changed = now();
    for (std::size_t i = 0; i < found->entry.recipients; ++i) state.finished.set(i);
    // Written is enough for every process; should the flush fail, only a power failure could bring the record
    // back.
    done = (*file)->change_state(id.slot, state).has_value();
    if (done) static_cast<void>((*file)->flush());
  }
  static_cast<void>((*file)->unlock(id.slot));
  return done;
}

/// Takes back what was committed before a later record failed.
error submission::impl::undo(std::vector<record>& records, std::size_t committed, const error& why) {
  std::string left;
  std::size_t count = 0;
  for (std::size_t n = 0; n < committed; ++n) {
    if (take_back(records[n])) {
      records[n].queued = false;
      continue;
    }
    ++count;
    left += (left.empty() ? "" : ", ") + to_string(records[n].committed.id) + " (channel " +
            records[n].channel + ")";
    owner.announce(records[n].channel, records[n].committed);
  }
  account_enqueued(records);
  account_failed(records, why);
  const std::string place = "queue a message for channel " + records[committed].channel + ": ";
  if (count == 0) return {why.code, place + why.context};
  return {
      why.code,
      place + why.context + "; " + std::to_string(count) + " of " + std::to_string(records.size()) +
          " copies are queued all the same, and submitting the message again will send them twice: " + left};
}

result<std::vector<accepted>> submission::commit(queue::priority priority, queue::time_point not_before) {
  impl& i = *impl_;
  const auto before = std::exchange(i.phase, impl::over);
  if (before == impl::over) return too_late("commit a message that was committed or dropped");
  if (i.failure) return i.refuse_everybody(*i.failure);
  if (i.recipients.empty()) return error(errc::out_of_range, "queue a message without recipients");
  if (before != impl::writing) return error(errc::out_of_range, "queue a message without content");
  if (const auto done = i.content.finish(); !done) return i.refuse_everybody(done.error());
  if (i.content.empty()) return error(errc::out_of_range, "queue a message without content");
  if (i.content.hops() > most_hops)
    return i.refuse_everybody(
        error(errc::rejected, "over " + std::to_string(most_hops) + " Received: lines: a mail loop"));

  i.put_off_beyond_limit();
  i.divert_fragments();
  std::vector<impl::record> records;
  for (impl::record& whole : i.make_records()) {
    auto pieces = i.fragments_of(whole);
    if (!pieces) return i.refuse_everybody(pieces.error());
    if (pieces->empty()) {
      records.push_back(std::move(whole));
      continue;
    }
    // What was asked for is done: whoever puts them together again must not have it done once more.
    whole.envelope.fragment_blocks = whole.envelope.fragment_lines = 0;
    for (fragment& piece : *pieces) {
      impl::record& r = records.emplace_back(whole);
      r.envelope.header_id = piece.content->message_id();
      r.content = std::move(piece.content);
    }
  }
  // One that has gone in circles waits for somebody who looks at it; his release counts for this hop.
  queue::message_state on_hold;
  on_hold.phase = queue::phase::held;
  on_hold.why = queue::reason::mail_loop;
  const bool loops = i.site->loop_limit > 0 && i.content.hops() > i.site->loop_limit;
  for (std::size_t n = 0; n < records.size(); ++n) {
    impl::record& r = records[n];
    queue::commit_request request;
    request.channel = r.channel;
    request.envelope = &r.envelope;
    request.host = r.host;
    request.now = impl::now();
    request.not_before = not_before;
    request.content = r.content ? r.content->content() : i.content.content();
    request.priority = i.lowered(priority, r.channel, request.content.length);
    on_hold.changed = request.now;
    on_hold.next_attempt = not_before;
    if (loops) request.initial_state = &on_hold;
    if (r.non_ascii_address) request.content.facts |= queue::facts::non_ascii_header;
    auto done = i.owner.writer().commit(request);
    if (!done) return i.undo(records, n, done.error());
    r.committed = std::move(*done);
    r.queued = true;
  }

  i.account_enqueued(records);
  std::vector<accepted> out;
  for (const impl::record& r : records) {
    i.owner.announce(r.channel, r.committed);
    out.push_back(
        {r.committed.id, r.channel, r.host, static_cast<std::uint32_t>(r.envelope.recipients.size())});
  }
  return out;
}

}  // namespace mta::enqueue
