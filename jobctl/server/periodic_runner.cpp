#include "jobctl/server/periodic_runner.hpp"

#include "enqueue/address.hpp"
#include "jobctl/launcher/channel_command.hpp"
#include "jobctl/launcher/launcher.hpp"
#include "jobctl/server/log.hpp"
#include "jobctl/server/periodic_record.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <signal.h>

namespace jobctl {

namespace asio = boost::asio;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds longest_wait{1000};  // the clock may be set meanwhile, and processes of others may end
constexpr milliseconds kill_patience{5000};  // from SIGTERM to SIGKILL

time_point wall_clock() { return std::chrono::floor<milliseconds>(std::chrono::system_clock::now()); }

}  // namespace

struct periodic_runner::impl {
  impl(asio::io_context& i, std::function<void()> idle, preparation p)
      : io(i), on_idle(std::move(idle)), prepare(std::move(p)), timer(io) {}

  void configure(const mta::config::settings& s) {
    settings = &s;
    std::vector<periodic_status> known;
    if (!processes) {
      processes = std::make_unique<launcher>(
          io, launcher_options{s.log_directory()},
          [this](std::uint64_t number, pid_t, int status) { exited(number, status); });
      known = read_record();
    }
    std::vector<periodic_limits> limits;
    for (const auto& job : s.periodic) {
      periodic_limits l;
      l.name = job.name;
      l.next = [schedule = job.schedule](time_point t) { return mta::config::next_run(schedule, t); };
      l.interval = job.schedule.at.empty();
      l.run_missed = job.run_missed;
      l.timeout = job.timeout;
      limits.push_back(std::move(l));
    }
    jobs.configure(wall_clock(), std::move(limits), known);
    save();
    turn();
  }

  // What an earlier controller knew; a run of its that goes on is watched from now on.
  std::vector<periodic_status> read_record() {
    auto kept = load_periodic(record_path());
    if (!kept) {
      log(log_level::error, "what is known of periodic jobs cannot be read: {}", kept.error().message());
      return {};
    }
    std::vector<periodic_status> known;
    for (kept_periodic& k : *kept) {
      if (k.process != 0 && still_runs(k)) {
        k.status.running = true;
        orphans[k.status.name] = k;
      }
      known.push_back(k.status);
    }
    return known;
  }

  std::string record_path() const { return settings->run_directory() + "/periodic"; }

  void save() {
    if (!settings) return;
    std::vector<kept_periodic> all;
    for (const periodic_status& s : jobs.status()) {
      kept_periodic k{s, 0, 0};
      if (const auto o = orphans.find(s.name); o != orphans.end())
        k = {s, o->second.process, o->second.began};
      for (const auto& [number, run] : running)
        if (run.name == s.name) k = {s, run.pid, process_start(run.pid)};
      all.push_back(std::move(k));
    }
    if (all.empty() && !record_there) return;
    record_there = true;
    if (const auto saved = save_periodic(record_path(), all); !saved)
      log(log_level::error, "what is known of periodic jobs cannot be kept: {}", saved.error().message());
  }

  void turn() {
    if (stopped) return;
    for (auto at = orphans.begin(); at != orphans.end();) {
      if (still_runs(at->second)) {
        ++at;
        continue;
      }
      log(log_level::info, "periodic job {}: ended (process {}, which an earlier controller started)",
          at->first, at->second.process);
      jobs.ended(wall_clock(), at->first, true, "ended under another controller");
      at = orphans.erase(at);
    }
    const auto orders = jobs.step(wall_clock());
    for (const auto& o : orders) {
      if (o.todo == periodic_jobs::order::what::report)
        log(log_level::warning, "{}", o.text);
      else if (o.todo == periodic_jobs::order::what::start)
        (void)start(o.name);
      else
        terminate(o.name);
    }
    if (!orders.empty()) save();
    arm();
  }

  void arm() {
    const auto deadline = jobs.next_deadline();
    if (stopped || (deadline == time_point::max() && orphans.empty())) return;
    const auto wait = deadline == time_point::max()
                          ? longest_wait
                          : std::clamp(deadline - wall_clock(), milliseconds(1), longest_wait);
    timer.expires_after(wait);
    timer.async_wait([this](const boost::system::error_code& cancelled) {
      if (!cancelled) turn();
    });
  }

  mta::result<> start(const std::string& name) {
    const auto job = std::ranges::find(settings->periodic, name, &mta::config::periodic_job::name);
    mta::result<command> what = mta::error(mta::errc::not_configured, "periodic job " + name);
    if (job != settings->periodic.end()) what = periodic_command(*settings, *job);
    if (what && !job->channel.empty()) prepare(*what, job->channel);
    mta::result<pid_t> pid = what ? processes->start(++last_number, "periodic-" + name, *what) : what.error();
    if (!pid) {
      const auto why = "cannot be started: " + pid.error().message();
      log(log_level::error, "periodic job {}: {}", name, why);
      jobs.ended(wall_clock(), name, false, why);
      return pid.error();
    }
    log(log_level::info, "periodic job {}: started (process {})", name, *pid);
    running[last_number] = {name, *pid};
    return {};
  }

  void terminate(const std::string& name) {
    for (const auto& [number, run] : running)
      if (run.name == name) processes->stop(number, kill_patience);
    if (const auto o = orphans.find(name); o != orphans.end() && still_runs(o->second))
      ::kill(o->second.process, SIGTERM);
  }

  void exited(std::uint64_t number, int status) {
    const auto at = running.find(number);
    if (at == running.end()) return;
    const auto run = at->second;
    running.erase(at);
    const bool clean = clean_status(status);
    const auto words = describe_status(status);
    log(clean ? log_level::info : log_level::warning, "periodic job {}: process {} {}", run.name, run.pid,
        words);
    jobs.ended(wall_clock(), run.name, clean, words);
    save();
    if (stopped) {
      if (running.empty()) on_idle();
    } else {
      turn();
    }
  }

  struct going_on {
    std::string name;
    pid_t pid;
  };

  asio::io_context& io;
  std::function<void()> on_idle;
  preparation prepare;
  asio::steady_timer timer;
  const mta::config::settings* settings = nullptr;
  std::unique_ptr<launcher> processes;
  periodic_jobs jobs;
  std::map<std::uint64_t, going_on> running;     // by the launcher's number
  std::map<std::string, kept_periodic> orphans;  // by name: runs that an earlier controller started
  std::uint64_t last_number = 0;
  bool stopped = false, record_there = false;
};

periodic_runner::periodic_runner(asio::io_context& io, std::function<void()> on_idle, preparation prepare)
    : impl_(std::make_unique<impl>(io, std::move(on_idle), std::move(prepare))) {}
periodic_runner::~periodic_runner() = default;

void periodic_runner::configure(const mta::config::settings& s) { impl_->configure(s); }
void periodic_runner::reopen_logs() {
  if (impl_->processes) impl_->processes->reopen_logs();
}
void periodic_runner::stop(milliseconds patience) {
  impl_->stopped = true;
  impl_->timer.cancel();
  for (const auto& [number, run] : impl_->running) impl_->processes->stop(number, patience);
}
void periodic_runner::leave() {
  impl_->stopped = true;
  impl_->timer.cancel();
  impl_->save();
}
bool periodic_runner::busy() const { return !impl_->running.empty(); }
const std::vector<periodic_status>& periodic_runner::status() const { return impl_->jobs.status(); }

mta::result<> periodic_runner::run_now(std::string_view name) {
  const std::string shown = "periodic job \"" + mta::enqueue::printable(name) + '"';
  if (impl_->stopped) return mta::error(mta::errc::busy, shown + ": the controller is stopping");
  switch (impl_->jobs.run_now(wall_clock(), name)) {
    case periodic_jobs::answer::unknown: return mta::error(mta::errc::not_configured, shown);
    case periodic_jobs::answer::running: return mta::error(mta::errc::busy, shown + " runs already");
    case periodic_jobs::answer::started: break;
  }
  const auto started = impl_->start(std::string(name));
  impl_->save();
  impl_->arm();
  return started;
}

}  // namespace jobctl
