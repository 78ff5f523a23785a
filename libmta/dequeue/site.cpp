#include "dequeue/site.hpp"

#include "base/identity.hpp"
#include "base/text.hpp"
#include "dequeue/log.hpp"

#include <mta/program.hpp>

#include <atomic>
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
    auto made = enqueue::enqueuer::open(*settings);
    if (!made) return made.error();
    s.enqueuer = std::move(*made);
  }
  return s.enqueuer.get();
}

void forget_site() {
  shared_site& s = shared();
  const std::scoped_lock guard(s.mutex);
  s.enqueuer.reset();
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

std::optional<std::string> option(std::string_view name) {
  const auto same = [&](std::string_view other) {
    return std::equal(name.begin(), name.end(), other.begin(), other.end(),
                      [](unsigned char a, unsigned char b) {
                        return (a >= 'A' && a <= 'Z' ? a + 32 : a) == (b >= 'A' && b <= 'Z' ? b + 32 : b);
                      });
  };
  if (const char* path = std::getenv("PMDF_CHANNEL_OPTION"); path != nullptr && *path != '\0') {
    std::ifstream file(path);
    std::optional<std::string> found;
    for (std::string line; std::getline(file, line);) {
      if (!line.empty() && line.back() == '\r') line.pop_back();
      const auto start = line.find_first_not_of(" \t");
      if (start == std::string::npos || line[start] == '!' || line[start] == '#') continue;
      const auto equals = line.find('=', start);
      if (equals == std::string::npos) continue;
      const auto trim = [](std::string_view text) {
        const auto first = text.find_first_not_of(" \t");
        if (first == std::string_view::npos) return std::string_view{};
        return text.substr(first, text.find_last_not_of(" \t") - first + 1);
      };
      const std::string_view whole = line;
      if (same(trim(whole.substr(start, equals - start))))
        found = std::string(trim(whole.substr(equals + 1)));
    }
    if (found) return found;
  }
  const auto settings = dequeueing::site();
  const auto own = dequeueing::own_channel();
  if (!settings || !own) return {};
  const config::channel* const channel = (*settings)->find_channel(*own);
  if (channel == nullptr) return {};
  for (const auto& [key, value] : channel->options)
    if (same(key)) return value;
  return {};
}

void log_line(std::string_view text) noexcept { dequeueing::write_log_line(text); }

result<std::string> site_root() {
  const auto settings = dequeueing::site();
  if (!settings) return settings.error();
  return (*settings)->root;
}

void request_stop() noexcept { dequeueing::request_stop(); }

}  // namespace mta
