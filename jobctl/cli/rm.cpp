// jobctl rm: removes messages.
#include "jobctl/cli/order.hpp"

namespace jobctl::cli {
namespace {

constexpr order_words words{"remove", "removed", "would be removed", "",
                            "somebody works on them; try again later"};

void describe(boost::program_options::options_description& options) { add_order_options(options); }

int run(const invocation& in) { return give_order(in, words); }

}  // namespace

const command rm_command = {
    "rm",
    "Remove messages, and tell nobody",
    "[--reason TEXT] [--dry-run] {ID… | - | FILTERS | --all}",
    "The messages are gone, and nobody is notified ('jobctl bounce' does that). The accounting log has a "
    "line for each "
    "recipient, with who did it and why. There is no way back: --dry-run counts first.",
    "  jobctl rm --sender spam@example.org --subject 'win now' --dry-run\n"
    "  jobctl rm 0C9V3K8ZC4S0R.1.17 --reason 'test message'",
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
