// moody: a channel program for the end-to-end tests, which does what its mood says. The mood is the contents
// of the file named by the option `mood`, read again for every message; no file: deliver.
//
//   deliver      finish the message
//   wait         keep the message in hand until the mood is another one, then act on that
//   unfinished   return without finishing
//   throw        leave by an exception
//   defer        defer it with a reason
//   fail         a permanent failure, with a reason
//   stress       report that the target is overloaded, and finish the message
//   abort        die in the middle (SIGABRT)
//   end_thread   finish the message and end the thread
//   exit         end the program, with status 3, before it asks for work
//
// What it does is appended to the file named by the option `journal`: "begin PID ID ATTEMPTS RECIPIENTS",
// "end PID ID MOOD", "thread PID", "start PID", "leave PID".
#include <mta/dequeue.hpp>
#include <mta/program.hpp>

#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <sys/inotify.h>
#include <unistd.h>

namespace {

std::string mood_file, journal_file;

std::string mood() {
  std::string word = "deliver";
  std::ifstream(mood_file) >> word;
  return word;
}

void journal(const std::string& line) {
  int descriptor = ::open(journal_file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  std::string whole = line + "\n";
  if (descriptor < 0 || ::write(descriptor, whole.data(), whole.size()) < 0) std::_Exit(70);
  ::close(descriptor);
}

// The mood once it is not "wait": looked at again whenever something happens in its directory.
std::string wait_for_a_mood() {
  int watch = ::inotify_init1(IN_CLOEXEC);
  ::inotify_add_watch(watch, mood_file.substr(0, mood_file.rfind('/')).c_str(),
                      IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE);
  std::string now;
  while ((now = mood()) == "wait") {
    char events[4096];
    if (::read(watch, events, sizeof events) < 0) break;
  }
  ::close(watch);
  return now;
}

mta::next_step process(mta::message& m) {
  std::string pid = std::to_string(::getpid()), id(m.id());
  journal("begin " + pid + " " + id + " " + std::to_string(m.attempts()) + " " +
          std::to_string(m.recipients().size()));
  std::string now = wait_for_a_mood();
  if (now == "abort") std::abort();
  if (now == "stress")
    if (auto told = mta::report_stress("the mood is stress"); !told) mta::log_line(told.error().message());
  if (now == "throw") throw std::runtime_error("the mood is to throw");
  for (std::string_view line : m.lines()) (void)line;  // a damaged message shows when it is read
  mta::result<> done;
  if (now == "defer")
    done = m.defer("the mood is to defer");
  else if (now == "fail")
    done = m.finish(mta::disposition::failed, "the mood is to fail");
  else if (now != "unfinished")
    done = m.finish(mta::disposition::delivered);
  journal("end " + pid + " " + id + " " + (done ? now : "error"));
  return now == "end_thread" ? mta::next_step::end_thread : mta::next_step::go_on;
}

// Counts threads: made at a thread's first message.
struct thread_mark {
  thread_mark() { journal("thread " + std::to_string(::getpid())); }
};

}  // namespace

int main() {
  mood_file = mta::option_or("mood", "");
  journal_file = mta::option_or("journal", "");
  if (mood_file.empty() || journal_file.empty()) return 64;
  journal("start " + std::to_string(::getpid()));
  if (mood() == "exit") return 3;
  mta::dequeue_options options;
  options.max_attempts = 2;
  options.retry_interval = std::chrono::milliseconds(300);
  auto done = mta::dequeue(
      options, [] { return thread_mark(); }, [](thread_mark&, mta::message& m) { return process(m); });
  if (!done) mta::log_line("moody: " + done.error().message());
  journal("leave " + std::to_string(::getpid()));
  return done ? 0 : 1;
}
