// bench_slots DIRECTORY COUNT: what draining cannot do without, on one thread and in batches of 64: the
// envelope of each message read, the entries of the batch overwritten, one message to and fro over a socket
// per batch. Prints messages/s.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fputs("usage: bench_slots DIRECTORY COUNT\n", stderr);
    return 64;
  }
  constexpr std::size_t record = 4608, batch = 64, slot = 256;
  const std::size_t count = std::strtoul(argv[2], nullptr, 10);
  std::string path = std::string(argv[1]) + "/slots.XXXXXX";
  const int fd = ::mkstemp(path.data());
  if (fd < 0) return 74;
  ::unlink(path.c_str());
  std::vector<char> chunk(record * batch, 'x');
  for (std::size_t i = 0; i < count; i += batch)
    if (::write(fd, chunk.data(), chunk.size()) < 0) return 74;
  ::fdatasync(fd);
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return 74;
  std::thread controller([&] {
    char frame[1024];
    while (::read(pair[1], frame, sizeof frame) > 0)
      if (::write(pair[1], frame, 1000) < 0) return;
  });
  const auto begin = std::chrono::steady_clock::now();
  char buffer[1024] = {};
  for (std::size_t i = 0; i < count; i += batch) {
    for (std::size_t k = 0; k < batch; ++k)
      if (::pread(fd, buffer, 512, static_cast<off_t>((i + k) * record)) != 512) return 74;
    if (::pwrite(fd, chunk.data(), batch * slot, static_cast<off_t>(i * slot)) < 0) return 74;
    if (::write(pair[0], buffer, 1000) != 1000 || ::read(pair[0], buffer, sizeof buffer) <= 0) return 74;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  ::shutdown(pair[0], SHUT_WR);
  controller.join();
  std::printf("%.0f\n", static_cast<double>(count) / took.count());
}
