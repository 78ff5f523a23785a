#include "jobctl/admin/text_search.hpp"

#include "base/text.hpp"
#include "jobctl/admin/hold_record.hpp"

#include <map>
#include <optional>

namespace jobctl::admin {
namespace {

namespace queue = mta::queue;

constexpr std::size_t most_header = 256 * 1024;  // of a header that is looked into
constexpr std::size_t piece_size = 256 * 1024;

bool contains(std::string_view lower_text, std::string_view lower_part) {
  return lower_text.find(lower_part) != std::string_view::npos;
}

// --- encoded words

int hex_value(char c) {
  if (mta::is_digit(c)) return c - '0';
  const char l = mta::to_lower(c);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

std::optional<std::string> decode_q(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '_') {
      out += ' ';
    } else if (text[i] != '=') {
      out += text[i];
    } else {
      if (i + 2 >= text.size()) return {};
      const int high = hex_value(text[i + 1]), low = hex_value(text[i + 2]);
      if (high < 0 || low < 0) return {};
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

std::optional<std::string> decode_b(std::string_view text) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  unsigned bits = 0, count = 0;
  for (const char c : text) {
    if (c == '=') break;
    const auto value = digits.find(c);
    if (value == std::string_view::npos) return {};
    bits = bits << 6 | static_cast<unsigned>(value);
    if ((count += 6) >= 8) out += static_cast<char>(bits >> (count -= 8) & 0xFF);
  }
  return out;
}

std::string from_latin_1(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out += c;
    } else {
      out += static_cast<char>(0xC0 | byte >> 6);
      out += static_cast<char>(0x80 | (byte & 0x3F));
    }
  }
  return out;
}

/// "=?charset?B?…?=" without its ends.
std::optional<std::string> decode_word(std::string_view word) {
  const auto first = word.find('?');
  if (first == std::string_view::npos || first + 2 >= word.size() || word[first + 2] != '?') return {};
  std::string charset = mta::lower_case(word.substr(0, first));
  if (const auto language = charset.find('*'); language != std::string::npos) charset.resize(language);
  const char how = mta::to_lower(word[first + 1]);
  const std::string_view text = word.substr(first + 3);
  auto bytes = how == 'q' ? decode_q(text) : how == 'b' ? decode_b(text) : std::nullopt;
  if (!bytes || charset == "utf-8" || charset == "us-ascii") return bytes;
  if (charset == "iso-8859-1" || charset == "windows-1252") return from_latin_1(*bytes);
  return {};
}

std::string decode_words(std::string_view text) {
  std::string out;
  bool after_word = false;
  for (std::size_t at = 0; at < text.size();) {
    const auto start = text.find("=?", at);
    const auto charset_end = start == std::string_view::npos ? start : text.find('?', start + 2);
    const auto end = charset_end == std::string_view::npos ? charset_end : text.find("?=", charset_end + 3);
    if (end == std::string_view::npos) return out += text.substr(at);
    const std::string_view between = text.substr(at, start - at);
    const auto word = decode_word(text.substr(start + 2, end - start - 2));
    // Blanks between two encoded words are not part of the text.
    if (!after_word || !word || !mta::trim(between).empty()) out += between;
    if (word)
      out += *word;
    else
      out += text.substr(start, end + 2 - start);
    after_word = word.has_value();
    at = end + 2;
  }
  return out;
}

// --- one message

bool content_contains(queue::message_file& f, const queue::entry& e, std::string_view lower_part) {
  std::string window;
  for (std::uint64_t at = 0; at < e.content_length;) {
    const std::size_t kept = std::min(window.size(), lower_part.size() - 1);
    window.erase(0, window.size() - kept);
    window.resize(kept + piece_size);
    const auto got =
        f.read_content_part(e, at, std::as_writable_bytes(std::span(window).subspan(kept, piece_size)));
    if (!got || *got == 0) return false;
    window.resize(kept + *got);
    for (std::size_t i = kept; i < window.size(); ++i) window[i] = mta::to_lower(window[i]);
    if (contains(window, lower_part)) return true;
    at += *got;
  }
  return false;
}

std::string read_header(queue::message_file& f, const queue::entry& e) {
  std::string header;
  while (header.size() < std::min<std::uint64_t>(e.content_length, most_header)) {
    const std::size_t before = header.size();
    header.resize(before + 4096);
    const auto got =
        f.read_content_part(e, before, std::as_writable_bytes(std::span(header).subspan(before)));
    header.resize(before + (got ? *got : 0));
    if (!got || *got == 0) break;
    if (const auto end = header.find("\r\n\r\n", before < 3 ? 0 : before - 3); end != std::string::npos) {
      header.resize(end + 2);
      break;
    }
  }
  return header;
}

class searcher {
 public:
  searcher(queue::store& s, const text_criteria& c)
      : store_(s),
        wanted_(c),
        subject_(mta::lower_case(c.subject)),
        content_(mta::lower_case(c.content)),
        reason_(mta::lower_case(c.reason)) {}

  bool matches(const search_candidate& c) {
    const auto f = open(c);
    if (!f || f->header().generation != c.id.generation) return false;
    const auto message = f->read_entry(c.id.slot);
    if (!message || !message->state.live()) return false;
    const queue::entry& e = message->entry;
    if (!reason_.empty() &&
        (message->state.phase != queue::phase::held || !reason_matches(*f, c.id, message->state)))
      return false;
    if (!wanted_.sender.empty() || !wanted_.recipient.empty()) {
      const auto envelope = f->read_envelope(e);
      if (!envelope || !envelope_matches(*envelope, message->state)) return false;
    }
    if (!subject_.empty() &&
        !contains(mta::lower_case(header_field(read_header(*f, e), "subject")), subject_))
      return false;
    return content_.empty() || content_contains(*f, e, content_);
  }

 private:
  std::shared_ptr<queue::message_file> open(const search_candidate& c) {
    if (last_ && last_id_.key() == c.id.key()) return last_;
    auto opened = store_.open(c.channel, c.id.file);
    last_id_ = c.id;
    last_ = opened ? *opened : nullptr;
    return last_;
  }

  bool envelope_matches(const queue::envelope& e, const queue::message_state& state) const {
    if (!wanted_.sender.empty() && !address_matches(e.from, wanted_.sender)) return false;
    if (wanted_.recipient.empty()) return true;
    for (std::size_t i = 0; i < e.recipients.size(); ++i)
      if (!state.finished.test(i) && address_matches(e.recipients[i].address, wanted_.recipient)) return true;
    return false;
  }

  bool reason_matches(queue::message_file& f, const queue::message_id& id,
                      const queue::message_state& state) {
    // The history is one file for many messages: it is read once.
    if (!(holds_of_ == id.key())) {
      holds_ = read_holds(f);
      holds_of_ = id.key();
    }
    const auto found = holds_.find(id.slot);
    const std::string reason =
        found != holds_.end() ? found->second.reason : std::string(words_for(state.why));
    return contains(mta::lower_case(reason), reason_);
  }

  queue::store& store_;
  const text_criteria& wanted_;
  const std::string subject_, content_, reason_;
  std::shared_ptr<queue::message_file> last_;
  queue::message_id last_id_{};
  std::map<std::uint32_t, hold_record> holds_;
  queue::file_key holds_of_{};
};

}  // namespace

bool address_matches(std::string_view address, std::string_view wanted) {
  if (wanted == "<>") return address.empty();
  if (wanted.starts_with('@')) {
    const auto at = address.rfind('@');
    return at != std::string_view::npos && mta::matches_wildcards(address.substr(at), wanted);
  }
  return !address.empty() && mta::matches_wildcards(address, wanted);
}

std::string header_field(std::string_view header, std::string_view name) {
  for (std::size_t at = 0; at < header.size();) {
    auto end = header.find('\n', at);
    while (end != std::string_view::npos && end + 1 < header.size() && mta::is_blank(header[end + 1]))
      end = header.find('\n', end + 1);
    const std::string_view line = header.substr(at, end == std::string_view::npos ? end : end - at);
    const auto colon = line.find(':');
    if (colon != std::string_view::npos && mta::equal_ignoring_case(mta::trim(line.substr(0, colon)), name)) {
      std::string unfolded;
      for (const char c : mta::trim(line.substr(colon + 1)))
        if (c != '\r' && c != '\n') unfolded += c;
      return decode_words(unfolded);
    }
    if (end == std::string_view::npos) break;
    at = end + 1;
  }
  return {};
}

std::vector<bool> matching(queue::store& store, const text_criteria& wanted,
                           std::span<const search_candidate> candidates) {
  searcher s(store, wanted);
  std::vector<bool> found(candidates.size());
  for (std::size_t i = 0; i < candidates.size(); ++i) found[i] = s.matches(candidates[i]);
  return found;
}

}  // namespace jobctl::admin
