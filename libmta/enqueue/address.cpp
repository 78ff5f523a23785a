#include "enqueue/address.hpp"

#include "base/text.hpp"
#include "config/names.hpp"
#include "config/settings.hpp"

#include <algorithm>

namespace mta::enqueue {
namespace {

/// Place of the first `wanted` outside quotes; npos: none.
std::size_t find_outside_quotes(std::string_view text, char wanted) noexcept {
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (quoted && text[i] == '\\')
      ++i;
    else if (text[i] == '"')
      quoted = !quoted;
    else if (text[i] == wanted && !quoted)
      return i;
  }
  return text.npos;
}

/// What is wrong with a local part; empty: nothing.
std::string_view local_part_fault(std::string_view local) noexcept {
  bool quoted = false;
  for (std::size_t i = 0; i < local.size(); ++i) {
    if (quoted && local[i] == '\\') {
      if (++i == local.size()) return "a backslash with nothing behind it";
    } else if (local[i] == '"') {
      quoted = !quoted;
    } else if (!quoted && (local[i] == ' ' || local[i] == '<' || local[i] == '>' || local[i] == ',' ||
                           local[i] == ';')) {
      return "a blank, <, >, comma or semicolon outside quotes";
    }
  }
  return quoted ? "a quote that is not closed" : std::string_view{};
}

}  // namespace

address_parts split_address(std::string_view address) noexcept {
  std::size_t at = address.npos;
  bool quoted = false;
  for (std::size_t i = 0; i < address.size(); ++i) {
    if (quoted && address[i] == '\\')
      ++i;
    else if (address[i] == '"')
      quoted = !quoted;
    else if (address[i] == '@' && !quoted)
      at = i;
  }
  if (at == address.npos) return {address, {}, false};
  return {address.substr(0, at), address.substr(at + 1), true};
}

std::string printable(std::string_view text) {
  constexpr std::size_t most = 80;
  std::string out(text.substr(0, most));
  std::replace_if(out.begin(), out.end(), is_control, '?');
  return text.size() > most ? out + "…" : out;
}

result<std::string> canonical_address(std::string_view given, std::string_view default_domain) {
  const auto wrong = [&](std::string_view what) {
    return error(errc::syntax, "address \"" + printable(given) + "\" has " + std::string(what));
  };
  const auto too_long = [&] {
    return error(errc::out_of_range, "address \"" + printable(given) + "\" has more than " +
                                         std::to_string(config::max_address) + " bytes");
  };
  std::string_view address = trim(given);
  if (address.size() >= 2 && address.front() == '<' && address.back() == '>')
    address = trim(address.substr(1, address.size() - 2));
  if (std::any_of(address.begin(), address.end(), is_control)) return wrong("a control character");
  if (address.size() > config::max_address) return too_long();
  if (address.starts_with('@')) {  // source route: to be ignored (RFC 5321, appendix C)
    const auto colon = find_outside_quotes(address, ':');
    if (colon == address.npos) return wrong("nothing before the @");
    address.remove_prefix(colon + 1);
  }
  if (address.empty()) return wrong("no text");

  auto [local, domain, has_domain] = split_address(address);
  if (const auto fault = local_part_fault(local); !fault.empty()) return wrong(fault);
  if (local.empty()) return wrong("nothing before the @");
  if (has_domain) {
    if (domain.ends_with('.')) domain.remove_suffix(1);
    if (domain.empty()) return wrong("no domain after the @");
    if (!config::valid_domain(domain) && !config::valid_literal(domain))
      return wrong("a domain that is none");
  } else {
    domain = default_domain;
  }
  std::string canonical = std::string(local) + '@' + lower_case(domain);
  if (canonical.size() > config::max_address) return too_long();
  return canonical;
}

// --- lists (RFC 5322 3.4)
// ----------------------------------------------------------------------------------------

namespace {

struct token {
  std::string text;  // a quoted string without its quotes and backslashes
  bool quoted = false;
};

/// The quoted form if the local part, or this piece of it, needs it.
std::string as_local(const token& t) {
  const auto plain = [](char c) {
    return is_letter(c) || is_digit(c) || is_8bit(c) ||
           std::string_view("!#$%&'*+-/=?^_`{|}~.").find(c) != std::string_view::npos;
  };
  const bool dots_fine =
      !t.text.starts_with('.') && !t.text.ends_with('.') && t.text.find("..") == t.text.npos;
  if (!t.quoted || (!t.text.empty() && dots_fine && std::all_of(t.text.begin(), t.text.end(), plain)))
    return t.text;
  return quoted_string(t.text);
}

class list_reader {
 public:
  explicit list_reader(std::string_view text) : text_(text) {}

  address_list read() {
    while (true) {
      skip_space();
      if (at_end()) break;
      if (peek() == ',') {
        ++at_;
      } else if (peek() == ';' && in_group_) {
        in_group_ = false;
        group_.clear();
        ++at_;
      } else {
        const std::size_t start = at_;
        if (!read_element()) recover(start);
      }
    }
    if (in_group_) complain("\";\" at the end of the group");
    return std::move(list_);
  }

 private:
  bool at_end() const { return at_ >= text_.size(); }
  char peek() const { return text_[at_]; }

  bool complain(std::string_view expected) {
    std::string found = "the end";
    if (!at_end()) found = std::string("\"") + printable(text_.substr(at_, 1)) + '"';
    list_.problems.push_back({at_, "expected " + std::string(expected) + ", found " + found});
    return false;
  }

  /// Blanks, line ends and comments. A comment that is not closed reaches to the end.
  void skip_space() {
    int depth = 0;
    for (; !at_end(); ++at_) {
      const char c = peek();
      if (c == '(')
        ++depth;
      else if (depth > 0 && c == ')')
        --depth;
      else if (depth > 0 && c == '\\')
        ++at_;
      else if (depth == 0 && !is_blank(c) && c != '\r' && c != '\n')
        return;
    }
    at_ = text_.size();
    if (depth > 0) complain("\")\" at the end of the comment");
  }

  static bool is_atom_character(char c) {
    return !is_control(c) && std::string_view(" ()<>@,;:\\\"[]").find(c) == std::string_view::npos;
  }

  bool read_quoted(token& into) {
    into.quoted = true;
    for (++at_; !at_end(); ++at_) {
      const char c = peek();
      if (c == '"') {
        ++at_;
        return true;
      }
      if (c == '\\') {
        if (++at_ >= text_.size()) break;
        if (is_control(peek())) return complain("a printable character behind the backslash");
        into.text += peek();
      } else if (c == '\r' || c == '\n') {
        continue;  // a fold: the blank behind it stays
      } else if (is_control(c) && c != '\t') {
        return complain("text without control characters");
      } else {
        into.text += c == '\t' ? ' ' : c;
      }
    }
    return complain("a closing quote");
  }

  /// Atoms (dots are part of them) and quoted strings up to something else.
  bool read_words(std::vector<token>& words) {
    while (true) {
      skip_space();
      if (at_end()) return true;
      token t;
      if (peek() == '"') {
        if (!read_quoted(t)) return false;
      } else {
        while (!at_end() && is_atom_character(peek())) t.text += text_[at_++];
        if (t.text.empty()) return true;
      }
      words.push_back(std::move(t));
    }
  }

  static std::string phrase_of(const std::vector<token>& words) {
    std::string out;
    for (const token& t : words) out += (out.empty() ? "" : " ") + t.text;
    return out;
  }

  /// Words with dots between them.
  bool local_of(const std::vector<token>& words, std::string& local) {
    if (words.empty()) return complain("an address");
    for (std::size_t i = 0; i < words.size(); ++i) {
      const bool dot_between = i == 0 || (!words[i].quoted && words[i].text.starts_with('.')) ||
                               (!words[i - 1].quoted && words[i - 1].text.ends_with('.'));
      if (!dot_between) return complain("\"<\" or a comma behind the name");
      local += as_local(words[i]);
    }
    return true;
  }

  /// Behind the @.
  bool read_domain(std::string& domain) {
    skip_space();
    if (!at_end() && peek() == '[') {
      const auto end = text_.find(']', at_);
      if (end == text_.npos) return complain("\"]\" at the end of the address literal");
      domain = text_.substr(at_, end + 1 - at_);
      if (!config::valid_literal(domain)) return complain("an address literal such as [192.0.2.1]");
      at_ = end + 1;
      return true;
    }
    const std::size_t start = at_;
    while (true) {  // blanks and comments may stand around the dots
      skip_space();
      const std::size_t before = at_;
      while (!at_end() && is_atom_character(peek())) domain += text_[at_++];
      if (at_ == before) break;
      const std::size_t behind = at_;
      skip_space();
      if (at_end() || !(domain.ends_with('.') || peek() == '.')) {
        at_ = std::max(behind, at_);
        break;
      }
    }
    std::string_view checked = domain;
    if (checked.ends_with('.')) checked.remove_suffix(1);
    if (!config::valid_domain(checked)) {
      at_ = start;
      return complain("a domain behind the @");
    }
    return true;
  }

  /// Behind "<", up to and with ">".
  bool read_angle(mailbox& m) {
    skip_space();
    if (!at_end() && peek() == '@') {  // route
      while (!at_end() && (peek() == '@' || peek() == ',')) {
        if (text_[at_++] == '@') {
          std::string domain;
          if (!read_domain(domain)) return false;
          m.route += (m.route.empty() ? "@" : ",@") + domain;
        }
        skip_space();
      }
      if (at_end() || peek() != ':') return complain("\":\" behind the route");
      ++at_;
    }
    std::vector<token> words;
    if (!read_words(words) || !local_of(words, m.local)) return false;
    if (!at_end() && peek() == '@') {
      ++at_;
      if (!read_domain(m.domain)) return false;
      skip_space();
    }
    if (at_end() || peek() != '>') return complain("\">\" at the end of the address");
    ++at_;
    return true;
  }

  /// One mailbox, or the beginning of a group.
  bool read_element() {
    std::vector<token> words;
    if (!read_words(words)) return false;
    mailbox m;
    m.group = group_;
    if (!at_end() && peek() == ':') {
      if (in_group_) return complain("an address (groups do not nest)");
      if (words.empty()) return complain("an address or the name of a group");
      ++at_;
      in_group_ = true;
      group_ = phrase_of(words);
      return true;
    }
    if (!at_end() && peek() == '<') {
      ++at_;
      m.phrase = phrase_of(words);
      if (!read_angle(m)) return false;
    } else {
      if (!local_of(words, m.local)) return false;
      if (!at_end() && peek() == '@') {
        ++at_;
        if (!read_domain(m.domain)) return false;
      }
    }
    skip_space();
    if (!at_end() && peek() != ',' && !(peek() == ';' && in_group_))
      return complain("a comma between addresses");
    list_.mailboxes.push_back(std::move(m));
    return true;
  }

  /// Goes on behind the next comma that stands outside quotes and comments.
  void recover(std::size_t start) {
    if (at_ <= start) at_ = start + 1;
    while (true) {
      skip_space();
      if (at_end() || peek() == ',' || (peek() == ';' && in_group_)) return;
      if (peek() == '"') {
        token ignored;
        const std::size_t problems = list_.problems.size();
        read_quoted(ignored);
        list_.problems.resize(problems);
      } else {
        ++at_;
      }
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool in_group_ = false;
  std::string group_;
  address_list list_;
};

}  // namespace

address_list parse_address_list(std::string_view text) { return list_reader(text).read(); }

}  // namespace mta::enqueue
