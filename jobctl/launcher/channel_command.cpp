#include "jobctl/launcher/channel_command.hpp"

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

}  // namespace

mta::result<command> channel_command(const mta::config::settings& s, const mta::config::channel& c,
                                     std::uint64_t job) {
  if (c.program.empty()) {
    return mta::error(mta::errc::not_configured, fmt::format("`program` of [channel {}]", c.name));
  }
  auto program = mta::config::find_program(c.program.front());
  if (!program) return program.error();

  command made;
  made.program = std::move(*program);
  made.arguments.assign(c.program.begin() + 1, c.program.end());
  made.directory = s.root;

  const auto options = s.option_path(c);
  if (!options.empty() && c.option_file.empty()) {
    if (auto written = write_option_file(options, mta::config::option_file_text(c)); !written)
      return written.error();
  }

  auto& environment = made.environment;
  bool path = false;
  for (char** each = environ; each && *each; ++each) {
    if (!kept(*each)) continue;
    path = path || std::string_view(*each).starts_with("PATH=");
    environment.emplace_back(*each);
  }
  if (!path) environment.emplace_back("PATH=/usr/local/bin:/usr/bin:/bin");
  environment.push_back("PMDF_CHANNEL=" + c.name);
  if (!options.empty()) environment.push_back("PMDF_CHANNEL_OPTION=" + options);
  environment.push_back("JOBCTL_ROOT=" + s.root);
  if (!s.config_file.empty()) environment.push_back("JOBCTL_CONFIG=" + s.config_file);
  environment.push_back(fmt::format("JOBCTL_JOB={}", job));
  return made;
}

}  // namespace jobctl
