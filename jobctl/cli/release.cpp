// jobctl release: lets held messages go, first in line.
#include "jobctl/cli/order.hpp"

namespace jobctl::cli {
namespace {

constexpr order_words words{"release", "released", "would be released", "they are not held", ""};

void describe(boost::program_options::options_description& options) { add_order_options(options); }

int run(const invocation& in) { return give_order(in, words); }

}  // namespace

const command release_command = {
    "release",
    "Release held messages",
    "[--reason TEXT] [--dry-run] {ID… | - | FILTERS | --all}",
    "Held messages are due now, before all others of their destination and priority, whatever they were held "
    "for. Messages "
    "that are not held are left as they are.",
    "  jobctl release 0C9V3K8ZC4S0R.1.17\n"
    "  jobctl release --held-because 'asked for by legal'\n"
    "  jobctl release --channel fax --all",
    "  0    done, or nothing matches\n"
    "  1    some of the messages that were named are not there; the others were seen to\n"
    "  64   a filter or another option is wrong; nothing was done\n"
    "  65   not a message id; nothing was done\n"
    "  69   no controller runs for this site\n"
    "  74   a change could not be written\n"
    "  75   some messages are in hand, or it could not be done with some; the others were seen to",
    describe,
    "ids",
    run};

}  // namespace jobctl::cli
