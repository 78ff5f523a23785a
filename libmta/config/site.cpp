// Which site, and where its channel programs are.

#include "base/text.hpp"
#include "config/settings.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <unistd.h>

namespace mta::config {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string{} : value;
}

std::string absolute(std::string_view path) {
  std::error_code failure;
  std::string out =
      std::filesystem::absolute(std::filesystem::path(path), failure).lexically_normal().string();
  if (failure || out.empty()) return std::string(path);
  while (out.size() > 1 && out.back() == '/') out.pop_back();
  return out;
}

load_result<settings> site_in(std::string_view directory) {
  const std::string root = absolute(directory);
  const std::string file = root + "/jobctl.conf";
  if (::access(file.c_str(), F_OK) != 0 && errno == ENOENT) return defaults(root);
  return load(file, root);
}

}  // namespace

load_result<settings> find_site(std::string_view explicit_config, std::string_view explicit_root) {
  if (!explicit_config.empty())
    return load(std::string(explicit_config),
                explicit_root.empty() ? std::string{} : absolute(explicit_root));
  if (!explicit_root.empty()) return site_in(explicit_root);
  if (const auto config = environment("JOBCTL_CONFIG"); !config.empty()) {
    // The controller sets both for its programs, and started perhaps with --config and --root.
    const auto root = environment("JOBCTL_ROOT");
    return load(config, root.empty() ? std::string{} : absolute(root));
  }
  if (const auto root = environment("JOBCTL_ROOT"); !root.empty()) return site_in(root);

  const std::string usual = "/etc/jobctl/jobctl.conf";
  if (::access(usual.c_str(), F_OK) == 0 || errno != ENOENT) return load(usual);
  load_error failure;
  failure.code = make_error_code(errc::not_configured);
  failure.problems.push_back(
      {0,
       "no site: expected --root DIR, --config FILE, JOBCTL_ROOT or JOBCTL_CONFIG in the environment, or " +
           usual});
  return failure;
}

result<std::string> find_program(std::string_view name) {
  if (name.find('/') != name.npos) {
    std::string path(name);
    if (::access(path.c_str(), X_OK) != 0) return os_error("find channel program " + path);
    return path;
  }

  std::vector<std::string> directories;
  if (const auto listed = environment("JOBCTL_CHANNEL_PATH"); !listed.empty()) {
    for (std::string_view rest = listed; !rest.empty();) {
      const auto colon = rest.find(':');
      if (const auto directory = rest.substr(0, colon); !directory.empty())
        directories.emplace_back(directory);
      rest.remove_prefix(colon == rest.npos ? rest.size() : colon + 1);
    }
  } else {
    std::error_code failure;
    const auto executable = std::filesystem::read_symlink("/proc/self/exe", failure);
    if (failure) return error(failure, "find channel program " + std::string(name) + ": read /proc/self/exe");
    // bin/jobctl beside libexec/jobctl/ when installed; jobctl/jobctl beside channels/bin/ in a build.
    const auto above = executable.parent_path().parent_path();
    directories.push_back((above / "libexec/jobctl").string());
    directories.push_back((above / "channels/bin").string());
  }

  int why = ENOENT;
  std::string places;
  for (const std::string& directory : directories) {
    std::string path = directory + '/' + std::string(name);
    if (::access(path.c_str(), X_OK) == 0) return path;
    if (errno != ENOENT && errno != ENOTDIR) why = errno;
    places += (places.empty() ? "" : ", ") + path;
  }
  return os_error("find channel program " + std::string(name) + " (looked for " + places + ")", why);
}

}  // namespace mta::config
