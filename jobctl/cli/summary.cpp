// jobctl summary: what waits where.
#include "jobctl/cli/controller_link.hpp"
#include "jobctl/cli/table.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <fmt/format.h>

namespace jobctl::cli {
namespace {

namespace po = boost::program_options;
namespace json = boost::json;

void describe(po::options_description& options) {
  options.add_options()("json", po::bool_switch(),
                        "print the figures as one JSON object (docs/api.md, GET /v1/summary)");
}

std::string remarks(const json::object& row) {
  std::string text;
  const auto add = [&](const std::string& remark) { text += (text.empty() ? "" : ", ") + remark; };
  if (flag_field(row, "stopped")) add("stopped");
  if (flag_field(row, "full")) add("full");
  if (flag_field(row, "stressed")) add("stressed");
  if (const auto dead = number_field(row, "dead_destinations"); dead > 0)
    add(fmt::format("{} dead destination{}", dead, dead == 1 ? "" : "s"));
  return text.empty() ? " " : text;
}

std::vector<std::string> cells(const json::object& row, const std::string& name, time_point now) {
  const auto number = [&](const char* field) { return std::to_string(number_field(row, field)); };
  return {name,
          number("ready"),
          number("in_hand"),
          number("deferred"),
          number("held"),
          human_size(number_field(row, "bytes")),
          age_field(row, "oldest", now),
          number("jobs"),
          number("workers"),
          number("finished"),
          remarks(row)};
}

// What operators have stopped, with reason and end; of very many, some.
void print_stops(const invocation& in, const std::vector<json::object>& stops) {
  constexpr std::size_t most = 20;
  for (std::size_t n = 0; n < std::min(most, stops.size()); ++n) {
    std::string text = text_field(stops[n], "text");
    std::ranges::replace_if(
        text, [](unsigned char c) { return c < 0x20 || c == 0x7F; }, ' ');
    fmt::print(in.io.out, "{}\n", text);
  }
  if (stops.size() > most)
    fmt::print(in.io.out, "{} more are stopped; 'jobctl summary --json' lists them all\n",
               stops.size() - most);
}

int run(const invocation& in) {
  int status = success;
  auto controller = connect(in, status);
  if (!controller) return status;
  const auto body = get(in, *controller, "/v1/summary", status);
  if (!body || !body->is_object()) return status;
  if (in.get<bool>("json")) {
    fmt::print(in.io.out, "{}\n", json::serialize(*body));
    return success;
  }
  const json::object& all = body->get_object();
  const time_point now = wall_clock();
  table t({{"CHANNEL"},
           {"READY", true},
           {"IN-HAND", true},
           {"DEFERRED", true},
           {"HELD", true},
           {"SIZE", true},
           {"OLDEST", true},
           {"JOBS", true},
           {"PROGRAMS", true},
           {"FINISHED", true},
           {""}});
  for (const json::object& row : rows_field(all, "channels"))
    t.add(cells(row, text_field(row, "channel"), now));
  if (const json::value* total = all.if_contains("total"); total && total->is_object())
    t.add(cells(total->get_object(), "total", now));
  t.flush(in.io.out);
  print_stops(in, rows_field(all, "stops"));
  if (!flag_field(all, "complete"))
    fmt::print(in.io.out, "The controller is still reading the queue; there may be more.\n");
  return success;
}

}  // namespace

const command summary_command = {"summary",
                                 "Show how many messages wait in each channel",
                                 "[--json]",
                                 "For each channel: messages ready (due, waiting for a program), in the "
                                 "hands of a program, deferred until a later\n"
                                 "attempt, and held; their size and the age of the oldest one that is ready; "
                                 "processes launched, channel programs\n"
                                 "connected, messages finished since the controller started. Below, what "
                                 "operators have stopped, by whom, why and until when.",
                                 "  jobctl summary\n"
                                 "  watch -n1 jobctl summary\n"
                                 "  jobctl summary --json | jq .total.ready",
                                 "  0    printed\n"
                                 "  69   no controller runs for this site",
                                 describe,
                                 nullptr,
                                 run};

}  // namespace jobctl::cli
