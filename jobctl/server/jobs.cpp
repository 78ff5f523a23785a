#include "jobctl/server/jobs.hpp"

#include "jobctl/launcher/channel_command.hpp"
#include "jobctl/server/log.hpp"

#include <fmt/format.h>
#include <random>
#include <signal.h>
#include <sys/wait.h>
#include <utility>

namespace jobctl {
namespace {

constexpr std::size_t remembered_ends = 100;
constexpr std::chrono::milliseconds kill_patience{5000};  // from SIGTERM to SIGKILL

std::uint32_t random_instance() {
  std::random_device source;
  return source() >> 1 | 1u;
}

}  // namespace

jobs::jobs(surroundings s)
    : s_(std::move(s)),
      instance_(random_instance()),
      processes_(s_.io, {s_.settings.log_directory()},
                 [this](std::uint64_t job, pid_t pid, int status) { process_ended(job, pid, status); }) {}

// A later controller does not take a program for its own.
std::uint64_t jobs::number_of(job_no job) const {
  return static_cast<std::uint64_t>(instance_) << 32 | (static_cast<std::uint64_t>(job) & 0xFFFFFFFFu);
}

void jobs::carry_out(const action::launch& a) {
  const auto name = s_.controller.channel_name(a.channel);
  const auto at = server::now();
  const auto* configured = s_.settings.find_channel(name);
  mta::result<pid_t> pid = mta::error(mta::errc::not_configured, "[channel " + name + "]");
  if (!s_.running()) {
    pid = mta::error(mta::errc::cancelled, "the controller is stopping");
  } else if (configured) {
    auto what = channel_command(s_.settings, *configured, number_of(a.job));
    if (what) s_.groups.confine(*what, name);
    pid = what ? processes_.start(static_cast<std::uint64_t>(a.job), name, *what)
               : mta::result<pid_t>(what.error());
  }
  if (!pid) {
    const auto why = pid.error().message();
    ++s_.counters.launch_failures;
    remember_end({a.job, a.channel, 0, at, at, false, "cannot be started: " + why});
    s_.happened(event_kind::launch_failed, a.channel, why);
    s_.controller.launch_failed(at, a.job, why);
    return;
  }
  ++s_.counters.launches;
  log(log_level::info, "channel {}: program started (process {})", name, *pid);
  s_.happened(event_kind::launched, a.channel, fmt::format("process {}", *pid));
  job_info job;
  job.job = a.job;
  job.channel = a.channel;
  job.pid = *pid;
  job.started = at;
  running_[static_cast<std::uint64_t>(a.job)] = job;
  s_.controller.job_started(at, a.job, *pid);
}

void jobs::process_ended(std::uint64_t number, pid_t pid, int wait_status) {
  const auto found = running_.find(number);
  if (found == running_.end()) return;
  const auto job = found->second;
  running_.erase(found);
  const bool clean = clean_status(wait_status);
  auto words = describe_status(wait_status);
  if (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGKILL &&
      s_.groups.ran_out_of_memory(s_.controller.channel_name(job.channel)))
    words += ": the programs of the channel had reached its memory_max";
  if (!clean) ++s_.counters.unclean_exits;
  log(log_level::info, "channel {}: program (process {}) {}", s_.controller.channel_name(job.channel), pid,
      words);
  s_.happened(event_kind::exited, job.channel, fmt::format("process {} {}", pid, words));
  const auto at = server::now();
  remember_end({job.job, job.channel, pid, job.started, at, clean, words});
  s_.controller.job_exited(at, job.job, clean, words);
  s_.after_events();
}

void jobs::remember_end(ended_job e) {
  ended_.push_front(std::move(e));
  if (ended_.size() > remembered_ends) ended_.pop_back();
}

job_no jobs::connected(std::uint64_t number) const {
  if (number >> 32 != instance_) return {};
  const auto found = running_.find(number & 0xFFFFFFFFu);
  return found == running_.end() ? job_no{} : found->second.job;
}

void jobs::adopt_output(pid_t pid, channel_no channel) {
  const auto name = s_.controller.channel_name(channel);
  const auto adopted = processes_.adopt_output(pid, name);
  if (adopted || std::exchange(told_of_output_, true)) return;
  log(log_level::warning,
      "channel {}: what its program (process {}) prints cannot be read any more: {}. It was started by an "
      "earlier controller; programs that print much wait for a reader: 'jobctl stop --channel NAME' and "
      "'jobctl start NAME' renew them. The same of other programs is not told",
      name, pid, adopted.error().message());
}

void jobs::overdue(const worker_info& w, bool survivor) {
  log(log_level::warning, "channel {}: program (process {}) was told to stop and has not left within {} s{}",
      s_.controller.channel_name(w.channel), w.pid, s_.settings.controller.stop_timeout.count(),
      w.job != job_no{} || survivor ? ": it gets SIGTERM" : "");
  if (w.job != job_no{})
    processes_.stop(static_cast<std::uint64_t>(w.job), kill_patience);
  else if (survivor && w.pid > 1)
    ::kill(w.pid, SIGTERM);
}

void jobs::stop_all_but(const std::set<job_no>& others, std::chrono::milliseconds patience) {
  for (const auto& [number, job] : running_)
    if (!others.contains(job.job)) processes_.stop(number, patience);
}

std::vector<job_info> jobs::all() const {
  std::vector<job_info> found;
  for (const auto& [number, job] : running_) found.push_back(job);
  return found;
}

}  // namespace jobctl
