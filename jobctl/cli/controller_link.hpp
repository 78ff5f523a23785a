// The command line's connection to the running controller of its site.
// Thread safety: none.
#pragma once

#include "jobctl/admin/client.hpp"
#include "jobctl/admin/units.hpp"
#include "jobctl/cli/site.hpp"

#include <boost/json/object.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace jobctl::cli {

/// Connects to the controller of the site that the invocation names. Otherwise prints why not, and sets
/// `status`.
std::optional<admin::client> connect(const invocation&, int& status);

/// The exit status for an error answer of the API, whose detail is printed.
int fail(const invocation&, const admin::client::answer&);

/// Sends one request. When it is not answered with success, prints why, sets `status` and returns nothing.
std::optional<boost::json::value> get(const invocation&, admin::client&, const std::string& target,
                                      int& status);
std::optional<boost::json::value> post(const invocation&, admin::client&, const std::string& target,
                                       int& status, const std::string& body = {});

/// Does every one of these channels exist? Otherwise prints which does not, with the nearest name, and sets
/// `status`.
bool check_channels(const invocation&, admin::client&, const std::vector<std::string>& names, int& status);

/// Fields of answers, which have the types that docs/api.md says; a missing or null one is empty or 0.
std::string text_field(const boost::json::object&, std::string_view name);
std::uint64_t number_field(const boost::json::object&, std::string_view name);
bool flag_field(const boost::json::object&, std::string_view name);
/// Rows of {"NAME": [{…}, …]}; others are skipped.
std::vector<boost::json::object> rows_field(const boost::json::object&, std::string_view name);
/// The time of a field as an age ("2h05m"); empty: none.
std::string age_field(const boost::json::object&, std::string_view name, time_point now);
time_point wall_clock();

}  // namespace jobctl::cli
