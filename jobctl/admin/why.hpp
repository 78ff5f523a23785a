// GET /v1/why/WHAT: why a message, a host or a channel waits, and what comes next, in a sentence or two.
// Thread safety: the loop's thread.
#pragma once

#include "jobctl/admin/backend.hpp"
#include "jobctl/admin/handlers.hpp"

#include <string>

namespace jobctl::admin {

/// `what`: a message id, the name of a channel, or a destination host; tried in this order.
void get_why(backend&, const std::string& what, answer);

}  // namespace jobctl::admin
