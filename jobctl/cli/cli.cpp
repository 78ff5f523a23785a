#include "jobctl/cli/cli.hpp"

namespace jobctl::cli {

int run(const std::vector<std::string>&, const terminal&) {
  return usage;
}
int run(int argc, char** argv) {
  return run({argv + (argc > 0 ? 1 : 0), argv + argc}, {});
}

}  // namespace jobctl::cli
