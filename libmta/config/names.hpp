// What names and domains may look like in settings. Internal to libmta/config and libmta/enqueue.
// Thread safety: pure functions.
#pragma once

#include <string_view>

namespace mta::config {

/// 1 to 32 bytes of a-z, 0-9, "_", "-" and ".", beginning with a letter or digit: it also names a directory.
bool valid_channel_name(std::string_view) noexcept;
/// The same with A-Z.
bool valid_pool_name(std::string_view) noexcept;
/// Dot-separated labels of letters, digits, "-", "_" and non-ASCII bytes (UTF-8), none empty or over 63
/// bytes, at most 253 bytes in all.
bool valid_domain(std::string_view) noexcept;
/// "[…]" with printable ASCII, no blanks or brackets, inside.
bool valid_literal(std::string_view) noexcept;
/// A domain, ".domain", a literal, "[*]" or "*".
bool valid_route_pattern(std::string_view) noexcept;

}  // namespace mta::config
