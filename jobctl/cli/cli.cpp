#include "jobctl/cli/cli.hpp"

#include "jobctl/admin/nearest.hpp"
#include "jobctl/cli/completion.hpp"
#include "jobctl/cli/help.hpp"

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
constexpr const command* commands[] = {
    &serve_command,  &check_command, &submit_command,  &summary_command, &ls_command,       &show_command,
    &why_command,    &hold_command,  &release_command, &retry_command,   &route_command,    &bounce_command,
    &rm_command,     &run_command,   &stop_command,    &start_command,   &reload_command,   &counters_command,
    &top_command,    &jobs_command,  &pools_command,   &history_command, &periodic_command, &log_command,
    &import_command, &help_command,  &version_command};

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
      print_help(c, io.out);
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

std::span<const command* const> all_commands() { return commands; }

const command* find_command(std::string_view name) {
  for (const command* c : commands)
    if (name == c->name) return c;
  return nullptr;
}

std::string unknown_command(std::string_view name) {
  std::vector<std::string_view> names;
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
  // What a shell asks of us, with words that need not be options of ours.
  if (!arguments.empty() && arguments[0] == "complete")
    return complete({arguments.begin() + 1, arguments.end()}, io);
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
  std::string name = rest[0];
  rest.erase(rest.begin());
  if (name == "--help" || name == "-h") name = "help";
  if (name == "--version" || name == "-V") name = "version";
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
