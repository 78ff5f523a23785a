// jobctl pools: which processes share which limits.
#include "jobctl/cli/controller_link.hpp"
#include "jobctl/cli/table.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

namespace jobctl::cli {
namespace {

namespace po = boost::program_options;
namespace json = boost::json;

void describe(po::options_description& options) {
  options.add_options()("json", po::bool_switch(),
                        "print one JSON object a line (docs/api.md, GET /v1/pools)");
}

std::string names(const json::object& row, std::string_view field) {
  std::string all;
  if (const json::value* v = row.if_contains(field); v && v->is_array())
    for (const json::value& name : v->get_array())
      if (name.is_string()) all += (all.empty() ? "" : " ") + std::string(name.get_string());
  return all;
}

int run(const invocation& in) {
  int status = success;
  auto controller = connect(in, status);
  if (!controller) return status;
  const auto body = get(in, *controller, "/v1/pools", status);
  if (!body || !body->is_object()) return status;
  table t({{"POOL"}, {"JOBS", true}, {"LIMIT", true}, {"WAITING"}, {"CHANNELS"}});
  for (const json::object& row : rows_field(body->get_object(), "pools")) {
    if (in.get<bool>("json"))
      fmt::print(in.io.out, "{}\n", json::serialize(row));
    else
      t.add({text_field(row, "pool"), std::to_string(number_field(row, "jobs")),
             std::to_string(number_field(row, "job_limit")), names(row, "waiting"), names(row, "channels")});
  }
  if (!in.get<bool>("json")) t.flush(in.io.out);
  return success;
}

}  // namespace

const command pools_command = {
    "pools",
    "Show the pools and their job limits",
    "[--json]",
    "For each pool: processes at present and at most, channels that wait to launch one more, "
    "and all channels that share it.",
    "  jobctl pools\n"
    "  jobctl pools --json | jq 'select(.jobs == .job_limit).pool'",
    "  0    printed\n"
    "  69   no controller runs for this site",
    describe,
    nullptr,
    run};

}  // namespace jobctl::cli
