#include "jobctl/cli/cli.hpp"
#include "jobctl/launcher/control_groups.hpp"

#include <string_view>

int main(int argc, char** argv) {
  // The controller starts us in a program's place: no command, and nothing for people to call.
  if (argc > 3 && std::string_view(argv[1]) == jobctl::control_groups::entry)
    return jobctl::run_in_control_group(argv + 2);
  return jobctl::cli::run(argc, argv);
}
