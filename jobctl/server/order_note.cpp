#include "jobctl/server/order_note.hpp"

#include "base/utf8.hpp"
#include "jobctl/server/server.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace jobctl {

std::string_view name_of(verb v) {
  switch (v) {
    case verb::hold: return "hold";
    case verb::release: return "release";
    case verb::retry: return "retry";
    case verb::route: return "route";
    case verb::bounce: return "bounce";
    case verb::remove: return "remove";
  }
  return "";
}

std::string history_line(verb v, std::string_view text, const order_note& note, time_point until) {
  boost::json::object line{
      {"time", server::now().time_since_epoch().count()}, {"text", text}, {"order", name_of(v)}};
  if (!note.by.empty()) line["by"] = note.by;
  if (!note.reason.empty()) line["reason"] = note.reason;
  if (until != time_point{}) line["until"] = until.time_since_epoch().count();
  return mta::as_utf8(boost::json::serialize(line));
}

}  // namespace jobctl
