// storm_enqueuer PREFIX THREADS MESSAGES_PER_SECOND: enqueues messages from several threads until it is told
// to stop (SIGTERM) or killed. Each acknowledged one is written to the log ($STORM_LOG, see record.hpp) after
// mtaEnqueueFinish() has returned MTA_OK, so what is in the log must be delivered, whatever happens to whom.
#include "record.hpp"

#include <mtasdk.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

std::atomic<bool> stopping{false};

// Returns the routine that failed, or nullptr.
const char* enqueue(const std::string& id, unsigned recipients, unsigned lines, const char* domain,
                    int& status) {
  mta_nq_t* message = nullptr;
  if ((status = mtaEnqueueStart(&message, "storm@sender.example", 0, 0)) != MTA_OK) return "mtaEnqueueStart";
  for (unsigned i = 0; i < recipients; ++i) {
    std::string to = "r" + std::to_string(i) + "@" + domain;
    if ((status = mtaEnqueueTo(message, to.data(), to.size(), MTA_ENV_TO, 0)) != MTA_OK) {
      mtaEnqueueFinish(message, MTA_ABORT, 0);
      return "mtaEnqueueTo";
    }
  }
  std::string count = std::to_string(lines);
  status = mtaEnqueueWriteLine(message, "X-Storm: ", 0, id.data(), id.size(), " ", static_cast<size_t>(0),
                               count.data(), count.size(), nullptr);
  if (status == MTA_OK)
    status = mtaEnqueueWrite(
        message, "From: <storm@sender.example>\nDate: Sat, 21 Nov 2026 01:02:03 +0000\n\n", 0, nullptr);
  for (unsigned i = 0; status == MTA_OK && i < lines; ++i) {
    std::string line = storm::body_line(id, i);
    status = mtaEnqueueWriteLine(message, line.data(), line.size(), nullptr);
  }
  if (status != MTA_OK) {
    mtaEnqueueFinish(message, MTA_ABORT, 0);
    return "mtaEnqueueWrite";
  }
  return (status = mtaEnqueueFinish(message, 0)) == MTA_OK ? nullptr : "mtaEnqueueFinish";
}

void run(const storm::event_log& log, const std::string& prefix, std::chrono::microseconds interval) {
  std::minstd_rand random(static_cast<unsigned>(std::hash<std::string>()(prefix)));
  auto next = std::chrono::steady_clock::now();
  for (unsigned n = 0; !stopping; ++n) {
    std::string id = prefix + "-" + std::to_string(n);
    unsigned recipients = random() % 10 == 0 ? 1 + random() % 8 : 1;
    unsigned lines = random() % 50 == 0 ? random() % 2000 : random() % 40;
    const char* domain = random() % 2 == 0 ? "one.storm" : "two.storm";
    int status = MTA_OK;
    if (const char* what = enqueue(id, recipients, lines, domain, status))
      log.write(std::string("X ") + what + " of " + id + ": " + mtaStrError(status, 0) + "\n");
    else
      log.write("A " + id + " " + std::to_string(recipients) + "\n");
    // A steady load, whatever the machine can do; one that fell behind does not catch up.
    next = std::max(next + interval, std::chrono::steady_clock::now());
    std::this_thread::sleep_until(next);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const char* log_path = std::getenv("STORM_LOG");
  if (argc != 4 || log_path == nullptr) return 64;
  storm::event_log log(log_path);
  unsigned threads = static_cast<unsigned>(std::atoi(argv[2]));
  std::chrono::microseconds interval(1'000'000L * threads / std::max(1, std::atoi(argv[3])));
  std::signal(SIGTERM, [](int) { stopping = true; });
  if (int status = mtaInit(0); status != MTA_OK) {
    log.write(std::string("X mtaInit: ") + mtaStrError(status, 0) + "\n");
    return 1;
  }
  std::vector<std::thread> running;
  for (unsigned i = 0; i < threads; ++i)
    running.emplace_back(run, std::cref(log), std::string(argv[1]) + "-" + std::to_string(i), interval);
  for (auto& thread : running) thread.join();
  mtaDone();
}
