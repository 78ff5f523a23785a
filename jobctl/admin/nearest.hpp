// Finds what was probably meant by a misspelt name.
// Thread safety: pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace jobctl {

/// The candidate closest to `word` (letters inserted, left out, exchanged or swapped with a neighbour), or
/// empty when none is close enough to be worth suggesting: at most one difference for each three letters. The
/// first of equals.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

/// " Did you mean 'x'?" or nothing.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace jobctl
