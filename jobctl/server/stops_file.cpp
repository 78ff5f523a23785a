#include "jobctl/server/stops_file.hpp"

#include "base/utf8.hpp"
#include "jobctl/server/small_file.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>
#include <optional>
#include <string_view>

namespace jobctl {
namespace {

namespace json = boost::json;
using mta::queue::time_point;

constexpr std::string_view first_word = "stops ", version = "2";

bool take_text(const json::value& v, std::string& to) {
  if (v.is_string()) to = v.get_string();
  return v.is_string();
}

bool take_time(const json::value& v, time_point& to) {
  json::error_code wrong;
  if (v.is_number()) to = time_point{std::chrono::milliseconds{v.to_number<std::int64_t>(wrong)}};
  return v.is_number() && !wrong;
}

std::optional<standing_stop> read_record(std::string_view line) {
  json::error_code wrong;
  const json::value read = json::parse(json::string_view(line.data(), line.size()), wrong);
  if (wrong || !read.is_object()) return {};
  standing_stop s;
  for (const auto& field : read.get_object()) {
    const std::string_view key = field.key();
    const json::value& v = field.value();
    const bool taken = key == "channel"  ? take_text(v, s.channel)
                       : key == "host"   ? take_text(v, s.host)
                       : key == "by"     ? take_text(v, s.by)
                       : key == "reason" ? take_text(v, s.reason)
                       : key == "since"  ? take_time(v, s.since)
                       : key == "until"  ? take_time(v, s.until)
                                         : true;  // of a later version that changed nothing else
    if (!taken) return {};
  }
  if (s.channel.empty() && s.host.empty()) return {};
  return s;
}

std::string record_of(const standing_stop& s) {
  json::object o;
  const auto put_text = [&](const char* key, const std::string& text) {
    if (!text.empty()) o[key] = text;
  };
  const auto put_time = [&](const char* key, time_point t) {
    if (t != time_point{}) o[key] = t.time_since_epoch().count();
  };
  put_text("channel", s.channel);
  put_text("host", s.host);
  put_text("by", s.by);
  put_text("reason", s.reason);
  put_time("since", s.since);
  put_time("until", s.until);
  return mta::as_utf8(json::serialize(o));  // else nobody could read it again
}

}  // namespace

mta::result<std::vector<standing_stop>> load_stops(const std::string& path) {
  const auto text = read_small_file(path);
  if (!text) return text.error();
  std::vector<standing_stop> all;
  bool records = false;
  std::size_t number = 0;
  for (std::string_view rest = *text; !rest.empty();) {
    const auto end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (++number == 1 && line.starts_with(first_word)) {
      if (line.substr(first_word.size()) != version)
        return mta::error(mta::errc::wrong_version,
                          fmt::format("{}: '{}', and this controller reads 'stops {}'", path, line, version));
      records = true;
    } else if (line.empty()) {
      continue;
    } else if (!records) {
      all.push_back({std::string(line), {}, {}, {}, {}, {}});
    } else if (auto one = read_record(line)) {
      all.push_back(std::move(*one));
    } else {
      return mta::error(mta::errc::damaged,
                        fmt::format("{}:{}: not a record of what was stopped; correct the line, or remove it "
                                    "to start what it stopped",
                                    path, number));
    }
  }
  return all;
}

mta::result<> save_stops(const std::string& path, const std::vector<standing_stop>& all) {
  std::string text = fmt::format("{}{}\n", first_word, version);
  for (const standing_stop& each : all) text += record_of(each) + '\n';
  return replace_file(path, text, durability::of_the_disk);
}

}  // namespace jobctl
