#include "jobctl/server/pending_orders.hpp"

#include "base/utf8.hpp"
#include "jobctl/server/small_file.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

namespace jobctl {
namespace {

namespace json = boost::json;
using mta::queue::message_id;
using mta::queue::time_point;

std::string line_of(const message_id& id, const pending_order& h) {
  json::object o{{"id", to_string(id)}, {"order", name_of(h.verb)}};
  if (h.until != time_point{}) o["until"] = h.until.time_since_epoch().count();
  if (!h.note.by.empty()) o["by"] = h.note.by;
  if (!h.note.reason.empty()) o["reason"] = h.note.reason;
  return mta::as_utf8(json::serialize(o)) + "\n";
}

void take_line(std::string_view line, std::map<message_id, pending_order>& all) {
  boost::system::error_code wrong;
  const json::value v = json::parse(json::string_view(line.data(), line.size()), wrong);
  const json::object* o = wrong ? nullptr : v.if_object();
  const json::value* name = o ? o->if_contains("id") : nullptr;
  if (name == nullptr || !name->is_string()) return;
  const auto id = mta::queue::parse_message_id(std::string_view(name->get_string()));
  if (!id) return;
  if (o->contains("over")) {
    all.erase(*id);
    return;
  }
  pending_order h;
  const json::value* order = o->if_contains("order");
  if (order == nullptr || (*order != "hold" && *order != "release")) return;
  h.verb = *order == "hold" ? verb::hold : verb::release;
  if (const json::value* until = o->if_contains("until"); until && until->is_int64())
    h.until = time_point(std::chrono::milliseconds(until->get_int64()));
  const auto text = [&](const char* key) {
    const json::value* t = o->if_contains(key);
    return t && t->is_string() ? std::string(t->get_string()) : std::string();
  };
  h.note = {text("by"), text("reason")};
  all[*id] = std::move(h);
}

}  // namespace

pending_orders::~pending_orders() {
  if (file_ >= 0) ::close(file_);
}

mta::result<> pending_orders::open() {
  const auto left = read_small_file(path_);
  if (!left) return left.error();
  for (std::string_view rest = *left; !rest.empty();) {
    const auto end = std::min(rest.find('\n'), rest.size());
    take_line(rest.substr(0, end), orders_);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return begin_anew();
}

// In one step: a controller that is killed meanwhile leaves the file as it was.
mta::result<> pending_orders::begin_anew() {
  const std::string temporary = path_ + ".new";
  const int file = ::open(temporary.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (file < 0) return mta::os_error("write " + temporary);
  if (file_ >= 0) ::close(file_);
  file_ = file;
  std::string lines;
  for (const auto& [id, h] : orders_) lines += line_of(id, h);
  if (auto written = append(lines); !written) return written;
  if (::rename(temporary.c_str(), path_.c_str()) != 0) return mta::os_error("write " + path_);
  return {};
}

mta::result<> pending_orders::append(const std::string& lines) {
  if (lines.empty()) return {};
  const ssize_t n = ::write(file_, lines.data(), lines.size());
  if (n == static_cast<ssize_t>(lines.size())) return {};
  const int number = n < 0 ? errno : ENOSPC;
  if (n > 0) (void)!::write(file_, "\n", 1);  // the next line begins a line
  return mta::os_error("write " + path_, number);
}

mta::result<> pending_orders::add(std::span<const message_id> ids, const pending_order& order) {
  std::string lines;
  for (const message_id& id : ids) lines += line_of(id, orders_[id] = order);
  return append(lines);
}

void pending_orders::over(const message_id& id) {
  if (orders_.empty() || orders_.erase(id) == 0) return;
  // Should this not be written, the next controller does once more what was done.
  if (orders_.empty())
    (void)!::ftruncate(file_, 0);
  else
    (void)append("{\"id\":\"" + to_string(id) + "\",\"over\":true}\n");
}

void pending_orders::prune(const std::function<bool(const message_id&)>& waits) {
  if (orders_.size() < prune_at_) return;
  std::erase_if(orders_, [&](const auto& each) { return !waits(each.first); });
  prune_at_ = std::max<std::size_t>(1000, 2 * orders_.size());
  (void)begin_anew();
}

}  // namespace jobctl
