#include "jobctl/server/reload.hpp"

#include "enqueue/aliases.hpp"
#include "jobctl/launcher/program_user.hpp"
#include "jobctl/server/log.hpp"
#include "jobctl/server/setting_changes.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace jobctl {

reload_report read_again(const mta::config::settings& present, const server_options& options,
                         std::optional<mta::config::settings>& next) {
  next.reset();
  reload_report report;
  auto loaded = mta::config::find_site(options.explicit_config, options.explicit_root);
  if (!loaded) {
    const auto text = loaded.error().text();
    for (std::size_t at = 0; at <= text.size();) {
      const auto line_end = std::min(text.find('\n', at), text.size());
      if (line_end > at) report.lines.push_back(text.substr(at, line_end - at));
      at = line_end + 1;
    }
  } else if (loaded->root != present.root) {
    report.lines.push_back(
        fmt::format("{}: root is now {}, but a running controller cannot move from {}: restart it",
                    loaded->config_file, loaded->root, present.root));
  } else {
    report.lines = mta::enqueue::problems_of_aliases(*loaded);
    for (auto& problem : problems_of_users(*loaded)) report.lines.push_back(std::move(problem));
  }
  if (!report.lines.empty()) return report;
  report.ok = true;
  report.lines = setting_changes(present, *loaded);
  report.notes = notes_of_changes(present, *loaded);
  for (auto& note : ineffective_settings(*loaded)) report.notes.push_back(std::move(note));
  next = std::move(*loaded);
  return report;
}

void log_reload(const reload_report& report) {
  if (!report.ok) {
    for (const auto& line : report.lines) log(log_level::error, "reload: {}", line);
    log(log_level::error, "reload: the configuration stays as it was");
    return;
  }
  for (const auto& line : report.lines) log(log_level::info, "reload: {}", line);
  for (const auto& note : report.notes) log(log_level::info, "reload: note: {}", note);
  if (report.lines.empty()) log(log_level::info, "reload: nothing has changed");
}

std::string summary_of(const reload_report& report) {
  const std::size_t told = std::min<std::size_t>(report.lines.size(), 20);
  std::string text = fmt::format(
      "{}", fmt::join(report.lines.begin(), report.lines.begin() + static_cast<std::ptrdiff_t>(told), "; "));
  if (told < report.lines.size()) text += fmt::format("; and {} more", report.lines.size() - told);
  return text;
}

}  // namespace jobctl
