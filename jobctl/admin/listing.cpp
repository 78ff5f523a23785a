#include "jobctl/admin/listing.hpp"

#include "jobctl/admin/message_report.hpp"
#include "jobctl/admin/nearest.hpp"
#include "jobctl/admin/units.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace jobctl::admin {
namespace {

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
  listing_request& request;
};

struct parameter {
  std::string_view name;
  ok (*parse)(const parsing&, const std::string& text);
};

constexpr parameter parameters[] = {
    {"channel",
     [](const parsing& p, const std::string& text) -> ok {
       channel_no ignored{};
       if (!find_channel(p.state, text, ignored))
         return mta::error(errc::not_configured, unknown_channel(p.state, text));
       p.request.filter.channel = text;
       return {};
     }},
    {"host",
     [](const parsing& p, const std::string& text) -> ok {
       p.request.filter.host = text;
       for (char& c : p.request.filter.host)
         if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
       return {};
     }},
    {"state", [](const parsing& p, const std::string& text) { return parse_state(text, p.request.filter); }},
    {"priority",
     [](const parsing& p, const std::string& text) -> ok {
       constexpr std::string_view words[] = {"urgent", "normal", "nonurgent"};
       std::size_t place = 0;
       if (ok parsed = parse_word(text, words, place); !parsed) return parsed;
       p.request.filter.priority = static_cast<int>(place);
       return {};
     }},
    {"size_min",
     [](const parsing& p, const std::string& text) {
       return parse_size_into(text, p.request.filter.size_at_least);
     }},
    {"size_max",
     [](const parsing& p, const std::string& text) {
       return parse_size_into(text, p.request.filter.size_at_most);
     }},
    {"age_min",
     [](const parsing& p, const std::string& text) {
       return parse_age_into(text, p.now, p.request.filter.committed_before);
     }},
    {"age_max",
     [](const parsing& p, const std::string& text) {
       return parse_age_into(text, p.now, p.request.filter.committed_after);
     }},
    {"attempts_min",
     [](const parsing& p, const std::string& text) {
       return parse_number<std::uint32_t>(text, 0, 65535, p.request.filter.attempts_at_least);
     }},
    {"limit",
     [](const parsing& p, const std::string& text) {
       return parse_number<std::size_t>(text, 1, largest_page, p.request.limit);
     }},
    {"cursor",
     [](const parsing& p, const std::string& text) {
       return parse_number<std::uint64_t>(text, 0, ~0ull, p.request.cursor);
     }},
};

}  // namespace

mta::result<listing_request> parse_listing(const target& t, const controller& state, time_point now) {
  listing_request request;
  const parsing p{state, now, request};
  for (const auto& [name, value] : t.parameters) {
    const auto known = std::find_if(std::begin(parameters), std::end(parameters),
                                    [&](const parameter& k) { return k.name == name; });
    if (known == std::end(parameters)) {
      std::vector<std::string_view> names;
      for (const parameter& k : parameters) names.push_back(k.name);
      return mta::error(errc::syntax, fmt::format("unknown parameter '{}'.{} Known are {}", name,
                                                  did_you_mean(name, names), fmt::join(names, ", ")));
    }
    if (ok parsed = known->parse(p, value); !parsed)
      return mta::error(parsed.error().code, fmt::format("{}: {}", name, parsed.error().context));
  }
  return request;
}

page list_page(const controller& state, const listing_request& request) {
  page found;
  found.cursor = request.cursor;
  found.rows = state.list(request.filter, request.limit, found.cursor);
  return found;
}

std::string_view state_of(const listed& row) { return row.in_hand ? "in-hand" : name_of(row.phase); }

boost::json::object to_json(const listed& row, const controller& state) {
  return {{"id", mta::queue::to_string(row.id)},
          {"channel", state.channel_name(row.channel)},
          {"state", state_of(row)},
          {"priority", name_of(row.priority)},
          {"attempts", row.attempts},
          {"size", row.size},
          {"committed", json_time(row.committed)},
          {"due", json_time(row.due)},
          {"host", row.host}};
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
