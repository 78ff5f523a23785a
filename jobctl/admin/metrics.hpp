// GET /metrics in Prometheus' text format (version 0.0.4), and GET /health.
//
// The number of time series is bounded, whatever the queue holds: 1000 channels and 20 destinations have
// labels of their own, the rest is "other".
//
// Written by hand rather than with prometheus-cpp: its library would cost every start of `jobctl`, and so
// every `jobctl submit`, another millisecond (docs/architecture.md).
//
// Thread safety: the server's loop thread.
#pragma once

#include "jobctl/admin/backend.hpp"

#include <boost/json/object.hpp>

#include <string>
#include <string_view>

namespace jobctl::admin {

inline constexpr std::size_t labelled_channels = 1000, labelled_destinations = 20;

std::string metrics_text(backend&);

struct health {
  bool ready = false;
  boost::json::object body;
};
health health_of(backend&);

}  // namespace jobctl::admin
