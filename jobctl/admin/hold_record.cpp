#include "jobctl/admin/hold_record.hpp"

#include <boost/json/parse.hpp>

namespace jobctl::admin {
namespace {

namespace json = boost::json;
namespace queue = mta::queue;

constexpr std::uint64_t most_history = 64 << 20;  // its end, if it is longer

std::string text_of(const json::object& o, const char* name) {
  const json::value* v = o.if_contains(name);
  return v && v->is_string() ? std::string(v->get_string()) : std::string();
}

// Takes a line into account; true if it says something of a hold.
bool take_line(const std::string& line, hold_record& hold) {
  if (line.find("\"order\":\"hold\"") == std::string::npos &&
      line.find("sender cannot be notified") == std::string::npos)
    return false;
  json::error_code wrong;
  const json::value read = json::parse(line, wrong);
  if (wrong || !read.is_object()) return false;
  const json::object& o = read.get_object();
  const bool order = text_of(o, "order") == "hold";
  hold.reason = text_of(o, order ? "reason" : "text");
  hold.by = order ? text_of(o, "by") : std::string();
  const json::value* time = o.if_contains("time");
  hold.since = queue::time_point{std::chrono::milliseconds{time && time->is_int64() ? time->get_int64() : 0}};
  return true;
}

}  // namespace

std::optional<hold_record> last_hold(std::span<const std::string> history) {
  hold_record hold;
  for (auto line = history.rbegin(); line != history.rend(); ++line)
    if (take_line(*line, hold)) return hold;
  return {};
}

std::map<std::uint32_t, hold_record> read_holds(queue::message_file& f) {
  std::map<std::uint32_t, hold_record> holds;
  (void)f.read_history_of_all(most_history, [&](std::uint32_t slot, const std::string& line) {
    if (hold_record hold; take_line(line, hold)) holds[slot] = std::move(hold);
  });
  return holds;
}

std::string_view words_for(queue::reason why) {
  switch (why) {
    case queue::reason::none: return "";
    case queue::reason::operator_request: return "operator's request";
    case queue::reason::damaged_entry: return "damaged entry";
    case queue::reason::damaged_record: return "damaged record";
    case queue::reason::undeliverable: return "undeliverable";
    case queue::reason::mail_loop: return "mail loop: too many Received: lines";
  }
  return "";
}

}  // namespace jobctl::admin
