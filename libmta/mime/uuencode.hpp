// uuencode, a line at a time. Thread safety: pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mta::mime::detail {

/// The file's name, if the line is "begin MODE NAME".
std::optional<std::string_view> uu_begin(std::string_view line) noexcept;
/// Whether the line can be one between begin and end: its first character tells its length. Blanks at its end
/// may have been lost, and a checksum may follow.
bool is_uu_line(std::string_view line) noexcept;
/// Adds what the line holds.
void uu_decode(std::string_view line, std::string& out);

}  // namespace mta::mime::detail
