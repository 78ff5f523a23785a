// jobctl start: let stopped channels and hosts run again.
#include "jobctl/cli/stop_order.hpp"

namespace jobctl::cli {
namespace {

namespace po = boost::program_options;
using names = std::vector<std::string>;

constexpr stop_words words{"start", "started", "was not stopped"};

void describe(po::options_description& options) {
  options.add_options()  //
      ("host", po::value<names>()->value_name("HOST"),
       "start this destination host, of the channels that are named, or of every channel; may be repeated")  //
      ("json", po::bool_switch(),
       "print one JSON object a line (docs/api.md)")  //
      ("channel", po::value<names>()->value_name("CHANNEL"), "channel to start");
}

int run(const invocation& in) {
  if (!in.has("channel") && !in.has("host"))
    return in.fail(
        usage,
        "name at least one channel, or --host. (The controller itself is started with 'jobctl serve'.)");
  return give_stop_order(in, words, in.has("channel") ? in.get<names>("channel") : names(),
                         in.has("host") ? in.get<names>("host") : names());
}

}  // namespace

const command start_command = {
    "start",
    "Let stopped channels and hosts run again",
    "[--json] {CHANNEL... [--host HOST...] | --host HOST...}",
    "Undoes 'jobctl stop --channel' and 'jobctl stop --host': messages are handed "
    "out, and programs launched for "
    "them, "
    "again. A host is named as it was when it was stopped, with its channel or "
    "without; what else still keeps it "
    "stopped "
    "is printed. When any of the channels does not exist, nothing is changed.",
    "  jobctl start maildir\n"
    "  jobctl start --host example.org             what 'stop --host' stopped\n"
    "  jobctl start smtp --host .example.org       if it was stopped in that channel",
    "  0    done\n"
    "  1    no such channel\n"
    "  64   not the name of a host; nothing was done\n"
    "  69   no controller runs for this site\n"
    "  74   done, but it could not be written\n"
    "  75   the controller is stopping",
    describe,
    "channel",
    run};

}  // namespace jobctl::cli
