// jobctl show: envelope, history and content of a message.
#include "jobctl/cli/controller_link.hpp"
#include "jobctl/cli/message_reader.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

namespace jobctl::cli {
namespace {

namespace po = boost::program_options;
namespace json = boost::json;
using mta::queue::message_id;

constexpr std::size_t shown_body_lines = 20;

void describe(po::options_description& options) {
  options.add_options()                                                                               //
      ("id", po::value<std::vector<std::string>>()->value_name("ID"), "message id")                   //
      ("envelope", po::bool_switch(), "print state, envelope and recipients only")                    //
      ("history", po::bool_switch(), "print the history only")                                        //
      ("content", po::bool_switch(), "print the whole content only, made safe for a terminal")        //
      ("raw", po::bool_switch(), "print the content only, byte for byte as it would be sent (CRLF)")  //
      ("json", po::bool_switch(),
       "print one JSON object a message (docs/api.md, GET /v1/messages/ID), without content");
}

// --- content
// -----------------------------------------------------------------------------------------------------------

// Prints content for people: LF line ends, and nothing in it that a terminal would obey.
class safe_printer {
 public:
  /// `body_lines`: stop after so many lines behind the first blank one.
  safe_printer(std::FILE* out, std::size_t body_lines) : out_(out), left_(body_lines) {}

  bool print(std::string_view piece) {
    std::string text;
    for (const char c : piece) {
      if (left_ == 0) break;
      put(static_cast<unsigned char>(c), text);
    }
    fmt::print(out_, "{}", text);
    return left_ > 0;
  }
  bool stopped() const { return left_ == 0; }
  bool in_line() const { return length_ > 0; }

 private:
  void put(unsigned char c, std::string& text) {
    if (c == '\n') {
      if (in_body_) --left_;
      if (length_ == 0) in_body_ = true;
      length_ = 0;
      text += '\n';
    } else if (c == '\r') {
      // The wire form's line end. One that stands alone has no meaning that could be shown.
    } else {
      ++length_;
      if (c < 0x20 && c != '\t') {
        text += '^';
        text += static_cast<char>(c + 0x40);
      } else if (c == 0x7F) {
        text += "^?";
      } else {
        text += static_cast<char>(c);
      }
    }
  }

  std::FILE* out_;
  std::size_t left_;
  std::size_t length_ = 0;
  bool in_body_ = false;
};

bool print_content(const invocation& in, message_reader& reader, const message_id& id, std::size_t body_lines,
                   int& status) {
  safe_printer printer(in.io.out, body_lines);
  if (!reader.content(
          id, [&](std::string_view piece) { return printer.print(piece); }, status))
    return false;
  if (printer.in_line()) fmt::print(in.io.out, "\n");
  if (printer.stopped())
    fmt::print(in.io.out, "[more: 'jobctl show --content {}' prints all of it]\n", to_string(id));
  return true;
}

bool print_raw(const invocation& in, message_reader& reader, const message_id& id, int& status) {
  bool written = true;
  const auto sink = [&](std::string_view piece) {
    written = std::fwrite(piece.data(), 1, piece.size(), in.io.out) == piece.size();
    return written;
  };
  if (!reader.content(id, sink, status)) return false;
  if (!written) status = in.fail(io_error, "cannot write the output.");
  return written;
}

// --- envelope and history
// ------------------------------------------------------------------------------------------------

void print_line(std::FILE* out, std::string_view name, std::string_view value) {
  if (!value.empty()) fmt::print(out, "{:<14}{}\n", name, value);
}

std::string with_age(const json::object& m, const char* field, time_point now) {
  const std::string text = text_field(m, field);
  const auto t = parse_time(text, now);
  if (text.empty() || !t) return text;
  return *t <= now ? fmt::format("{} ({} ago)", text, human_duration(now - *t))
                   : fmt::format("{} (in {})", text, human_duration(*t - now));
}

void print_hold(std::FILE* out, const json::object& hold, time_point now) {
  std::string line = text_field(hold, "reason");
  if (const std::string by = text_field(hold, "by"); !by.empty()) line += "; by " + by;
  if (!text_field(hold, "since").empty()) line += "; since " + with_age(hold, "since", now);
  if (!text_field(hold, "until").empty()) line += "; until " + with_age(hold, "until", now);
  // An operator's words, and perhaps a program's.
  fmt::print(out, "{:<14}", "held because");
  safe_printer(out, 1).print(line);
  fmt::print(out, "\n");
}

std::string facts_in_words(const json::object& m) {
  std::string words = fmt::format("longest line {}", number_field(m, "longest_line"));
  if (const json::value* facts = m.if_contains("facts"); facts && facts->is_array())
    for (const json::value& fact : facts->get_array())
      if (fact.is_string()) words += ", " + std::string(fact.get_string());
  return words;
}

void print_envelope(std::FILE* out, const json::object& m) {
  const time_point now = wall_clock();
  std::string state = text_field(m, "state");
  if (const std::string reason = text_field(m, "reason"); !reason.empty()) state += " (" + reason + ")";
  const json::value* const hold = m.if_contains("hold");
  print_line(out, "id", text_field(m, "id"));
  print_line(out, "channel", text_field(m, "channel"));
  print_line(out, "state", state);
  if (hold && hold->is_object()) print_hold(out, hold->get_object(), now);
  print_line(out, "priority", text_field(m, "priority"));
  print_line(out, "attempts", std::to_string(number_field(m, "attempts")));
  print_line(out, "committed", with_age(m, "committed", now));
  print_line(out, "next attempt", with_age(m, "due", now));
  print_line(out, "changed", with_age(m, "changed", now));
  print_line(out, "host", text_field(m, "host"));
  print_line(out, "size", fmt::format("{} bytes; {}", number_field(m, "size"), facts_in_words(m)));
  print_line(out, "moved from", text_field(m, "moved_from"));
  print_line(out, "file", text_field(m, "file"));
  print_line(out, "damage", text_field(m, "damage"));
  print_line(out, "submitted by", text_field(m, "source_channel"));
  print_line(out, "envelope id", text_field(m, "envelope_id"));
  print_line(out, "Message-ID", text_field(m, "header_id"));
  if (m.if_contains("from")) fmt::print(out, "{:<14}<{}>\n", "from", text_field(m, "from"));
  for (const json::object& r : rows_field(m, "recipients")) {
    const std::string original = text_field(r, "original");
    fmt::print(out, "{:<14}<{}>{}{}\n", "to", text_field(r, "address"),
               original.empty() ? "" : fmt::format(" (originally {})", original),
               flag_field(r, "finished") ? "  finished" : "");
  }
}

// One line an event: its time, then everything else that it says.
void print_history(std::FILE* out, const json::object& m) {
  const auto events = rows_field(m, "history");
  if (events.empty()) fmt::print(out, "nothing has happened to it yet\n");
  for (const json::object& event : events) {
    std::string line;
    for (const auto& field : event) {
      if (field.key() == "generation" || field.key() == "slot") continue;
      const json::value& v = field.value();
      const std::string value = v.is_string() ? std::string(v.get_string()) : json::serialize(v);
      if (!line.empty()) line += "  ";
      line += field.key() == "time" || field.key() == "text"
                  ? value
                  : fmt::format("{}={}", std::string_view(field.key()), value);
    }
    // A program's words may hold anything.
    safe_printer(out, 1).print(line);
    fmt::print(out, "\n");
  }
}

// --- the command
// ---------------------------------------------------------------------------------------------------------

struct wanted {
  bool envelope, history, content, raw, json;
  bool one_part() const { return envelope || history || content || raw || json; }
};

int show(const invocation& in, message_reader& reader, const message_id& id, const wanted& want) {
  int status = success;
  if (want.raw) return print_raw(in, reader, id, status) ? success : status;
  if (want.content) return print_content(in, reader, id, ~std::size_t{0}, status) ? success : status;
  const auto m = reader.details(id, status);
  if (!m) return status;
  if (want.json) {
    fmt::print(in.io.out, "{}\n", json::serialize(*m));
    return success;
  }
  if (want.envelope || !want.one_part()) print_envelope(in.io.out, *m);
  if (!want.one_part()) fmt::print(in.io.out, "\nHistory:\n");
  if (want.history || !want.one_part()) print_history(in.io.out, *m);
  if (want.one_part()) return success;
  fmt::print(in.io.out, "\nContent:\n");
  return print_content(in, reader, id, shown_body_lines, status) ? success : status;
}

int show_all(const invocation& in, const wanted& want) {
  std::vector<message_id> ids;
  for (const std::string& text : in.get<std::vector<std::string>>("id")) {
    const auto id = mta::queue::parse_message_id(text);
    if (!id)
      return in.fail(data_error,
                     fmt::format("'{}' is no message id (they look like 0C9V3K8ZC4S0R.1.17).", text));
    ids.push_back(*id);
  }
  int status = success;
  const auto site = find_running_site(in, status);
  if (!site) return status;
  bool first = true;
  for (const message_id& id : ids) {
    if (!first && !want.raw && !want.json) fmt::print(in.io.out, "\n");
    first = false;
    message_reader reader(in, *site);
    if (const int s = show(in, reader, id, want); s != success) status = s;
  }
  return status;
}

int run(const invocation& in) {
  if (!in.has("id")) return in.fail(usage, "name at least one message id; 'jobctl ls' lists them.");
  const auto flag = [&](const char* name) { return in.get<bool>(name); };
  const wanted want{flag("envelope"), flag("history"), flag("content"), flag("raw"), flag("json")};
  if (want.json && (want.content || want.raw))
    return in.fail(usage, "--json does not go with --content and --raw.");
  if (want.raw && want.content) return in.fail(usage, "--raw and --content exclude each other.");
  return show_all(in, want);
}

void describe_history(po::options_description& options) {
  options.add_options()  //
      ("id", po::value<std::vector<std::string>>()->value_name("ID"), "message id");
}

int run_history(const invocation& in) {
  if (!in.has("id")) return in.fail(usage, "name at least one message id; 'jobctl ls' lists them.");
  return show_all(in, {false, true, false, false, false});
}

}  // namespace

const command show_command = {
    "show",
    "Show a message: envelope, history and content",
    "[--envelope | --history | --content | --raw | --json] ID...",
    "Prints state, envelope and recipients of the message, what has happened to it, its header and the "
    "beginning of its\n"
    "body. Works without a controller, too; then nobody knows whether a program has the message in hand.",
    "  jobctl show 0C9V3K8ZC4S0R.1.17\n"
    "  jobctl show --raw 0C9V3K8ZC4S0R.1.17 >message.eml\n"
    "  jobctl ls --state held --json | jq -r .id | xargs jobctl show --history",
    "  0    printed\n"
    "  1    no such message: finished, removed, or never there\n"
    "  65   not a message id, or the message is damaged\n"
    "  77   no permission to read it",
    describe,
    "id",
    run};

const command history_command = {
    "history",
    "Show what has happened to a message",
    "ID...",
    "The same as 'jobctl show --history': one line an event, as programs and controller noted it in the "
    "message's "
    "file, oldest first. 'jobctl log --id' has what the controller remembers of it.",
    "  jobctl history 0C9V3K8ZC4S0R.1.17",
    "  0    printed\n"
    "  1    no such message: finished, removed, or never there\n"
    "  65   not a message id, or the message is damaged\n"
    "  77   no permission to read it",
    describe_history,
    "id",
    run_history};

}  // namespace jobctl::cli
