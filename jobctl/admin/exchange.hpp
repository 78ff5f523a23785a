// One request being answered, and the functions that answer requests: one for each row of the table in
// handlers.cpp.
//
// Thread safety: the controller's thread. Each calls `answer` exactly once, at once or later.
#pragma once

#include "jobctl/admin/backend.hpp"
#include "jobctl/admin/handlers.hpp"
#include "jobctl/admin/target.hpp"

#include <boost/json.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace jobctl::admin {

struct exchange {
  admin::backend& backend;
  admin::target target;
  admin::answer answer;
  std::int64_t user;

  const std::string& name() const { return target.path[2]; }
};

/// Status 200; text that is not UTF-8 is made so.
response json_response(const boost::json::value& body);
/// The whole queue has been read.
bool complete(const backend&);
/// The whole queue holds its backlog_limit.
bool is_full(const controller&);
std::vector<channel_no> channels_by_name(const controller&);
boost::json::object figures_to_json(const channel_figures&);

// queue_handlers.cpp
void get_summary(exchange);
void get_messages(exchange);
void get_message(exchange);
void get_content(exchange);

// channel_handlers.cpp
void get_channels(exchange);
void get_channel(exchange);
void post_run(exchange);
void post_stop_channel(exchange);
void post_start_channel(exchange);
void post_stop_destination(exchange);
void post_start_destination(exchange);
void get_counters(exchange);
void get_pools(exchange);
void get_destinations(exchange);

// controller_handlers.cpp
void get_metrics(exchange);
void get_health(exchange);
void get_events(exchange);
void get_jobs(exchange);
void get_periodic(exchange);
void post_run_periodic(exchange);
void get_status(exchange);
void post_reload(exchange);
void post_stop(exchange);

}  // namespace jobctl::admin
