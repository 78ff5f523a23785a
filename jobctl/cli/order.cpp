#include "jobctl/cli/order.hpp"

#include "jobctl/admin/target.hpp"
#include "jobctl/cli/controller_link.hpp"
#include "jobctl/cli/filters.hpp"
#include "jobctl/cli/progress.hpp"
#include "queue/message_id.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <optional>

namespace jobctl::cli {
namespace {

namespace po = boost::program_options;
namespace json = boost::json;

constexpr std::size_t ids_in_request = 10'000;
/// Returning or routing 100,000 messages takes its time; a page of a search over large messages, too.
constexpr std::chrono::hours order_patience{12};

const std::vector<std::string>& operands(const invocation& in) {
  static const std::vector<std::string> none;
  return in.has("ids") ? in.get<std::vector<std::string>>("ids") : none;
}

// --- ids

// An id, or a line of `jobctl ls --json`.
std::optional<std::string> id_in(std::string_view line) {
  std::string text(line);
  if (line.starts_with('{')) {
    json::error_code wrong;
    const json::value row = json::parse(line, wrong);
    text = wrong || !row.is_object() ? std::string() : text_field(row.get_object(), "id");
  }
  if (!mta::queue::parse_message_id(text)) return {};
  return text;
}

bool read_ids(const invocation& in, std::vector<std::string>& ids, int& status) {
  char* line = nullptr;
  std::size_t size = 0;
  int number = 0;
  bool fine = true;
  for (ssize_t length; fine && (length = ::getline(&line, &size, in.io.in)) >= 0;) {
    ++number;
    std::string_view text(line, static_cast<std::size_t>(length));
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
      text.remove_suffix(1);
    if (text.empty()) continue;
    if (const auto id = id_in(text)) {
      ids.push_back(*id);
    } else {
      status = in.fail(data_error,
                       fmt::format("standard input, line {}: '{}' is not a message id; nothing was done.",
                                   number, text.substr(0, 60)));
      fine = false;
    }
  }
  if (fine && std::ferror(in.io.in)) {
    status = in.fail(io_error, "cannot read standard input; nothing was done.");
    fine = false;
  }
  std::free(line);
  return fine;
}

/// The ids that are named; false: an error was printed.
bool named_ids(const invocation& in, std::vector<std::string>& ids, int& status) {
  for (const std::string& each : operands(in)) {
    if (each == "-") {
      if (!read_ids(in, ids, status)) return false;
    } else if (mta::queue::parse_message_id(each)) {
      ids.push_back(each);
    } else {
      status =
          in.fail(data_error,
                  fmt::format("'{}' is not a message id ('jobctl ls' shows them); nothing was done.", each));
      return false;
    }
  }
  return true;
}

// --- searching

/// The ids that match filters for which files are read; with progress.
bool search(const invocation& in, admin::client& controller, std::vector<std::string>& ids, int& status,
            bool& complete) {
  const std::string target = "/v1/messages?" + filters_as_query(in) + "limit=10000&cursor=";
  progress seen(in.io, "looked at");
  std::string cursor = "0";
  while (!cursor.empty()) {
    const auto body = get(in, controller, target + admin::percent_encode(cursor), status);
    if (!body || !body->is_object()) return false;
    const json::object& page = body->get_object();
    for (const json::object& row : rows_field(page, "messages")) ids.push_back(text_field(row, "id"));
    seen.add(number_field(page, "looked_at"));
    complete = flag_field(page, "complete");
    cursor = text_field(page, "cursor");
  }
  return true;
}

// --- what came of it

struct counts {
  std::uint64_t changed = 0, unchanged = 0, in_hand = 0, failed = 0;

  void add(const json::object& o) {
    changed += number_field(o, "changed");
    unchanged += number_field(o, "unchanged");
    in_hand += number_field(o, "in_hand");
    failed += number_field(o, "failed");
  }
  void put(json::object& o) const {
    o["changed"] = changed;
    o["unchanged"] = unchanged;
    o["in_hand"] = in_hand;
    o["failed"] = failed;
  }
};

struct outcome {
  counts total;
  std::map<std::string, counts> channels;
  std::uint64_t not_found = 0, write_errors = 0;
  bool complete = true;

  void add(const json::object& o) {
    total.add(o);
    for (const json::object& row : rows_field(o, "channels")) channels[text_field(row, "channel")].add(row);
    not_found += number_field(o, "not_found");
    write_errors += number_field(o, "write_errors");
    complete = complete && flag_field(o, "complete");
  }
};

void print_json(const invocation& in, const order_words& words, const outcome& done) {
  json::object all{{"order", words.api}, {"dry_run", in.get<bool>("dry-run")}};
  done.total.put(all);
  all["not_found"] = done.not_found;
  all["write_errors"] = done.write_errors;
  all["complete"] = done.complete;
  json::array rows;
  for (const auto& [name, c] : done.channels) {
    json::object row{{"channel", name}};
    c.put(row);
    rows.push_back(std::move(row));
  }
  all["channels"] = std::move(rows);
  fmt::print(in.io.out, "{}\n", json::serialize(all));
}

std::string messages(std::uint64_t n) { return fmt::format("{} message{}", n, n == 1 ? "" : "s"); }

void print_text(const invocation& in, const order_words& words, const outcome& done) {
  const bool dry = in.get<bool>("dry-run");
  std::string by_channel;
  for (const auto& [name, c] : done.channels)
    if (c.changed > 0) by_channel += fmt::format("{}{} {}", by_channel.empty() ? "" : ", ", name, c.changed);
  fmt::print(in.io.out, "{} {}{}\n", messages(done.total.changed), dry ? words.would : words.done,
             by_channel.empty() ? "" : " (" + by_channel + ")");
  if (done.total.unchanged > 0)
    fmt::print(in.io.out, "{} left as they are: {}\n", messages(done.total.unchanged), words.unchanged);
  if (done.total.in_hand > 0)
    fmt::print(in.io.out, "{} in hand: {}\n", messages(done.total.in_hand), words.in_hand);
  if (done.not_found > 0)
    fmt::print(in.io.out, "{} not found: finished, removed, or never there\n", messages(done.not_found));
  if (done.total.failed > 0)
    fmt::print(in.io.out, "{} left as they are: it could not be done; the controller's log says why\n",
               messages(done.total.failed));
  if (done.write_errors > 0)
    fmt::print(in.io.out, "{} could not be written to: that would be forgotten at a restart; see the log\n",
               messages(done.write_errors));
}

int status_of(const order_words& words, const outcome& done) {
  if (done.write_errors > 0) return io_error;
  if (done.total.failed > 0) return temporary_failure;
  if (done.total.in_hand > 0 && words.api != std::string_view("hold")) return temporary_failure;
  return done.not_found > 0 ? failure : success;
}

}  // namespace

void add_order_options(po::options_description& options) {
  add_filters(options);
  options.add_options()                                                                             //
      ("all", po::bool_switch(), "every message: needed when there is neither an id nor a filter")  //
      ("reason", po::value<std::string>()->value_name("TEXT"),
       "why; for the history and for other operators")                                                   //
      ("dry-run,n", po::bool_switch(), "change nothing; say what would be changed, with exact numbers")  //
      ("json", po::bool_switch(), "print one JSON object (docs/api.md, Orders)")                         //
      ("ids", po::value<std::vector<std::string>>()->value_name("ID"), "");
}

int give_order(const invocation& in, const order_words& words, json::object fields) {
  const bool named = !operands(in).empty(), all = in.get<bool>("all"), filtered = has_filters(in);
  if (named && (all || filtered)) return in.fail(usage, "give either ids or filters (and --all), not both.");
  if (!named && !all && !filtered)
    return in.fail(usage, "which messages? Give ids, '-' for ids on standard input, filters, or --all.");
  int status = success;
  std::vector<std::string> ids;
  if (!named_ids(in, ids, status)) return status;
  auto controller = connect(in, status);
  if (!controller) return status;
  controller->be_patient(order_patience);

  fields["dry_run"] = in.get<bool>("dry-run");
  if (in.has("reason")) fields["reason"] = in.text("reason");
  const std::string target = fmt::format("/v1/messages/{}", words.api);
  outcome done;
  const auto send = [&](const json::object& body) {
    const auto answer = post(in, *controller, target, status, json::serialize(body));
    if (!answer || !answer->is_object()) return false;
    done.add(answer->get_object());
    return true;
  };
  if (!named && !has_text_filters(in)) {
    fields["all"] = true;
    fields["filter"] = filters_as_json(in);
    if (!send(fields)) return status;
  } else {
    // What is wrong with the order is said before a long search.
    fields["ids"] = json::array();
    if (!send(fields)) return status;
    if (!named && !search(in, *controller, ids, status, done.complete)) return status;
    for (std::size_t at = 0; at < ids.size(); at += ids_in_request) {
      const auto end = ids.begin() + static_cast<std::ptrdiff_t>(std::min(ids.size(), at + ids_in_request));
      fields["ids"] = json::array(ids.begin() + static_cast<std::ptrdiff_t>(at), end);
      if (!send(fields)) return status;
    }
  }
  if (in.get<bool>("json"))
    print_json(in, words, done);
  else
    print_text(in, words, done);
  if (!done.complete && !named)
    fmt::print(in.io.err, "The controller is still reading the queue; there may be more such messages.\n");
  return status_of(words, done);
}

}  // namespace jobctl::cli
