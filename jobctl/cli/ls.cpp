// jobctl ls: message by message.
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

// The options that are parameters of GET /v1/messages. The controller checks them, so that this and other
// clients agree.
struct filter_option {
  const char* option;
  const char* parameter;
  const char* value;
  const char* text;
};
constexpr filter_option filter_options[] = {
    {"channel", "channel", "NAME", "only messages of this channel"},
    {"host", "host", "HOST", "only for this destination host; '.example.org' for its subdomains, too"},
    {"state", "state", "STATE", "only ready, in-hand, deferred or held ones"},
    {"priority", "priority", "NAME", "only urgent, normal or nonurgent ones"},
    {"min-size", "size_min", "SIZE", "only of at least this size (10k, 1M)"},
    {"max-size", "size_max", "SIZE", "only of at most this size"},
    {"older", "age_min", "AGE", "only committed longer ago (90s, 15m, 2h, 3d)"},
    {"newer", "age_max", "AGE", "only committed since"},
    {"attempts", "attempts_min", "N", "only with at least so many failed attempts"},
};

constexpr std::size_t default_limit = 100, page_size = 1000;

void describe(po::options_description& options) {
  for (const filter_option& f : filter_options)
    options.add_options()(f.option, po::value<std::string>()->value_name(f.value), f.text);
  options.add_options()                                                                               //
      ("limit", po::value<std::size_t>()->value_name("N"), "at most so many messages (default 100)")  //
      ("all", po::bool_switch(), "every message that matches")                                        //
      ("cursor", po::value<std::string>()->value_name("C"), "go on where an earlier listing ended")   //
      ("json", po::bool_switch(), "print one JSON object a line (docs/api.md, GET /v1/messages)");
}

std::string first_target(const invocation& in) {
  std::string target = "/v1/messages?";
  for (const filter_option& f : filter_options)
    if (in.has(f.option))
      target += fmt::format("{}={}&", f.parameter, admin::percent_encode(in.text(f.option)));
  return target;
}

std::vector<std::string> cells(const json::object& row, time_point now) {
  const std::string due = text_field(row, "due");
  const auto due_time = parse_time(due, now);
  return {
      text_field(row, "id"),
      text_field(row, "channel"),
      text_field(row, "state"),
      text_field(row, "priority"),
      std::to_string(number_field(row, "attempts")),
      human_size(number_field(row, "size")),
      age_field(row, "committed", now),
      due.empty() || !due_time || *due_time <= now ? std::string() : "in " + human_duration(*due_time - now),
      text_field(row, "host")};
}

int run(const invocation& in) {
  const bool all = in.get<bool>("all"), as_json = in.get<bool>("json");
  if (all && in.has("limit")) return in.fail(usage, "--all and --limit exclude each other.");
  std::size_t left = all ? ~std::size_t{0} : in.has("limit") ? in.get<std::size_t>("limit") : default_limit;
  if (left == 0) return in.fail(usage, "--limit 0 would list nothing; give a number from 1 on, or --all.");
  std::string cursor = in.has("cursor") ? in.text("cursor") : "0";
  const std::string filter = first_target(in);

  int status = success;
  auto controller = connect(in, status);
  if (!controller) return status;
  table t({{"ID"},
           {"CHANNEL"},
           {"STATE"},
           {"PRIORITY"},
           {"ATT", true},
           {"SIZE", true},
           {"AGE", true},
           {"NEXT", true},
           {"HOST"}});
  bool complete = true;
  while (left > 0) {
    const auto body = get(
        in, *controller,
        fmt::format("{}limit={}&cursor={}", filter, std::min(left, page_size), admin::percent_encode(cursor)),
        status);
    if (!body || !body->is_object()) return status;
    const json::object& page = body->get_object();
    complete = flag_field(page, "complete");
    const auto rows = rows_field(page, "messages");
    for (const json::object& row : rows) {
      if (as_json)
        fmt::print(in.io.out, "{}\n", json::serialize(row));
      else
        t.add(cells(row, wall_clock()));
    }
    if (!as_json) t.flush(in.io.out);
    left -= std::min(left, rows.size());
    cursor = text_field(page, "cursor");
    if (cursor.empty()) break;
  }
  if (!cursor.empty() && !as_json)
    fmt::print(in.io.err, "There may be more: --all lists every one, '--cursor {}' goes on from here.\n",
               cursor);
  if (!complete) fmt::print(in.io.err, "The controller is still reading the queue; there may be more.\n");
  return success;
}

}  // namespace

const command ls_command = {"ls",
                            "List messages",
                            "[FILTERS] [--limit N | --all] [--json]",
                            "Lists messages that wait, from the controller's memory. Filters narrow each "
                            "other down. NEXT says when a message\n"
                            "is due; nothing there means that it waits for a program only. Messages that are "
                            "queued or finished while a long listing is\n"
                            "printed may or may not be in it.",
                            "  jobctl ls --state deferred --attempts 3       what keeps failing\n"
                            "  jobctl ls --channel maildir --older 2h\n"
                            "  jobctl ls --host .example.org --min-size 1M\n"
                            "  jobctl ls --all --json | jq -r .id            every id",
                            "  0    printed, even if nothing matches\n"
                            "  1    no such channel\n"
                            "  64   a filter's value is wrong\n"
                            "  69   no controller runs for this site",
                            describe,
                            nullptr,
                            run};

}  // namespace jobctl::cli
