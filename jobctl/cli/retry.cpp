// jobctl retry: makes deferred messages due now.
#include "jobctl/cli/order.hpp"

namespace jobctl::cli {
namespace {

constexpr order_words words{"retry", "due now", "would be due now", "they are due, or held",
                            "they are being tried"};

void describe(boost::program_options::options_description& options) { add_order_options(options); }

int run(const invocation& in) { return give_order(in, words); }

}  // namespace

const command retry_command = {
    "retry",
    "Make deferred messages due now",
    "[--dry-run] {ID… | - | FILTERS | --all}",
    "Deferred messages do not wait for their next attempt any longer; nor do those that were to be sent "
    "later. Held messages "
    "stay held ('jobctl release'). 'jobctl run CHANNEL' does the same for a whole channel, and starts a "
    "program.",
    "  jobctl retry --host mx.example.org          it is back\n"
    "  jobctl retry --channel 'smtp_*' --attempts 3",
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
