#include "jobctl/launcher/launcher.hpp"

#include "jobctl/launcher/output_log.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <map>
#include <optional>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern "C" {
#include <sys/pidfd.h>  // glibc 2.36 forgets to say that it is C
}
#include <unordered_map>

namespace jobctl {

namespace asio = boost::asio;

namespace {

class owned_descriptor {
 public:
  explicit owned_descriptor(int d = -1) : d_(d) {}
  owned_descriptor(owned_descriptor&& other) noexcept : d_(other.release()) {}
  owned_descriptor& operator=(owned_descriptor&& other) noexcept {
    if (this != &other) {
      if (d_ >= 0) ::close(d_);
      d_ = other.release();
    }
    return *this;
  }
  ~owned_descriptor() {
    if (d_ >= 0) ::close(d_);
  }
  int get() const { return d_; }
  int release() {
    const int d = d_;
    d_ = -1;
    return d;
  }

 private:
  int d_;
};

struct output_pipe {
  owned_descriptor read_end;   // non-blocking, ours
  owned_descriptor write_end;  // the program's
};

// The program's end is opened for reading as well: a pipe that has a reader never raises SIGPIPE, whatever
// happens to us.
mta::result<output_pipe> make_output_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return mta::os_error("make a pipe for the program's output");
  output_pipe made{owned_descriptor(ends[0]), owned_descriptor(ends[1])};
  (void)::fcntl(ends[1], F_SETPIPE_SZ,
                1 << 20);  // room for what is printed while no controller reads; a wish
  owned_descriptor both(::open(fmt::format("/proc/self/fd/{}", ends[1]).c_str(), O_RDWR | O_CLOEXEC));
  if (both.get() >= 0) made.write_end = std::move(both);
  if (::fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0)
    return mta::os_error("set up the pipe for the program's output");
  return made;
}

// Reads what one program prints until nobody has the pipe open any more.
class output_reader : public std::enable_shared_from_this<output_reader> {
 public:
  output_reader(asio::io_context& io, owned_descriptor pipe, pid_t pid, std::shared_ptr<output_log> log)
      : pipe_(io), pid_(pid), log_(std::move(log)) {
    pipe_.assign(pipe.release());
  }

  void start() {
    pipe_.async_wait(asio::posix::stream_descriptor::wait_read,
                     [self = shared_from_this()](const boost::system::error_code& failed) {
                       if (failed) return;
                       if (self->read_once()) self->start();
                     });
  }

  // Whatever is there now; called when the process has ended, so that its last words come before the news of
  // its end.
  void drain() {
    for (int round = 0; round < 256 && read_once() && last_ > 0; ++round) {
    }
  }

  bool open() const { return pipe_.is_open(); }

  void close() {
    boost::system::error_code ignored;
    pipe_.close(ignored);
  }

 private:
  // One bounded read, so that a chatty program does not keep the loop to itself. False: the stream has ended.
  bool read_once() {
    if (!pipe_.is_open()) return false;
    char buffer[16384];
    const auto handle = [this](std::string_view line) { log_->add(pid_, line); };
    const ssize_t n = ::read(pipe_.native_handle(), buffer, sizeof buffer);
    last_ = n;
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (n <= 0) {
      lines_.finish(handle);
      log_->write();
      close();
      return false;
    }
    lines_.feed({buffer, static_cast<std::size_t>(n)}, handle);
    log_->write();
    return true;
  }

  asio::posix::stream_descriptor pipe_;
  pid_t pid_;
  std::shared_ptr<output_log> log_;
  output_lines lines_;
  ssize_t last_ = 0;
};

struct job_process {
  job_process(asio::io_context& io, pid_t p) : pid(p), watch(io), kill_timer(io) {}
  pid_t pid;
  asio::posix::stream_descriptor watch;  // a pidfd: readable when the process has ended
  asio::steady_timer kill_timer;
  std::optional<std::chrono::steady_clock::time_point> kill_at;
  std::shared_ptr<output_reader> output;
};

}  // namespace

struct launcher::impl {
  impl(asio::io_context& i, launcher_options o, exit_handler h)
      : io(i), options(std::move(o)), on_exit(std::move(h)) {}

  std::shared_ptr<output_log> log_of(const std::string& channel) {
    auto& log = logs[channel];
    if (!log)
      log = std::make_shared<output_log>(options.log_directory + "/" + channel + ".log", options.log_limit);
    return log;
  }

  std::shared_ptr<output_reader> read_output(owned_descriptor pipe, pid_t pid, const std::string& channel) {
    auto reader = std::make_shared<output_reader>(io, std::move(pipe), pid, log_of(channel));
    reader->start();
    std::erase_if(readers, [](const auto& r) { return r.expired(); });
    readers.push_back(reader);
    return reader;
  }

  void watch(std::uint64_t job) {
    jobs.at(job)->watch.async_wait(asio::posix::stream_descriptor::wait_read,
                                   [this, job](const boost::system::error_code& failed) {
                                     if (!failed) ended(job);
                                   });
  }

  void ended(std::uint64_t job) {
    const auto found = jobs.find(job);
    int status = 0;
    const pid_t pid = found->second->pid;
    const pid_t reaped = ::waitpid(pid, &status, WNOHANG);
    if (reaped == 0 || (reaped < 0 && errno == EINTR)) return watch(job);
    found->second->output->drain();
    jobs.erase(found);
    on_exit(job, pid, status);
  }

  asio::io_context& io;
  launcher_options options;
  exit_handler on_exit;
  std::unordered_map<std::uint64_t, std::unique_ptr<job_process>> jobs;
  std::map<std::string, std::shared_ptr<output_log>> logs;
  std::vector<std::weak_ptr<output_reader>> readers;
  std::unordered_map<pid_t, std::weak_ptr<output_reader>> adopted;
};

launcher::launcher(asio::io_context& io, launcher_options options, exit_handler on_exit)
    : impl_(std::make_unique<impl>(io, std::move(options), std::move(on_exit))) {}

launcher::~launcher() {
  for (const auto& weak : impl_->readers) {
    if (const auto reader = weak.lock()) reader->close();
  }
}

mta::result<pid_t> launcher::start(std::uint64_t job, const std::string& channel, const command& what) {
  auto pipe = make_output_pipe();
  if (!pipe) return pipe.error();
  auto pid = spawn(what, pipe->write_end.get());
  if (!pid) return pid.error();

  const int watch = ::pidfd_open(*pid, 0);
  if (watch < 0) {
    auto why = mta::os_error("watch the process of " + what.program);
    ::kill(-*pid, SIGKILL);
    while (::waitpid(*pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return why;
  }
  auto process = std::make_unique<job_process>(impl_->io, *pid);
  process->watch.assign(watch);
  process->output = impl_->read_output(std::move(pipe->read_end), *pid, channel);
  impl_->jobs[job] = std::move(process);
  impl_->watch(job);
  return *pid;
}

void launcher::stop(std::uint64_t job, std::chrono::milliseconds patience) {
  const auto found = impl_->jobs.find(job);
  if (found == impl_->jobs.end()) return;
  auto& process = *found->second;
  if (patience.count() <= 0) {
    process.kill_timer.cancel();
    ::kill(-process.pid, SIGKILL);
    return;
  }
  const auto at = std::chrono::steady_clock::now() + patience;
  if (process.kill_at && *process.kill_at <= at) return;
  if (!process.kill_at) ::kill(-process.pid, SIGTERM);
  process.kill_at = at;
  process.kill_timer.expires_at(at);
  process.kill_timer.async_wait([jobs = &impl_->jobs, job](const boost::system::error_code& failed) {
    if (failed) return;
    // Only while it has not been waited for is its number surely its own.
    if (const auto still = jobs->find(job); still != jobs->end()) ::kill(-still->second->pid, SIGKILL);
  });
}

bool launcher::running(std::uint64_t job) const { return impl_->jobs.contains(job); }
std::size_t launcher::running_count() const { return impl_->jobs.size(); }

mta::result<> launcher::adopt_output(pid_t pid, const std::string& channel) {
  if (const auto known = impl_->adopted.find(pid); known != impl_->adopted.end()) {
    if (const auto reader = known->second.lock(); reader && reader->open()) return {};
  }
  const auto path = fmt::format("/proc/{}/fd/1", pid);
  owned_descriptor pipe(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (pipe.get() < 0 && errno == EACCES) return mta::os_error("open " + path);
  struct stat s {};
  if (pipe.get() < 0 || ::fstat(pipe.get(), &s) != 0 || !S_ISFIFO(s.st_mode)) return {};
  std::erase_if(impl_->adopted, [](const auto& entry) { return entry.second.expired(); });
  impl_->adopted[pid] = impl_->read_output(std::move(pipe), pid, channel);
  return {};
}

void launcher::reopen_logs() {
  for (auto& [channel, log] : impl_->logs) log->reopen();
}

}  // namespace jobctl
