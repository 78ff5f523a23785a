#include "jobctl/admin/listing.hpp"

#include "jobctl/admin/message_report.hpp"
#include "jobctl/admin/nearest.hpp"

#include <fmt/format.h>

namespace jobctl::admin {

mta::result<listing_request> parse_listing(const target& t, const controller& state, time_point now) {
  listing_request request;
  for (const auto& [name, value] : t.parameters) {
    mta::result<> taken;
    if (name == "limit")
      taken = parse_number<std::uint64_t>(value, 1, largest_page, request.limit);
    else if (name == "cursor")
      taken = parse_number<std::uint64_t>(value, 0, ~0ull, request.cursor);
    else if (taken = take_parameter(request.what, name, value, state, now); !taken)
      return taken.error();
    if (!taken) return mta::error(taken.error().code, fmt::format("{}: {}", name, taken.error().context));
  }
  return request;
}

page list_page(const controller& state, const listing_request& request) {
  page found;
  found.cursor = request.cursor;
  found.rows = state.list(request.what.index, request.limit, found.cursor);
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

}  // namespace jobctl::admin
