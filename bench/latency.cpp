// bench_latency ROOT COUNT [--cold]: from commit to process_message, one message at a time, for the site in
// ROOT, whose controller runs and whose channel "latency" has the program bench_stamp. Prints JSON rows.
//
// The beginning is the moment when the data flush that covers the message has returned: earlier it is not
// committed. The end is the first line of the process function. Warm: the program runs and is idle. Cold: it
// has left, and must be launched.
#include "config/settings.hpp"
#include "enqueue/enqueuer.hpp"
#include "programs/stamp.hpp"
#include "queue/file_io.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

namespace queue = mta::queue;
using namespace std::chrono_literals;

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "bench_latency: %s\n", what.c_str());
  std::exit(70);
}

std::atomic<std::int64_t> last_flush{0};

/// The real files; notes when a flush has returned.
class timed_file final : public queue::file {
 public:
  explicit timed_file(std::unique_ptr<queue::file> f) : file_(std::move(f)) {}
  mta::result<std::size_t> read(std::uint64_t o, std::span<std::byte> b) override {
    return file_->read(o, b);
  }
  mta::result<> write(std::uint64_t o, std::span<const std::span<const std::byte>> p) override {
    return file_->write(o, p);
  }
  mta::result<> append(std::span<const std::byte> d) override { return file_->append(d); }
  mta::result<> flush() override {
    auto done = file_->flush();
    last_flush = monotonic_ns();
    return done;
  }
  mta::result<std::uint64_t> size() override { return file_->size(); }
  mta::result<> truncate(std::uint64_t s) override { return file_->truncate(s); }
  mta::result<bool> try_lock(std::uint64_t f, std::uint64_t c) override { return file_->try_lock(f, c); }
  mta::result<> unlock(std::uint64_t f, std::uint64_t c) override { return file_->unlock(f, c); }
  mta::result<bool> is_unlocked(std::uint64_t f, std::uint64_t c) override {
    return file_->is_unlocked(f, c);
  }

 private:
  std::unique_ptr<queue::file> file_;
};

class timed_io final : public queue::file_io {
 public:
  mta::result<std::unique_ptr<queue::file>> open(const std::string& path, queue::open_mode mode) override {
    auto opened = real_.open(path, mode);
    if (!opened) return opened.error();
    return std::unique_ptr<queue::file>(std::make_unique<timed_file>(std::move(*opened)));
  }
  mta::result<> rename(const std::string& a, const std::string& b) override { return real_.rename(a, b); }
  mta::result<> remove(const std::string& p) override { return real_.remove(p); }
  mta::result<std::vector<std::string>> list(const std::string& d) override { return real_.list(d); }
  mta::result<> make_directory(const std::string& d) override { return real_.make_directory(d); }
  mta::result<> flush_directory(const std::string& d) override { return real_.flush_directory(d); }
  mta::result<std::uint64_t> free_space(const std::string& p) override { return real_.free_space(p); }

 private:
  queue::file_io& real_ = queue::real_file_io();
};

double percentile(std::vector<double> all, double p) {
  std::sort(all.begin(), all.end());
  return all[std::min(all.size() - 1, static_cast<std::size_t>(p * static_cast<double>(all.size())))];
}

/// A byte from one process to another and on to a third, each asleep in poll(): what two hops must cost.
std::vector<double> two_hops(int count) {
  int a[2], b[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, a) != 0 || ::socketpair(AF_UNIX, SOCK_STREAM, 0, b) != 0)
    give_up("socketpair");
  const auto await = [](int fd, void* to, std::size_t n) {
    pollfd p{fd, POLLIN, 0};
    return ::poll(&p, 1, -1) == 1 && ::read(fd, to, n) == static_cast<ssize_t>(n);
  };
  const pid_t relay = ::fork();
  if (relay == 0) {
    ::close(a[0]);
    ::close(b[1]);
    for (std::int64_t t = 0; await(a[1], &t, sizeof t);)
      if (::write(b[0], &t, sizeof t) != sizeof t) break;
    ::_exit(0);
  }
  std::vector<double> all;
  for (int i = 0; i < count; ++i) {
    std::this_thread::sleep_for(2ms);
    std::int64_t sent = monotonic_ns(), back = 0;
    // The receiver is a thread that sleeps when the byte arrives.
    std::int64_t arrived = 0;
    std::thread receiver([&] {
      if (await(b[1], &back, sizeof back)) arrived = monotonic_ns();
    });
    std::this_thread::sleep_for(2ms);
    sent = monotonic_ns();
    if (::write(a[0], &sent, sizeof sent) != sizeof sent) give_up("write");
    receiver.join();
    all.push_back(static_cast<double>(arrived - sent) / 1e3);
  }
  ::close(a[0]);
  ::kill(relay, SIGKILL);
  ::waitpid(relay, nullptr, 0);
  return all;
}

void print(const char* row, double value, double limit, const char* limit_name) {
  std::printf(R"({"row": "%s", "value": %.1f, "unit": "µs", "limit": %.1f, "limit_name": "%s"})"
              "\n",
              row, value, limit, limit_name);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fputs("usage: bench_latency ROOT COUNT [--cold]\n", stderr);
    return 64;
  }
  const std::string root = argv[1], fifo_path = root + "/stamps";
  const int count = std::atoi(argv[2]);
  const bool cold = argc > 3;

  auto settings = mta::config::find_site({}, root);
  if (!settings) give_up("no configuration in " + root);
  timed_io io;
  auto enqueuer = mta::enqueue::enqueuer::open(
      std::make_shared<const mta::config::settings>(std::move(*settings)), {}, io);
  if (!enqueuer) give_up(enqueuer.error().message());

  if (::mkfifo(fifo_path.c_str(), 0600) != 0) give_up("make " + fifo_path);
  int fifo = ::open(fifo_path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  const std::string content = "Subject: latency\r\n\r\n" + std::string(4000, 'm') + "\r\n";

  std::vector<double> all;
  for (int i = 0; i < count; ++i) {
    const std::string sequence = std::to_string(i);
    mta::enqueue::submission_options options;
    options.envelope_id = sequence;
    auto submission = (*enqueuer)->start("a@a.example", options);
    if (!submission) give_up(submission.error().message());
    if (auto ok = submission->add_recipient("b@latency.example"); !ok) give_up(ok.error().message());
    if (auto ok = submission->write(content); !ok) give_up(ok.error().message());
    if (auto ok = submission->commit(); !ok) give_up(ok.error().message());

    stamp s{};
    pollfd p{fifo, POLLIN, 0};
    while (true) {
      p.revents = 0;
      if (::poll(&p, 1, 30'000) != 1) give_up("the message was not processed within 30 s");
      if ((p.revents & POLLIN) != 0 && ::read(fifo, &s, sizeof s) == sizeof s) break;
      std::this_thread::sleep_for(1ms);  // no writer yet: the FIFO says so again and again
    }
    if (s.sequence != static_cast<std::uint64_t>(i)) give_up("a message was processed twice");
    if (i > 0 || cold) all.push_back(static_cast<double>(s.entered - last_flush.load()) / 1e3);
    if (cold) {
      // The end of the program closes the FIFO's other end; the controller needs a moment to see it, too.
      do p.revents = 0;
      while (::poll(&p, 1, 30'000) == 1 && (p.revents & POLLHUP) == 0);
      ::close(fifo);
      fifo = ::open(fifo_path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
      std::this_thread::sleep_for(30ms);
    } else {
      std::this_thread::sleep_for(5ms);  // idle means idle
    }
  }
  if (cold) {
    std::printf(R"({"row": "latency.cold.p50", "value": %.1f, "unit": "µs"})"
                "\n",
                percentile(all, 0.5));
  } else {
    const auto hops = two_hops(300);
    print("latency.warm.p50", percentile(all, 0.5), percentile(hops, 0.5), "8 bytes over two sockets");
    print("latency.warm.p99", percentile(all, 0.99), percentile(hops, 0.99), "8 bytes over two sockets");
  }
  return 0;
}
