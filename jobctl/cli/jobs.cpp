// jobctl jobs: the processes of channel programs.
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
  options.add_options()  //
      ("channel", po::value<std::vector<std::string>>()->value_name("CHANNEL"),
       "channel whose jobs to list")                                                          //
      ("ended", po::bool_switch(), "those that have ended, the latest first (the last 100)")  //
      ("json", po::bool_switch(), "print one JSON object a line (docs/api.md, GET /v1/jobs)");
}

std::string or_nothing(std::uint64_t n) { return n == 0 ? std::string() : std::to_string(n); }

std::vector<std::string> ended_cells(const json::object& e, time_point now) {
  return {text_field(e, "channel"), or_nothing(number_field(e, "pid")), age_field(e, "started", now),
          age_field(e, "ended", now), text_field(e, "status")};
}

std::vector<std::string> program_cells(const json::object& p, time_point now) {
  const bool connected = p.if_contains("worker") != nullptr;
  return {text_field(p, "channel"),
          or_nothing(number_field(p, "pid")),
          flag_field(p, "stopping") ? "stopping"
          : connected               ? "connected"
                                    : "starting",
          age_field(p, connected ? "connected" : "started", now),
          or_nothing(number_field(p, "max_threads")),
          connected ? std::to_string(number_field(p, "leased")) : std::string(),
          connected ? std::to_string(number_field(p, "results")) : std::string(),
          number_field(p, "job") == 0 ? "not launched by this controller" : " "};
}

// Connected programs, and processes that have not connected yet.
std::vector<json::object> running(const json::object& body) {
  std::vector<json::object> rows = rows_field(body, "workers");
  for (json::object& job : rows_field(body, "jobs"))
    if (!flag_field(job, "connected")) rows.push_back(std::move(job));
  return rows;
}

int run(const invocation& in) {
  int status = success;
  auto controller = connect(in, status);
  if (!controller) return status;
  std::vector<std::string> names;
  if (in.has("channel")) names = in.get<std::vector<std::string>>("channel");
  if (!check_channels(in, *controller, names, status)) return status;
  const auto body = get(in, *controller, "/v1/jobs", status);
  if (!body || !body->is_object()) return status;
  const bool ended = in.get<bool>("ended");
  auto rows = ended ? rows_field(body->get_object(), "ended") : running(body->get_object());
  if (!names.empty())
    std::erase_if(rows, [&](const json::object& row) {
      return std::ranges::find(names, text_field(row, "channel")) == names.end();
    });
  if (in.get<bool>("json")) {
    for (const json::object& row : rows) fmt::print(in.io.out, "{}\n", json::serialize(row));
    return success;
  }
  const time_point now = wall_clock();
  table t(ended ? std::vector<column>{{"CHANNEL"},
                                      {"PROCESS", true},
                                      {"STARTED", true},
                                      {"ENDED", true},
                                      {"STATUS"}}
                : std::vector<column>{{"CHANNEL"},
                                      {"PROCESS", true},
                                      {"STATE"},
                                      {"SINCE", true},
                                      {"THREADS", true},
                                      {"GIVEN", true},
                                      {"RESULTS", true},
                                      {""}});
  for (const json::object& row : rows) t.add(ended ? ended_cells(row, now) : program_cells(row, now));
  t.flush(in.io.out);
  return success;
}

}  // namespace

const command jobs_command = {
    "jobs",
    "Show the processes of channel programs",
    "[--ended] [--json] [CHANNEL...]",
    "Lists the programs that are connected (messages given to each, and results that came back) and the "
    "processes "
    "that were launched and have not connected yet; or those that have ended, with how.",
    "  jobctl jobs\n"
    "  jobctl jobs --ended fax            why did it end?\n"
    "  jobctl jobs --json | jq -r .pid",
    "  0    printed, even if there are none\n"
    "  1    no such channel\n"
    "  69   no controller runs for this site",
    describe,
    "channel",
    run};

}  // namespace jobctl::cli
