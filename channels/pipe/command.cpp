#include "command.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>
#include <utility>

namespace pipe_channel {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t buffer_size = 64 << 10;
constexpr std::size_t kept_output = 1000;  // bytes of the command's output that become the reason
constexpr milliseconds grace{2000};        // between asking an overdue command to stop and killing it

class descriptor {
 public:
  explicit descriptor(int number = -1) : number_(number) {}
  descriptor(descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  descriptor& operator=(descriptor&&) = delete;
  ~descriptor() { close(); }
  int get() const { return number_; }
  void close() {
    if (number_ >= 0) ::close(std::exchange(number_, -1));
  }

 private:
  int number_;
};

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> made;
  for (const std::string& word : words) made.push_back(const_cast<char*>(word.c_str()));
  made.push_back(nullptr);
  return made;
}

// posix_spawn attributes and actions, which must be destroyed on every path.
struct spawn_setup {
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_t actions;

  spawn_setup(const job& j, int input, int output) {
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_init(&actions);
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    if (!j.directory.empty()) posix_spawn_file_actions_addchdir_np(&actions, j.directory.c_str());
  }
  ~spawn_setup() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  spawn_setup(const spawn_setup&) = delete;
};

// Keeps the last kept_output bytes of what the command prints.
class output_tail {
 public:
  // Reads what is there. false: end of output.
  bool read_from(int from) {
    std::array<char, 4096> chunk;
    for (;;) {
      ssize_t got = ::read(from, chunk.data(), chunk.size());
      if (got > 0) {
        text_.append(chunk.data(), static_cast<std::size_t>(got));
        if (text_.size() > 8 * kept_output) text_.erase(0, text_.size() - kept_output);
      } else if (got == 0) {
        return false;
      } else if (errno != EINTR) {
        return errno == EAGAIN;
      }
    }
  }
  // One line for a person: line ends become " / ", other control characters "?".
  std::string words() const {
    std::string_view text = text_;
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
      text.remove_suffix(1);
    if (text.size() > kept_output) text.remove_prefix(text.size() - kept_output);
    std::string made;
    for (char c : text) {
      if (c == '\n')
        made += " / ";
      else if (c == '\t')
        made += ' ';
      else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
        made += c == '\r' ? "" : "?";
      else
        made += c;
    }
    return made;
  }

 private:
  std::string text_;
};

struct exit_meaning {
  int status;
  pipe_channel::verdict verdict;
  const char* words;
};

// sysexits.h. What may be different another time is tried again; so is what only says that the site is set up
// wrongly.
constexpr exit_meaning meanings[] = {
    {EX_USAGE, verdict::failed, "command line usage error"},
    {EX_DATAERR, verdict::failed, "data format error"},
    {EX_NOINPUT, verdict::failed, "cannot open input"},
    {EX_NOUSER, verdict::failed, "addressee unknown"},
    {EX_NOHOST, verdict::failed, "host name unknown"},
    {EX_UNAVAILABLE, verdict::failed, "service unavailable"},
    {EX_SOFTWARE, verdict::failed, "internal software error"},
    {EX_OSERR, verdict::deferred, "system error"},
    {EX_OSFILE, verdict::deferred, "critical system file missing"},
    {EX_CANTCREAT, verdict::deferred, "cannot create output file"},
    {EX_IOERR, verdict::deferred, "input/output error"},
    {EX_TEMPFAIL, verdict::deferred, "temporary failure"},
    {EX_PROTOCOL, verdict::failed, "remote error in protocol"},
    {EX_NOPERM, verdict::failed, "permission denied"},
    {EX_CONFIG, verdict::deferred, "configuration error"},
};

ending judge(const siginfo_t& how, const std::string& program, const output_tail& output) {
  ending made;
  std::string number = std::to_string(how.si_status);
  if (how.si_code != CLD_EXITED) {
    made.reason = program + " was killed by signal " + number + " (" + strsignal(how.si_status) + ")";
  } else if (how.si_status == 0) {
    made.verdict = verdict::delivered;
    made.reason = program + " took it";
  } else {
    auto known = std::find_if(std::begin(meanings), std::end(meanings),
                              [&](const exit_meaning& m) { return m.status == how.si_status; });
    bool found = known != std::end(meanings);
    made.verdict = found ? known->verdict : verdict::failed;
    made.reason = program + " ended with status " + number + (found ? std::string(", ") + known->words : "");
  }
  if (std::string said = output.words(); !said.empty()) made.reason += ": " + said;
  return made;
}

// Waits for the process to end, taking its output in meanwhile. false: the time was up before.
bool watch(int process, int output, output_tail& tail, steady_clock::time_point until) {
  for (bool open = true;;) {
    pollfd watched[2] = {{process, POLLIN, 0}, {open ? output : -1, POLLIN, 0}};
    auto left = std::chrono::ceil<milliseconds>(until - steady_clock::now()).count();
    int ready = ::poll(watched, 2, static_cast<int>(std::clamp<long>(left, 0, 1 << 30)));
    if (ready == 0 && left <= 0) return false;
    if (ready <= 0) continue;
    if (watched[1].revents != 0) open = tail.read_from(output);
    if (watched[0].revents != 0) {
      if (open)
        tail.read_from(output);  // what it printed last; not what a process that it left behind may print
      return true;
    }
  }
}

ending deferral(std::string reason) { return {verdict::deferred, std::move(reason)}; }

}  // namespace

mta::result<std::vector<std::string>> split_command(std::string_view line) {
  std::vector<std::string> words;
  bool in_word = false;
  char quote = '\0';
  auto current = [&]() -> std::string& {
    if (!std::exchange(in_word, true)) words.emplace_back();
    return words.back();
  };
  for (std::size_t i = 0; i < line.size(); ++i) {
    char c = line[i];
    if (c == '\\' && quote != '\'' && i + 1 < line.size())
      current() += line[++i];
    else if (quote != '\0' && c == quote)
      quote = '\0';
    else if (quote != '\0')
      current() += c;
    else if (c == '"' || c == '\'')
      current(), quote = c;
    else if (c == ' ' || c == '\t')
      in_word = false;
    else
      current() += c;
  }
  if (quote != '\0') return mta::error(mta::errc::syntax, "command: a quote is not closed");
  if (words.empty()) return mta::error(mta::errc::syntax, "command: it is empty");
  return words;
}

mta::result<std::vector<std::string>> substitute(const std::vector<std::string>& words,
                                                 const substitutions& s) {
  const std::pair<std::string_view, const std::string*> names[] = {
      {"sender", &s.sender}, {"recipient", &s.recipient}, {"channel", &s.channel}, {"id", &s.id}};
  std::vector<std::string> made;
  auto add = [&](std::string word, bool from_address) -> mta::result<> {
    if (word.find('\0') != std::string::npos)
      return mta::error(mta::errc::rejected, "an address holds a NUL, which no argument can");
    if (from_address && word.starts_with('-'))
      return mta::error(mta::errc::rejected, "the command would take \"" + word + "\" for an option");
    made.push_back(std::move(word));
    return {};
  };
  for (const std::string& word : words) {
    if (word == "${recipients}") {
      for (const std::string& recipient : s.recipients)
        if (auto r = add(recipient, true); !r) return r.error();
      continue;
    }
    std::string filled;
    for (std::size_t i = 0; i < word.size();) {
      std::size_t end = word.compare(i, 2, "${") == 0 ? word.find('}', i) : std::string::npos;
      if (end == std::string::npos) {
        filled += word[i++];
        continue;
      }
      std::string name = word.substr(i + 2, end - i - 2);
      auto found = std::find_if(std::begin(names), std::end(names), [&](auto& n) { return n.first == name; });
      if (found == std::end(names))
        return mta::error(mta::errc::syntax, "command: ${" + name +
                                                 "} is not known here; there are ${sender} ${recipient} "
                                                 "${recipients} (a word of its own) ${channel} ${id}");
      filled += *found->second;
      i = end + 1;
    }
    if (auto r = add(std::move(filled), word.starts_with("${")); !r) return r.error();
  }
  return made;
}

mta::result<input_file> input_file::make() {
  int made = ::memfd_create("message", MFD_CLOEXEC);
  if (made < 0) return mta::os_error("make a file for the message");
  return input_file(made);
}

input_file::input_file(input_file&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), buffer_(std::move(other.buffer_)) {}

input_file::~input_file() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

mta::result<> input_file::write(std::string_view bytes) {
  buffer_.append(bytes);
  return buffer_.size() < buffer_size ? mta::result<>{} : finish();
}

mta::result<> input_file::finish() {
  for (std::string_view rest = buffer_; !rest.empty();) {
    ssize_t written = ::write(descriptor_, rest.data(), rest.size());
    if (written < 0 && errno != EINTR) return mta::os_error("write the message for the command");
    if (written > 0) rest.remove_prefix(static_cast<std::size_t>(written));
  }
  buffer_.clear();
  return {};
}

ending run(const job& j, const input_file& input) {
  // An open file description of its own, read-only and at the start: commands cannot disturb one another.
  descriptor from(
      ::open(("/proc/self/fd/" + std::to_string(input.descriptor())).c_str(), O_RDONLY | O_CLOEXEC));
  if (from.get() < 0) return deferral(mta::os_error("open the message for the command").message());
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return deferral(mta::os_error("make a pipe for the command").message());
  descriptor output(ends[0]), child_output(ends[1]);
  ::fcntl(output.get(), F_SETFL, O_NONBLOCK);

  pid_t pid = 0;
  spawn_setup setup(j, from.get(), child_output.get());
  int error = ::posix_spawnp(&pid, j.words[0].c_str(), &setup.actions, &setup.attributes,
                             pointers(j.words).data(), pointers(j.environment).data());
  if (error != 0) return deferral(mta::os_error("run " + j.words[0], error).message());
  child_output.close();

  output_tail tail;
  descriptor process(
      static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));  // glibc 2.36 declares it for C only
  auto until = steady_clock::now() + j.time_limit;
  bool in_time = process.get() >= 0 && watch(process.get(), output.get(), tail, until);
  if (!in_time) {
    ::kill(-pid, SIGTERM);
    if (process.get() < 0 || !watch(process.get(), output.get(), tail, steady_clock::now() + grace))
      ::kill(-pid, SIGKILL);
  }
  // Its process group outlives it until it is waited for, so this cannot hit a stranger.
  siginfo_t how{};
  while (::waitid(P_PID, static_cast<id_t>(pid), &how, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  if (!in_time) ::kill(-pid, SIGKILL);
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (in_time) return judge(how, j.words[0], tail);
  std::string said = tail.words();
  return deferral(j.words[0] + " was stopped after its time limit of " +
                  std::to_string(std::chrono::duration_cast<std::chrono::seconds>(j.time_limit).count()) +
                  " s" + (said.empty() ? "" : ": " + said));
}

}  // namespace pipe_channel
