// jobctl hold: keeps messages where they are until they are released.
#include "jobctl/cli/order.hpp"

namespace jobctl::cli {
namespace {

constexpr order_words words{"hold", "held", "would be held", "they are held already",
                            "they are held when they come back"};

void describe(boost::program_options::options_description& options) {
  options.add_options()(
      "until", boost::program_options::value<std::string>()->value_name("TIME"),
      "release them by itself then: a time (2026-11-21T14:30:00Z, +2h) or a duration (2h, 3d)");
  add_order_options(options);
}

int run(const invocation& in) {
  boost::json::object fields;
  if (in.has("until")) fields["until"] = in.text("until");
  return give_order(in, words, std::move(fields));
}

}  // namespace

const command hold_command = {
    "hold",
    "Hold messages: nobody gets them",
    "[--until TIME] [--reason TEXT] [--dry-run] {ID… | - | FILTERS | --all}",
    "Nobody gets these messages until they are released, or until --until. Who held them, why and since when "
    "is kept with "
    "each message, over restarts, too, and is shown by 'jobctl show'. Held messages do not expire. A message "
    "that a "
    "program has in hand is held when it comes back.",
    "  jobctl hold 0C9V3K8ZC4S0R.1.17 --reason 'asked for by legal'\n"
    "  jobctl hold --host .example.org --until 2h --dry-run\n"
    "  jobctl ls --subject 'your invoice' --json | jq -r .id | jobctl hold -",
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
