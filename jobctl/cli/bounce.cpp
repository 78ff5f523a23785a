// jobctl bounce: returns messages to their senders.
#include "jobctl/cli/order.hpp"

namespace jobctl::cli {
namespace {

constexpr order_words words{"bounce", "returned", "would be returned", "",
                            "somebody works on them; try again later"};

void describe(boost::program_options::options_description& options) { add_order_options(options); }

int run(const invocation& in) { return give_order(in, words); }

}  // namespace

const command bounce_command = {
    "bounce",
    "Return messages to their senders",
    "[--reason TEXT] [--dry-run] {ID… | - | FILTERS | --all}",
    "Each sender gets a notification of failure (docs/notifications.md) for the recipients that are not done "
    "with, with the "
    "operator's reason or, without one, what the last attempt said; then the message is removed. Messages "
    "without a sender "
    "are removed without one. If a sender cannot be notified, the message stays.",
    "  jobctl bounce 0C9V3K8ZC4S0R.1.17 --reason 'this host is gone for good'\n"
    "  jobctl bounce --host gone.example.org --dry-run",
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
