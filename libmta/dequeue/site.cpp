#include "dequeue/site.hpp"

#include "base/identity.hpp"
#include "base/text.hpp"
#include "config/option_file.hpp"
#include "dequeue/log.hpp"
#include "enqueue/routing.hpp"

#include <mta/enqueue.hpp>
#include <mta/program.hpp>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>

namespace mta::dequeueing {
namespace {

struct shared_site {
  std::mutex mutex;
  std::shared_ptr<const config::settings> settings;
  std::unique_ptr<enqueue::enqueuer> enqueuer;
  std::shared_ptr<accounting::log> accounts;
  bool close_accounts_each_time = false;
};
shared_site& shared() {
  static shared_site s;
  return s;
}

constexpr int most_sessions = 64;
std::atomic<wire::session*> sessions[most_sessions];
std::atomic<bool> stopping{false};
std::atomic<int> requests_under_way{0};

/// Both need the lock.
result<std::shared_ptr<const config::settings>> load_site(shared_site& s) {
  if (!s.settings) {
    auto found = config::find_site();
    if (!found) return found.error().to_error();
    s.settings = std::make_shared<const config::settings>(std::move(*found));
  }
  return s.settings;
}

std::shared_ptr<accounting::log> open_accounts(shared_site& s, const config::settings& site) {
  if (!s.accounts) {
    s.accounts = std::make_shared<accounting::log>(accounting::options_for(site));
    s.accounts->close_after_each_flush(s.close_accounts_each_time);
  }
  return s.accounts;
}

}  // namespace

result<std::shared_ptr<const config::settings>> site() {
  shared_site& s = shared();
  const std::scoped_lock guard(s.mutex);
  return load_site(s);
}

result<enqueue::enqueuer*> site_enqueuer() {
  shared_site& s = shared();
  const std::scoped_lock guard(s.mutex);
  if (!s.enqueuer) {
    auto settings = load_site(s);
    if (!settings) return settings.error();
    enqueue::enqueuer_options options;
    options.accounts = open_accounts(s, **settings);
    auto made = enqueue::enqueuer::open(*settings, std::move(options));
    if (!made) return made.error();
    s.enqueuer = std::move(*made);
  }
  return s.enqueuer.get();
}

std::shared_ptr<accounting::log> site_accounts(const config::settings& site) {
  shared_site& s = shared();
  const std::scoped_lock guard(s.mutex);
  return open_accounts(s, site);
}

void close_accounts() noexcept {
  shared_site& s = shared();
  const std::scoped_lock guard(s.mutex);
  if (s.accounts) s.accounts->close();
}

void close_accounts_each_time(bool yes) {
  shared_site& s = shared();
  const std::scoped_lock guard(s.mutex);
  s.close_accounts_each_time = yes;
  if (s.accounts) s.accounts->close_after_each_flush(yes);
}

void forget_site() {
  shared_site& s = shared();
  const std::scoped_lock guard(s.mutex);
  s.close_accounts_each_time = false;
  s.enqueuer.reset();
  s.accounts.reset();
  s.settings.reset();
}

result<std::string> own_channel() {
  const char* const name = std::getenv("PMDF_CHANNEL");
  if (name == nullptr || *name == '\0')
    return error(errc::not_configured, "channel name (PMDF_CHANNEL is not set)");
  const std::string_view text = name;
  if (text.size() > config::max_channel_name)
    return error(errc::out_of_range,
                 "PMDF_CHANNEL \"" + std::string(text.substr(0, 40)) + "…\" (over 32 bytes)");
  return std::string(text);
}

stoppable::stoppable(wire::session& s) {
  for (int i = 0; i < most_sessions; ++i) {
    wire::session* expected = nullptr;
    if (sessions[i].compare_exchange_strong(expected, &s)) {
      place_ = i;
      break;
    }
  }
  if (stopping.load()) s.request_stop();
}

stoppable::~stoppable() {
  if (place_ >= 0) sessions[place_].store(nullptr);
  // A request that has just found the session, in a signal handler of another thread perhaps, is about to use
  // it.
  while (requests_under_way.load() != 0) std::this_thread::yield();
}

void request_stop() noexcept {
  stopping.store(true);
  requests_under_way.fetch_add(1);
  for (auto& s : sessions)
    if (wire::session* const session = s.load()) session->request_stop();
  requests_under_way.fetch_sub(1);
}

bool stop_requested() noexcept { return stopping.load(); }

}  // namespace mta::dequeueing

namespace mta {

result<> init() {
  if (const auto settings = dequeueing::site(); !settings) return settings.error();
  return {};
}

result<std::string> channel_name() { return dequeueing::own_channel(); }

namespace {

std::optional<std::string> option_in_file(const std::string& path, std::string_view name) {
  const auto file = config::read_option_file(path);
  if (!file) return {};
  const auto found = file->values.find(lower_case(name));
  return found == file->values.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace

std::optional<std::string> option(std::string_view name) {
  if (const char* path = std::getenv("PMDF_CHANNEL_OPTION"); path != nullptr && *path != '\0')
    if (auto found = option_in_file(path, name)) return found;
  const auto settings = dequeueing::site();
  const auto own = dequeueing::own_channel();
  if (!settings || !own) return {};
  const config::channel* const channel = (*settings)->find_channel(*own);
  if (channel == nullptr) return {};
  if (!channel->option_file.empty()) return option_in_file(channel->option_file, name);
  for (const auto& [key, value] : channel->options)
    if (equal_ignoring_case(key, name)) return value;
  return {};
}

result<std::int64_t> number_option(std::string_view name, std::int64_t otherwise, std::int64_t least,
                                   std::int64_t most) {
  const auto text = option(name);
  if (!text) return otherwise;
  std::int64_t number = 0;
  const auto [end, failure] = std::from_chars(text->data(), text->data() + text->size(), number);
  const bool is_number = failure != std::errc::invalid_argument && end == text->data() + text->size();
  if (is_number && failure == std::errc{} && number >= least && number <= most) return number;
  return error(is_number ? errc::out_of_range : errc::syntax,
               "option " + std::string(name) + ": \"" + *text + "\" must be a whole number from " +
                   std::to_string(least) + " to " + std::to_string(most));
}

result<std::string> channel_for(std::string_view address, std::string_view source) {
  const auto settings = dequeueing::site();
  if (!settings) return settings.error();
  const auto own = dequeueing::own_channel();
  if (source.empty() && own) source = *own;
  auto routed = enqueue::route(**settings, address, source);
  if (!routed) return routed.error();
  return std::move(routed->channel);
}

void log_line(std::string_view text) noexcept { dequeueing::write_log_line(text); }

result<std::string> site_root() {
  const auto settings = dequeueing::site();
  if (!settings) return settings.error();
  return (*settings)->root;
}

void request_stop() noexcept { dequeueing::request_stop(); }

void close_accounting_log() noexcept { dequeueing::close_accounts(); }

}  // namespace mta
