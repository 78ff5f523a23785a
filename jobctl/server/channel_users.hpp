// Whose programs may talk to the controller: root's and the controller's own; and those of the users that
// channels name (`user`), each for its own channels. Thread safety: none; the loop's thread.
#pragma once

#include "config/settings.hpp"

#include <map>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace jobctl {

class channel_users {
 public:
  /// Takes over the users of new settings. Looks them up, which may block as long as the host's user database
  /// does.
  void configure(const mta::config::settings&);

  /// May a program of this user connect, and announce what it has enqueued to any channel?
  bool may_connect(uid_t);
  /// May it take the messages of `channel`?
  bool may_take(uid_t, std::string_view channel);

 private:
  bool privileged(uid_t) const;
  void look_up_missing();

  std::map<std::string, uid_t, std::less<>> by_channel_;
  std::map<std::string, std::string> missing_;  // channel -> user: nobody knew that one so far
};

}  // namespace jobctl
