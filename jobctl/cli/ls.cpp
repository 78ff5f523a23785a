// jobctl ls: message by message.
#include "jobctl/admin/target.hpp"
#include "jobctl/cli/controller_link.hpp"
#include "jobctl/cli/filters.hpp"
#include "jobctl/cli/progress.hpp"
#include "jobctl/cli/table.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <fmt/format.h>

namespace jobctl::cli {
namespace {

namespace po = boost::program_options;
namespace json = boost::json;

constexpr std::size_t default_limit = 100, page_size = 1000;

void describe(po::options_description& options) {
  add_filters(options);
  options.add_options()                                                                                   //
      ("limit", po::value<std::size_t>()->value_name("N"), "at most so many messages (default 100)")      //
      ("all", po::bool_switch(), "every message that matches")                                            //
      ("cursor", po::value<std::string>()->value_name("CURSOR"), "go on where an earlier listing ended")  //
      ("json", po::bool_switch(), "print one JSON object a line (docs/api.md, GET /v1/messages)");
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
  const std::string filter = "/v1/messages?" + filters_as_query(in);

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
  progress seen(in.io, "looked at");
  while (left > 0) {
    const auto body = get(
        in, *controller,
        fmt::format("{}limit={}&cursor={}", filter, std::min(left, page_size), admin::percent_encode(cursor)),
        status);
    if (!body || !body->is_object()) return status;
    const json::object& page = body->get_object();
    complete = flag_field(page, "complete");
    seen.add(number_field(page, "looked_at"));
    const auto rows = rows_field(page, "messages");
    if (!rows.empty()) seen.clear();
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
  seen.clear();
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
                            "other down; those for sender, recipient, subject, content and reason read "
                            "message files, which takes time. NEXT says when a message\n"
                            "is due; nothing there means that it waits for a program only. Messages that are "
                            "queued or finished while a long listing is\n"
                            "printed may or may not be in it.",
                            "  jobctl ls --state deferred --attempts 3       what keeps failing\n"
                            "  jobctl ls --channel maildir --older 2h\n"
                            "  jobctl ls --host .example.org --min-size 1M\n"
                            "  jobctl ls --channel 'smtp_*' --subject 'your invoice'\n"
                            "  jobctl ls --all --json | jq -r .id            every id",
                            "  0    printed, even if nothing matches\n"
                            "  1    no such channel\n"
                            "  64   a filter's value is wrong\n"
                            "  69   no controller runs for this site",
                            describe,
                            nullptr,
                            run};

}  // namespace jobctl::cli
