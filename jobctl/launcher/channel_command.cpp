#include "jobctl/launcher/channel_command.hpp"

#include "jobctl/launcher/program_user.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <stdlib.h>
#include <string_view>
#include <unistd.h>

namespace jobctl {
namespace {

bool kept(std::string_view variable) {
  const auto name = variable.substr(0, variable.find('='));
  return name == "PATH" || name == "LANG" || name == "LANGUAGE" || name == "TZ" || name.starts_with("LC_");
}

// Programs may read it at this moment, so the new text comes in one step. It is not flushed: every launch
// writes it anew.
mta::result<> write_option_file(const std::string& path, const std::string& text) {
  const auto temporary = path + ".new";
  const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (file < 0) return mta::os_error("write the option file " + temporary);
  const ssize_t written = ::write(file, text.data(), text.size());
  const int number = written < 0 ? errno : ENOSPC;
  ::close(file);
  if (written != static_cast<ssize_t>(text.size()))
    return mta::os_error("write the option file " + temporary, number);
  if (::rename(temporary.c_str(), path.c_str()) != 0) return mta::os_error("write the option file " + path);
  return {};
}

// A command of the site, in the environment that all have.
mta::result<command> site_command(const mta::config::settings& s, const std::vector<std::string>& words) {
  auto program = mta::config::find_program(words.front());
  if (!program) return program.error();
  command made;
  made.program = std::move(*program);
  made.arguments.assign(words.begin() + 1, words.end());
  made.directory = s.root;
  bool path = false;
  for (char** each = environ; each && *each; ++each) {
    if (!kept(*each)) continue;
    path = path || std::string_view(*each).starts_with("PATH=");
    made.environment.emplace_back(*each);
  }
  if (!path) made.environment.emplace_back("PATH=/usr/local/bin:/usr/bin:/bin");
  made.environment.push_back("JOBCTL_ROOT=" + s.root);
  if (!s.config_file.empty()) made.environment.push_back("JOBCTL_CONFIG=" + s.config_file);
  return made;
}

// The channel's name and its options, which are written to its option file.
mta::result<> add_channel(command& made, const mta::config::settings& s, const mta::config::channel& c) {
  const auto options = s.option_path(c);
  if (!options.empty() && c.option_file.empty()) {
    if (auto written = write_option_file(options, mta::config::option_file_text(c)); !written)
      return written.error();
  }
  made.environment.push_back("PMDF_CHANNEL=" + c.name);
  if (!options.empty()) made.environment.push_back("PMDF_CHANNEL_OPTION=" + options);
  return {};
}

// As the channel's user, if it has one.
mta::result<> change_user(command& made, const mta::config::channel& c) {
  if (c.user.empty()) return {};
  auto user = find_user(c.user);
  if (!user) return user.error();
  if (user->uid == ::geteuid()) return {};
  if (user->uid == 0) return mta::error(mta::errc::not_configured, "a `user` that is not root");
  if (auto may = may_change_users(); !may) return may.error();
  run_as(made, *user, ::getegid());
  return {};
}

}  // namespace

mta::result<command> channel_command(const mta::config::settings& s, const mta::config::channel& c,
                                     std::uint64_t job) {
  if (c.program.empty()) {
    return mta::error(mta::errc::not_configured, fmt::format("`program` of [channel {}]", c.name));
  }
  auto made = site_command(s, c.program);
  if (!made) return made;
  if (auto added = add_channel(*made, s, c); !added) return added.error();
  made->environment.push_back(fmt::format("JOBCTL_JOB={}", job));
  if (auto changed = change_user(*made, c); !changed) return changed.error();
  return made;
}

mta::result<command> periodic_command(const mta::config::settings& s, const mta::config::periodic_job& job) {
  auto made = site_command(s, job.command);
  if (!made) return made;
  if (const auto* c = s.find_channel(job.channel)) {
    if (auto added = add_channel(*made, s, *c); !added) return added.error();
    if (auto changed = change_user(*made, *c); !changed) return changed.error();
  }
  return made;
}

}  // namespace jobctl
