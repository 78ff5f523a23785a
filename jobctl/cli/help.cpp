// jobctl help: the overview, a command's text, manual pages.
#include "jobctl/cli/help.hpp"

#include "jobctl/cli/man_page.hpp"
#include "jobctl/version.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace jobctl::cli {
namespace {

namespace po = boost::program_options;

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

}  // namespace

void print_help(const command& c, std::FILE* out) {
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
  for (const command* c : all_commands()) fmt::print(out, "  {:<10} {}\n", c->name, c->summary);
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

namespace {

void describe(po::options_description& options) {
  options.add_options()                                                                                //
      ("command", po::value<std::vector<std::string>>()->value_name("COMMAND"), "command to explain")  //
      ("man", po::bool_switch(), "print the manual page instead, as troff source")                     //
      ("man-pages", po::value<std::string>()->value_name("DIR"),
       "write the manual page of jobctl and that of each command to files in DIR");
}

mta::result<> write_file(const std::string& path, const std::string& text) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return mta::os_error("write " + path);
  const ssize_t written = ::write(file, text.data(), text.size());
  const int number = written < 0 ? errno : ENOSPC;
  ::close(file);
  if (written != static_cast<ssize_t>(text.size())) return mta::os_error("write " + path, number);
  return {};
}

int write_man_pages(const invocation& in, const std::string& directory) {
  if (auto written = write_file(directory + "/jobctl.1", man_page()); !written)
    return in.fail(io_error, written.error().message());
  for (const command* c : all_commands())
    if (auto written = write_file(fmt::format("{}/jobctl-{}.1", directory, c->name), man_page(*c)); !written)
      return in.fail(io_error, written.error().message());
  return success;
}

int run_help(const invocation& in) {
  const bool as_man = in.get<bool>("man");
  std::vector<const command*> chosen;
  if (in.has("command"))
    for (const std::string& name : in.get<std::vector<std::string>>("command")) {
      const command* c = find_command(name);
      if (!c) return in.fail(usage, unknown_command(name));
      chosen.push_back(c);
    }
  if (in.has("man-pages")) {
    if (as_man || !chosen.empty()) return in.fail(usage, "--man-pages stands alone: it writes every page.");
    return write_man_pages(in, in.text("man-pages"));
  }
  if (chosen.empty() && as_man) fmt::print(in.io.out, "{}", man_page());
  if (chosen.empty() && !as_man) print_overview(in.io.out);
  for (const command* c : chosen) {
    if (as_man)
      fmt::print(in.io.out, "{}", man_page(*c));
    else
      print_help(*c, in.io.out);
  }
  return success;
}

int run_version(const invocation& in) {
  fmt::print(in.io.out, "jobctl {}\n", version);
  return success;
}

}  // namespace

const command help_command = {"help",
                              "Explain a command",
                              "[--man] [COMMAND...]",
                              "Without a command, lists them all. The manual pages are made from the same "
                              "text: 'man jobctl-ls' says what 'jobctl help ls' says.",
                              "  jobctl help\n"
                              "  jobctl help submit\n"
                              "  jobctl help --man submit | man -l -        without installing the page",
                              "  0    printed\n"
                              "  64   no such command\n"
                              "  74   a page could not be written",
                              describe,
                              "command",
                              run_help};

const command version_command = {"version",
                                 "Print the version",
                                 "",
                                 "Prints the version of this program. A controller that runs may have "
                                 "another until it is started anew.",
                                 "  jobctl version",
                                 "  0    printed",
                                 nullptr,
                                 nullptr,
                                 run_version};

}  // namespace jobctl::cli
