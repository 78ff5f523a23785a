// What operators have stopped: the requests that stop and start channels and hosts (docs/api.md), and the
// words and fields in which others tell of it. Thread safety: the loop's thread.
#pragma once

#include "jobctl/admin/backend.hpp"
#include "jobctl/admin/handlers.hpp"
#include "jobctl/admin/target.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <string>
#include <vector>

namespace jobctl::admin {

inline constexpr std::size_t most_stops = 1000;  ///< in force at a time

/// Stops or starts a place: a channel, a host of it, or with an empty channel a host of all. The parameters
/// `host`, `reason` and `until` are taken from the request; `host` counts if the place has none.
void post_stop_of(backend&, standing_stop place, const target&, std::int64_t user, answer);
void post_start_of(backend&, standing_stop place, const target&, std::int64_t user, answer);

/// "host example.org is stopped in channel fax since … by ann (uid 1000): REASON, until …"
std::string text_of(const standing_stop&, time_point now);
/// "'jobctl start fax --host example.org' lets it go on"
std::string remedy_of(const standing_stop&);
boost::json::object to_json(const standing_stop&, time_point now);
boost::json::array to_json(const std::vector<standing_stop>&, time_point now);

}  // namespace jobctl::admin
