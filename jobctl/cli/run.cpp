// jobctl run: try deferred messages now.
#include "jobctl/admin/target.hpp"
#include "jobctl/cli/controller_link.hpp"

#include <boost/json/serialize.hpp>

#include <fmt/format.h>

namespace jobctl::cli {
namespace {

namespace po = boost::program_options;
namespace json = boost::json;

void describe(po::options_description& options) {
  options.add_options()                                                                            //
      ("channel", po::value<std::vector<std::string>>()->value_name("CHANNEL"), "channel to run")  //
      ("json", po::bool_switch(),
       "print one JSON object a channel: {\"channel\", \"made_due\", \"stopped\"}");
}

int run(const invocation& in) {
  if (!in.has("channel")) return in.fail(usage, "name at least one channel; 'jobctl summary' lists them.");
  int status = success;
  auto controller = connect(in, status);
  if (!controller) return status;
  const auto& names = in.get<std::vector<std::string>>("channel");
  if (!check_channels(in, *controller, names, status)) return status;
  for (const std::string& name : names) {
    const auto body =
        post(in, *controller, fmt::format("/v1/channels/{}/run", admin::percent_encode(name)), status);
    if (!body || !body->is_object()) return status;
    if (in.get<bool>("json")) {
      fmt::print(in.io.out, "{}\n", json::serialize(*body));
      continue;
    }
    const auto due = number_field(body->get_object(), "made_due");
    fmt::print(in.io.out, "{}: {} deferred {} due now\n", name, due,
               due == 1 ? "message is" : "messages are");
    if (flag_field(body->get_object(), "stopped"))
      fmt::print(in.io.out, "{} is stopped: nothing is tried before 'jobctl start {}'\n", name, name);
  }
  return success;
}

}  // namespace

const command run_command = {
    "run",
    "Try a channel's deferred messages now",
    "CHANNEL...",
    "Makes every deferred message of the channels due at once, and launches a program even if the last one "
    "died. Held\n"
    "messages stay held. When any of the channels does not exist, nothing is changed.",
    "  jobctl run maildir            the disk has room again\n"
    "  jobctl run sms fax",
    "  0    done\n"
    "  1    no such channel\n"
    "  69   no controller runs for this site",
    describe,
    "channel",
    run};

}  // namespace jobctl::cli
