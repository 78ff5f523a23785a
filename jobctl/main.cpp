#include "jobctl/cli/cli.hpp"

int main(int argc, char** argv) { return jobctl::cli::run(argc, argv); }
