// Channel programs under users of their own: `user` of a channel (docs/operation.md, Users of their own).
//
// posix_spawn(3) cannot change users, and no code of ours runs in the child. So setpriv of util-linux is
// started in the program's place: it changes users, gives up every capability, and becomes the program.
//
// The controller need not be root for that. CAP_SETUID and CAP_SETGID are lent to setpriv alone, for the
// moment in which it is started; CAP_KILL stays with the controller, to stop such programs.
#pragma once

#include "base/error.hpp"
#include "config/settings.hpp"
#include "jobctl/launcher/process.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

namespace jobctl {

/// A user of this host, as a program needs it.
struct program_user {
  std::string name;
  std::string home;  ///< its home directory
  uid_t uid = 0;
  std::vector<gid_t> groups;  ///< all of its groups, the primary one first
};

/// Looks it up. Errors: there is no such user; the system's, when that cannot be known now. May block as long
/// as the host's user database does. Thread safety: any thread.
mta::result<program_user> find_user(const std::string& name);

/// Lets `what` run as that user: setpriv before its program, HOME, USER and LOGNAME in its environment. Its
/// primary group is `group`, the controller's, so that both can use what either makes in the queue. Nothing
/// is looked up.
void run_as(command& what, const program_user&, gid_t group);

/// Has this thread what it takes to start and stop programs of other users? The error says what is missing
/// and what to do; it concerns the group as well, which must not be root's.
mta::result<> may_change_users();

/// Takes the ambient capabilities from this thread and those that it makes later, so that no program inherits
/// what the controller was given. Permitted ones stay. To be called before there are threads.
void keep_capabilities_to_ourselves();

/// While it exists, a program that this thread starts inherits CAP_SETUID and CAP_SETGID, if the thread has
/// them.
class lent_capabilities {
 public:
  lent_capabilities();
  ~lent_capabilities();
  lent_capabilities(const lent_capabilities&) = delete;
  lent_capabilities& operator=(const lent_capabilities&) = delete;

 private:
  std::array<std::uint32_t, 2> inheritable_{};  // before
};

/// "[channel fax] user: …" for each user that does not exist, or is root.
std::vector<std::string> problems_of_users(const mta::config::settings&);

}  // namespace jobctl
