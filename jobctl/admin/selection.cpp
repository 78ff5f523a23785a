#include "jobctl/admin/selection.hpp"

#include "base/text.hpp"
#include "jobctl/admin/nearest.hpp"
#include "jobctl/admin/units.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace jobctl::admin {

using mta::errc;
using mta::queue::phase;
using ok = mta::result<>;

template <class T>
ok parse_number(std::string_view text, T least, T most, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range || (error == std::errc() && (value < least || value > most)))
    return mta::error(errc::out_of_range, fmt::format("'{}' is not between {} and {}", text, least, most));
  if (error != std::errc() || end != text.data() + text.size())
    return mta::error(errc::syntax, fmt::format("'{}' is not a number", text));
  return {};
}
template ok parse_number(std::string_view, std::uint32_t, std::uint32_t, std::uint32_t&);
template ok parse_number(std::string_view, std::uint64_t, std::uint64_t, std::uint64_t&);

namespace {

// The place of `text` in `words`.
ok parse_word(std::string_view text, std::span<const std::string_view> words, std::size_t& place) {
  const auto found = std::find(words.begin(), words.end(), text);
  if (found == words.end())
    return mta::error(errc::syntax, fmt::format("'{}' is not one of {}.{}", text, fmt::join(words, ", "),
                                                did_you_mean(text, words)));
  place = static_cast<std::size_t>(found - words.begin());
  return {};
}

ok parse_state(std::string_view text, list_filter& filter) {
  constexpr std::string_view words[] = {"ready", "in-hand", "deferred", "held"};
  std::size_t place = 0;
  if (ok parsed = parse_word(text, words, place); !parsed) return parsed;
  switch (place) {
    case 0: filter.phase = static_cast<int>(phase::queued); break;
    case 1: break;
    case 2: filter.phase = static_cast<int>(phase::deferred); break;
    default: filter.phase = static_cast<int>(phase::held); break;
  }
  filter.in_hand = place == 1 ? 1 : 0;
  return {};
}

ok parse_size_into(std::string_view text, std::uint64_t& value) {
  auto size = parse_size(text);
  if (!size) return size.error();
  value = *size;
  return {};
}

ok parse_age_into(std::string_view text, time_point now, time_point& value) {
  auto age = parse_duration(text);
  if (!age) return age.error();
  value = now - *age;
  return {};
}

struct parsing {
  const controller& state;
  time_point now;
  selection& what;
};

ok parse_channel(const parsing& p, const std::string& text) {
  p.what.index.channel = text;
  if (!mta::has_wildcards(text)) {
    channel_no ignored{};
    if (find_channel(p.state, text, ignored)) return {};
  } else {
    for (const channel_no c : p.state.channels())
      if (mta::matches_wildcards(p.state.channel_name(c), text)) return {};
  }
  return mta::error(errc::not_configured, unknown_channel(p.state, text));
}

ok parse_ids(const std::string& text, std::vector<message_id>& ids) {
  for (std::size_t at = 0; at <= text.size();) {
    const auto end = std::min(text.find(',', at), text.size());
    const auto id = mta::queue::parse_message_id(std::string_view(text).substr(at, end - at));
    if (!id) return id.error();
    if (ids.size() == most_ids)
      return mta::error(errc::out_of_range, fmt::format("more than {} ids", most_ids));
    ids.push_back(*id);
    at = end + 1;
  }
  return {};
}

ok parse_text(const std::string& text, std::string& value) {
  if (text.empty()) return mta::error(errc::syntax, "an empty text would match everything");
  value = text;
  return {};
}

struct parameter {
  std::string_view name;
  ok (*parse)(const parsing&, const std::string& text);
};

constexpr parameter parameters[] = {
    {"id", [](const parsing& p, const std::string& text) { return parse_ids(text, p.what.index.ids); }},
    {"channel", parse_channel},
    {"host",
     [](const parsing& p, const std::string& text) -> ok {
       p.what.index.host = mta::lower_case(text);
       return {};
     }},
    {"state", [](const parsing& p, const std::string& text) { return parse_state(text, p.what.index); }},
    {"priority",
     [](const parsing& p, const std::string& text) -> ok {
       constexpr std::string_view words[] = {"urgent", "normal", "nonurgent"};
       std::size_t place = 0;
       if (ok parsed = parse_word(text, words, place); !parsed) return parsed;
       p.what.index.priority = static_cast<int>(place);
       return {};
     }},
    {"size_min", [](const parsing& p,
                    const std::string& text) { return parse_size_into(text, p.what.index.size_at_least); }},
    {"size_max", [](const parsing& p,
                    const std::string& text) { return parse_size_into(text, p.what.index.size_at_most); }},
    {"age_min",
     [](const parsing& p, const std::string& text) {
       return parse_age_into(text, p.now, p.what.index.committed_before);
     }},
    {"age_max",
     [](const parsing& p, const std::string& text) {
       return parse_age_into(text, p.now, p.what.index.committed_after);
     }},
    {"attempts_min",
     [](const parsing& p, const std::string& text) {
       return parse_number<std::uint32_t>(text, 0, 65535, p.what.index.attempts_at_least);
     }},
    {"attempts_max",
     [](const parsing& p, const std::string& text) {
       return parse_number<std::uint32_t>(text, 0, 65535, p.what.index.attempts_at_most);
     }},
    {"sender",
     [](const parsing& p, const std::string& text) { return parse_text(text, p.what.text.sender); }},
    {"recipient",
     [](const parsing& p, const std::string& text) { return parse_text(text, p.what.text.recipient); }},
    {"subject",
     [](const parsing& p, const std::string& text) { return parse_text(text, p.what.text.subject); }},
    {"content",
     [](const parsing& p, const std::string& text) { return parse_text(text, p.what.text.content); }},
    {"reason",
     [](const parsing& p, const std::string& text) { return parse_text(text, p.what.text.reason); }},
};

}  // namespace

ok take_parameter(selection& what, std::string_view name, const std::string& value, const controller& state,
                  time_point now) {
  const auto known = std::ranges::find(parameters, name, &parameter::name);
  if (known == std::end(parameters)) {
    const auto names = selection_parameters();
    return mta::error(errc::syntax, fmt::format("unknown parameter '{}'.{} Known are {}", name,
                                                did_you_mean(name, names), fmt::join(names, ", ")));
  }
  if (ok parsed = known->parse({state, now, what}, value); !parsed)
    return mta::error(parsed.error().code, fmt::format("{}: {}", name, parsed.error().context));
  what.everything = false;
  return {};
}

std::vector<std::string_view> selection_parameters() {
  std::vector<std::string_view> names;
  for (const parameter& k : parameters) names.push_back(k.name);
  return names;
}

bool find_channel(const controller& state, std::string_view name, channel_no& found) {
  for (const channel_no c : state.channels()) {
    if (state.channel_name(c) != name) continue;
    found = c;
    return true;
  }
  return false;
}

std::string unknown_channel(const controller& state, std::string_view name) {
  std::vector<std::string_view> names;
  for (const channel_no c : state.channels()) names.push_back(state.channel_name(c));
  std::sort(names.begin(), names.end());
  return fmt::format("no channel '{}'.{} There are {}", name, did_you_mean(name, names),
                     fmt::join(names, ", "));
}

}  // namespace jobctl::admin
