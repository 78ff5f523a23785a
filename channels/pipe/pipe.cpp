// pipe: runs a command for each message (or each recipient), with the message on its standard input.
//
// Options (option.NAME in the channel's section):
//   command     the program and its arguments, in which ${sender} ${recipient} ${recipients} ${channel} ${id}
//   are
//               replaced. There is no shell. Required
//   per         message or recipient. Default: recipient if the command says ${recipient}, else message
//   time_limit  seconds that one run may take. Default 600
//   directory   to run in. Default: the root of the site
//
// The exit status says what becomes of the message, as in sysexits.h: 0 delivered; system trouble (71 to 75,
// 78), a signal and the time limit: deferred; any other: failed. What the command printed is the reason.
//
// Bug: a command outlives a channel program that is killed, and will then be run again for the same message.
// It should bear that.
//
// Exit status: 0, or 75 when the dequeue loop could not run; the reason is in the log.
#include "command.hpp"

#include <mta/dequeue.hpp>
#include <mta/program.hpp>

#include <string>
#include <unistd.h>
#include <vector>

namespace {

using pipe_channel::ending;
using pipe_channel::verdict;

struct settings {
  std::vector<std::string> command;
  bool per_recipient = false;
  std::chrono::seconds time_limit{600};
  std::string directory;
};

mta::error wrong(std::string_view option, std::string_view value, std::string_view expected) {
  return {mta::errc::syntax, "option " + std::string(option) + ": \"" + std::string(value) + "\" must be " +
                                 std::string(expected)};
}

mta::result<settings> read_settings() {
  settings made;
  auto command = pipe_channel::split_command(mta::option_or("command", ""));
  if (!command) return command.error();
  made.command = std::move(*command);
  if (auto r = pipe_channel::substitute(made.command, {}); !r) return r.error();  // names that are not known

  bool names_one = mta::option_or("command", "").find("${recipient}") != std::string::npos;
  std::string per = mta::option_or("per", names_one ? "recipient" : "message");
  if (per != "recipient" && per != "message") return wrong("per", per, "message or recipient");
  made.per_recipient = per == "recipient";
  if (names_one && !made.per_recipient)
    return wrong("per", per, "recipient, because the command says ${recipient}");

  auto limit = mta::number_option("time_limit", 600, 1, 7 * 86400);
  if (!limit) return limit.error();
  made.time_limit = std::chrono::seconds(*limit);

  auto root = mta::site_root();
  if (!root) return root.error();
  made.directory = mta::option_or("directory", *root);
  return made;
}

mta::result<pipe_channel::input_file> message_file(mta::message& m) {
  auto file = pipe_channel::input_file::make();
  if (!file) return file;
  for (std::string_view line : m.lines()) {
    if (auto r = file->write(line); !r) return r.error();
    if (auto r = file->write("\n"); !r) return r.error();
  }
  if (auto r = file->finish(); !r) return r.error();
  return file;
}

std::vector<std::string> environment(const mta::message& m, const pipe_channel::substitutions& s,
                                     std::string_view original) {
  std::vector<std::string> made;
  for (char** variable = environ; *variable != nullptr; ++variable) made.emplace_back(*variable);
  std::string recipients;
  for (const std::string& recipient : s.recipients)
    recipients += (recipients.empty() ? "" : "\n") + recipient;
  made.push_back("SENDER=" + s.sender);
  made.push_back("RECIPIENTS=" + recipients);  // one a line
  made.push_back("CHANNEL=" + s.channel);
  made.push_back("MESSAGE_ID=" + s.id);
  made.push_back("ENVELOPE_ID=" + std::string(m.envelope_id()));
  if (!s.recipient.empty()) made.push_back("RECIPIENT=" + s.recipient);
  if (!original.empty()) made.push_back("ORIGINAL_RECIPIENT=" + std::string(original));
  return made;
}

// One run of the command, for one recipient or for all.
ending run_for(const mta::message& m, std::span<const mta::recipient> recipients,
               const pipe_channel::input_file& input, const settings& s) {
  pipe_channel::substitutions values{
      std::string(m.sender()), "", std::string(m.channel()), std::string(m.id()), {}};
  for (const mta::recipient& to : recipients) values.recipients.emplace_back(to.address);
  if (s.per_recipient) values.recipient = recipients.front().address;
  auto words = pipe_channel::substitute(s.command, values);
  if (!words) return {verdict::failed, words.error().message()};
  std::string_view original = s.per_recipient ? recipients.front().original : std::string_view();
  return pipe_channel::run({std::move(*words), environment(m, values, original), s.directory, s.time_limit},
                           input);
}

mta::disposition disposition_of(verdict v) {
  switch (v) {
    case verdict::delivered: return mta::disposition::delivered;
    case verdict::failed: return mta::disposition::failed;
    case verdict::deferred: break;
  }
  return mta::disposition::deferred;
}

void process(mta::message& m, const settings& s) {
  auto input = message_file(m);
  if (!input) {
    (void)m.defer(input.error().message());
    return;
  }
  std::span<const mta::recipient> all = m.recipients();
  for (std::size_t first = 0, count = s.per_recipient ? 1 : all.size(); first < all.size(); first += count) {
    auto some = all.subspan(first, count);
    ending e = run_for(m, some, *input, s);
    if (e.verdict != verdict::delivered) mta::log_line(std::string(m.id()) + ": " + e.reason);
    for (const mta::recipient& to : some) m.dispose(to, disposition_of(e.verdict), e.reason);
  }
  if (auto r = m.finish(); !r) mta::log_line(std::string(m.id()) + ": " + r.error().message());
}

}  // namespace

int main() {
  auto s = read_settings();
  if (!s) {
    mta::log_line("pipe: " + s.error().message());
    return 75;
  }
  auto done = mta::dequeue({}, [&](mta::message& m) { process(m, *s); });
  if (!done) mta::log_line("pipe: " + done.error().message());
  return done ? 0 : 75;
}
