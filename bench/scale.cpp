// How large and how fast the controller's index is, without anything around it: bench_scale [MESSAGES]
//
// MESSAGES (10,000,000) deferred messages in 20 channels, to 10,000 hosts, in random order of their times,
// come due while the clock runs; programs take them, finish nine of ten and defer the others. Prints, as
// JSON: "memory": bytes for each message, all told (the growth of the process, not only of the tables), and
// "events": due, leased, finished, deferred, for each second of one core.
#include "jobctl/controller/controller.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <random>
#include <span>
#include <string>
#include <unistd.h>
#include <variant>
#include <vector>

using namespace jobctl;

namespace {

constexpr std::uint32_t channel_count = 20, hosts = 10'000, per_file = 4096, threads = 100;

double resident() {
  std::ifstream statm("/proc/self/statm");
  double pages = 0, in_memory = 0;
  statm >> pages >> in_memory;
  return in_memory * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

limits make_limits() {
  limits l;
  l.pools.push_back({"DEFAULT", 1000});
  for (std::uint32_t n = 0; n < channel_count; ++n) {
    channel_limits c;
    c.name = "c" + std::to_string(n);
    for (auto& schedule : c.backoff) schedule = {std::chrono::hours(1)};
    for (auto& schedule : c.notices) schedule = {std::chrono::hours(24 * 3), std::chrono::hours(24 * 6)};
    l.channels.push_back(c);
  }
  return l;
}

}  // namespace

int main(int argc, char** argv) {
  const auto count = static_cast<std::uint32_t>(argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 10'000'000);
  controller jc(make_limits());
  time_point now{std::chrono::hours(24 * 365 * 55)};
  std::vector<channel_no> channels;
  for (std::uint32_t n = 0; n < channel_count; ++n) channels.push_back(jc.channel("c" + std::to_string(n)));
  std::vector<std::string> names;
  for (std::uint32_t n = 0; n < hosts; ++n) names.push_back("host" + std::to_string(n) + ".example.org");

  std::mt19937 random(1);
  const std::uint32_t span = count / 1000;  // ms: 1,000 come due in each
  const double before = resident();
  std::vector<new_message> found(per_file);
  std::uint64_t file = 0;
  for (std::uint32_t n = 0; n < count; n += per_file) {
    for (std::uint32_t slot = 0; slot < per_file; ++slot) {
      new_message& m = found[slot];
      m.slot = slot;
      m.priority = static_cast<mta::queue::priority>(random() % 3);
      m.phase = phase::deferred;
      m.attempts = 1;
      m.size = 2000 + random() % 50'000;
      m.committed = now - std::chrono::minutes(30);
      m.due = now + milliseconds(1 + random() % span);
      m.host = names[random() % hosts];
    }
    jc.messages_found(now, channels[file % channel_count], {mta::queue::file_number{++file}, 1}, per_file,
                      true, found);
  }
  jc.take_actions();
  const double bytes = (resident() - before) / static_cast<double>(jc.message_count());
  const auto all = jc.message_count();

  std::uint64_t leased = 0, finished = 0, deferred = 0;
  for (std::uint32_t n = 0; n < channel_count; ++n) {
    jc.worker_connected(now, worker_no{n + 1}, channels[n], job_no{}, threads, {});
    jc.worker_asks(now, worker_no{n + 1}, 1000);
  }
  std::vector<message_result> results;
  const double begin = cpu_seconds();
  // Each message comes due once, and is reported on once.
  while (finished + deferred < all) {
    now += milliseconds(1);
    jc.clock(now);
    for (const auto& any : jc.take_actions()) {
      if (const auto* file_done = std::get_if<action::recycle>(&any)) jc.recycled(now, file_done->file, true);
      const auto* lease = std::get_if<action::lease>(&any);
      if (lease == nullptr) continue;
      leased += lease->messages.size();
      results.clear();
      for (const leased_message& m : lease->messages) {
        const bool fails = random() % 10 == 0;
        (fails ? deferred : finished) += 1;
        results.push_back({m.id, fails ? outcome::deferred : outcome::finished, {}});
      }
      jc.results(now, lease->worker, results);
      jc.worker_asks(now, lease->worker, static_cast<std::uint32_t>(results.size()));
    }
  }
  const double seconds = cpu_seconds() - begin;
  const auto events = static_cast<double>(all + leased + finished + deferred);  // the first: came due
  std::printf("{\"messages\": %llu, \"memory\": %.1f, \"events\": %.0f}\n",
              static_cast<unsigned long long>(all), bytes, events / seconds);
}
