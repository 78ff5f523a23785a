#include "jobctl/admin/event_stream.hpp"

#include "base/json_text.hpp"
#include "jobctl/admin/listing.hpp"
#include "jobctl/admin/nearest.hpp"
#include "jobctl/admin/units.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <iterator>
#include <vector>

namespace jobctl::admin {
namespace {

// What one piece may cost: lines, and events looked at.
constexpr unsigned piece_lines = 512, piece_events = 16'384;
// Fewer events than this between two pieces are not worth being considerate.
constexpr std::uint64_t few_events = 256;
constexpr std::uint64_t default_limit = 1000, largest_limit = 10'000;

mta::error wrong(std::string_view parameter, std::string_view value, std::string_view expected) {
  return {mta::errc::syntax, fmt::format("{}: '{}' is not {}", parameter, value, expected)};
}

bool parse_number(std::string_view text, std::uint64_t& n, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n, base);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

mta::result<> parse_kinds(std::string_view list, std::uint64_t& kinds) {
  kinds = 0;
  while (true) {
    const std::string_view name = list.substr(0, list.find(','));
    event_kind kind{};
    if (!find_event_kind(name, kind)) {
      std::vector<std::string_view> names;
      for (unsigned k = 0; k < event_kinds; ++k) names.push_back(name_of(static_cast<event_kind>(k)));
      return mta::error(mta::errc::syntax,
                        fmt::format("event: '{}' is no kind of event.{} There are {}", name,
                                    did_you_mean(name, names), fmt::join(names, ", ")));
    }
    kinds |= std::uint64_t{1} << static_cast<unsigned>(kind);
    if (name.size() == list.size()) return {};
    list.remove_prefix(name.size() + 1);
  }
}

// "RUN.NUMBER", or "0": the oldest that is there.
mta::result<> parse_cursor(std::string_view text, events_request& r) {
  r.has_cursor = true;
  if (text == "0") return {};
  const std::size_t dot = std::min(text.find('.'), text.size());
  if (dot == text.size() || !parse_number(text.substr(0, dot), r.run, 16) ||
      !parse_number(text.substr(dot + 1), r.after))
    return wrong("after", text, "the cursor of an event, or 0");
  return {};
}

}  // namespace

mta::result<events_request> parse_events_request(const target& t, const controller& c) {
  events_request r;
  for (const auto& [name, value] : t.parameters) {
    if (name == "after") {
      if (auto read = parse_cursor(value, r); !read) return read.error();
    } else if (name == "follow") {
      if (value != "true" && value != "false") return wrong(name, value, "true or false");
      r.follow = value == "true";
    } else if (name == "limit") {
      if (!parse_number(value, r.limit) || r.limit == 0 || r.limit > largest_limit)
        return wrong(name, value, fmt::format("a number from 1 to {}", largest_limit));
    } else if (name == "event") {
      if (auto read = parse_kinds(value, r.filter.kinds); !read) return read.error();
    } else if (name == "id") {
      const auto id = mta::queue::parse_message_id(value);
      if (!id) return id.error();
      r.filter.id = *id;
    } else if (name == "channel") {
      channel_no number{};
      if (!find_channel(c, value, number))
        return mta::error(mta::errc::not_configured, unknown_channel(c, value));
      r.filter.channel = number;
    } else {
      return mta::error(mta::errc::syntax, fmt::format("unknown parameter '{}'", name));
    }
  }
  return r;
}

event_stream::event_stream(admin::backend& b, const events_request& r)
    : backend_(b), log_(b.events()), request_(r), run_(fmt::format("{:x}", log_.run())) {
  seen_ = end_ = log_.next();
  if (request_.limit == 0 && !request_.follow) request_.limit = default_limit;
  if (!request_.has_cursor) {
    next_ = nth_last(request_.limit);
    if (request_.follow) request_.limit = 0;  // it said how many old ones, not how many in all
  } else if (request_.after != 0 && request_.run != log_.run()) {
    restarted_ = true;
    next_ = log_.first();
  } else {
    next_ = request_.after == 0 ? log_.first() : std::min(request_.after + 1, log_.next());
  }
  if (request_.limit == 0) request_.limit = ~std::uint64_t{0};
}

bool event_stream::matches(const event& e) const {
  const event_filter& f = request_.filter;
  return (f.kinds >> static_cast<unsigned>(e.what.kind) & 1) != 0 &&
         (!f.channel || e.what.channel == *f.channel) &&
         (!f.id || (e.what.id == *f.id && e.what.kind <= transition_kind::gone));
}

/// Where the last `count` events that match begin.
std::uint64_t event_stream::nth_last(std::uint64_t count) const {
  std::uint64_t at = log_.next();
  for (std::uint64_t n = at; n > log_.first() && count > 0; --n)
    if (matches(log_.at(n - 1))) {
      at = n - 1;
      --count;
    }
  return at;
}

event_stream::state event_stream::next(std::string& out) {
  busy_ = log_.next() - seen_ > few_events;
  seen_ = log_.next();
  if (std::exchange(restarted_, false)) append_missed(out, {}, "the controller was started anew");
  if (next_ < log_.first()) {
    append_missed(out, log_.first() - next_, "they are no longer kept");
    next_ = log_.first();
  }
  const std::uint64_t end = request_.follow ? log_.next() : end_;
  unsigned lines = 0;
  for (unsigned n = 0; n < piece_events && lines < piece_lines && next_ < end && request_.limit > 0;
       ++n, ++next_) {
    if (!matches(log_.at(next_))) continue;
    append_line(out, next_);
    ++lines;
    --request_.limit;
  }
  if (request_.limit == 0) return state::ended;
  if (next_ < end) return state::more;
  return request_.follow ? state::waiting : state::ended;
}

void event_stream::wait(std::function<void()> wake) { log_.wait(next_, std::move(wake)); }

void event_stream::append_time(std::string& out, time_point t) {
  if (t != cached_ || cached_text_.empty()) {
    cached_ = t;
    cached_text_ = iso_time(t);
  }
  out += cached_text_;
}

void event_stream::append_line(std::string& out, std::uint64_t number) {
  const event& e = log_.at(number);
  const transition& t = e.what;
  const auto at = std::back_inserter(out);
  fmt::format_to(at, R"({{"cursor":"{}.{}","time":")", run_, number);
  append_time(out, e.when);
  fmt::format_to(at, R"(","event":"{}")", name_of(e.kind()));
  if (t.channel != event_log::no_channel) {
    out += R"(,"channel":)";
    mta::append_json_string(out, backend_.state().channel_name(t.channel));
  }
  if (e.kind() < event_kind::launched)
    fmt::format_to(at, R"(,"id":"{}","attempts":{})", to_string(t.id), t.attempts);
  if (t.kind == transition_kind::leased) fmt::format_to(at, R"(,"worker":{})", t.value);
  if (t.kind == transition_kind::deferred)
    fmt::format_to(at, R"(,"due":"{}")", iso_time(time_point(std::chrono::milliseconds(t.value))));
  if (const std::string_view text = log_.text(number); !text.empty()) {
    out += R"(,"text":)";
    mta::append_json_string(out, text);
  }
  out += "}\n";
}

void event_stream::append_missed(std::string& out, std::optional<std::uint64_t> count, std::string_view why) {
  fmt::format_to(std::back_inserter(out),
                 R"({{"time":"{}","event":"missed","count":{},"text":"{}"}})"
                 "\n",
                 iso_time(backend_.now()), count ? std::to_string(*count) : "null", why);
}

}  // namespace jobctl::admin
