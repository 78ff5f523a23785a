// jobctl route: moves messages to another channel or host.
#include "jobctl/cli/order.hpp"

namespace jobctl::cli {
namespace {

constexpr order_words words{"route", "routed", "would be routed", "they are there already",
                            "somebody works on them; try again later"};

void describe(boost::program_options::options_description& options) {
  options.add_options()  //
      ("to-channel", boost::program_options::value<std::string>()->value_name("CHANNEL"),
       "the channel that is to have them; without it they stay in theirs")  //
      ("to-host", boost::program_options::value<std::string>()->value_name("HOST"),
       "the destination host under which they wait; without it that stays, too");
  add_order_options(options);
}

int run(const invocation& in) {
  if (!in.has("to-channel") && !in.has("to-host"))
    return in.fail(usage, "where to? Give --to-channel, --to-host, or both.");
  boost::json::object fields;
  if (in.has("to-channel")) fields["channel"] = in.text("to-channel");
  if (in.has("to-host")) fields["host"] = in.text("to-host");
  return give_order(in, words, std::move(fields));
}

}  // namespace

const command route_command = {
    "route",
    "Move messages to another channel or host",
    "{--to-channel CHANNEL | --to-host HOST} [--reason TEXT] [--dry-run] {ID… | - | FILTERS | --all}",
    "Each message is queued anew, with a new id, for another channel or destination host, and only then "
    "finished where it "
    "was: none is lost, and after a crash at the wrong moment one may be in both queues. Its age counts on; "
    "its attempts "
    "begin again. Held messages are not held any more. Recipients that are done with stay so.",
    "  jobctl route --to-channel smtp_backup --channel smtp --host mx.example.org\n"
    "  jobctl route --to-host relay.example.org 0C9V3K8ZC4S0R.1.17",
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
