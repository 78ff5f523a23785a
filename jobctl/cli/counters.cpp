// jobctl counters: what has become of the messages since counting began.
#include "jobctl/cli/controller_link.hpp"
#include "jobctl/cli/table.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <fmt/format.h>

namespace jobctl::cli {
namespace {

namespace po = boost::program_options;
namespace json = boost::json;

void describe(po::options_description& options) {
  options.add_options()                                                                                   //
      ("channel", po::value<std::vector<std::string>>()->value_name("CHANNEL"), "channel to be counted")  //
      ("json", po::bool_switch(), "print one JSON object (docs/api.md, GET /v1/counters)");
}

constexpr const char* fields[] = {"enqueued", "finished",        "returned", "bad",
                                  "left",     "failed_attempts", "warned"};

std::vector<std::string> cells(const json::object& row, const std::string& name) {
  std::vector<std::string> all{name};
  for (const char* field : fields) all.push_back(std::to_string(number_field(row, field)));
  return all;
}

int run(const invocation& in) {
  int status = success;
  auto controller = connect(in, status);
  if (!controller) return status;
  std::vector<std::string> names;
  if (in.has("channel")) names = in.get<std::vector<std::string>>("channel");
  if (!check_channels(in, *controller, names, status)) return status;
  auto body = get(in, *controller, "/v1/counters", status);
  if (!body || !body->is_object()) return status;
  json::object& all = body->get_object();
  std::vector<json::object> rows = rows_field(all, "channels");
  if (!names.empty()) {
    std::erase_if(rows, [&](const json::object& row) {
      return std::ranges::find(names, text_field(row, "channel")) == names.end();
    });
    all["channels"] = json::array(rows.begin(), rows.end());
    all.erase("total");
  }
  if (in.get<bool>("json")) {
    fmt::print(in.io.out, "{}\n", json::serialize(*body));
    return success;
  }
  table t({{"CHANNEL"},
           {"ENQUEUED", true},
           {"FINISHED", true},
           {"RETURNED", true},
           {"BAD", true},
           {"LEFT", true},
           {"FAILED", true},
           {"WARNED", true}});
  for (const json::object& row : rows) t.add(cells(row, text_field(row, "channel")));
  if (const json::value* total = all.if_contains("total"); total && total->is_object())
    t.add(cells(total->get_object(), "total"));
  t.flush(in.io.out);
  fmt::print(in.io.out, "since {}\n", text_field(all, "since"));
  if (!flag_field(all, "complete"))
    fmt::print(in.io.out, "The controller is still reading the queue; some may not be counted yet.\n");
  return success;
}

}  // namespace

const command counters_command = {
    "counters",
    "Show what has become of each channel's messages, over restarts",
    "[--json] [CHANNEL...]",
    "Figures that only grow, since counting began: messages enqueued; finished (every recipient done with), "
    "of "
    "these returned because they had waited too long; set aside as damaged; all that left the channel, for "
    "whatever reason; failed attempts; and notices to senders. They survive restarts, also after kill -9. "
    "Enqueued less left is always what is in the channel (docs/cli.md).",
    "  jobctl counters\n"
    "  jobctl counters --json maildir | jq .channels[0].finished",
    "  0    printed\n"
    "  1    no such channel\n"
    "  69   no controller runs for this site",
    describe,
    "channel",
    run};

}  // namespace jobctl::cli
