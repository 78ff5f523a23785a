// jobctl why: why something waits, and what comes next.
#include "jobctl/admin/target.hpp"
#include "jobctl/cli/controller_link.hpp"

#include <boost/json/serialize.hpp>

#include <fmt/format.h>

namespace jobctl::cli {
namespace {

namespace po = boost::program_options;

void describe(po::options_description& options) {
  options.add_options()                                                                       //
      ("json", po::bool_switch(), "print one JSON object a line (docs/api.md, GET /v1/why)")  //
      ("what", po::value<std::vector<std::string>>()->value_name("ID"), "");
}

// What programs and remote hosts said may hold anything.
std::string printable(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  return text;
}

int run(const invocation& in) {
  if (!in.has("what")) return in.fail(usage, "name a message id, a destination host, or a channel.");
  const auto& names = in.get<std::vector<std::string>>("what");
  for (const std::string& name : names)
    if (name.empty()) return in.fail(usage, "an empty name is no message, host or channel.");
  int status = success;
  auto controller = connect(in, status);
  if (!controller) return status;
  int worst = success;
  for (const std::string& name : names) {
    const auto body = get(in, *controller, "/v1/why/" + admin::percent_encode(name), status);
    if (!body || !body->is_object()) {
      if (status == unavailable) return status;
      worst = status;
      continue;
    }
    if (in.get<bool>("json"))
      fmt::print(in.io.out, "{}\n", boost::json::serialize(*body));
    else
      fmt::print(in.io.out, "{}{}\n", names.size() > 1 ? name + ": " : "",
                 printable(text_field(body->get_object(), "text")));
  }
  return worst;
}

}  // namespace

const command why_command = {
    "why",
    "Say why a message, host or channel waits",
    "[--json] {ID | HOST | CHANNEL}…",
    "Says in a sentence or two why it waits, what comes next and when, and what the last error was.",
    "  jobctl why 0C9V3K8ZC4S0R.1.17\n"
    "  jobctl why mx.example.org\n"
    "  jobctl why maildir",
    "  0    printed\n"
    "  1    there is no such message or channel, and nothing waits for such a host\n"
    "  64   nothing was named\n"
    "  69   no controller runs for this site",
    describe,
    "what",
    run};

}  // namespace jobctl::cli
