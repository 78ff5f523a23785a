#include "jobctl/cli/cli.hpp"

#include "jobctl/admin/nearest.hpp"
#include "jobctl/version.hpp"

#include <boost/program_options/errors.hpp>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/positional_options.hpp>

#include <csignal>
#include <fmt/format.h>
#include <span>
#include <unistd.h>

namespace jobctl::cli {
namespace {

namespace po = boost::program_options;

// In the order of the overview: first what runs the house, then messages, then looking, then steering.
constexpr const command* commands[] = {&serve_command, &check_command, &submit_command, &summary_command,
                                       &ls_command,    &show_command,  &run_command,    &stop_command,
                                       &start_command, &reload_command};

const command* find_command(std::string_view name) {
  for (const command* c : commands)
    if (name == c->name) return c;
  return nullptr;
}

std::string unknown_command(std::string_view name) {
  std::vector<std::string_view> names{"help", "version"};
  for (const command* c : commands) names.push_back(c->name);
  return fmt::format("unknown command '{}'.{} 'jobctl help' lists the commands.", name,
                     did_you_mean(name, names));
}

po::options_description options_of(const command& c) {
  po::options_description all;
  if (c.describe) c.describe(all);
  all.add_options()  //
      ("root", po::value<std::string>()->value_name("DIR"),
       "directory of the site: configuration, queue, sockets (else JOBCTL_ROOT)")  //
      ("config", po::value<std::string>()->value_name("FILE"),
       "configuration file of the site (else JOBCTL_CONFIG, else DIR/jobctl.conf)")  //
      ("help", "print this text");
  return all;
}

// --- help
// ----------------------------------------------------------------------------------------------------------

void print_wrapped(std::FILE* out, std::string_view text, std::size_t indent, std::size_t width) {
  std::size_t column = indent;
  bool first = true;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(" \n"), text.size());
    if (!first && column + 1 + end > width) {
      fmt::print(out, "\n{:{}}", "", indent);
      column = indent;
    } else if (!first) {
      fmt::print(out, " ");
      ++column;
    }
    fmt::print(out, "{}", text.substr(0, end));
    column += end;
    first = false;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  fmt::print(out, "\n");
}

void print_option(std::FILE* out, const po::option_description& option) {
  const std::string shown = option.canonical_display_name(po::command_line_style::allow_dash_for_short);
  std::string left = shown.starts_with("-") && !shown.starts_with("--") ? shown : "  ";
  if (!option.long_name().empty()) left += (left == "  " ? "  --" : ", --") + option.long_name();
  if (option.semantic()->max_tokens() > 0) left += " " + option.format_parameter();
  constexpr std::size_t column = 28;
  if (left.size() + 4 > column)
    fmt::print(out, "  {}\n{:{}}", left, "", column);
  else
    fmt::print(out, "  {:<{}}", left, column - 2);
  print_wrapped(out, option.description(), column, 100);
}

void print_help(std::FILE* out, const command& c) {
  fmt::print(out, "jobctl {} - {}\n\nUsage: jobctl {} {}\n\n", c.name, c.summary, c.name, c.arguments);
  print_wrapped(out, c.details, 0, 90);
  fmt::print(out, "\nOptions:\n");
  const po::options_description described = options_of(c);
  for (const auto& option : described.options()) {
    if (c.operands && option->long_name() == c.operands) continue;
    print_option(out, *option);
  }
  fmt::print(out, "\nExamples:\n{}\n\nExit status:\n{}\n", c.examples, c.exits);
}

void print_overview(std::FILE* out) {
  fmt::print(out,
             "jobctl - the mail job controller\n\n"
             "Usage: jobctl COMMAND [OPTIONS] [ARGUMENTS]\n\nCommands:\n");
  for (const command* c : commands) fmt::print(out, "  {:<10} {}\n", c->name, c->summary);
  fmt::print(out, "  {:<10} {}\n  {:<10} {}\n", "help", "Explain a command: jobctl help COMMAND", "version",
             "Print the version");
  fmt::print(
      out,
      "\nEvery command works on one site, a directory that holds configuration, queue and sockets. It is "
      "named by\n"
      "--root DIR or --config FILE, or by JOBCTL_ROOT or JOBCTL_CONFIG in the environment.\n\n"
      "A first look, in a directory of your own:\n"
      "  export JOBCTL_ROOT=$PWD/site      # the site; made when missing\n"
      "  jobctl serve &                    # the controller, in the foreground of a terminal of its own\n"
      "  jobctl submit -f me@here.example you@there.example <message\n"
      "  jobctl summary                    # what waits where\n"
      "  jobctl ls                         # message by message\n"
      "  jobctl show ID                    # all about one\n");
}

int print_help_for(const std::vector<std::string>& names, const terminal& io) {
  if (names.empty()) {
    print_overview(io.out);
    return success;
  }
  for (const std::string& name : names) {
    const command* c = find_command(name);
    if (!c) {
      fmt::print(io.err, "jobctl: {}\n", unknown_command(name));
      return usage;
    }
    print_help(io.out, *c);
  }
  return success;
}

// --- parsing
// -------------------------------------------------------------------------------------------------------

std::string explain(const po::unknown_option& e, const po::options_description& described) {
  std::string given = e.get_option_name();
  std::vector<std::string> names;
  for (const auto& option : described.options()) names.push_back("--" + option->long_name());
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  return fmt::format("unknown option '{}'.{}", given, did_you_mean(given, candidates));
}

int parse_and_run(const command& c, const std::vector<std::string>& arguments, const terminal& io) {
  const po::options_description described = options_of(c);
  po::positional_options_description operands;
  if (c.operands) operands.add(c.operands, -1);
  po::variables_map values;
  std::string wrong;
  try {
    namespace style = po::command_line_style;
    // Not guessed from a beginning: a script that relies on it would break when an option is added.
    po::command_line_parser parser(arguments);
    parser.options(described).positional(operands).style(style::unix_style & ~style::allow_guessing);
    po::store(parser.run(), values);
    if (values.count("help")) {
      print_help(io.out, c);
      return success;
    }
    po::notify(values);
  } catch (const po::unknown_option& e) {
    wrong = explain(e, described);
  } catch (const po::too_many_positional_options_error&) {
    wrong = "takes no arguments beside options.";
  } catch (const po::error& e) {
    wrong = std::string(e.what()) + ".";
  }
  if (!wrong.empty()) {
    fmt::print(io.err, "jobctl {}: {} Usage: jobctl {} {}; 'jobctl {} --help' explains.\n", c.name, wrong,
               c.name, c.arguments, c.name);
    return usage;
  }
  const invocation in{c, values, io};
  try {
    return c.run(in);
  } catch (const mta::exception& e) {
    return in.fail(e.why());
  } catch (const std::exception& e) {
    return in.fail(software,
                   fmt::format("{}. This is a defect of jobctl; nothing was acknowledged.", e.what()));
  }
}

}  // namespace

std::string invocation::text(const char* option) const {
  return options.count(option) ? options[option].as<std::string>() : std::string();
}

int invocation::fail(int status, std::string_view what) const {
  fmt::print(io.err, "jobctl {}: {}\n", command.name, what);
  return status;
}

int invocation::fail(const mta::error& e) const { return fail(exit_status_of(e.code), e.message()); }

int exit_status_of(std::error_code code) {
  using mta::errc;
  if (code == errc::not_configured) return config_error;
  if (code == errc::syntax || code == errc::out_of_range || code == errc::damaged) return data_error;
  if (code == errc::rejected) return no_user;
  if (code == errc::gone) return failure;
  if (code == errc::busy || code == errc::no_space || code == errc::timed_out || code == errc::cancelled ||
      code == errc::try_later)
    return temporary_failure;
  if (code == errc::disconnected || code == errc::protocol || code == errc::wrong_version) return unavailable;
  if (code == std::errc::permission_denied || code == std::errc::operation_not_permitted)
    return no_permission;
  // Anything else that the system refuses (no space, no memory, an I/O error) may work later: mail must not
  // bounce for it.
  return temporary_failure;
}

int run(const std::vector<std::string>& arguments, const terminal& io) {
  // --root and --config may come before the command, too.
  std::vector<std::string> rest = arguments, site;
  while (!rest.empty() && (rest[0].starts_with("--root") || rest[0].starts_with("--config"))) {
    const std::size_t words = rest[0].find('=') == std::string::npos ? 2 : 1;
    if (rest.size() < words) break;
    site.insert(site.end(), rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(words));
    rest.erase(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(words));
  }
  if (rest.empty()) {
    print_overview(io.err);
    return usage;
  }
  const std::string name = rest[0];
  rest.erase(rest.begin());
  if (name == "help" || name == "--help" || name == "-h") return print_help_for(rest, io);
  if (name == "version" || name == "--version" || name == "-V") {
    fmt::print(io.out, "jobctl {}\n", version);
    return success;
  }
  if (const command* c = find_command(name)) {
    rest.insert(rest.begin(), site.begin(), site.end());
    const int status = parse_and_run(*c, rest, io);
    if (std::fflush(io.out) != 0 && status == success) {
      fmt::print(io.err, "jobctl {}: cannot write the output: {}\n", c->name,
                 std::system_category().message(errno));
      return io_error;
    }
    return status;
  }
  if (name.starts_with("-"))
    fmt::print(io.err, "jobctl: option '{}' before a command. 'jobctl help' lists the commands.\n", name);
  else
    fmt::print(io.err, "jobctl: {}\n", unknown_command(name));
  return usage;
}

int run(int argc, char** argv) { return run({argv + (argc > 0 ? 1 : 0), argv + argc}, {}); }

}  // namespace jobctl::cli
