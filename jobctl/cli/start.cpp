// jobctl start: let a stopped channel run again.
#include "jobctl/admin/target.hpp"
#include "jobctl/cli/controller_link.hpp"

#include <fmt/format.h>

namespace jobctl::cli {
namespace {

namespace po = boost::program_options;

void describe(po::options_description& options) {
  options.add_options()("channel", po::value<std::vector<std::string>>()->value_name("CHANNEL"),
                        "channel to start");
}

int run(const invocation& in) {
  if (!in.has("channel"))
    return in.fail(usage,
                   "name at least one channel. (The controller itself is started with 'jobctl serve'.)");
  int status = success;
  auto controller = connect(in, status);
  if (!controller) return status;
  const auto& names = in.get<std::vector<std::string>>("channel");
  if (!check_channels(in, *controller, names, status)) return status;
  for (const std::string& name : names) {
    const auto body =
        post(in, *controller, fmt::format("/v1/channels/{}/start", admin::percent_encode(name)), status);
    if (!body || !body->is_object()) return status;
    fmt::print(in.io.out, "{}: {}\n", name,
               flag_field(body->get_object(), "changed") ? "started" : "was not stopped");
  }
  return success;
}

}  // namespace

const command start_command = {"start",
                               "Let stopped channels run again",
                               "CHANNEL...",
                               "Undoes 'jobctl stop --channel': the channel's messages are handed out, and "
                               "programs launched for them, again. When\n"
                               "any of the channels does not exist, nothing is changed.",
                               "  jobctl start maildir",
                               "  0    done\n"
                               "  1    no such channel\n"
                               "  69   no controller runs for this site",
                               describe,
                               "channel",
                               run};

}  // namespace jobctl::cli
