// The human part of a notification: texts that a site can edit, one file each, with built-in ones for those
// that it has not. docs/notifications.md lists the files and what is replaced in them.
//
// Whatever is wrong with a file, there is a text: the built-in one.
//
// Thread safety: values and functions of their arguments; files are read anew each time, so that an edit
// takes effect at once.
#pragma once

#include "notify/report.hpp"

#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace mta::notify {

/// Names of the template files, without the directory: return_prefix.txt, one for each kind,
/// return_suffix.txt.
std::string_view prefix_file() noexcept;
std::string_view suffix_file() noexcept;
std::string_view file_of(kind) noexcept;
/// The built-in text of a file of that name.
std::string_view built_in(std::string_view file) noexcept;

/// What the texts are filled with.
struct placeholders {
  std::string headers;                        ///< %H: lines that end in LF
  std::array<std::string, kinds> recipients;  ///< %R: lines that end in LF; empty: none of this kind
  std::chrono::milliseconds queued{};         ///< %C: for how long until now
  std::chrono::milliseconds left{};           ///< %L: until it is returned
  std::chrono::milliseconds total{};          ///< %F: all of it
  std::string_view host;                      ///< %M: of this mail system
  std::string_view postmaster;                ///< %P
};

struct human_part {
  std::string subject;                ///< ASCII or UTF-8, one line
  std::string content_type;           ///< value of the header field, ASCII
  std::string language;               ///< value of Content-Language; may be empty
  std::string text;                   ///< lines end in LF
  std::vector<std::string> problems;  ///< with the site's files, for the log
};

/// Prefix, the text of each kind that has recipients, suffix. `directory`: of the site's files; need not
/// exist.
human_part fill_in(const std::string& directory, const placeholders&);

}  // namespace mta::notify
