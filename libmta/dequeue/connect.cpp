#include "dequeue/connect.hpp"

#include "dequeue/site.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>

namespace mta::dequeueing {

working_limits::working_limits(const dequeue_options& given, const config::dequeue_settings& site)
    : max_attempts(given.max_attempts.value_or(site.max_attempts)),
      retry_interval(given.retry_interval.value_or(site.retry_interval)),
      controller_timeout(given.controller_timeout.value_or(site.reply_timeout)),
      max_threads(std::max(given.max_threads.value_or(site.max_threads), 1u)),
      stack_size(given.stack_size.value_or(site.stack_size)),
      wait_timeout(given.wait_timeout.value_or(site.wait_timeout)) {}

result<workplace> find_workplace(const std::string& channel) {
  const auto settings = site();
  if (!settings) return settings.error();
  std::string name = channel;
  if (name.empty()) {
    auto own = own_channel();
    if (!own) return own.error();
    name = std::move(*own);
  }
  const config::channel* const found = (*settings)->find_channel(name);
  if (found == nullptr) return error(errc::not_configured, "channel \"" + name + "\"");
  return workplace{*settings, found};
}

result<std::unique_ptr<wire::session>> connect(const config::settings& settings,
                                               const config::channel& channel, const working_limits& limits,
                                               std::uint32_t capacity) {
  wire::session_options o;
  o.socket_path = settings.program_socket();
  o.channel = channel.name;
  if (const char* job = std::getenv("JOBCTL_JOB")) o.job = std::strtoull(job, nullptr, 10);
  o.max_threads = capacity;
  o.reply_timeout = limits.controller_timeout;
  o.patience = std::max<std::chrono::milliseconds>(limits.retry_interval * limits.max_attempts,
                                                   std::chrono::seconds(1));
  auto connected = wire::session::connect(std::move(o));
  if (connected) return connected;
  error why = connected.error();
  if (why.code == errc::timed_out) why.code = errc::disconnected;  // the other is about our threads
  return why;
}

extern "C" {
static void on_termination(int) { request_stop(); }
}

void handle_termination() {
  struct sigaction now {};
  if (::sigaction(SIGTERM, nullptr, &now) != 0 || now.sa_handler != SIG_DFL) return;
  struct sigaction ours {};
  ours.sa_handler = &on_termination;
  ::sigemptyset(&ours.sa_mask);
  ours.sa_flags = SA_RESTART;
  ::sigaction(SIGTERM, &ours, nullptr);
}

}  // namespace mta::dequeueing
