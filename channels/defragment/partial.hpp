// Fragments as RFC 2046 5.2.2 describes them: what a message/partial says of itself, and the header of the
// whole.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace defragment {

struct fragment_place {
  std::string id;
  std::uint32_t number = 0;  ///< from 1
  std::uint32_t total = 0;   ///< 0: not said; only the last fragment must
};

inline constexpr std::uint32_t most_fragments = 10'000;

/// What the header of a fragment says; nullopt: it is no message/partial, or says nothing that can be
/// understood. Lines end in LF or CRLF.
std::optional<fragment_place> read_place(std::string_view header);

/// Is it a header, every line of it a field or the continuation of one? Else it is a body without a header,
/// none of which may be lost.
bool only_fields(std::string_view text);

/// The header of the whole: of the fragment's own header everything that does not describe content, then of
/// the header within the first fragment what does. Both with line ends; so is the result.
std::string whole_header(std::string_view enclosing, std::string_view enclosed);

}  // namespace defragment
