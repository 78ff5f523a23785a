#include "mime/header_fields.hpp"

#include "base/text.hpp"
#include "mime/start_gmime.hpp"

#include <algorithm>
#include <gmime/gmime.h>
#include <memory>

namespace mta::mime::detail {
namespace {

constexpr std::string_view names[] = {"content-type", "content-disposition", "content-transfer-encoding",
                                      "mime-version", "encoding"};

struct object_deleter {
  void operator()(void* object) const noexcept { g_object_unref(object); }
};
struct memory_deleter {
  void operator()(void* memory) const noexcept { g_free(memory); }
};

GMimeParserOptions* gmime() {
  static GMimeParserOptions* const parser_options = [] {
    start_gmime();
    return g_mime_parser_options_new();
  }();
  return parser_options;
}

/// The name in front of the colon, without blanks before it; empty: not a field.
std::string_view field_name(std::string_view line) noexcept {
  std::size_t n = 0;
  while (n < line.size() && line[n] > 32 && line[n] < 127 && line[n] != ':') ++n;
  std::size_t colon = n;
  while (colon < line.size() && (line[colon] == ' ' || line[colon] == '\t')) ++colon;
  return n > 0 && colon < line.size() && line[colon] == ':' ? line.substr(0, n) : std::string_view{};
}

/// As a C string for GMime, which would stop at a NUL.
std::string for_gmime(std::string_view value) {
  std::string out(trim(value));
  std::replace(out.begin(), out.end(), '\0', ' ');
  return out;
}

std::vector<parameter> read_parameters(GMimeParamList* list) {
  std::vector<parameter> all;
  const int count = list == nullptr ? 0 : g_mime_param_list_length(list);
  for (int i = 0; i < count; ++i) {
    GMimeParam* const p = g_mime_param_list_get_parameter_at(list, i);
    const char* const name = g_mime_param_get_name(p);
    const char* const value = g_mime_param_get_value(p);
    all.push_back({name == nullptr ? "" : name, value == nullptr ? "" : value});
  }
  return all;
}

const std::string* find(const std::vector<parameter>& all, std::string_view name) {
  const auto at = std::find_if(all.begin(), all.end(),
                               [&](const parameter& p) { return equal_ignoring_case(p.name, name); });
  return at == all.end() ? nullptr : &at->value;
}

/// RFC 2045 5.2: what cannot be understood is plain text.
void read_type(const std::string& value, entity_facts& facts) {
  const std::string text = for_gmime(value);
  const std::unique_ptr<GMimeContentType, object_deleter> parsed(
      g_mime_content_type_parse(gmime(), text.c_str()));
  const auto end = std::min(text.find(';'), text.size());
  if (parsed == nullptr || text.find('/') >= end) return;
  const char* const type = g_mime_content_type_get_media_type(parsed.get());
  const char* const subtype = g_mime_content_type_get_media_subtype(parsed.get());
  if (type == nullptr || *type == '\0' || subtype == nullptr || *subtype == '\0') return;
  facts.type = lower_case(type);
  facts.subtype = lower_case(subtype);
  facts.type_parameters = read_parameters(g_mime_content_type_get_parameters(parsed.get()));
  if (const auto* charset = find(facts.type_parameters, "charset")) {
    const std::string_view word = std::string_view(*charset).substr(0, charset->find_first_of(" \t("));
    if (!word.empty()) facts.charset = word;
  }
  if (const auto* boundary = find(facts.type_parameters, "boundary")) {
    const auto last = boundary->find_last_not_of(" \t\r\n");
    if (last != boundary->npos) facts.boundary = boundary->substr(0, last + 1);
  }
}

void read_disposition(const std::string& value, entity_facts& facts) {
  const std::string text = for_gmime(value);
  const std::unique_ptr<GMimeContentDisposition, object_deleter> parsed(
      g_mime_content_disposition_parse(gmime(), text.c_str()));
  if (parsed == nullptr) return;
  if (const char* what = g_mime_content_disposition_get_disposition(parsed.get()))
    facts.disposition = lower_case(trim(what));
  facts.disposition_parameters = read_parameters(g_mime_content_disposition_get_parameters(parsed.get()));
}

transfer_encoding read_encoding(std::string_view value) {
  const std::string word = lower_case(trim(value.substr(0, value.find_first_of(";("))));
  switch (g_mime_content_encoding_from_string(word.c_str())) {
    case GMIME_CONTENT_ENCODING_BASE64: return transfer_encoding::base64;
    case GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE: return transfer_encoding::quoted_printable;
    case GMIME_CONTENT_ENCODING_UUENCODE: return transfer_encoding::uuencode;
    default: return transfer_encoding::identity;
  }
}

}  // namespace

bool is_header_line(std::string_view line, bool first) noexcept {
  if (line.empty()) return false;
  if (line.front() == ' ' || line.front() == '\t') return true;
  return !field_name(line).empty() || (first && (line.starts_with("From ") || line.starts_with(">From ")));
}

std::optional<std::string> find_field(std::string_view header, std::string_view name) {
  std::optional<std::string> value;
  while (!header.empty()) {
    const auto end = std::min(header.find('\n'), header.size());
    const std::string_view line = header.substr(0, end);
    header.remove_prefix(std::min(end + 1, header.size()));
    const bool continues = !line.empty() && (line.front() == ' ' || line.front() == '\t');
    if (value) {
      if (!continues) break;
      value->append(line);
    } else if (!continues && equal_ignoring_case(field_name(line), name)) {
      value = std::string(line.substr(line.find(':') + 1));
    }
  }
  if (value) *value = std::string(trim(*value));
  return value;
}

std::string with_parameter(std::string value, std::string_view name, std::string_view text) {
  const std::unique_ptr<char, memory_deleter> utf8(
      g_mime_utils_decode_8bit(gmime(), text.data(), text.size()));
  const std::unique_ptr<GMimeParamList, object_deleter> list(g_mime_param_list_new());
  g_mime_param_list_set_parameter(list.get(), std::string(name).c_str(), utf8.get());
  GString* const out = g_string_new(value.c_str());
  g_mime_param_list_encode(list.get(), nullptr, TRUE, out);
  value = std::string(trim({out->str, out->len}));
  g_string_free(out, TRUE);
  return value;
}

std::string decode_words(const std::string& value) {
  const std::string text = for_gmime(value);
  const std::unique_ptr<char, memory_deleter> decoded(g_mime_utils_header_decode_text(gmime(), text.c_str()));
  return decoded == nullptr ? value : std::string(decoded.get());
}

void header_fields::add(const line_piece& p) {
  if (text_.size() < longest_text) {
    text_.append(p.data.substr(0, longest_text - text_.size()));
    if (p.ends) text_ += '\n';
  }
  const bool continues = !p.starts || (!p.data.empty() && (p.data.front() == ' ' || p.data.front() == '\t'));
  if (continues) {
    if (current_ == none || values_[current_]->size() >= longest_field) return;
    values_[current_]->append(p.data);
    return;
  }
  current_ = none;
  const std::string_view name = field_name(p.data);
  for (std::size_t i = 0; i < fields; ++i) {
    if (values_[i] || !equal_ignoring_case(name, names[i])) continue;
    values_[i] = std::string(p.data.substr(p.data.find(':') + 1));
    current_ = i;
  }
}

entity_facts header_fields::finish(bool message_by_default, std::size_t depth) {
  entity_facts facts;
  facts.depth = depth;
  facts.charset = "us-ascii";
  if (values_[content_type]) read_type(*values_[content_type], facts);
  if (facts.type.empty()) {
    const bool message = message_by_default && !values_[content_type];
    facts.type = message ? "message" : "text";
    facts.subtype = message ? "rfc822" : "plain";
  }
  if (values_[content_disposition]) read_disposition(*values_[content_disposition], facts);
  if (values_[content_encoding]) facts.encoding = read_encoding(*values_[content_encoding]);
  const std::string* name = find(facts.disposition_parameters, "filename");
  if (name == nullptr || name->empty()) name = find(facts.type_parameters, "name");
  if (name != nullptr) facts.filename = *name;
  facts.is_mime = values_[mime_version] || values_[content_type] || values_[content_encoding] ||
                  values_[content_disposition];
  if (values_[encoding]) facts.encoding_field = *values_[encoding];
  facts.text = std::move(text_);
  return facts;
}

}  // namespace mta::mime::detail
