// Channel programs that a test's controller has started, and that outlive it as they should.
#pragma once

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <signal.h>
#include <string>
#include <sys/wait.h>
#include <thread>

namespace test {

/// Kills the programs of a site, and returns when they are gone: none writes in a directory that is removed.
inline void end_programs_of(const std::string& root) {
  const auto variable = "JOBCTL_ROOT=" + root + '\0';
  std::error_code gone;
  for (const auto& process : std::filesystem::directory_iterator("/proc", gone)) {
    const auto name = process.path().filename().string();
    if (name.find_first_not_of("0123456789") != name.npos) continue;
    std::ifstream in(process.path() / "environ", std::ios::binary);
    const std::string environment{std::istreambuf_iterator<char>(in), {}};
    const auto at = environment.find(variable);
    if (at == environment.npos || (at > 0 && environment[at - 1] != '\0')) continue;
    const auto pid = static_cast<pid_t>(std::stol(name));
    ::kill(pid, SIGKILL);
    if (::waitpid(pid, nullptr, 0) == pid) continue;
    while (::kill(pid, 0) == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));  // not our child
  }
}

}  // namespace test
