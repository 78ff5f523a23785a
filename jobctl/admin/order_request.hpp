// POST /v1/messages/hold, release, retry, route, bounce, remove: orders on messages that are named or
// selected. Thread safety: the loop's thread.
#pragma once

#include "jobctl/admin/backend.hpp"
#include "jobctl/admin/handlers.hpp"

#include <optional>
#include <string_view>

namespace jobctl::admin {

/// The order of that name.
std::optional<verb> find_verb(std::string_view name);

/// Carries the order of a request's body out and answers (docs/api.md, "Orders").
void post_order(backend&, verb, const request&, answer);

}  // namespace jobctl::admin
