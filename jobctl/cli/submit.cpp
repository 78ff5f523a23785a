// jobctl submit: a message from standard input into the queue, as sendmail does it. Works with and without a
// controller.
//
// One process per message is its normal use, so its start must stay cheap: no HTTP, no iostreams, no logging.
#include "base/identity.hpp"
#include "enqueue/address.hpp"
#include "enqueue/enqueuer.hpp"
#include "enqueue/header.hpp"
#include "jobctl/admin/nearest.hpp"
#include "jobctl/admin/units.hpp"
#include "jobctl/cli/message_input.hpp"
#include "jobctl/cli/site.hpp"

#include <mtasdk.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>
#include <memory>
#include <optional>
#include <pwd.h>
#include <stdio_ext.h>
#include <system_error>
#include <unistd.h>

namespace jobctl::cli {
namespace {

namespace po = boost::program_options;
namespace enqueue = mta::enqueue;
using mta::errc;
using strings = std::vector<std::string>;

constexpr std::size_t largest_header = 4u << 20;  // bytes

void describe(po::options_description& options) {
  options.add_options()                                                        //
      ("recipient", po::value<strings>()->value_name("ADDRESS"), "recipient")  //
      ("sender,f", po::value<std::string>()->value_name("ADDRESS"),
       "envelope sender; '' or '<>' for none (default: your login name at this host)")                      //
      ("extract,t", po::bool_switch(), "take recipients from To:, Cc: and Bcc:, too, and remove Bcc:")      //
      ("ignore-dots,i", po::bool_switch(), "a line with a single dot is part of the message, not its end")  //
      ("notify,N", po::value<std::string>()->value_name("WHEN"),
       "when to notify the sender: never, or some of success,failure,delay")  //
      ("return,R", po::value<std::string>()->value_name("WHAT"),
       "what a notification returns: full or hdrs")                                                 //
      ("envid,V", po::value<std::string>()->value_name("ENVID"), "envelope id, for notifications")  //
      ("orcpt", po::value<std::string>()->value_name("ADDRESS"),
       "original recipient, for notifications; with one recipient only")  //
      ("priority", po::value<std::string>()->value_name("PRIORITY")->default_value("normal", "normal"),
       "urgent, normal or nonurgent (default normal)")  //
      ("at", po::value<std::string>()->value_name("TIME"),
       "not before this time: +2h, 2026-11-21T14:30:00Z")                   //
      ("verbose,v", po::bool_switch(), "print the ids of what was queued")  //
      ("json", po::bool_switch(),
       "print one JSON object for each: {\"id\", \"channel\", \"host\", \"recipients\"}")  //
      (",o", po::value<strings>()->value_name("X"),
       "-oi is -i; others are ignored, for callers of sendmail")                                    //
      (",b", po::value<std::string>()->value_name("M"), "-bm is what is done anyway")               //
      (",B", po::value<std::string>()->value_name("TYPE"), "ignored: 7-bit or 8-bit is found out")  //
      ("name,F", po::value<std::string>()->value_name("NAME"),
       "your full name, for a From: line that has to be added")  //
      ("raw", po::bool_switch(),
       "change nothing: add no header lines, expand no aliases, label no 8-bit text");
}

// What was asked for on the command line, checked.
struct order {
  std::string sender;
  strings recipients;
  bool extract = false, dot_ends = true;
  std::uint32_t notify_flags = 0;
  std::string envelope_id, original;
  mta::queue::priority priority = mta::queue::priority::normal;
  mta::queue::time_point not_before{};
};

std::string wrong_word(std::string_view option, std::string_view word,
                       std::span<const std::string_view> words) {
  return fmt::format("{}: '{}' is not one of {}.{}", option, word, fmt::join(words, ", "),
                     did_you_mean(word, words));
}

// NOTIFY= and RET= of RFC 3461 as MTA_NOTIFY_* bits. Empty: fine; else what is wrong.
std::string parse_notify(const invocation& in, std::uint32_t& flags) {
  constexpr std::uint32_t contents =
      MTA_NOTIFY_CONTENT_FULL | MTA_NOTIFY_CONTENT_HEADER | MTA_NOTIFY_CONTENT_NONE;
  if (in.has("notify")) {
    flags = MTA_NOTIFY_DEFAULT & contents;
    const std::string text = in.text("notify");
    std::size_t begin = 0;
    while (begin <= text.size() && text != "never") {
      const std::size_t end = std::min(text.find(',', begin), text.size());
      const std::string word = text.substr(begin, end - begin);
      constexpr std::string_view words[] = {"success", "failure", "delay", "never"};
      if (word == "never") return "--notify: 'never' stands alone.";
      if (word == "success")
        flags |= MTA_NOTIFY_SUCCESS;
      else if (word == "failure")
        flags |= MTA_NOTIFY_FAILURE;
      else if (word == "delay")
        flags |= MTA_NOTIFY_DELAY;
      else
        return wrong_word("--notify", word, words);
      begin = end + 1;
    }
  }
  if (in.has("return")) {
    const std::string what = in.text("return");
    constexpr std::string_view words[] = {"full", "hdrs"};
    if (what != "full" && what != "hdrs" && what != "headers") return wrong_word("--return", what, words);
    if (!in.has("notify")) flags = MTA_NOTIFY_DEFAULT;
    flags = (flags & ~contents) | (what == "full" ? MTA_NOTIFY_CONTENT_FULL : MTA_NOTIFY_CONTENT_HEADER);
  }
  return {};
}

std::string parse_priority(const invocation& in, mta::queue::priority& priority) {
  constexpr std::string_view words[] = {"urgent", "normal", "nonurgent"};
  const std::string word = in.text("priority");
  for (std::size_t i = 0; i < std::size(words); ++i) {
    if (word != words[i]) continue;
    priority = static_cast<mta::queue::priority>(i);
    return {};
  }
  return wrong_word("--priority", word, words);
}

// Empty: fine; else what is wrong.
std::string parse_order(const invocation& in, order& o) {
  if (in.has("recipient")) o.recipients = in.get<strings>("recipient");
  o.extract = in.get<bool>("extract");
  o.dot_ends = !in.get<bool>("ignore-dots");
  if (in.has("-o"))
    for (const std::string& option : in.get<strings>("-o"))
      if (option == "i") o.dot_ends = false;
  if (in.has("-b") && in.text("-b") != "m")
    return fmt::format("-b{} is a mode of sendmail that 'submit' does not have.", in.text("-b"));
  if (o.recipients.empty() && !o.extract) return "no recipients: name them as arguments, or use -t.";
  if (in.has("at")) {
    const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    const auto time = parse_time(in.text("at"), now);
    if (!time) return "--at: " + time.error().context + ".";
    o.not_before = *time;
  }
  o.envelope_id = in.text("envid");
  o.original = in.text("orcpt");
  if (in.has("orcpt") && (o.recipients.size() != 1 || o.extract))
    return "--orcpt: it is about one recipient; name exactly one, and do not use -t.";
  if (std::string wrong = parse_notify(in, o.notify_flags); !wrong.empty()) return wrong;
  return parse_priority(in, o.priority);
}

std::string sender_of(const invocation& in, const mta::config::settings& site) {
  if (!in.has("sender")) {
    const passwd* me = ::getpwuid(::getuid());  // NOLINT(concurrency-mt-unsafe): there is one thread
    return fmt::format("{}@{}", me ? me->pw_name : fmt::format("uid{}", ::getuid()), site.host);
  }
  const std::string given = in.text("sender");
  return given == "<>" ? std::string() : given;
}

// The beginning of the message, far enough to have all of its header.
struct beginning {
  std::string header;
  std::string rest;  // blank line and what was read of the body
};

// What sendmail does: a Received: line, Date:, Message-ID: and From: where they are missing, no Bcc:.
void complete(const invocation& in, std::string_view sender, const mta::config::settings& site,
              beginning& first) {
  const std::string unique = mta::unique_name(), name = in.text("name");
  const std::string submitter = fmt::format("from userid {}", ::getuid());
  enqueue::header_completion with;
  with.host = site.host;
  with.sender = sender;
  with.sender_name = name;
  with.submitter = submitter;
  with.id = unique;
  with.now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  with.strip_bcc = true;
  first.header = enqueue::complete_headers(first.header, with);
  // The body may have begun with its first line that is no header line.
  if (!first.rest.empty() && !first.rest.starts_with('\n') && !first.rest.starts_with("\r\n"))
    first.rest.insert(first.rest.begin(), '\n');
}

// Error: the system's; errc::out_of_range, a header that does not end.
mta::result<beginning> read_beginning(message_input& input) {
  std::string text;
  while (true) {
    auto more = input.read(text);
    if (!more) return more.error();
    const auto split = enqueue::split_header(text, !*more);
    if (split) {
      // Everything behind the header is kept byte for byte, the blank line included.
      const std::size_t from_line =
          text.starts_with("From ") ? std::min(text.find('\n'), text.size() - 1) + 1 : 0;
      const std::size_t end =
          split->header.empty()
              ? from_line
              : static_cast<std::size_t>(split->header.data() - text.data()) + split->header.size();
      return beginning{std::string(split->header), text.substr(end)};
    }
    if (text.size() > largest_header)
      return mta::error(errc::out_of_range, fmt::format("the header is over {} bytes", largest_header));
  }
}

// Adds all recipients, or prints what is wrong with each that cannot be and returns the status.
int add_recipients(const invocation& in, enqueue::submission& message, const strings& recipients,
                   std::string_view original) {
  int status = success;
  for (const std::string& address : recipients) {
    enqueue::recipient_options about;
    about.original = original;
    const auto added = message.add_recipient(address, about);
    if (added) continue;
    const bool is_address = bool(enqueue::canonical_address(address, "localhost"));
    // Not an address at all, one over 256 bytes, or one without a route.
    const bool refused = added.error().code == errc::rejected || added.error().code == errc::out_of_range;
    status =
        refused ? in.fail(is_address ? no_host : no_user, added.error().context) : in.fail(added.error());
  }
  if (status != success) in.fail(status, "nothing was queued, for nobody.");
  return status;
}

mta::result<> write_all(enqueue::submission& message, const beginning& first, message_input& input) {
  if (auto written = message.write(first.header); !written) return written;
  if (auto written = message.write(first.rest); !written) return written;
  std::string piece;
  while (true) {
    piece.clear();
    auto more = input.read(piece);
    if (!more) return more.error();
    if (!*more) return {};
    if (auto written = message.write(piece); !written) return written;
  }
}

void print_accepted(const invocation& in, const std::vector<enqueue::accepted>& queued) {
  for (const enqueue::accepted& a : queued) {
    const std::string id = mta::queue::to_string(a.id);
    if (in.get<bool>("json"))
      fmt::print(in.io.out, "{}\n",
                 boost::json::serialize(boost::json::object{
                     {"id", id}, {"channel", a.channel}, {"host", a.host}, {"recipients", a.recipients}}));
    else if (in.get<bool>("verbose"))
      fmt::print(in.io.out, "{} {} {} recipient{}\n", id, a.channel, a.recipients,
                 a.recipients == 1 ? "" : "s");
  }
}

int submit(const invocation& in, order o, std::shared_ptr<const mta::config::settings> site) {
  o.sender = sender_of(in, *site);
  enqueue::enqueuer_options options;
  options.one_shot = true;
  auto queue = enqueue::enqueuer::open(site, options);
  if (!queue) return in.fail(queue.error());
  enqueue::submission_options about;
  about.envelope_id = o.envelope_id;
  about.notify_flags = o.notify_flags;
  about.expand_aliases = !in.get<bool>("raw");
  auto message = (*queue)->start(o.sender, about);
  if (!message) return in.fail(message.error());

  message_input input(in.io.in, o.dot_ends);
  auto first = read_beginning(input);
  if (!first)
    return in.fail(first.error().code == errc::out_of_range ? data_error : io_error, first.error().message());
  if (o.extract) {
    auto found = enqueue::header_recipients(first->header);
    if (!found) return in.fail(found.error());
    o.recipients.insert(o.recipients.end(), found->begin(), found->end());
    if (o.recipients.empty())
      return in.fail(data_error, "-t: the message has no address in To:, Cc: or Bcc:.");
    first->header = enqueue::without_bcc(first->header);
  }
  if (first->header.empty() && first->rest.empty())
    return in.fail(data_error, "the message on standard input is empty; nothing was queued.");
  if (const bool raw = in.get<bool>("raw"); !raw) {
    complete(in, message->sender(), *site, *first);
    message->label_8bit();
  }
  if (const int status = add_recipients(in, *message, o.recipients, o.original); status != success)
    return status;
  if (auto written = write_all(*message, *first, input); !written) return in.fail(written.error());
  const auto queued = message->commit(o.priority, o.not_before);
  if (!queued) return in.fail(queued.error());
  try {
    print_accepted(in, *queued);
    if (std::fflush(in.io.out) != 0) throw std::system_error(errno, std::system_category());
  } catch (const std::system_error& e) {
    // The message is queued all the same: whoever tries again would send it twice.
    fmt::print(in.io.err, "jobctl submit: cannot write the output: {}\n", e.code().message());
    ::__fpurge(in.io.out);  // else it is tried again at the end, and is an error then
  }
  return success;
}

int run(const invocation& in) {
  order o;
  if (const std::string wrong = parse_order(in, o); !wrong.empty()) return in.fail(usage, wrong);
  int status = success;
  auto site = find_site(in, status);
  if (!site) return status;
  return submit(in, std::move(o), std::make_shared<const mta::config::settings>(std::move(*site)));
}

}  // namespace

const command submit_command = {
    "submit",
    "Put a message from standard input into the queue",
    "[OPTIONS] RECIPIENT... <MESSAGE",
    "Takes a message as sendmail does: header, blank line, body on standard input, lines ending in LF or "
    "CRLF.\n"
    "Date:, Message-ID: and From: are added where they are missing, and a Received: line; Bcc: is removed; "
    "8-bit text\n"
    "without MIME labels is labelled; local aliases are expanded. With --raw it is queued as it is. Exit "
    "status 0 means\n"
    "that it is on the disk. No controller needs to run; the next one finds the message. When any recipient "
    "cannot be\n"
    "routed, nothing is queued and every such recipient is named.",
    "  jobctl submit -f me@here.example you@there.example <message.eml\n"
    "  jobctl submit -t -i <message.eml                     recipients from the header\n"
    "  jobctl submit -f '' --notify never x@y.example <report.eml\n"
    "  jobctl submit --at +2h --priority nonurgent list@y.example <news.eml",
    "  0    queued, on the disk\n"
    "  64   wrong option or argument\n"
    "  65   the message is empty, or an address in its header cannot be read\n"
    "  67   a recipient is not an address\n"
    "  68   there is no route for a recipient\n"
    "  74   standard input cannot be read\n"
    "  75   no space, a full channel, an I/O error, or wrong aliases: nothing was queued, try again later\n"
    "  77   no permission to write the queue\n"
    "  78   the configuration is wrong",
    describe,
    "recipient",
    run};

}  // namespace jobctl::cli
