// jobctl import: the configuration of a legacy MTA as one of ours.
#include "config/settings.hpp"
#include "jobctl/cli/command.hpp"
#include "jobctl/cli/legacy/conversion.hpp"

#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>

namespace jobctl::cli {
namespace {

namespace po = boost::program_options;

void describe(po::options_description& options) {
  options.add_options()                                                                         //
      ("job-controller", po::value<std::string>()->value_name("FILE"), "a job_controller.cnf")  //
      ("imta", po::value<std::string>()->value_name("FILE"), "an imta.cnf, for its channel blocks");
}

std::optional<std::string> read(const invocation& in, const char* option, int& status) {
  if (!in.has(option)) return std::string();
  constexpr std::size_t largest = 16u << 20;
  const std::string path = in.text(option);
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.is_open() || file.bad()) {
    status = in.fail(io_error, fmt::format("--{}: {} cannot be read", option, path));
    return {};
  }
  if (text.size() > largest || text.find('\0') != text.npos) {
    status = in.fail(
        data_error,
        fmt::format("--{}: {} is no configuration: it has over 16 MiB, or binary data", option, path));
    return {};
  }
  return text;
}

int run(const invocation& in) {
  if (!in.has("job-controller") && !in.has("imta"))
    return in.fail(usage, "name what to convert: --job-controller FILE, --imta FILE, or both.");
  int status = success;
  const auto jobs = read(in, "job-controller", status);
  if (!jobs) return status;
  const auto channels = read(in, "imta", status);
  if (!channels) return status;
  const std::string made =
      legacy::convert(legacy::read_job_controller(*jobs), legacy::read_channels(*channels));
  fmt::print(in.io.out, "{}", made);
  if (const auto good = mta::config::parse(made, "the result"); !good)
    return in.fail(data_error, "what was made of it is not accepted as it is; put this right in it:\n" +
                                   good.error().text());
  return success;
}

}  // namespace

const command import_command = {
    "import",
    "Turn a legacy MTA's configuration into one of jobctl",
    "[--job-controller FILE] [--imta FILE]",
    "Reads the job_controller.cnf of a Sun/Oracle Messaging Server or PMDF, and the channel blocks of its "
    "imta.cnf, and\n"
    "prints a configuration in the syntax of jobctl.conf. Whatever could not be carried over is named in a "
    "comment, with\n"
    "the reason. Nothing is changed; 'jobctl check' says whether all programs are there. See "
    "docs/differences.md.",
    "  jobctl import --job-controller job_controller.cnf --imta imta.cnf >jobctl.conf\n"
    "  jobctl check jobctl.conf",
    "  0    printed\n"
    "  65   printed, but something in it has to be put right first\n"
    "  74   a file cannot be read",
    describe,
    nullptr,
    run};

}  // namespace jobctl::cli
