// jobctl log: what happened lately, and what happens now.
#include "jobctl/admin/target.hpp"
#include "jobctl/cli/controller_link.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <fmt/format.h>
#include <sched.h>

namespace jobctl::cli {
namespace {

namespace po = boost::program_options;
namespace json = boost::json;

constexpr std::chrono::hours endless{24 * 20};  // poll() counts milliseconds in an int

void describe(po::options_description& options) {
  options.add_options()                                                                                //
      ("follow,f", po::bool_switch(), "print what happens from now on, too, until it is interrupted")  //
      ("channel", po::value<std::string>()->value_name("CHANNEL"), "only of this channel")             //
      ("event", po::value<std::string>()->value_name("EVENT"),
       "only these kinds, with commas between them")                              //
      ("id", po::value<std::string>()->value_name("ID"), "only of this message")  //
      ("limit", po::value<std::size_t>()->value_name("N"),
       "the last N events that match (default 100; with --follow none)")  //
      ("after", po::value<std::string>()->value_name("CURSOR"),
       "what came after the event of this cursor; 0: all that is kept")  //
      ("json", po::bool_switch(), "print one JSON object a line (docs/api.md, GET /v1/events)");
}

std::string target_of(const invocation& in) {
  std::string target = fmt::format("/v1/events?follow={}", in.get<bool>("follow"));
  for (const char* name : {"channel", "event", "id", "after"})
    if (in.has(name)) target += fmt::format("&{}={}", name, admin::percent_encode(in.text(name)));
  if (in.has("limit"))
    target += fmt::format("&limit={}", in.get<std::size_t>("limit"));
  else if (!in.get<bool>("follow") && !in.has("after"))
    target += "&limit=100";
  return target;
}

// Takes the stream apart into lines, and prints them.
class line_printer {
 public:
  line_printer(std::FILE* out, bool as_json) : out_(out), as_json_(as_json) {}

  bool take(std::string_view piece) {
    rest_ += piece;
    const std::size_t end = rest_.rfind('\n');
    if (end == std::string::npos) return true;
    const std::string_view lines(rest_.data(), end + 1);
    remember_cursor(lines);
    if (as_json_)
      fmt::print(out_, "{}", lines);
    else
      for (std::size_t at = 0; at < lines.size();) {
        const std::size_t line_end = lines.find('\n', at);
        print(lines.substr(at, line_end - at));
        at = line_end + 1;
      }
    rest_.erase(0, end + 1);
    return std::fflush(out_) == 0;
  }
  /// Of the last event; empty: there was none.
  const std::string& cursor() const { return cursor_; }

 private:
  void remember_cursor(std::string_view lines) {
    constexpr std::string_view field = "{\"cursor\":\"";
    const std::size_t at = lines.rfind(field);
    if (at == std::string_view::npos) return;
    const std::string_view value = lines.substr(at + field.size());
    cursor_ = value.substr(0, value.find('"'));
  }

  void print(std::string_view line) {
    json::error_code wrong;
    const json::value parsed = json::parse(line, wrong);
    if (wrong || !parsed.is_object()) return;
    const json::object& e = parsed.get_object();
    const std::string kind = text_field(e, "event");
    std::string text = text_field(e, "text");
    if (kind == "missed") text = missed(e);
    if (kind == "leased") text = fmt::format("to connection {}", number_field(e, "worker"));
    if (kind == "deferred")
      text = fmt::format("attempts {}, until {}", number_field(e, "attempts"), text_field(e, "due"));
    std::string shown = fmt::format("{} {:<9}", text_field(e, "time"), kind);
    for (const char* field : {"channel", "id"})
      if (const std::string value = text_field(e, field); !value.empty()) shown += " " + value;
    if (!text.empty()) shown += ": " + text;
    // What comes from programs must not give orders to a terminal.
    std::ranges::replace_if(
        shown, [](unsigned char c) { return c < 0x20 || c == 0x7F; }, ' ');
    fmt::print(out_, "{}\n", shown);
  }

  static std::string missed(const json::object& e) {
    const json::value* count = e.if_contains("count");
    if (count && count->is_number())
      return fmt::format("{} events before this: {}", number_field(e, "count"), text_field(e, "text"));
    return "events before this: " + text_field(e, "text");
  }

  std::FILE* out_;
  bool as_json_;
  std::string rest_, cursor_;
};

int run(const invocation& in) {
  if (in.has("limit") && in.get<std::size_t>("limit") == 0)
    return in.fail(usage, "--limit 0 would print nothing; give a number from 1 on.");
  if (in.has("limit") && in.has("after") && in.get<bool>("follow"))
    return in.fail(usage, "--limit, --after and --follow do not go together; leave one out.");
  const bool follow = in.get<bool>("follow");
  int status = success;
  const auto site = find_running_site(in, status);
  if (!site) return status;
  auto controller = follow ? admin::client::connect(site->api_socket(), endless)
                           : admin::client::connect(site->api_socket());
  if (!controller) return in.fail(unavailable, controller.error().context);
  if (follow) {
    // Whoever watches does not take processors from the mail.
    const sched_param lowest{};
    (void)::sched_setscheduler(0, SCHED_IDLE, &lowest);
  }
  line_printer printer(in.io.out, in.get<bool>("json"));
  const auto answer =
      controller->fetch(target_of(in), [&](std::string_view piece) { return printer.take(piece); });
  if (answer && !answer->ok()) return fail(in, *answer);
  if (!answer && answer.error().code == mta::errc::cancelled)
    return in.fail(io_error, "cannot write the output.");
  if (!follow) return answer ? success : in.fail(exit_status_of(answer.error().code), answer.error().context);
  return in.fail(unavailable, printer.cursor().empty()
                                  ? std::string("the controller has stopped.")
                                  : fmt::format("the controller has stopped; '--after {}' goes on from here.",
                                                printer.cursor()));
}

}  // namespace

const command log_command = {
    "log",
    "Show what happened, event by event",
    "[--follow] [FILTERS] [--limit N | --after CURSOR] [--json]",
    "Prints what happened to messages, programs, channels and the controller, from the controller's memory: "
    "queued, leased, finished, deferred, held, released, programs launched and ended, channels stopped, "
    "settings "
    "reloaded, and so on (docs/api.md lists all). It keeps the last 262,144 events of this run. With "
    "--follow, "
    "whoever cannot keep up while much mail flows is told how many events he missed.",
    "  jobctl log --follow --event deferred,held,returned\n"
    "  jobctl log --id 0C9V3K8ZC4S0R.1.17\n"
    "  jobctl log --follow --channel fax --json | jq -r .text\n"
    "  jobctl log --after 1f3a.4711 --follow       what came since",
    "  0    printed, even if nothing matches\n"
    "  1    no such channel\n"
    "  64   a filter's value is wrong\n"
    "  69   no controller runs for this site, or it stopped while it was followed",
    describe,
    nullptr,
    run};

}  // namespace jobctl::cli
