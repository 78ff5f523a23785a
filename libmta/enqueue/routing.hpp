// From an address to the channel that takes its mail.
//
// Thread safety: pure functions on settings that nobody changes.
#pragma once

#include "base/error.hpp"
#include "config/settings.hpp"

#include <string>
#include <string_view>

namespace mta::enqueue {

struct routed {
  std::string channel;
  std::string host;     ///< destination host, lower case: the address's domain, or the route's `via`
  std::string address;  ///< canonical form, for the envelope

  bool operator==(const routed&) const = default;
};

/// Where mail for `address`, enqueued by `source_channel` (empty: none), goes. Errors: errc::rejected, with a
/// text that names the address and says why (bad syntax, no route); errc::out_of_range: longer than
/// config::max_address.
result<routed> route(const config::settings&, std::string_view address, std::string_view source_channel);

}  // namespace mta::enqueue
