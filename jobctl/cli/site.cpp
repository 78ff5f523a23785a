#include "jobctl/cli/site.hpp"

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

}  // namespace jobctl::cli
