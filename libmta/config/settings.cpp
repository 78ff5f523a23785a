#include "config/settings.hpp"

#include "base/text.hpp"

#include <algorithm>

namespace mta::config {

const channel* settings::find_channel(std::string_view name) const {
  const auto place = std::lower_bound(channels.begin(), channels.end(), name,
                                      [](const channel& c, std::string_view n) { return c.name < n; });
  return place != channels.end() && place->name == name ? &*place : nullptr;
}

const pool* settings::find_pool(std::string_view name) const {
  for (const pool& p : pools)
    if (equal_ignoring_case(p.name, name)) return &p;
  return nullptr;
}

void settings::index_routes() {
  index_.clear();
  for (std::size_t i = 0; i < routes.size(); ++i) index_[routes[i].from].try_emplace(routes[i].pattern, i);
}

const route_target* settings::find_route(std::string_view domain, std::string_view source_channel) const {
  const auto look_up = [&](const route_index& index, std::string_view pattern) -> const route_target* {
    const auto found = index.find(pattern);
    return found == index.end() ? nullptr : &routes[found->second].target;
  };
  const auto search = [&](std::string_view from) -> const route_target* {
    const auto place = index_.find(from);
    if (place == index_.end()) return nullptr;
    const route_index& index = place->second;
    if (const auto* exact = look_up(index, domain)) return exact;
    if (domain.starts_with('[')) {
      if (const auto* any_literal = look_up(index, "[*]")) return any_literal;
    } else {
      for (auto dot = domain.find('.'); dot != domain.npos; dot = domain.find('.', dot + 1))
        if (const auto* subdomains = look_up(index, domain.substr(dot))) return subdomains;
    }
    return look_up(index, "*");
  };
  if (!source_channel.empty())
    if (const auto* own = search(source_channel)) return own;
  return search({});
}

std::string settings::option_path(const channel& c) const {
  if (!c.option_file.empty()) return c.option_file;
  if (c.options.empty()) return {};
  return run_directory() + "/" + c.name + ".option";
}

std::string option_file_text(const channel& c) {
  std::string out;
  for (const auto& [name, value] : c.options) out += name + '=' + value + '\n';
  return out;
}

std::string load_error::text() const {
  std::string out;
  for (const problem& p : problems) {
    if (!out.empty()) out += '\n';
    if (!file.empty()) out += file + (p.line > 0 ? ':' + std::to_string(p.line) : std::string{}) + ": ";
    out += p.text;
  }
  return out;
}

void throw_exception_from_error(const load_error& e, const boost::source_location&) {
  throw exception(e.to_error());
}

}  // namespace mta::config
