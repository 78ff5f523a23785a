// Strings of JSON (RFC 8259 7), of texts of any origin.
// Thread safety: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace mta {

/// Appends the text as a string of JSON, with its quotes. Text that is not UTF-8 is taken for ISO 8859-1:
/// JSON has no other bytes.
void append_json_string(std::string& out, std::string_view text);

}  // namespace mta
