// What a program knows of its site: settings, its channel's name, the enqueuer, requests to stop.
// Thread safety: every function from any thread; request_stop() from a signal handler too.
#pragma once

#include "accounting/log.hpp"
#include "config/settings.hpp"
#include "enqueue/enqueuer.hpp"
#include "wire/session.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace mta::dequeueing {

/// The site's settings; read on first use (JOBCTL_CONFIG, JOBCTL_ROOT). The same object until forget_site().
result<std::shared_ptr<const config::settings>> site();
/// The process's enqueuer, made on first use.
result<enqueue::enqueuer*> site_enqueuer();
/// The process's accounting log, made on first use for these settings.
std::shared_ptr<accounting::log> site_accounts(const config::settings&);
/// Closes its files, if there is one; they are opened again when there is something to record.
void close_accounts() noexcept;
/// Whether they are closed after each thing recorded (MTA_INTERACTIVE); until forget_site().
void close_accounts_each_time(bool);
/// Lets go of all (mtaDone()). No submission may be open.
void forget_site();

/// PMDF_CHANNEL. Errors: errc::not_configured, errc::out_of_range.
result<std::string> own_channel();

/// A session that a request to stop must reach, for as long as the object lives.
class stoppable {
 public:
  explicit stoppable(wire::session&);
  ~stoppable();
  stoppable(const stoppable&) = delete;
  stoppable& operator=(const stoppable&) = delete;

 private:
  int place_ = -1;
};
void request_stop() noexcept;
bool stop_requested() noexcept;

}  // namespace mta::dequeueing
