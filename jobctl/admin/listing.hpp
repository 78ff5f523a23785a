// GET /v1/messages: its parameters, and its rows.
// Thread safety: pure, apart from reading the controller on its thread.
#pragma once

#include "jobctl/admin/selection.hpp"
#include "jobctl/admin/target.hpp"
#include "jobctl/controller/controller.hpp"

#include <boost/json/object.hpp>

namespace jobctl::admin {

inline constexpr std::size_t default_page = 100, largest_page = 10'000;  ///< rows

struct listing_request {
  selection what;
  std::uint64_t limit = default_page;
  std::uint64_t cursor = 0;
};

/// Errors name the parameter and what was expected: errc::syntax or out_of_range. errc::not_configured: the
/// channel does not exist.
mta::result<listing_request> parse_listing(const target&, const controller&, time_point now);

struct page {
  std::vector<listed> rows;
  std::uint64_t cursor = 0;  ///< where the next page begins; 0: no more
};
/// What the index knows of the selection. A page may be short, or even empty, and still have a cursor: the
/// work for one page is bounded.
page list_page(const controller&, const listing_request&);

/// "ready", "in-hand", "deferred" or "held"
std::string_view state_of(const listed&);
boost::json::object to_json(const listed&, const controller&);

}  // namespace jobctl::admin
