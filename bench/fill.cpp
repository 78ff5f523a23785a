// bench_fill ROOT CHANNEL COUNT [SIZE]: commits COUNT messages of SIZE bytes (4096) into a site's queue, with
// many threads.
#include "queue/store.hpp"
#include "queue/writer.hpp"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

int main(int argc, char** argv) {
  namespace queue = mta::queue;
  if (argc < 4) {
    std::fputs("usage: bench_fill ROOT CHANNEL COUNT [SIZE]\n", stderr);
    return 64;
  }
  const std::string root = std::string(argv[1]) + "/queue", channel = argv[2];
  const long count = std::atol(argv[3]);
  const std::size_t size = argc > 4 ? std::strtoul(argv[4], nullptr, 10) : 4096;
  queue::store store(queue::real_file_io(), root);
  if (const auto made = store.make_channel(channel); !made) {
    std::fprintf(stderr, "bench_fill: %s\n", made.error().message().c_str());
    return 74;
  }
  queue::envelope envelope;
  envelope.from = "sender@a.example";
  envelope.recipients.push_back({"recipient@b.example", {}, {}, 0, 0});
  std::string content(size > 512 ? size - 256 : size, 'm');
  for (std::size_t i = 78; i + 1 < content.size(); i += 80) content[i] = '\r', content[i + 1] = '\n';
  queue::writer writer(queue::real_file_io(), root);
  std::atomic<long> next{0};
  std::atomic<bool> failed{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 50; ++t)
    threads.emplace_back([&] {
      while (!failed && next++ < count) {
        queue::commit_request request;
        request.channel = channel;
        request.envelope = &envelope;
        request.host = "b.example";
        request.now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
        request.content.memory = content;
        request.content.longest_line = 78;
        if (const auto done = writer.commit(request); !done) {
          std::fprintf(stderr, "bench_fill: %s\n", done.error().message().c_str());
          failed = true;
        }
      }
    });
  for (auto& t : threads) t.join();
  return failed ? 74 : 0;
}
