// maildir: delivers each recipient's mail into a Maildir folder.
//
// Options (option.NAME in the channel's section):
//   directory   where a recipient's folder is; %u local part, %d domain. Default: <root>/mailboxes/%d/%u
//   trace       yes: begin each file with Return-Path: and Delivered-To:. Default no: files are the message
//   byte
//               for byte, with LF line ends
//
// What went wrong for one recipient (quota, permissions, I/O) defers that recipient alone, with the reason. A
// file's name follows from message and recipient, so delivering again after a crash replaces the file instead
// of adding one.
//
// Exit status: 0, or 75 when the dequeue loop could not run; the reason is in the log.
#include "folder.hpp"

#include <mta/dequeue.hpp>
#include <mta/program.hpp>

#include <string>
#include <unistd.h>

namespace {

struct settings {
  std::string directory;  ///< pattern
  bool trace = false;
  std::string host;  ///< of this machine, as it stands in file names
};

// Slash and colon have a meaning in Maildir names.
std::string host_name() {
  char name[256] = "localhost";
  ::gethostname(name, sizeof name - 1);
  std::string made;
  for (char c : std::string_view(name)) made += c == '/' ? "\\057" : c == ':' ? "\\072" : std::string(1, c);
  return made;
}

mta::result<settings> read_settings() {
  auto root = mta::site_root();
  if (!root) return root.error();
  settings made;
  made.directory = mta::option_or("directory", *root + "/mailboxes/%d/%u");
  if (!made.directory.starts_with('/'))
    return mta::error(mta::errc::syntax,
                      "option directory: \"" + made.directory + "\" must be an absolute path");
  std::string trace = mta::option_or("trace", "no");
  if (trace != "yes" && trace != "no")
    return mta::error(mta::errc::syntax, "option trace: \"" + trace + "\" must be yes or no");
  made.trace = trace == "yes";
  made.host = host_name();
  return made;
}

// time.unique.host, as Maildir wants it; the same whenever this message is delivered to this recipient.
std::string file_name(const mta::message& m, const mta::recipient& to, const settings& s) {
  auto ms = m.committed().time_since_epoch().count();
  std::string id(m.id());
  for (char& c : id)
    if (c == '.') c = '_';
  return std::to_string(ms / 1000) + ".M" + std::to_string(ms % 1000 * 1000) + "Q" + id + "_" +
         std::to_string(to.index) + "." + s.host;
}

mta::result<> deliver(mta::message& m, const mta::recipient& to, const std::string& folder,
                      const settings& s) {
  auto file = maildir::delivery::start(folder, file_name(m, to, s));
  if (!file) return file.error();
  if (s.trace) {
    std::string lines =
        "Return-Path: <" + std::string(m.sender()) + ">\nDelivered-To: " + std::string(to.address) + "\n";
    if (auto r = file->write(lines); !r) return r;
  }
  for (std::string_view line : m.lines()) {
    if (auto r = file->write(line); !r) return r;
    if (auto r = file->write("\n"); !r) return r;
  }
  return file->commit();
}

void process(mta::message& m, const settings& s) {
  for (const mta::recipient& to : m.recipients()) {
    std::string folder = maildir::directory_for(s.directory, to.address);
    if (auto r = deliver(m, to, folder, s)) {
      m.dispose(to, mta::disposition::delivered, "delivered to " + folder);
    } else {
      std::string reason = r.error().message();
      mta::log_line(std::string(m.id()) + " to " + std::string(to.address) + " deferred: " + reason);
      m.dispose(to, mta::disposition::deferred, reason);
    }
  }
  if (auto r = m.finish(); !r) mta::log_line(std::string(m.id()) + ": " + r.error().message());
}

}  // namespace

int main() {
  auto s = read_settings();
  if (!s) {
    mta::log_line("maildir: " + s.error().message());
    return 75;
  }
  auto done = mta::dequeue({}, [&](mta::message& m) { process(m, *s); });
  if (!done) mta::log_line("maildir: " + done.error().message());
  return done ? 0 : 75;
}
