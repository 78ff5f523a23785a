#include "base/json_text.hpp"

#include "base/text.hpp"
#include "base/utf8.hpp"

#include <algorithm>

namespace mta {

void append_json_string(std::string& out, std::string_view text) {
  static constexpr char hex[] = "0123456789abcdef";
  out += '"';
  const auto plain = [](char c) { return !is_control(c) && !is_8bit(c) && c != '"' && c != '\\'; };
  if (std::all_of(text.begin(), text.end(), plain)) {
    out.append(text).append(1, '"');
    return;
  }
  const bool utf8 = is_utf8(text);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (is_control(c) || (is_8bit(c) && !utf8)) {
      out += "\\u00";
      out += hex[byte >> 4];
      out += hex[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

}  // namespace mta
