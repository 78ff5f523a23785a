// jobctl check: is the configuration right, and the aliases? Needs no controller.
#include "enqueue/aliases.hpp"
#include "enqueue/routing.hpp"
#include "jobctl/admin/token.hpp"
#include "jobctl/cli/check_queue.hpp"
#include "jobctl/cli/site.hpp"
#include "jobctl/launcher/control_group_file.hpp"
#include "jobctl/launcher/control_groups.hpp"
#include "jobctl/launcher/program_user.hpp"
#include "jobctl/server/setting_changes.hpp"

#include <boost/json.hpp>

#include <filesystem>
#include <fmt/format.h>
#include <sys/stat.h>
#include <vector>

namespace jobctl::cli {
namespace {

namespace po = boost::program_options;
using mta::config::load_error;
using mta::config::settings;

void describe(po::options_description& options) {
  options.add_options()                                                                     //
      ("file", po::value<std::vector<std::string>>()->value_name("FILE"), "file to check")  //
      ("show", po::bool_switch(),
       "print the effective settings, with every default, as a configuration file")  //
      ("queue", po::bool_switch(),
       "check the queue instead: every message that waits against its checksums, and the controller's "
       "index")  //
      ("json", po::bool_switch(),
       "print {\"file\", \"root\", \"ok\", \"problems\": [{\"line\", \"text\"}], \"notes\"} as JSON");
}

// What cannot be seen in the file alone: do the programs exist?
void check_programs(const settings& site, load_error& found) {
  for (const mta::config::channel& c : site.channels) {
    if (c.program.empty()) continue;
    if (const auto path = mta::config::find_program(c.program[0]); !path)
      found.problems.push_back({0, fmt::format("channel {}: program: {}", c.name, path.error().message())});
  }
}

void check_token(const settings& site, load_error& found) {
  if (site.http.listen.empty()) return;
  if (const auto token = admin::read_token(site.http.token_file); !token)
    found.problems.push_back({0, "[http] token_file: " + token.error().message()});
}

void check_users(const settings& site, load_error& found) {
  for (std::string& text : problems_of_users(site)) found.problems.push_back({0, std::move(text)});
}

void check_aliases(const settings& site, load_error& found) {
  for (std::string& text : mta::enqueue::problems_of_aliases(site))
    found.problems.push_back({0, "aliases: " + std::move(text)});
}

// Addresses that mail would be refused for.
void note_addresses_without_route(const settings& site, std::vector<std::string>& notes) {
  const auto look_at = [&](const std::string& what, const std::string& address) {
    if (const auto way = mta::enqueue::route(site, address, {}); !way && notes.size() < 100)
      notes.push_back(fmt::format("{}: {}", what, way.error().context));
  };
  look_at("postmaster", site.postmaster);
  if (site.aliases.empty()) return;
  const auto table = mta::enqueue::read_aliases(site.aliases);
  if (!table || !(*table)->problems().empty()) return;
  (*table)->for_each_target(
      [&](int line, std::string_view alias, const std::string& address) {
        look_at(fmt::format("{}:{}: alias {}", site.aliases, line, alias), address);
      },
      site);
}

// Where no limits can be had. Without a controller only the host can be asked.
void note_limits(const settings& site, std::vector<std::string>& notes) {
  const std::string channels = channels_with_limits(site);
  if (channels.empty()) return;
  std::string missing = missing_of_host();
  const auto holder = words_of_group_file(site.lock_file());
  if (missing.empty() && !holder.empty() && read_group_file("/proc/" + holder[0] + "/comm") == "jobctl\n")
    missing = find_control_group("/proc/" + holder[0] + "/cgroup").missing;
  if (!missing.empty())
    notes.push_back(fmt::format("the limits of channels ({}) have no effect: {}", channels, missing));
}

std::vector<std::string> notes_about(const settings& site) {
  std::vector<std::string> notes;
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (!fs::exists(site.root, ignored))
    notes.push_back(fmt::format("{} does not exist yet; 'jobctl serve' makes it", site.root));
  for (fs::directory_iterator i(site.queue_root(), ignored), end; !ignored && i != end;
       i.increment(ignored)) {
    const std::string name = i->path().filename().string();
    std::error_code not_directory;
    if (!name.starts_with('.') && i->is_directory(not_directory) && !site.find_channel(name))
      notes.push_back(fmt::format("{} is the queue of a channel that is not configured: its messages wait",
                                  i->path().string()));
  }
  for (const mta::config::channel& c : site.channels) {
    if (c.stopped) notes.push_back(fmt::format("channel {} is stopped: its messages wait", c.name));
    if (c.program.empty())
      notes.push_back(fmt::format("channel {} has no program: its messages wait", c.name));
  }
  for (std::string& line : ineffective_settings(site)) notes.push_back(std::move(line));
  note_limits(site, notes);
  note_addresses_without_route(site, notes);
  return notes;
}

void print_json(const invocation& in, const settings* site, const load_error& found,
                const std::vector<std::string>& notes) {
  boost::json::array problems, remarks(notes.begin(), notes.end());
  for (const load_error::problem& p : found.problems)
    problems.push_back({{"line", p.line}, {"text", p.text}});
  const boost::json::object all{{"file", found.file},
                                {"root", site ? boost::json::value(site->root) : boost::json::value()},
                                {"ok", found.problems.empty()},
                                {"problems", std::move(problems)},
                                {"notes", std::move(remarks)}};
  fmt::print(in.io.out, "{}\n", boost::json::serialize(all));
}

void print_text(const invocation& in, const settings& site, const std::vector<std::string>& notes) {
  const std::string what = site.config_file.empty()
                               ? fmt::format("no configuration file; built-in settings for {}", site.root)
                               : site.config_file;
  fmt::print(in.io.out, "{}: ok. Root {}; {} channels, {} pools, {} routes.\n", what, site.root,
             site.channels.size(), site.pools.size(), site.routes.size());
  for (const std::string& note : notes) fmt::print(in.io.out, "note: {}\n", note);
}

mta::config::load_result<settings> load_what_is_asked(const invocation& in) {
  if (!in.has("file")) return mta::config::find_site(in.config(), in.root());
  const std::string& file = in.get<std::vector<std::string>>("file")[0];
  return mta::config::find_site(file, in.root());
}

int run(const invocation& in) {
  if (in.has("file") && (in.has("config") || in.get<std::vector<std::string>>("file").size() > 1))
    return in.fail(usage, "give one file, either as argument or with --config.");
  const bool json = in.get<bool>("json"), queue = in.get<bool>("queue");
  if (queue && in.get<bool>("show")) return in.fail(usage, "--queue and --show exclude each other.");
  const auto site = load_what_is_asked(in);
  if (site && queue) return check_queue(in, *site);
  if (!site) {
    if (!json) return print_problems(in, site.error());
    print_json(in, nullptr, site.error(), {});
    return config_error;
  }
  load_error found;
  found.file = site->config_file.empty() ? site->root + " (built-in settings)" : site->config_file;
  found.code = make_error_code(mta::errc::not_configured);
  check_programs(*site, found);
  check_users(*site, found);
  check_aliases(*site, found);
  check_token(*site, found);
  const std::vector<std::string> notes = notes_about(*site);
  if (json)
    print_json(in, &*site, found, notes);
  else if (in.get<bool>("show"))
    fmt::print(in.io.out, "{}", mta::config::to_text(*site));
  else if (found.problems.empty())
    print_text(in, *site, notes);
  if (!json && !found.problems.empty()) print_problems(in, found);
  return found.problems.empty() ? success : config_error;
}

}  // namespace

const command check_command = {
    "check",
    "Check the configuration, or the queue, without a controller",
    "[--show | --queue] [--json] [FILE]",
    "Reads the configuration as the controller would, and prints everything that is wrong with it: file, "
    "line, key and\n"
    "what was expected. Checks that every channel's program exists and may be run, that its user exists, and "
    "the aliases file. "
    "Nothing is\n"
    "changed; a controller that runs takes the file only when told to ('jobctl reload').\n"
    "With --queue every message file is read instead, and every message that waits is checked against its "
    "checksums; "
    "where a controller runs, its index is compared, too: what was deleted, added, cut off or changed by "
    "hand is "
    "named. Nothing is changed, and mail goes on meanwhile.",
    "  jobctl check                          the site of JOBCTL_CONFIG or JOBCTL_ROOT\n"
    "  jobctl check ./new.conf               a file before it is put in place\n"
    "  jobctl check --show | less            all settings, with defaults\n"
    "  jobctl check && jobctl reload         use it only when it is right\n"
    "  jobctl check --queue                  after a disk has failed",
    "  0    the configuration is right; --queue: so is the queue\n"
    "  65   --queue: something is damaged, missing or unknown to the controller\n"
    "  77   it may not be read\n"
    "  78   it is wrong, or there is none",
    describe,
    "file",
    run};

}  // namespace jobctl::cli
