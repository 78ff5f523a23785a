#include "jobctl/server/channel_users.hpp"

#include "jobctl/launcher/program_user.hpp"

#include <algorithm>
#include <unistd.h>

namespace jobctl {

void channel_users::configure(const mta::config::settings& s) {
  by_channel_.clear();
  missing_.clear();
  for (const auto& c : s.channels)
    if (!c.user.empty()) missing_[c.name] = c.user;
  look_up_missing();
}

void channel_users::look_up_missing() {
  std::erase_if(missing_, [this](const auto& entry) {
    const auto found = find_user(entry.second);
    if (found) by_channel_[entry.first] = found->uid;
    return found.has_value();
  });
}

bool channel_users::privileged(uid_t uid) const { return uid == 0 || uid == ::geteuid(); }

bool channel_users::may_connect(uid_t uid) {
  const auto known = [&] {
    return std::ranges::any_of(by_channel_, [&](const auto& entry) { return entry.second == uid; });
  };
  if (privileged(uid) || known()) return true;
  look_up_missing();  // a user may have been made meanwhile
  return known();
}

bool channel_users::may_take(uid_t uid, std::string_view channel) {
  if (privileged(uid)) return true;
  const auto found = by_channel_.find(channel);
  return found != by_channel_.end() && found->second == uid;
}

}  // namespace jobctl
