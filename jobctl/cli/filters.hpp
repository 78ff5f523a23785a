// The options that say which messages are meant, the same for every command: parameters of the API
// (docs/api.md, "Selections"), which checks them, so that this and other clients agree.
// Thread safety: none.
#pragma once

#include "jobctl/cli/command.hpp"

#include <boost/json/object.hpp>

#include <string>

namespace jobctl::cli {

void add_filters(boost::program_options::options_description&);
/// Was any given?
bool has_filters(const invocation&);
/// Does any make the controller read message files, which takes time?
bool has_text_filters(const invocation&);
/// "channel=x&state=held&", encoded.
std::string filters_as_query(const invocation&);
/// {"channel": "x", "state": "held"}
boost::json::object filters_as_json(const invocation&);

}  // namespace jobctl::cli
