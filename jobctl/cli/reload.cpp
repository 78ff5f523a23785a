// jobctl reload: take a changed configuration.
#include "jobctl/cli/controller_link.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

namespace jobctl::cli {
namespace {

namespace po = boost::program_options;
namespace json = boost::json;

void describe(po::options_description& options) {
  options.add_options()("json", po::bool_switch(),
                        "print {\"changed\": […], \"notes\": […]}, or {\"error\", \"detail\", \"problems\": "
                        "[…]}, as one JSON object");
}

void print_lines(std::FILE* to, const json::value& body, std::string_view field,
                 std::string_view before = "") {
  const json::object* o = body.if_object();
  const json::value* lines = o ? o->if_contains(field) : nullptr;
  if (!lines || !lines->is_array()) return;
  for (const json::value& line : lines->get_array())
    if (line.is_string()) fmt::print(to, "{}{}\n", before, std::string_view(line.get_string()));
}

int run(const invocation& in) {
  int status = success;
  auto controller = connect(in, status);
  if (!controller) return status;
  const auto answer = controller->post("/v1/reload");
  if (!answer) return in.fail(exit_status_of(answer.error().code), answer.error().context);
  if (in.get<bool>("json")) {
    fmt::print(in.io.out, "{}\n", json::serialize(answer->body));
    return answer->ok() ? success : config_error;
  }
  if (!answer->ok()) {
    status = fail(in, *answer);
    print_lines(in.io.err, answer->body, "problems");
    return status;
  }
  const json::object* o = answer->body.if_object();
  const json::value* changed = o ? o->if_contains("changed") : nullptr;
  if (changed && changed->is_array() && changed->get_array().empty())
    fmt::print(in.io.out, "nothing changed\n");
  print_lines(in.io.out, answer->body, "changed");
  print_lines(in.io.out, answer->body, "notes", "note: ");
  return success;
}

}  // namespace

const command reload_command = {"reload",
                                "Let the controller read its configuration again",
                                "[--json]",
                                "The controller reads its configuration and applies it at once, and prints "
                                "what changed. When anything in it is\n"
                                "wrong, every problem is printed and everything stays as it was. 'jobctl "
                                "check' says the same beforehand.",
                                "  jobctl check && jobctl reload",
                                "  0    the configuration is in force\n"
                                "  69   no controller runs for this site\n"
                                "  78   it is wrong; the old one stays in force",
                                describe,
                                nullptr,
                                run};

}  // namespace jobctl::cli
