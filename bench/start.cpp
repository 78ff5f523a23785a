// bench_start COUNT INPUT PROGRAM [ARG...]: starts PROGRAM COUNT times, one after another, with the file
// INPUT as standard input, alternating with /bin/true. Prints the medians in ms: of PROGRAM, and of
// /bin/true.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <spawn.h>
#include <string>
#include <sys/wait.h>
#include <vector>

extern char** environ;

namespace {

double start(const char* input, char* const* argv) {
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, 0, input, O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
  const auto begin = std::chrono::steady_clock::now();
  pid_t pid = 0;
  int status = 0;
  if (::posix_spawn(&pid, argv[0], &files, nullptr, argv, environ) != 0 ||
      ::waitpid(pid, &status, 0) != pid || status != 0) {
    std::fprintf(stderr, "bench_start: %s failed\n", argv[0]);
    std::exit(70);
  }
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
  ::posix_spawn_file_actions_destroy(&files);
  return took.count();
}

double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2), v.end());
  return v[v.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fputs("usage: bench_start COUNT INPUT PROGRAM [ARG...]\n", stderr);
    return 64;
  }
  std::string bare = "/bin/true";
  char* const bare_argv[] = {bare.data(), nullptr};
  std::vector<double> ours, others;
  for (int i = std::atoi(argv[1]); i > 0; --i) {
    ours.push_back(start(argv[2], argv + 3));
    others.push_back(start(argv[2], bare_argv));
  }
  std::printf("%.3f %.3f\n", median(ours), median(others));
}
