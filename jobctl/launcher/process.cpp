#include "jobctl/launcher/process.hpp"

#include "jobctl/launcher/program_user.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <optional>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace jobctl {
namespace {

// The attributes and file actions of one posix_spawn call. Each step can fail for lack of memory; the first
// error is kept.
class spawn_plan {
 public:
  spawn_plan() {
    error_ = posix_spawn_file_actions_init(&actions_);
    if (error_ == 0 && (error_ = posix_spawnattr_init(&attributes_)) != 0) {
      posix_spawn_file_actions_destroy(&actions_);
    }
    usable_ = error_ == 0;
  }
  ~spawn_plan() {
    if (!usable_) return;
    posix_spawnattr_destroy(&attributes_);
    posix_spawn_file_actions_destroy(&actions_);
  }
  spawn_plan(const spawn_plan&) = delete;
  spawn_plan& operator=(const spawn_plan&) = delete;

  void descriptors(int output, const std::string& directory) {
    step([&] { return posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0); });
    step([&] { return posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO); });
    step([&] { return posix_spawn_file_actions_adddup2(&actions_, output, STDERR_FILENO); });
    step([&] { return posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1); });
    if (!directory.empty()) {
      step([&] { return posix_spawn_file_actions_addchdir_np(&actions_, directory.c_str()); });
    }
  }

  void signals_and_group() {
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    step([&] { return posix_spawnattr_setsigdefault(&attributes_, &all); });
    step([&] { return posix_spawnattr_setsigmask(&attributes_, &none); });
    step([&] { return posix_spawnattr_setpgroup(&attributes_, 0); });
    step([&] {
      return posix_spawnattr_setflags(&attributes_,
                                      POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    });
  }

  int run(pid_t& pid, const char* program, char* const* argv, char* const* envp) {
    step([&] { return posix_spawn(&pid, program, &actions_, &attributes_, argv, envp); });
    return error_;
  }

 private:
  template <class F>
  void step(F f) {
    if (error_ == 0) error_ = f();
  }

  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
  int error_ = 0;
  bool usable_ = false;
};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (const auto& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

}  // namespace

mta::result<> check_program(const std::string& program) {
  if (program.empty() || program.front() != '/') {
    return mta::error(mta::errc::not_configured,
                      fmt::format("program '{}' (an absolute path is needed)", program));
  }
  struct stat s {};
  if (::stat(program.c_str(), &s) != 0) return mta::os_error("program " + program);
  if (!S_ISREG(s.st_mode)) {
    return mta::error(std::make_error_code(std::errc::permission_denied),
                      fmt::format("program {} is not a regular file", program));
  }
  if (::access(program.c_str(), X_OK) != 0) {
    return mta::os_error(fmt::format("program {} cannot be executed by user id {}", program, ::geteuid()));
  }
  return {};
}

mta::result<pid_t> spawn(const command& what, int output) {
  if (auto usable = check_program(what.program); !usable) return usable.error();

  std::vector<std::string> words;
  words.reserve(what.arguments.size() + 1);
  words.push_back(what.program);
  words.insert(words.end(), what.arguments.begin(), what.arguments.end());
  const auto argv = pointers(words);
  const auto envp = pointers(what.environment);

  spawn_plan plan;
  plan.descriptors(output, what.directory);
  plan.signals_and_group();
  pid_t pid = -1;
  std::optional<lent_capabilities> lent;
  if (what.changes_user) lent.emplace();
  if (const int number = plan.run(pid, what.program.c_str(), argv.data(), envp.data()); number != 0) {
    return mta::os_error("start " + what.program, number);
  }
  return pid;
}

std::string describe_status(int wait_status) {
  if (WIFEXITED(wait_status)) return fmt::format("exited with status {}", WEXITSTATUS(wait_status));
  if (WIFSIGNALED(wait_status)) {
    const int number = WTERMSIG(wait_status);
    const char* name = sigdescr_np(number);
    return fmt::format("killed by signal {} ({}){}", number, name ? name : "unknown",
                       WCOREDUMP(wait_status) ? ", core dumped" : "");
  }
  return fmt::format("ended with wait status {}", wait_status);
}

bool clean_status(int wait_status) noexcept {
  return WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0;
}

}  // namespace jobctl
