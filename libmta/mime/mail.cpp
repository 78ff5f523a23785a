// mta::send(): one call from the description of a message to the queue (Developer's Reference ch. 7 and 8).
//
// The body is made first, into buffers that spill to files without a name, so that the header can say what
// is in it; then header and body are written to a submission of the site's enqueuer.
#include "base/identity.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "dequeue/site.hpp"
#include "enqueue/address.hpp"
#include "enqueue/content_buffer.hpp"
#include "enqueue/enqueuer.hpp"
#include "enqueue/header.hpp"
#include "mime/encode.hpp"
#include "mime/mail_input.hpp"

#include <mta/send.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <pwd.h>
#include <set>
#include <span>
#include <sys/stat.h>
#include <unistd.h>

namespace mta {
namespace {

using enqueue::header_field;
using step = send_report::step;
constexpr std::size_t longest_header = 256 * 1024;

std::string process_user() {
  std::array<char, 4096> space{};
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(::getuid(), &entry, space.data(), space.size(), &found) == 0 && found != nullptr)
    return found->pw_name;
  return "uid" + std::to_string(::getuid());
}

/// Root and the account that the site belongs to may name anybody.
bool may_name_others(const config::settings& site) {
  if (::getuid() == 0) return true;
  struct stat about {};
  return ::stat(site.root.c_str(), &about) == 0 && about.st_uid == ::getuid();
}

/// A field's text: no line may begin in it but a continuation.
bool is_one_field(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\0' || (text[i] == '\r' && text.substr(i + 1, 1) != "\n")) return false;
    if (text[i] == '\n' && (i + 1 == text.size() || !is_blank(text[i + 1]))) return false;
  }
  return true;
}

bool is_any_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::any_of(names.begin(), names.end(), [&](auto n) { return equal_ignoring_case(name, n); });
}

struct recipient_line {
  std::string to, cc;
  void add(recipient_role role, const std::string& text) {
    const bool is_to = role == recipient_role::to || role == recipient_role::header_to;
    const bool is_cc = role == recipient_role::cc || role == recipient_role::header_cc;
    if (!is_to && !is_cc) return;  // blind copies are named nowhere
    std::string& line = is_to ? to : cc;
    line += (line.empty() ? "" : ",\n ") + text;
  }
};

bool in_envelope(recipient_role role) { return role <= recipient_role::bcc; }

class composer {
 public:
  composer(const mail& m, send_report& report) : mail_(m), report_(report) {}

  result<std::vector<std::string>> send() {
    if (auto fine = check_items(); !fine) return fine.error();
    report_.reached = step::site;
    auto queue = dequeueing::site_enqueuer();
    if (!queue) return queue.error();
    site_ = (*queue)->settings();
    report_.reached = step::privilege;
    if (mail_.user && *mail_.user != process_user() && !may_name_others(*site_))
      return error(errc::rejected, "send as " + enqueue::printable(*mail_.user) +
                                       ": naming another user needs the rights of the site's owner");
    if (auto done = read_sources(); !done) return done.error();
    report_.reached = step::recipients;
    auto message = begin(**queue);
    if (!message) return message.error();
    if (auto done = add_recipients(*message); !done) return done.error();
    report_.reached = step::enqueue;
    if (mail_.before_enqueue) mail_.before_enqueue();
    auto ids = write(*message);
    if (mail_.after_enqueue) mail_.after_enqueue();
    return ids;
  }

 private:
  result<> check_items() {
    report_.recipients.assign(mail_.recipients.size(), {});
    if (mail_.envelope_from && (mail_.user || !mail_.subaddress.empty()))
      return error(errc::syntax, "sender given both as a user and as an address");
    for (const auto* text :
         {&mail_.from, &mail_.subject, &mail_.content_type, &mail_.user, &mail_.envelope_from})
      if (*text && !is_one_field(**text))
        return error(errc::syntax, "header field \"" + enqueue::printable(**text) + "\": a line break in it");
    for (const std::string& line : mail_.header_lines)
      if (!is_one_field(line) || enqueue::header_fields(line).size() != 1)
        return error(errc::syntax, "header line \"" + enqueue::printable(line) + "\": expected NAME: TEXT");
    if (mail_.header)
      if (auto fine = check_name(*mail_.header); !fine) return fine;
    for (const mail_source& source : mail_.body)
      if (auto fine = check_name(source); !fine) return fine;
    return {};
  }

  /// A name gets into header fields, and into the first line of a uuencoded file.
  static result<> check_name(const mail_source& source) {
    if (std::none_of(source.name.begin(), source.name.end(), is_control)) return {};
    return error(errc::syntax,
                 "file name \"" + enqueue::printable(source.name) + "\": a control character in it");
  }

  /// Fills header_ and bodies_. With ignore_errors, sources that cannot be read are left out.
  result<> read_sources() {
    std::size_t good = 0;
    error first;
    bool failed = false;
    const auto note = [&](result<> done) {
      if (done) {
        ++good;
      } else if (!failed) {
        failed = true;
        first = done.error();
      }
      return done || mail_.ignore_errors;
    };
    if (mail_.header && !note(read_header(*mail_.header))) return first;
    for (const mail_source& source : mail_.body)
      if (!note(read_body(source))) return first;
    if (failed && good == 0) return first;
    for (const auto& body : bodies_)
      if (auto done = body->finish(); !done) return done;
    return {};
  }

  result<mime::mail_input> open(const mail_source& source) {
    report_.reached = step::source_open;
    auto input = mime::mail_input::open(source);
    if (input) report_.reached = step::source_read;
    return input;
  }

  result<> read_header(const mail_source& source) {
    auto input = open(source);
    if (!input) return input.error();
    std::string text;
    bool complete = false;
    std::optional<enqueue::split_message> split;
    while (!split) {
      auto line = input->next_line();
      if (!line) return line.error();
      complete = !*line;
      if (*line) text.append(**line).append("\n");
      // Only a blank line, a line that is none of a header, or the end can end it.
      if (complete || (*line)->empty() ||
          ((*line)->find(':') == (*line)->npos && !is_blank((*line)->front())))
        split = enqueue::split_header(text, complete);
      if (!split && text.size() > longest_header)
        return error(errc::out_of_range,
                     "the initial header is over " + std::to_string(longest_header) + " bytes");
    }
    header_ = std::string(split->header);
    separated_ = split->has_blank_line;
    if (complete && split->body.empty()) return {};
    separated_ = true;
    mime::mail_body& body = body_for(source);
    if (auto done = body.add_text(split->body); !done) return done;
    return body.copy(*input);
  }

  result<> read_body(const mail_source& source) {
    auto input = open(source);
    if (!input) return input.error();
    mime::mail_body& body = body_for(source);
    // Behind a header without a blank line, the one that begins the body, or stands before it, divides them.
    if (header_ && !separated_) {
      separated_ = true;
      if (!source.binary && !source.blank_line_before)
        if (auto done = input->skip_blank_line(); !done) return done;
    } else if (source.blank_line_before && !body.empty()) {
      if (auto done = body.add_line({}); !done) return done;
    }
    return body.copy(*input);
  }

  /// The last body if the source may be joined to it.
  mime::mail_body& body_for(const mail_source& source) {
    if (bodies_.empty() || !bodies_.back()->takes(source))
      bodies_.push_back(std::make_unique<mime::mail_body>(site_->queue_root(), source));
    return *bodies_.back();
  }

  std::string own_address() const {
    std::string user = mail_.user ? *mail_.user : process_user();
    if (!mail_.subaddress.empty()) user += '+' + mail_.subaddress;
    return user + '@' + site_->host;
  }

  result<enqueue::submission> begin(enqueue::enqueuer& queue) {
    source_channel_ = mail_.channel;
    if (source_channel_.empty() && site_->find_channel("l") != nullptr) source_channel_ = "l";
    enqueue::submission_options o;
    o.source_channel = source_channel_;
    o.fragment_blocks = mail_.fragment_blocks;
    o.fragment_lines = mail_.fragment_lines;
    o.max_recipients = mail_.max_recipients;
    envelope_from_ = mail_.envelope_from ? *mail_.envelope_from : own_address();
    return queue.start(envelope_from_, o);
  }

  result<> add_recipients(enqueue::submission& message) {
    std::optional<error> first;
    for (std::size_t n = 0; n < mail_.recipients.size(); ++n) {
      auto& outcome = report_.recipients[n];
      if (auto added = add_recipient(message, mail_.recipients[n], outcome.address); !added) {
        outcome.why_not = added.error();
        if (!first) first = added.error();
      }
    }
    if (mail_.send_to_header_recipients && header_) {
      auto found = enqueue::header_recipients(*header_);
      if (!found && !first) first = found.error();
      if (found)
        for (const std::string& address : *found) {
          const auto added = message.add_recipient(address);
          if (!added && !first) first = added.error();
        }
    }
    if (first && (!mail_.ignore_errors || message.recipients() == 0)) return *first;
    if (message.recipients() == 0) return error(errc::out_of_range, "submit a message without recipients");
    return {};
  }

  result<> add_recipient(enqueue::submission& message, const mail_recipient& r, std::string& accepted) {
    const enqueue::address_list list = enqueue::parse_address_list(r.address);
    if (!list.problems.empty() || list.mailboxes.size() != 1)
      return error(errc::rejected,
                   "address \"" + enqueue::printable(r.address) +
                       "\": " + (list.problems.empty() ? "expected one address" : list.problems[0].text));
    const enqueue::mailbox& box = list.mailboxes.front();
    auto canonical = enqueue::canonical_address(box.address(), site_->host);
    if (!canonical) return error(errc::rejected, canonical.error().context);
    accepted = *canonical;
    if (in_envelope(r.role)) {
      auto added = message.add_recipient(*canonical);
      if (!added) return added.error();
      accepted = added->address;
    }
    lines_.add(r.role,
               box.phrase.empty() ? *canonical : mime::encode_phrase(box.phrase) + " <" + *canonical + '>');
    return {};
  }

  enqueue::header_completion completion() const {
    enqueue::header_completion c;
    c.host = site_->host;
    c.sender = envelope_from_;
    c.received_from = source_channel_;
    c.now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    return c;
  }

  /// From: as far as the program or we say it: the header's own is left alone.
  std::string from_text() const {
    if (!mail_.from) return mail_.envelope_from ? process_user() + '@' + site_->host : envelope_from_;
    const enqueue::address_list list = enqueue::parse_address_list(*mail_.from);
    if (!list.problems.empty() || list.mailboxes.empty() ||
        std::none_of(mail_.from->begin(), mail_.from->end(), is_8bit))
      return *mail_.from;
    std::string text;
    for (const enqueue::mailbox& box : list.mailboxes)
      text +=
          (text.empty() ? "" : ", ") +
          (box.phrase.empty() ? box.address() : mime::encode_phrase(box.phrase) + " <" + box.address() + '>');
    return text;
  }

  std::string header_text() {
    bool has_from = false, has_destination = false;
    const std::string_view own = header_ ? std::string_view(*header_) : std::string_view();
    auto fields = enqueue::header_fields(own);
    for (const header_field& f : fields)
      has_destination |= is_any_of(f.name, {"to", "cc"});  // blind copies are taken out
    // The program's lines are fields as the header's are: what we write is not repeated, no secret told.
    for (const std::string& line : mail_.header_lines)
      for (const header_field& f : enqueue::header_fields(line)) fields.push_back(f);
    for (const header_field& f : fields) has_from |= equal_ignoring_case(f.name, "from");
    const bool resend = has_destination && mail_.resent;
    const bool writes_from = mail_.from || !has_from;
    // Who really sends it, unless From: says so.
    const std::string sender = mail_.envelope_from ? process_user() + '@' + site_->host : envelope_from_;
    const bool writes_sender = !writes_from || (mail_.from && from_text() != sender);
    std::string out;
    if (resend && !(lines_.to.empty() && lines_.cc.empty())) {
      out +=
          "Resent-From: " + (mail_.envelope_from && envelope_from_.empty() ? own_address() : envelope_from_) +
          '\n';
      out += "Resent-Date: " + rfc5322_date(completion().now) + '\n';
      out += "Resent-Message-ID: <" + unique_name() + '@' + site_->host + ">\n";
      if (!lines_.to.empty()) out += "Resent-To: " + lines_.to + '\n';
      if (!lines_.cc.empty()) out += "Resent-Cc: " + lines_.cc + '\n';
      lines_ = {};
    }
    for (const header_field& f : fields) {
      if (is_any_of(f.name, {"bcc", "resent-bcc"})) continue;
      if (is_any_of(f.name, {"sender"}) && writes_sender) continue;
      if (mail_.from && is_any_of(f.name, {"from"})) continue;
      if (mail_.subject && is_any_of(f.name, {"subject"})) continue;
      if (is_any_of(f.name, {"mime-version"}) && std::exchange(has_mime_version_, true)) continue;
      if (std::string* const place = own_content_field(f.name)) {
        *place = f.whole;
        if (!place->ends_with('\n')) *place += '\n';
        continue;
      }
      out += f.whole;
      if (!out.ends_with('\n')) out += '\n';
      for (const auto& [name, list] : {std::pair("to", &lines_.to), std::pair("cc", &lines_.cc)}) {
        if (!equal_ignoring_case(f.name, name) || list->empty()) continue;
        while (out.back() == '\n' || out.back() == '\r') out.pop_back();
        out += (trim(f.value).empty() ? " " : ",\n ") + std::exchange(*list, {}) + '\n';
      }
    }
    if (writes_from) out += "From: " + from_text() + '\n';
    if (writes_sender) out += "Sender: " + sender + '\n';
    if (!lines_.to.empty()) out += "To: " + lines_.to + '\n';
    if (!lines_.cc.empty()) out += "Cc: " + lines_.cc + '\n';
    if (mail_.subject) out += "Subject: " + mime::encode_header_text(*mail_.subject) + '\n';
    const std::string missing = enqueue::missing_fields(out, completion());
    return out + missing + content_fields();
  }

  /// Where a field of the initial header that describes the body is kept until the body's are written.
  std::string* own_content_field(std::string_view name) {
    if (equal_ignoring_case(name, "content-type")) return &own_type_;
    if (equal_ignoring_case(name, "content-transfer-encoding")) return &own_encoding_;
    if (equal_ignoring_case(name, "content-disposition")) return &own_disposition_;
    return nullptr;
  }

  /// MIME-Version: and what describes the body as a whole.
  std::string content_fields() {
    const bool plain = bodies_.empty() || (bodies_.size() == 1 && bodies_[0]->needs_no_label());
    if (plain && !mail_.content_type) return own_type_ + own_encoding_ + own_disposition_;
    std::string out = has_mime_version_ ? "" : "MIME-Version: 1.0\n";
    if (bodies_.size() > 1) {
      boundary_ = "=_" + unique_name();
      return out + "Content-Type: multipart/mixed;\n boundary=\"" + boundary_ + "\"\n";
    }
    return out + part_fields(0);
  }

  /// The Content- fields of a body. What the message says of its content belongs to the first encoded one of
  /// several (a note before an attachment is not of the attachment's type), or to the only one.
  std::string part_fields(std::size_t n) const {
    std::size_t described = 0;
    while (described < bodies_.size() && bodies_[described]->encoding() == content_encoding::none)
      ++described;
    if (described >= bodies_.size()) described = 0;
    const bool mine = n == described;
    if (n >= bodies_.size())  // no body at all
      return "Content-Type: " + *mail_.content_type + '\n' + own_encoding_ + own_disposition_;
    const mime::mail_body& body = *bodies_[n];
    const bool packed = mime::compresses(body.encoding());
    std::string name = body.name();
    if (packed && !name.empty()) name += ".gz";
    if (!name.empty()) name = quoted_string(mime::encode_header_text(name));

    std::string out;
    if (mine && !packed && !mail_.content_type && !own_type_.empty()) {
      out = own_type_;
    } else {
      out = "Content-Type: " +
            (mine && !packed && mail_.content_type ? *mail_.content_type : body.default_type());
      out += (name.empty() ? "" : ";\n name=" + name) + '\n';
    }
    if (body.encoding() != content_encoding::none)
      out += "Content-Transfer-Encoding: " + std::string(mime::transfer_encoding(body.encoding())) + '\n';
    else if (mine && !own_encoding_.empty())
      out += own_encoding_;
    else if (body.eight_bit())
      out += "Content-Transfer-Encoding: 8bit\n";
    if (!name.empty())
      out += "Content-Disposition: attachment;\n filename=" + name + '\n';
    else if (mine)
      out += own_disposition_;
    return out;
  }

  result<std::vector<std::string>> write(enqueue::submission& message) {
    enqueue::header_completion c = completion();
    const std::string unique = unique_name();
    c.id = unique;
    const std::string submitter = "from userid " + std::to_string(::getuid());
    c.submitter = submitter;
    const std::string header = header_text();  // before the bodies: it makes the boundary
    for (const std::string& text : {enqueue::received_line(c), header, std::string("\n")})
      if (auto done = message.write(text); !done) return done.error();
    for (std::size_t n = 0; n < bodies_.size(); ++n) {
      if (!boundary_.empty()) {
        const std::string head = "--" + boundary_ + '\n' + part_fields(n) + '\n';
        if (auto done = message.write(head); !done) return done.error();
      }
      if (auto done = bodies_[n]->write_to(message); !done) return done.error();
      if (!boundary_.empty())
        if (auto done = message.write(n + 1 < bodies_.size() ? "\n" : "\n--" + boundary_ + "--\n"); !done)
          return done.error();
    }
    auto accepted = message.commit();
    if (!accepted) return accepted.error();
    std::vector<std::string> ids;
    for (const auto& a : *accepted) ids.push_back(to_string(a.id));
    return ids;
  }

  const mail& mail_;
  send_report& report_;
  std::shared_ptr<const config::settings> site_;
  std::string source_channel_, envelope_from_, boundary_;
  std::optional<std::string> header_;
  bool separated_ = false;  // the blank line behind the initial header has come
  std::string own_type_, own_encoding_, own_disposition_;  // fields of header and lines
  bool has_mime_version_ = false;
  std::vector<std::unique_ptr<mime::mail_body>> bodies_;
  recipient_line lines_;
};

}  // namespace

result<std::vector<std::string>> send(const mail& m, send_report* report) {
  send_report unwanted;
  return composer(m, report != nullptr ? *report : unwanted).send();
}

}  // namespace mta
