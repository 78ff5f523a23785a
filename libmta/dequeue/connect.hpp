// What every way of working a channel begins with: the channel, a connection to the job controller, SIGTERM.
// Thread safety: every function from any thread.
#pragma once

#include "config/settings.hpp"
#include "wire/session.hpp"

#include <mta/dequeue.hpp>

#include <chrono>
#include <cstdint>
#include <memory>

namespace mta::dequeueing {

/// Options, completed by the configuration. See mta::dequeue_options for what each one means.
struct working_limits {
  working_limits(const dequeue_options&, const config::dequeue_settings&);

  std::uint32_t max_attempts;
  std::chrono::milliseconds retry_interval, controller_timeout;
  std::uint32_t max_threads;
  std::size_t stack_size;
  std::chrono::milliseconds wait_timeout;
};

struct workplace {
  std::shared_ptr<const config::settings> settings;
  const config::channel* channel = nullptr;  ///< of these settings
};
/// Of this name, or the program's own. Errors: errc::not_configured, those of the configuration.
result<workplace> find_workplace(const std::string& channel);

/// `capacity`: messages that the program works on at the same time. Errors: errc::disconnected (no job
/// controller), rejected, the system's.
result<std::unique_ptr<wire::session>> connect(const config::settings&, const config::channel&,
                                               const working_limits&, std::uint32_t capacity);

/// SIGTERM asks for a stop, unless the program handles it itself.
void handle_termination();

}  // namespace mta::dequeueing
