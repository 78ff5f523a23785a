// A configuration file as a whole: what concerns several sections at once.
#include "base/text.hpp"
#include "config/builtin.hpp"
#include "config/names.hpp"
#include "config/reader.hpp"
#include "config/settings.hpp"
#include "config/values.hpp"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

namespace mta::config {

void reader::finish_site(std::string_view root_override) {
  settings& r = result_;
  if (!root_override.empty()) r.root = std::string(root_override);
  if (r.root.empty()) {
    const auto slash = r.config_file.rfind('/');
    const std::string directory = slash == std::string::npos ? std::string{} : r.config_file.substr(0, slash);
    r.root = directory.empty() || directory == "/etc" || directory.starts_with("/etc/") ? "/var/spool/jobctl"
                                                                                        : directory;
  }
  if (r.host.empty()) r.host = defaults({}).host;
  if (r.postmaster.empty()) r.postmaster = "postmaster@" + r.host;
}

void reader::finish_pools() {
  if (result_.pools.empty() || (result_.builtin && result_.find_pool(builtin_pool) == nullptr))
    result_.pools.insert(result_.pools.begin(), {std::string(builtin_pool), 10});
}

void reader::finish_channels() {
  settings& r = result_;
  if (r.builtin)
    for (channel& c : builtin_channels())
      if (!channel_lines_.contains(c.name)) r.channels.push_back(std::move(c));
  std::vector<std::string> pool_names;
  for (const pool& p : r.pools) pool_names.push_back(p.name);
  for (channel& c : r.channels) {
    if (c.host.empty()) c.host = r.host;
    if (c.pool.empty()) c.pool = r.pools.front().name;
    if (const pool* p = r.find_pool(c.pool)) {
      c.pool = p->name;
    } else {
      problem(pool_key_lines_[c.name],
              "[channel " + c.name + "] pool: expected the name of a pool of this file, found " +
                  in_quotes(c.pool) + "; did you mean " + in_quotes(nearest(c.pool, pool_names)) + "?");
    }
  }
  std::sort(r.channels.begin(), r.channels.end(),
            [](const channel& a, const channel& b) { return a.name < b.name; });
  for (const channel& c : r.channels)
    if (c.defragment && r.find_channel(defragment_channel) == nullptr)
      problem(channel_lines_[c.name], "[channel " + c.name +
                                          "] defragment: expected a channel \"defragment\" in this file "
                                          "(program = defragment), found none");
}

void reader::finish_periodic() {
  for (const channel& c : result_.channels) {
    if (c.slave.empty() != (c.poll.count() == 0))
      problem(channel_lines_[c.name],
              "[channel " + c.name + "] slave, poll: expected both (what to run, and how often) or neither");
    if (c.slave.empty() || c.poll.count() == 0) continue;
    periodic_job j;
    j.name = c.name + ".slave";
    j.command = c.slave;
    j.schedule.every = c.poll;
    j.channel = c.name;
    result_.periodic.push_back(std::move(j));
  }
  std::ranges::sort(result_.periodic, {}, &periodic_job::name);
}

void reader::finish_routes() {
  settings& r = result_;
  std::vector<std::string> names;
  for (const channel& c : r.channels) names.push_back(c.name);
  const auto unknown = [&](const std::string& name) {
    return ": expected the name of a configured channel, found " + in_quotes(name) +
           (names.empty() ? std::string{} : "; did you mean " + in_quotes(nearest(name, names)) + "?");
  };
  for (const section& s : sections_)
    if (s.kind == "routes" && !s.name.empty() && r.find_channel(s.name) == nullptr)
      problem(s.number, s.label() + unknown(s.name));
  for (std::size_t i = 0; i < r.routes.size(); ++i)
    if (r.find_channel(r.routes[i].target.channel) == nullptr)
      problem(route_places_[i].number, route_places_[i].label + unknown(r.routes[i].target.channel));
  if (r.builtin) {
    const std::size_t own = r.routes.size();
    for (route& b : builtin_routes())
      if (std::none_of(r.routes.begin(), r.routes.begin() + static_cast<std::ptrdiff_t>(own),
                       [&](const route& o) { return o.from == b.from && o.pattern == b.pattern; }))
        r.routes.push_back(std::move(b));
  }
  r.index_routes();
}

load_result<settings> reader::read(std::string_view text, std::string_view root_override) {
  result_.config_file = failure_.file;
  sections_ = read_sections(text, failure_.problems);

  // [jobctl] first, wherever it stands: `builtin` decides what a channel section starts from.
  const std::array<std::pair<std::string_view, void (reader::*)(const section&)>, 10> kinds{
      {{"jobctl", &reader::apply_site},
       {"queue", &reader::apply_queue},
       {"dequeue", &reader::apply_dequeue},
       {"notify", &reader::apply_notify},
       {"http", &reader::apply_http},
       {"pool", &reader::apply_pool},
       {"channel", &reader::apply_channel},
       {"host", &reader::apply_host},
       {"periodic", &reader::apply_periodic},
       {"routes", &reader::apply_routes}}};
  for (const auto& [kind, apply_kind] : kinds)
    for (const section& s : sections_)
      if (s.kind == kind) (this->*apply_kind)(s);
  finish_site(root_override);
  finish_pools();
  finish_channels();
  finish_periodic();
  finish_routes();

  if (failure_.problems.empty()) return std::move(result_);
  std::stable_sort(failure_.problems.begin(), failure_.problems.end(),
                   [](const auto& a, const auto& b) { return a.line < b.line; });
  failure_.code = make_error_code(errc::syntax);
  return std::move(failure_);
}

namespace {

constexpr std::size_t largest_file = 16u << 20;  // bytes; more is not a configuration

result<std::string> read_file(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return os_error("open " + path);
  std::string text;
  std::array<char, 16384> part;
  while (true) {
    const ssize_t got = ::read(descriptor, part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      const error failure = os_error("read " + path);
      ::close(descriptor);
      return failure;
    }
    if (got == 0) break;
    text.append(part.data(), static_cast<std::size_t>(got));
    if (text.size() > largest_file) break;
  }
  ::close(descriptor);
  if (text.size() > largest_file) return error(errc::out_of_range, "read " + path);
  return text;
}

}  // namespace

load_result<settings> parse(std::string_view text, const std::string& path, std::string_view root_override) {
  return reader(path).read(text, root_override);
}

load_result<settings> load(const std::string& path, std::string_view root_override) {
  std::error_code ignored;
  const std::string absolute = std::filesystem::absolute(path, ignored).lexically_normal().string();
  const std::string& name = absolute.empty() ? path : absolute;
  const auto text = read_file(name);
  if (text) return parse(*text, name, root_override);
  load_error failure;
  failure.file = name;
  failure.code = text.error().code;
  failure.problems.push_back({0, "cannot be read (" + text.error().code.message() +
                                     "); expected a configuration file of at most 16 MiB"});
  return failure;
}

}  // namespace mta::config
