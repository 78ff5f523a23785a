// jobctl periodic: commands that are run at certain times; and to run one now.
#include "jobctl/admin/target.hpp"
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
  options.add_options()                                                                                 //
      ("json", po::bool_switch(), "print the jobs as one JSON object (docs/api.md, GET /v1/periodic)")  //
      ("words", po::value<std::vector<std::string>>()->value_name("NAME"), "run NAME...");
}

std::string when(const json::object& row, const char* field, time_point now) {
  const std::string age = age_field(row, field, now);
  return age.empty() ? std::string() : age + " ago";
}

int list(const invocation& in, admin::client& controller) {
  int status = success;
  const auto body = get(in, controller, "/v1/periodic", status);
  if (!body || !body->is_object()) return status;
  if (in.get<bool>("json")) {
    fmt::print(in.io.out, "{}\n", json::serialize(*body));
    return success;
  }
  const time_point now = wall_clock();
  table t({{"NAME"},
           {"NEXT"},
           {"LAST-START"},
           {"LAST-END"},
           {"RUNS", true},
           {"FAILED", true},
           {"SKIPPED", true},
           {"STATUS"}});
  for (const json::object& row : rows_field(body->get_object(), "periodic"))
    t.add({text_field(row, "name"), text_field(row, "next"), when(row, "started", now),
           when(row, "ended", now), std::to_string(number_field(row, "runs")),
           std::to_string(number_field(row, "failures")), std::to_string(number_field(row, "skipped")),
           flag_field(row, "running") ? "running" : text_field(row, "outcome")});
  t.flush(in.io.out);
  return success;
}

int run_now(const invocation& in, admin::client& controller, const std::vector<std::string>& names) {
  int status = success;
  const auto body = get(in, controller, "/v1/periodic", status);
  if (!body || !body->is_object()) return status;
  const auto rows = rows_field(body->get_object(), "periodic");
  for (const std::string& name : names) {
    const bool known = std::any_of(rows.begin(), rows.end(),
                                   [&](const json::object& r) { return text_field(r, "name") == name; });
    if (!known)
      return in.fail(failure,
                     fmt::format("there is no periodic job '{}'; 'jobctl periodic' lists them", name));
  }
  for (const std::string& name : names) {
    if (!post(in, controller, fmt::format("/v1/periodic/{}/run", admin::percent_encode(name)), status))
      return status;
    fmt::print(in.io.out, "{}: started\n", name);
  }
  return success;
}

int run(const invocation& in) {
  std::vector<std::string> names;
  if (in.has("words")) names = in.get<std::vector<std::string>>("words");
  if (!names.empty()) {
    if (names.front() != "run")
      return in.fail(usage,
                     fmt::format("'{}': expected nothing (to list the jobs), or run NAME...", names.front()));
    names.erase(names.begin());
    if (names.empty()) return in.fail(usage, "run: name at least one periodic job.");
    if (in.get<bool>("json")) return in.fail(usage, "--json is for the list.");
  }
  int status = success;
  auto controller = connect(in, status);
  if (!controller) return status;
  return names.empty() ? list(in, *controller) : run_now(in, *controller, names);
}

}  // namespace

const command periodic_command = {
    "periodic",
    "Show the periodic jobs, or run one now",
    "[--json] | run NAME...",
    "Lists the commands of the configuration's [periodic NAME] sections and the slave commands of channels\n"
    "(NAME.slave): when each is due next, when it began and ended last, and how. With 'run', starts those "
    "named now,\n"
    "whatever the time; a job that runs already is not started twice. Their output is in "
    "log/periodic-NAME.log.",
    "  jobctl periodic\n"
    "  jobctl periodic run cleanup\n"
    "  jobctl periodic --json | jq '.periodic[] | select(.clean == false)'",
    "  0    printed, or started\n"
    "  1    no such job\n"
    "  69   no controller runs for this site\n"
    "  75   it runs already",
    describe,
    "words",
    run};

}  // namespace jobctl::cli
