#include "jobctl/launcher/program_user.hpp"

#include <errno.h>
#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace jobctl {
namespace {

constexpr const char* setpriv = "/usr/bin/setpriv";

// The sets of this thread; libc has no function for them.
struct capability_sets {
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};

  bool read() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    return ::syscall(SYS_capget, &header, data) == 0;
  }
  bool write() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    return ::syscall(SYS_capset, &header, data) == 0;
  }
  bool effective(int capability) const {
    return (data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability)) != 0;
  }
  void make_inheritable(int capability) {
    data[CAP_TO_INDEX(capability)].inheritable |= CAP_TO_MASK(capability);
  }
};

constexpr int lent[] = {CAP_SETUID, CAP_SETGID};

mta::error no_user(const std::string& name) {
  return mta::error(mta::errc::not_configured, fmt::format("user '{}' of this host", name));
}

std::vector<gid_t> groups_of(const passwd& entry) {
  std::vector<gid_t> groups(32);
  int count = static_cast<int>(groups.size());
  while (::getgrouplist(entry.pw_name, entry.pw_gid, groups.data(), &count) < 0)
    groups.resize(static_cast<std::size_t>(count));
  groups.resize(static_cast<std::size_t>(count));
  return groups;
}

}  // namespace

mta::result<program_user> find_user(const std::string& name) {
  std::vector<char> space(4096);
  passwd entry{};
  passwd* found = nullptr;
  int failure;
  while ((failure = ::getpwnam_r(name.c_str(), &entry, space.data(), space.size(), &found)) == ERANGE)
    space.resize(2 * space.size());
  if (found == nullptr) {
    // Which of these means "no such user" differs from one source of users to the next: getpwnam(3).
    if (failure == 0 || failure == ENOENT || failure == ESRCH || failure == EBADF || failure == EPERM)
      return no_user(name);
    return mta::os_error(fmt::format("look up the user '{}'", name), failure);
  }
  return program_user{entry.pw_name, entry.pw_dir, entry.pw_uid, groups_of(entry)};
}

void run_as(command& what, const program_user& user, gid_t group) {
  std::string groups = fmt::format("{}", group);
  for (const gid_t each : user.groups)
    if (each != group) groups += fmt::format(",{}", each);
  std::vector<std::string> words = {
      "--reuid",  fmt::format("{}", user.uid), "--regid",         fmt::format("{}", group),
      "--groups", std::move(groups),           "--inh-caps=-all", "--ambient-caps=-all",
      "--",       std::move(what.program)};
  for (auto& argument : what.arguments) words.push_back(std::move(argument));
  what.program = setpriv;
  what.arguments = std::move(words);
  what.environment.push_back("HOME=" + user.home);
  what.environment.push_back("USER=" + user.name);
  what.environment.push_back("LOGNAME=" + user.name);
  what.changes_user = true;
}

mta::result<> may_change_users() {
  capability_sets sets;
  if (!sets.read()) return mta::os_error("see which capabilities the controller has");
  if (!sets.effective(CAP_SETUID) || !sets.effective(CAP_SETGID) || !sets.effective(CAP_KILL)) {
    return mta::error(
        std::make_error_code(std::errc::operation_not_permitted),
        "programs with a `user` of their own cannot be started: the controller needs the "
        "capabilities CAP_SETUID, CAP_SETGID and CAP_KILL (docs/operation.md, Users of their own)");
  }
  if (::getegid() == 0) {
    return mta::error(
        std::make_error_code(std::errc::operation_not_permitted),
        "programs with a `user` of their own cannot be started: they would be in the controller's "
        "group, which is root's; run it with another one (docs/operation.md, Users of their own)");
  }
  return {};
}

void keep_capabilities_to_ourselves() { (void)::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); }

lent_capabilities::lent_capabilities() {
  capability_sets sets;
  if (!sets.read()) return;
  for (std::size_t i = 0; i < inheritable_.size(); ++i) inheritable_[i] = sets.data[i].inheritable;
  for (const int each : lent) sets.make_inheritable(each);
  // Without the right to this, setpriv fails and says so.
  if (!sets.write()) return;
  for (const int each : lent) (void)::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, each, 0, 0);
}

lent_capabilities::~lent_capabilities() {
  keep_capabilities_to_ourselves();
  capability_sets sets;
  if (!sets.read()) return;
  for (std::size_t i = 0; i < inheritable_.size(); ++i) sets.data[i].inheritable = inheritable_[i];
  (void)sets.write();
}

std::vector<std::string> problems_of_users(const mta::config::settings& s) {
  std::vector<std::string> problems;
  for (const auto& c : s.channels) {
    if (c.user.empty()) continue;
    const auto found = find_user(c.user);
    if (!found && found.error().code == mta::errc::not_configured)
      problems.push_back(
          fmt::format("[channel {}] user: there is no user '{}' on this host", c.name, c.user));
    else if (!found)
      problems.push_back(fmt::format("[channel {}] user: {}", c.name, found.error().message()));
    else if (found->uid == 0)
      problems.push_back(
          fmt::format("[channel {}] user: '{}' is root; expected a user without privileges", c.name, c.user));
  }
  return problems;
}

}  // namespace jobctl
