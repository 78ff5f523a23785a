#include "jobctl/cli/site.hpp"

#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>

namespace jobctl::cli {

int print_problems(const invocation& in, const mta::config::load_error& e) {
  in.fail(config_error, e.problems.size() > 1
                            ? fmt::format("{} problems in the configuration:", e.problems.size())
                            : "a problem in the configuration:");
  fmt::print(in.io.err, "{}\n", e.text());
  return e.code == std::errc::permission_denied ? no_permission : config_error;
}

std::optional<mta::config::settings> find_site(const invocation& in, int& status) {
  auto site = mta::config::find_site(in.config(), in.root());
  if (site) return std::move(*site);
  status = print_problems(in, site.error());
  return {};
}

std::optional<mta::config::settings> find_running_site(const invocation& in, int& status) {
  auto site = mta::config::find_site(in.config(), in.root());
  if (site) return std::move(*site);
  const char* const config = std::getenv("JOBCTL_CONFIG");
  const char* const root = std::getenv("JOBCTL_ROOT");
  std::string directory = in.root();
  // As find_site() does: a file named in the environment goes before a directory named there.
  if (directory.empty() && in.config().empty() && !(config && *config) && root) directory = root;
  if (!directory.empty()) {
    auto built_in = mta::config::defaults(std::filesystem::absolute(directory).lexically_normal().string());
    std::error_code ignored;
    if (std::filesystem::exists(built_in.api_socket(), ignored)) return built_in;
  }
  status = print_problems(in, site.error());
  return {};
}

}  // namespace jobctl::cli
