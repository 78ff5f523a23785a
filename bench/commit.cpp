// How many messages a second can be committed durably?
//
//   bench_commit [--messages N] [--size BYTES] [--dir DIRECTORY] [ROW…]
//
// Rows: commit.1, commit.50, commit.16ch, and for the design's record (docs/architecture.md) commit.50.fresh
// (into files made as needed, none reused) and commit.50.files (one file per message, flushed in groups). One
// JSON object per line: row, value, unit, limit, limit_name. The limit is raw records written by as many
// threads into one already written file, in groups that share a flush, measured just before in the same
// directory.
#include "queue/store.hpp"
#include "queue/writer.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

namespace queue = mta::queue;
using steady = std::chrono::steady_clock;

std::size_t message_size = 4096;
long messages = 40'000;
std::string base;

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "bench_commit: %s\n", what.c_str());
  std::exit(1);
}

/// Runs `one(thread, i)` until all threads together have done `total`; operations a second.
double run_threads(int threads, long total, const std::function<void(int, long)>& one) {
  std::atomic<long> next{0};
  std::vector<std::thread> pool;
  const auto start = steady::now();
  for (int t = 0; t < threads; ++t)
    pool.emplace_back([&, t] {
      for (long i = next++; i < total; i = next++) one(t, i);
    });
  for (auto& t : pool) t.join();
  return static_cast<double>(total) / std::chrono::duration<double>(steady::now() - start).count();
}

/// Raw records into one already written file, flushed in groups.
double raw_group_commit(int threads, long total) {
  const std::string path = base + "/raw";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) die("open " + path);
  const std::vector<char> zeros(1 << 20);
  const auto bytes = static_cast<std::size_t>(total) * message_size;
  for (std::size_t at = 0; at < bytes; at += zeros.size())
    if (::pwrite(fd, zeros.data(), zeros.size(), static_cast<off_t>(at)) < 0) die("fill");
  if (::fdatasync(fd) != 0) die("flush");
  const std::vector<char> record(message_size, 'r');
  // The first to write after a flush began leads the next one; the others sleep until theirs is done.
  struct batch {
    std::atomic<int> done{0};
  };
  std::mutex mutex, flushing;
  std::shared_ptr<batch> open;
  const double rate = run_threads(threads, total, [&](int, long i) {
    if (::pwrite(fd, record.data(), record.size(),
                 static_cast<off_t>(static_cast<std::size_t>(i) * message_size)) < 0)
      die("write");
    std::shared_ptr<batch> mine;
    bool leader = false;
    {
      const std::scoped_lock guard(mutex);
      if (!open) {
        open = std::make_shared<batch>();
        leader = true;
      }
      mine = open;
    }
    if (!leader) {
      mine->done.wait(0);
      return;
    }
    const std::scoped_lock one_flush(flushing);
    {
      const std::scoped_lock guard(mutex);
      open.reset();
    }
    if (::fdatasync(fd) != 0) die("flush");
    mine->done = 1;
    mine->done.notify_all();
  });
  ::close(fd);
  ::unlink(path.c_str());
  return rate;
}

struct bench_queue {
  std::string root = base + "/queue";
  queue::store store{queue::real_file_io(), root};
  std::string content = std::string(message_size > 512 ? message_size - 256 : message_size, 'm');
  queue::envelope envelope;

  explicit bench_queue(int channels) {
    std::filesystem::remove_all(root);
    for (int c = 0; c < channels; ++c)
      if (const auto made = store.make_channel(name(c)); !made) die(made.error().message());
    for (std::size_t i = 78; i + 1 < content.size(); i += 80) content[i] = '\r', content[i + 1] = '\n';
    envelope.from = "sender@a.example";
    envelope.recipients.push_back({"recipient@b.example", {}, {}, 0, 0});
  }
  ~bench_queue() { std::filesystem::remove_all(root); }

  static std::string name(int channel) { return "c" + std::to_string(channel); }

  double commit(queue::writer& writer, int threads, long total, int channels) {
    return run_threads(threads, total, [&](int t, long) {
      thread_local std::minstd_rand random(static_cast<unsigned>(t) + 1);
      queue::commit_request request;
      const std::string channel =
          name(channels == 1 ? 0 : static_cast<int>(random() % static_cast<unsigned>(channels)));
      request.channel = channel;
      request.envelope = &envelope;
      request.host = "b.example";
      request.now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
      request.content.memory = content;
      request.content.longest_line = 78;
      if (const auto done = writer.commit(request); !done) die(done.error().message());
    });
  }

  /// Makes everything in the queue finished and its files ready for reuse.
  void recycle_all(int channels) {
    for (int c = 0; c < channels; ++c)
      for (const auto number : *store.files(name(c))) {
        std::uint32_t generation = 0;
        {
          auto f = *store.open(name(c), number);
          generation = f->header().generation;
          auto found = *store.scan(*f, name(c));
          for (auto& m : found.messages) {
            m.state.phase = queue::phase::finished;
            if (!f->change_state(m.entry.slot, m.state)) die("finish");
          }
        }
        (void)store.recycle(name(c), number, generation, 1000);
      }
  }
};

void print(const char* row, double value, double limit, const char* limit_name) {
  std::printf(
      "{\"row\":\"%s\",\"value\":%.0f,\"unit\":\"messages/s\",\"limit\":%.0f,\"limit_name\":\"%s\"}\n", row,
      value, limit, limit_name);
  std::fflush(stdout);
}

/// Steady state: the files were used before, as in a queue that is drained as it fills.
double reused(int threads, long total, int channels) {
  bench_queue q(channels);
  queue::writer_options options;
  {
    queue::writer writer(queue::real_file_io(), q.root, options);
    q.commit(writer, 50, total + total / 4, channels);
  }
  q.recycle_all(channels);
  queue::writer writer(queue::real_file_io(), q.root, options);
  return q.commit(writer, threads, total, channels);
}

double fresh(int threads, long total) {
  bench_queue q(1);
  queue::writer writer(queue::real_file_io(), q.root, {});
  return q.commit(writer, threads, total, 1);
}

/// The alternative: a file per message, made durable in groups by one syncfs for all that are waiting.
double file_per_message(int threads, long total) {
  const std::string dir = base + "/files";
  std::filesystem::create_directory(dir);
  const int dfd = ::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::vector<char> record(message_size, 'r');
  std::mutex mutex;
  std::condition_variable flushed_more;
  long written = 0, durable = 0;
  bool flushing = false;
  const double rate = run_threads(threads, total, [&](int, long i) {
    const int fd = ::openat(dfd, std::to_string(i).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || ::write(fd, record.data(), record.size()) < 0) die("write a file");
    ::close(fd);
    std::unique_lock guard(mutex);
    const long mine = ++written;
    while (durable < mine) {
      if (flushing) {
        flushed_more.wait(guard);
        continue;
      }
      flushing = true;
      const long covers = written;
      guard.unlock();
      if (::syncfs(dfd) != 0) die("syncfs");
      guard.lock();
      flushing = false;
      durable = covers;
      flushed_more.notify_all();
    }
  });
  ::close(dfd);
  std::filesystem::remove_all(dir);
  return rate;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> rows;
  std::string parent = std::getenv("BENCH_TMP") != nullptr ? std::getenv("BENCH_TMP") : "/tmp";
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (arg == "--messages" && i + 1 < argc)
      messages = std::atol(argv[++i]);
    else if (arg == "--size" && i + 1 < argc)
      message_size = std::strtoul(argv[++i], nullptr, 10);
    else if (arg == "--dir" && i + 1 < argc)
      parent = argv[++i];
    else if (arg.starts_with("--"))
      die("usage: bench_commit [--messages N] [--size BYTES] [--dir DIRECTORY] [ROW...]");
    else
      rows.push_back(arg);
  }
  if (messages < 100 || message_size < 64) die("at least 100 messages of at least 64 bytes");
  if (rows.empty()) rows = {"commit.1", "commit.50", "commit.16ch"};
  std::string pattern = parent + "/bench-commit.XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) die("mkdtemp " + pattern);
  base = pattern;
  for (const std::string& row : rows) {
    if (row == "commit.1")
      print("commit.1", reused(1, messages / 10, 1), raw_group_commit(1, messages / 10),
            "raw write and flush, 1 thread");
    else if (row == "commit.50")
      print("commit.50", reused(50, messages, 1), raw_group_commit(50, messages),
            "raw group commit, 50 threads");
    else if (row == "commit.16ch")
      print("commit.16ch", reused(50, messages, 16), raw_group_commit(50, messages),
            "raw group commit, 50 threads");
    else if (row == "commit.50.fresh")
      print("commit.50.fresh", fresh(50, messages), raw_group_commit(50, messages),
            "raw group commit, 50 threads");
    else if (row == "commit.50.files")
      print("commit.50.files", file_per_message(50, messages), raw_group_commit(50, messages),
            "raw group commit, 50 threads");
    else
      die("no row \"" + row + "\"");
  }
  std::filesystem::remove_all(base);
}
