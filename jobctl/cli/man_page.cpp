#include "jobctl/cli/man_page.hpp"

#include "jobctl/version.hpp"

#include <algorithm>
#include <bit>
#include <cctype>
#include <fmt/format.h>
#include <iterator>

namespace jobctl::cli {
namespace {

namespace po = boost::program_options;

/// The character at the beginning of `text`, which is UTF-8; takes it off.
char32_t take_character(std::string_view& text) {
  const auto first = static_cast<unsigned char>(text.front());
  text.remove_prefix(1);
  if (first < 0x80) return first;
  const int ones = std::countl_one(first);
  char32_t c = first & (0x7Fu >> ones);
  for (int i = 1; i < ones && !text.empty(); ++i, text.remove_prefix(1))
    c = c << 6 | (static_cast<unsigned char>(text.front()) & 0x3F);
  return c;
}

/// Text that troff prints as it is: no character of it is a request, an escape or a typographic dash.
std::string escaped(std::string_view text) {
  std::string out;
  bool line_begins = true;
  while (!text.empty()) {
    const char32_t c = take_character(text);
    if (line_begins && (c == '.' || c == '\'')) out += "\\&";
    line_begins = c == '\n';
    switch (c) {
      case '\\': out += "\\e"; break;
      case '-': out += "\\-"; break;
      case '\'': out += "\\(aq"; break;
      case '`': out += "\\(ga"; break;
      case '^': out += "\\(ha"; break;
      case '~': out += "\\(ti"; break;
      case '"': out += "\\(dq"; break;
      default:
        if (c < 0x80)
          out += static_cast<char>(c);
        else
          fmt::format_to(std::back_inserter(out), "\\[u{:04X}]", static_cast<std::uint32_t>(c));
    }
  }
  return out;
}

/// An upper-case name, to be used in a heading.
std::string upper(std::string_view name) {
  std::string out(name);
  std::ranges::transform(out, out.begin(),
                         [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return out;
}

void add_header(std::string& page, std::string_view name, std::string_view summary) {
  fmt::format_to(std::back_inserter(page),
                 ".\\\" Made by 'jobctl help --man'; changes belong into the sources.\n"
                 ".TH {} 1 \"\" \"jobctl {}\" \"jobctl manual\"\n.SH NAME\n{} \\- {}\n",
                 escaped(upper(name)), version, escaped(name), escaped(summary));
}

/// An empty line begins a new paragraph; other line ends are blanks.
void add_paragraphs(std::string& page, std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = text.find("\n\n");
    page += escaped(text.substr(0, end)) + '\n';
    if (end == std::string_view::npos) break;
    page += ".PP\n";
    text.remove_prefix(end + 2);
  }
}

void add_option(std::string& page, const po::option_description& option) {
  const std::string shown = option.canonical_display_name(po::command_line_style::allow_dash_for_short);
  std::vector<std::string> names;
  if (shown.starts_with("-") && !shown.starts_with("--")) names.push_back(shown);
  if (!option.long_name().empty()) names.push_back("--" + option.long_name());
  page += ".TP\n";
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) page += ", ";
    page += "\\fB" + escaped(names[i]) + "\\fR";
  }
  if (option.semantic()->max_tokens() > 0) {
    // "ARG" or "ARG (=default)"; the description tells the default.
    const std::string parameter = option.format_parameter();
    page += " \\fI" + escaped(parameter.substr(0, parameter.find(' '))) + "\\fR";
  }
  page += '\n' + escaped(option.description()) + '\n';
}

/// Lines "  STATUS  TEXT"; a line without a number goes on with the text before it.
void add_exits(std::string& page, std::string_view lines) {
  page += ".SH EXIT STATUS\n";
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    std::string_view line = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    const std::size_t digits = std::min(line.find_first_not_of("0123456789"), line.size());
    if (digits > 0) {
      fmt::format_to(std::back_inserter(page), ".TP\n{}\n", line.substr(0, digits));
      line.remove_prefix(digits);
      line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    }
    page += escaped(line) + '\n';
  }
}

void add_examples(std::string& page, std::string_view lines) {
  page += ".SH EXAMPLES\n.nf\n" + escaped(lines) + "\n.fi\n";
}

constexpr std::string_view first_look =
    "  export JOBCTL_ROOT=$PWD/site      # the site; made when missing\n"
    "  jobctl serve &                    # the controller\n"
    "  jobctl submit -f me@here.example you@there.example <message\n"
    "  jobctl summary                    # what waits where\n"
    "  jobctl ls                         # message by message\n"
    "  jobctl show ID                    # all about one";

constexpr std::string_view all_exits =
    "  0    done\n"
    "  1    understood, but there is no such message or channel\n"
    "  64   wrong option or argument; nothing was done\n"
    "  65   the input, or stored data, is not what it should be\n"
    "  67   a recipient is not an address\n"
    "  68   there is no route for a recipient\n"
    "  69   no controller runs for the site, or it does not answer\n"
    "  70   a defect of jobctl\n"
    "  74   input cannot be read, or output cannot be written\n"
    "  75   not now; the same command may succeed later\n"
    "  77   no permission\n"
    "  78   the configuration is wrong, or there is none";

}  // namespace

std::string man_page(const command& c) {
  std::string page;
  add_header(page, fmt::format("jobctl-{}", c.name), c.summary);
  fmt::format_to(std::back_inserter(page), ".SH SYNOPSIS\n\\fBjobctl {}\\fR {}\n", escaped(c.name),
                 escaped(c.arguments));
  page += ".SH DESCRIPTION\n";
  add_paragraphs(page, c.details);
  page += ".SH OPTIONS\n";
  const po::options_description described = options_of(c);
  for (const auto& option : described.options())
    if (!c.operands || option->long_name() != c.operands) add_option(page, *option);
  add_examples(page, c.examples);
  add_exits(page, c.exits);
  page += ".SH SEE ALSO\n\\fBjobctl\\fR(1)\n";
  return page;
}

std::string man_page() {
  std::string page;
  add_header(page, "jobctl", "the mail job controller");
  page +=
      ".SH SYNOPSIS\n\\fBjobctl\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]\n"
      ".SH DESCRIPTION\n";
  add_paragraphs(
      page,
      "Runs, watches and steers a mail queue: messages wait in the queue directories of channels, and "
      "the controller ('jobctl serve') launches a channel's program to process them.\n\n"
      "Every command works on one site, a directory that holds configuration, queue and sockets. It "
      "is named by --root DIR or --config FILE, before or after the command, or by the environment.");
  page += ".SH COMMANDS\n";
  for (const command* c : all_commands())
    fmt::format_to(std::back_inserter(page), ".TP\n\\fBjobctl\\-{}\\fR(1)\n{}\n", escaped(c->name),
                   escaped(c->summary));
  page +=
      ".SH ENVIRONMENT\n.TP\nJOBCTL_CONFIG\nconfiguration file of the site\n"
      ".TP\nJOBCTL_ROOT\ndirectory of the site\n";
  page += ".SH FILES\n.TP\n/etc/jobctl/jobctl.conf\n" +
          escaped("the configuration, when neither options nor environment name one") + '\n';
  add_examples(page, first_look);
  add_exits(page, all_exits);
  page += ".SH SEE ALSO\n";
  const auto commands = all_commands();
  for (std::size_t i = 0; i < commands.size(); ++i)
    fmt::format_to(std::back_inserter(page), "\\fBjobctl\\-{}\\fR(1){}\n", escaped(commands[i]->name),
                   i + 1 < commands.size() ? "," : "");
  return page;
}

}  // namespace jobctl::cli
