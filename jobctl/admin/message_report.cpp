#include "jobctl/admin/message_report.hpp"

#include "jobctl/admin/hold_record.hpp"
#include "jobctl/admin/units.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include <fmt/format.h>

namespace jobctl::admin {
namespace {

namespace json = boost::json;
namespace queue = mta::queue;

json::object hold_to_json(const message_report& m) {
  const auto hold = last_hold(m.history).value_or(hold_record{});
  return {{"reason", hold.reason.empty() ? std::string(words_for(m.stored.state.why)) : hold.reason},
          {"by", hold.by},
          {"until", json_time(m.stored.state.hold_ends ? m.stored.state.next_attempt : queue::time_point{})},
          {"since", json_time(hold.since != queue::time_point{} ? hold.since : m.stored.state.changed)}};
}

json::array facts_of(std::uint8_t bits) {
  json::array names;
  if (bits & queue::facts::eight_bit) names.emplace_back("8bit");
  if (bits & queue::facts::long_line) names.emplace_back("long-line");
  if (bits & queue::facts::leading_dot) names.emplace_back("leading-dot");
  if (bits & queue::facts::non_ascii_header) names.emplace_back("non-ascii-header");
  return names;
}

json::object recipient_to_json(const queue::recipient& r, bool finished) {
  json::object o{{"address", r.address}, {"finished", finished}};
  if (!r.original.empty()) o["original"] = r.original;
  if (!r.intermediate.empty()) o["intermediate"] = r.intermediate;
  if (r.notify_flags) o["notify_flags"] = r.notify_flags;
  if (r.delivery_flags) o["delivery_flags"] = r.delivery_flags;
  return o;
}

void add_envelope(json::object& o, const message_report& m) {
  o["from"] = m.envelope.from;
  if (!m.envelope.source_channel.empty()) o["source_channel"] = m.envelope.source_channel;
  if (!m.envelope.envelope_id.empty()) o["envelope_id"] = m.envelope.envelope_id;
  if (!m.envelope.header_id.empty()) o["header_id"] = m.envelope.header_id;
  if (m.envelope.notify_flags) o["notify_flags"] = m.envelope.notify_flags;
  if (m.envelope.delivery_flags) o["delivery_flags"] = m.envelope.delivery_flags;
  json::array recipients;
  for (std::size_t i = 0; i < m.envelope.recipients.size(); ++i)
    recipients.push_back(recipient_to_json(m.envelope.recipients[i],
                                           i < queue::max_recipients && m.stored.state.finished.test(i)));
  o["recipients"] = std::move(recipients);
}

json::array history_to_json(const std::vector<std::string>& lines) {
  json::array events;
  for (const std::string& line : lines) {
    json::error_code wrong;
    json::value event = json::parse(line, wrong);
    if (!wrong && event.is_object())
      for (const char* name : {"time", "until"})
        if (auto* const time = event.get_object().if_contains(name); time != nullptr && time->is_int64())
          *time = json_time(queue::time_point{std::chrono::milliseconds{time->get_int64()}});
    // A line cut off by a crash is shown as it is.
    events.push_back(wrong ? json::value(json::object{{"text", line}}) : std::move(event));
  }
  return events;
}

mta::result<message_report> read_from(queue::store& store, std::string_view channel,
                                      const queue::message_id& id) {
  auto file = store.open(channel, id.file);
  if (!file) return file.error();
  const mta::error gone(mta::errc::gone, "message " + queue::to_string(id));
  if ((*file)->header().generation != id.generation || id.slot >= (*file)->header().capacity) return gone;
  auto stored = (*file)->read_entry(id.slot);
  if (!stored) return stored.error();
  message_report m{id, std::string(channel), std::move(*stored), {}, {}, {}, *file};
  auto history = (*file)->read_history(id.slot);
  if (!history) return history.error();
  m.history = std::move(*history);
  if (auto envelope = (*file)->read_envelope(m.stored.entry))
    m.envelope = std::move(*envelope);
  else
    m.envelope_damage = envelope.error().message();
  return m;
}

}  // namespace

mta::result<message_report> read_message(queue::store& store, std::string_view channel,
                                         const queue::message_id& id) {
  if (!channel.empty()) return read_from(store, channel, id);
  auto channels = store.channels();
  if (!channels) return channels.error();
  for (const std::string& name : *channels) {
    auto m = read_from(store, name, id);
    if (m || m.error().code != std::errc::no_such_file_or_directory) return m;
  }
  return mta::error(mta::errc::gone, "message " + queue::to_string(id));
}

json::object to_json(const message_report& m) {
  const queue::entry& e = m.stored.entry;
  const queue::message_state& s = m.stored.state;
  json::object o{{"id", queue::to_string(m.id)},
                 {"channel", m.channel},
                 {"state", name_of(s.phase)},
                 {"priority", name_of(e.priority)},
                 {"attempts", s.attempts},
                 {"size", e.content_length},
                 {"committed", json_time(e.committed)},
                 {"due", json_time(s.phase == queue::phase::deferred ? s.next_attempt : e.not_before)},
                 {"host", e.host}};
  if (s.why != queue::reason::none) o["reason"] = words_for(s.why);
  if (s.phase == queue::phase::held) o["hold"] = hold_to_json(m);
  o["changed"] = json_time(s.changed);
  if (e.moved_from.file != queue::file_number::none) o["moved_from"] = queue::to_string(e.moved_from);
  o["facts"] = facts_of(e.facts);
  o["longest_line"] = e.longest_line;
  if (m.envelope_damage.empty())
    add_envelope(o, m);
  else
    o["damage"] = m.envelope_damage;
  o["history"] = history_to_json(m.history);
  o["file"] = m.file->path();
  return o;
}

std::string_view name_of(queue::phase p) {
  switch (p) {
    case queue::phase::queued: return "ready";
    case queue::phase::deferred: return "deferred";
    case queue::phase::held: return "held";
    case queue::phase::finished: return "finished";
    case queue::phase::moved: return "moved";
    case queue::phase::bad: return "bad";
  }
  return "unknown";
}

std::string_view name_of(queue::priority p) {
  switch (p) {
    case queue::priority::urgent: return "urgent";
    case queue::priority::normal: return "normal";
    case queue::priority::nonurgent: return "nonurgent";
  }
  return "unknown";
}

json::value json_time(queue::time_point t) {
  if (t == queue::time_point{}) return nullptr;
  return json::value(iso_time(t));
}

}  // namespace jobctl::admin
