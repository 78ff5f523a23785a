#include "enqueue/alias_table.hpp"

#include "base/text.hpp"
#include "enqueue/address.hpp"

#include <boost/unordered/unordered_flat_map.hpp>

#include <algorithm>
#include <array>
#include <set>

namespace mta::enqueue {
namespace {

constexpr int deepest_nesting = 50;
constexpr std::size_t most_problems = 20;  // beyond that, a file is no aliases file

struct hash_ignoring_case {
  std::size_t operator()(std::string_view name) const noexcept {
    std::uint64_t h = 0xCBF2'9CE4'8422'2325;
    for (const char c : name) h = (h ^ static_cast<unsigned char>(to_lower(c))) * 0x100'0000'01B3;
    return static_cast<std::size_t>(h ^ (h >> 32));
  }
};
struct equal_names {
  bool operator()(std::string_view a, std::string_view b) const noexcept { return equal_ignoring_case(a, b); }
};

/// Characters that an address may be made of without needing a closer look.
constexpr auto plain_characters = [] {
  std::array<bool, 256> plain{};
  for (unsigned c = 0; c < 256; ++c)
    plain[c] = is_letter(static_cast<char>(c)) || is_digit(static_cast<char>(c));
  for (const char c : std::string_view(".-_+=!#$%&'*?^`{}~/")) plain[static_cast<unsigned char>(c)] = true;
  return plain;
}();

/// Characters that make a list more than addresses and commas, and those that a line must not have at all.
constexpr auto special_characters = [] {
  std::array<bool, 256> special{};
  for (const char c : std::string_view("\"\\(<")) special[static_cast<unsigned char>(c)] = true;
  return special;
}();
constexpr auto control_characters = [] {
  std::array<bool, 256> control{};
  for (unsigned c = 0; c < 256; ++c) control[c] = is_control(static_cast<char>(c)) && c != '\t';
  return control;
}();
bool has_any(const std::array<bool, 256>& wanted, std::string_view text) noexcept {
  bool found = false;
  for (const char c : text) found |= wanted[static_cast<unsigned char>(c)];
  return found;
}

bool is_plain(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return plain_characters[static_cast<unsigned char>(c)]; });
}
bool is_plain_domain(std::string_view text) noexcept {
  const auto fits = [](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '.'; };
  return !text.empty() && text.front() != '.' && text.back() != '.' && text.find("..") == text.npos &&
         std::all_of(text.begin(), text.end(), fits);
}
bool is_plain_address(std::string_view text) noexcept {
  if (text.size() > config::max_address / 2) return false;
  const auto at = text.find('@');
  if (at == text.npos) return is_plain(text);
  return is_plain(text.substr(0, at)) && is_plain_domain(text.substr(at + 1));
}

/// Position of the first of `wanted` outside quotes, angle brackets and comments; npos: none.
std::size_t find_outside(std::string_view text, char wanted) noexcept {
  bool quoted = false;
  int depth = 0;  // of comments
  bool angle = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\') {
      ++i;
    } else if (quoted) {
      quoted = c != '"';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '(') {
      ++depth;
    } else if (c == ')' && depth > 0) {
      --depth;
    } else if (depth == 0 && c == '<') {
      angle = true;
    } else if (c == '>') {
      angle = false;
    } else if (c == wanted && depth == 0 && !angle) {
      return i;
    }
  }
  return text.npos;
}

/// Calls `take` for every item of a list; empty ones are left out.
template <class Take>
void for_each_item(std::string_view list, Take take) {
  const bool simple = !has_any(special_characters, list);
  while (!list.empty()) {
    const auto comma = simple ? list.find(',') : find_outside(list, ',');
    if (const auto item = trim(list.substr(0, comma)); !item.empty()) take(item);
    list.remove_prefix(comma == list.npos ? list.size() : comma + 1);
  }
}

/// What is refused, in words; empty: nothing.
std::string_view refusal(std::string_view item) noexcept {
  std::string_view bare = item;
  if (bare.starts_with('"')) bare.remove_prefix(1);
  if (bare.starts_with('|'))
    return "runs a program, which aliases cannot; route an address to a channel like \"pipe\" instead";
  if (item.starts_with('/') || bare.starts_with("/"))
    return "names a file, which aliases cannot deliver to; name a mailbox instead";
  if (equal_ignoring_case(bare.substr(0, 9), ":include:"))
    return "includes another file, which is not supported; put its addresses here";
  return {};
}

std::string with_host(std::string_view local, std::string_view host) {
  return std::string(local) + '@' + std::string(host);
}

/// A name as a local part (RFC 5321 4.1.2): in quotes where it has what stands only in these.
std::string as_local(std::string_view name) {
  if (name.find_first_of(" \t\"\\()<>[]:;@,") == name.npos) return std::string(name);
  return quoted_string(name);
}

}  // namespace

struct alias_table::index {
  boost::unordered_flat_map<std::string_view, alias, hash_ignoring_case, equal_names> names;
};

/// Aliases being expanded for one recipient.
struct alias_table::expansion {
  const config::settings& site;
  std::vector<expanded_address> out;
  std::set<std::string, std::less<>> seen;      // addresses
  std::vector<std::string_view> path;           // names, from the first alias to the present one
  std::set<std::string, std::less<>> expanded;  // names, lower case
};

std::string local_name(std::string_view local) {
  if (local.size() < 2 || local.front() != '"' || local.back() != '"') return std::string(local);
  std::string out;
  for (std::size_t i = 1; i + 1 < local.size(); ++i) {
    if (local[i] == '\\' && i + 2 < local.size()) ++i;
    out += local[i];
  }
  return out;
}

alias_table::alias_table(std::string text, std::string path)
    : path_(std::move(path)), text_(std::move(text)), index_(std::make_unique<index>()) {
  read(text_);
}

alias_table::~alias_table() = default;

std::size_t alias_table::size() const noexcept { return index_->names.size(); }

bool alias_table::contains(std::string_view name) const { return index_->names.contains(name); }

// --- reading
// -----------------------------------------------------------------------------------------------------------------

void alias_table::read(std::string_view rest) {
  if (rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);
  index_->names.reserve(rest.size() / 40);
  int number = 0, begun_at = 0;
  std::string_view current;  // the alias so far
  std::string* joined = nullptr;
  const auto end_alias = [&] {
    if (begun_at != 0) take_alias(begun_at, current);
    begun_at = 0;
    current = {};
    joined = nullptr;
  };
  while (!rest.empty() && problems_.size() < most_problems) {
    const auto end = rest.find('\n');
    const std::string_view whole = rest.substr(0, end);
    rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
    ++number;
    const std::string_view line = trim(whole);
    if (line.empty() || line.front() == '#') continue;
    if (is_blank(whole.front())) {
      if (begun_at == 0) {
        problems_.push_back(
            {number, "begins with a blank, which continues an alias; there is none before it"});
        continue;
      }
      if (joined == nullptr) joined = &joined_.emplace_back(current);
      joined->append(" ").append(line);
      current = *joined;
      continue;
    }
    end_alias();
    begun_at = number;
    current = line;
  }
  if (problems_.size() < most_problems) end_alias();
}

void alias_table::take_alias(int line, std::string_view text) {
  const auto problem = [&](std::string what) { problems_.push_back({line, std::move(what)}); };
  if (has_any(control_characters, text))
    return problem("\"" + printable(text) + "\" has a control character");
  auto colon = text.find(':');
  if (has_any(special_characters, text.substr(0, colon))) colon = find_outside(text, ':');
  if (colon == text.npos) return problem("\"" + printable(text) + "\": expected \"name: address, address…\"");
  std::string_view name = trim(text.substr(0, colon));
  if (name.size() > 1 && name.front() == '"' && name.back() == '"') {
    name = joined_.emplace_back(local_name(name));
  } else if (name.find_first_of(" \t\"<>(),;:\\") != name.npos) {
    return problem("name \"" + printable(name) + "\": expected one word, or a name in double quotes");
  }
  if (name.empty()) return problem("expected a name before the colon");
  if (name.find('@') != name.npos)
    return problem("name \"" + printable(name) +
                   "\": expected a name without a domain: aliases are for addresses of this host");
  if (name.size() > config::max_address)
    return problem("name \"" + printable(name) + "\" has more than 256 bytes");
  const std::string_view list = text.substr(colon + 1);
  const auto [place, added] = index_->names.try_emplace(name, alias{list, line});
  if (!added)
    return problem("alias " + printable(name) + " is there already, on line " +
                   std::to_string(place->second.line));
  check_list(line, name, list);
}

void alias_table::check_list(int line, std::string_view name, std::string_view list) {
  bool any = false;
  for_each_item(list, [&](std::string_view item) {
    any = true;
    const std::string_view refused = refusal(item);
    if (refused.empty() && is_plain_address(item)) return;
    const std::string place = "alias " + printable(name) + ": \"" + printable(item) + "\"";
    if (!refused.empty()) {
      problems_.push_back({line, place + ' ' + std::string(refused)});
    } else if (const auto read = read_target(item, "localhost"); !read) {
      problems_.push_back({line, place + ": " + read.error().context});
    }
  });
  if (!any)
    problems_.push_back({line, "alias " + printable(name) + " stands for nobody; expected an address"});
}

result<alias_table::target> alias_table::read_target(std::string_view item, std::string_view host) {
  target t;
  if (item.starts_with('\\')) {
    item.remove_prefix(1);
    t.literal = true;
  }
  std::string spelled(item);
  if (item.find_first_of("\"<(") != item.npos) {
    const address_list list = parse_address_list(item);
    if (!list.problems.empty()) return error(errc::syntax, list.problems.front().text);
    if (list.mailboxes.size() != 1) return error(errc::syntax, "expected one address between commas");
    spelled = list.mailboxes.front().address();
  }
  auto canonical = canonical_address(spelled, host);
  if (!canonical) return canonical.error();
  const address_parts parts = split_address(*canonical);
  if (equal_ignoring_case(parts.domain, host)) t.local = local_name(parts.local);
  t.address = std::move(*canonical);
  return t;
}

// --- expanding
// ---------------------------------------------------------------------------------------------------------------

result<> alias_table::expand_into(expansion& e, std::string_view name, const alias& a,
                                  std::string_view sender) const {
  const std::string place = path_ + ':' + std::to_string(a.line) + ": alias " + printable(name);
  if (e.path.size() >= deepest_nesting)
    return error(errc::try_later,
                 place + ": aliases are nested deeper than " + std::to_string(deepest_nesting));
  e.path.push_back(name);
  e.expanded.insert(lower_case(name));
  std::string own_sender(sender);
  if (const std::string owner = "owner-" + std::string(name); contains(owner))
    own_sender = with_host(as_local(owner), e.site.host);

  result<> outcome;
  for_each_item(a.list, [&](std::string_view item) {
    if (!outcome) return;
    const auto read = read_target(item, e.site.host);
    if (!read) {
      outcome = error(errc::try_later, place + ": " + read.error().context);
      return;
    }
    const target& t = *read;
    const auto found = t.local.empty() || t.literal || equal_ignoring_case(t.local, name)
                           ? index_->names.end()
                           : index_->names.find(t.local);
    if (found == index_->names.end()) {
      if (e.seen.insert(t.address).second) e.out.push_back({t.address, own_sender});
      return;
    }
    const auto again = std::find_if(e.path.begin(), e.path.end(), [&](std::string_view earlier) {
      return equal_ignoring_case(earlier, t.local);
    });
    if (again != e.path.end()) {
      std::string round;
      for (auto step = again; step != e.path.end(); ++step) round += printable(*step) + " → ";
      outcome = error(errc::try_later, place + ": a loop: " + round + printable(t.local));
      return;
    }
    if (!e.expanded.contains(lower_case(t.local)))
      outcome = expand_into(e, found->first, found->second, own_sender);
  });
  e.path.pop_back();
  return outcome;
}

result<std::vector<expanded_address>> alias_table::expand(std::string_view local,
                                                          const config::settings& site) const {
  const auto found = index_->names.find(local);
  if (found == index_->names.end())
    return error(errc::try_later, path_ + ": alias " + printable(local) + " is not there");
  expansion e{site, {}, {}, {}, {}};
  if (const auto done = expand_into(e, found->first, found->second, {}); !done) return done.error();
  return std::move(e.out);
}

void alias_table::for_each_target(const std::function<void(int, std::string_view, const std::string&)>& take,
                                  const config::settings& site) const {
  for (const auto& [name, a] : index_->names)
    for_each_item(a.list, [&, &alias_name = name, &definition = a](std::string_view item) {
      if (const auto t = read_target(item, site.host)) take(definition.line, alias_name, t->address);
    });
}

std::vector<alias_problem> alias_table::loops(const config::settings& site) const {
  std::vector<alias_problem> found;
  for (const auto& [name, a] : index_->names) {
    // Most aliases name no other one; those need no expansion.
    bool names_another = false;
    for_each_item(a.list, [&, &own = name](std::string_view item) {
      if (names_another) return;
      const auto t = read_target(item, site.host);
      names_another =
          t && !t->local.empty() && !t->literal && !equal_ignoring_case(t->local, own) && contains(t->local);
    });
    if (!names_another) continue;
    if (const auto done = expand(name, site); !done) {
      std::string text = done.error().context;  // begins with path and line
      if (const auto prefix = path_ + ':'; text.starts_with(prefix))
        text = text.substr(text.find(' ', prefix.size()) + 1);
      found.push_back({a.line, std::move(text)});
    }
  }
  std::sort(found.begin(), found.end(), [](const auto& x, const auto& y) { return x.line < y.line; });
  return found;
}

}  // namespace mta::enqueue
