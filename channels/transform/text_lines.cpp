#include "text_lines.hpp"

#include <algorithm>
#include <cctype>

namespace transform {
namespace {

std::string lower(std::string_view text) {
  std::string made(text);
  std::ranges::transform(made, made.begin(), [](unsigned char c) { return std::tolower(c); });
  return made;
}

// The value of boundary= in a Content-Type; empty: none.
std::string boundary_of(std::string_view type) {
  const auto at = lower(type).find("boundary=");
  if (at == std::string::npos) return {};
  type.remove_prefix(at + 9);
  if (type.starts_with('"')) return std::string(type.substr(1, type.find('"', 1) - 1));
  return std::string(type.substr(0, type.find_first_of("; \t")));
}

}  // namespace

bool text_lines::is_boundary(std::string_view line) const {
  // A longer line may follow what is compared: "--" at the end of a multipart, blanks of a mailer.
  return line.starts_with("--") &&
         std::ranges::any_of(boundaries_, [&](const std::string& b) { return line.starts_with(b); });
}

void text_lines::end_field() {
  const auto colon = field_.find(':');
  const std::string name = lower(std::string_view(field_).substr(0, colon));
  const auto value = field_.find_first_not_of(" \t", colon == std::string::npos ? colon : colon + 1);
  if (value != std::string::npos && name == "content-type") type_ = field_.substr(value);
  if (value != std::string::npos && name == "content-transfer-encoding")
    encoding_ = lower(field_.substr(value));
  field_.clear();
}

void text_lines::end_header() {
  end_field();
  in_header_ = false;
  const std::string type = lower(type_);
  if (type.starts_with("multipart/")) {
    sealed_ = sealed_ || type.starts_with("multipart/signed") || type.starts_with("multipart/encrypted");
    if (auto boundary = boundary_of(type_); !boundary.empty()) boundaries_.push_back("--" + boundary);
  }
  const bool plain = encoding_.empty() || encoding_.starts_with("7bit") || encoding_.starts_with("8bit");
  is_text_ = !sealed_ && plain && (type.empty() || type.starts_with("text/"));
}

bool text_lines::take(std::string_view line) {
  if (!in_header_ && is_boundary(line)) {
    in_header_ = true;  // of the next part, or of nothing: what follows a last boundary is no text
    is_text_ = false;
    type_.clear();
    encoding_.clear();
    return false;
  }
  if (!in_header_) return is_text_;
  if (line.empty()) {
    end_header();
  } else if (line.front() == ' ' || line.front() == '\t') {
    field_ += line;
  } else {
    end_field();
    field_ = line;
  }
  return false;
}

}  // namespace transform
