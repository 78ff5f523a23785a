// mtaSend and mtaSendDispose: an array of items into an mta::mail (Developer's Reference ch. 7 and 8).
#include "config/settings.hpp"
#include "sdk/status.hpp"

#include <mta/send.hpp>
#include <mtasdk.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <sys/types.h>
#include <unordered_set>

namespace {

using mta::sdk::status;

constexpr int most_lists = 1000;  // that continue one another: more is a circle

using input_procedure = ssize_t (*)(const char**);
using plain_procedure = void (*)();

/// Texts that mtaSend attached to arrays. What an array holds before that is not initialised, so only what is
/// known here may be freed.
class attached_texts {
 public:
  /// nullptr: no memory.
  const char* attach(std::string_view text) {
    auto* const copy = static_cast<char*>(std::malloc(text.size() + 1));
    if (copy == nullptr) return nullptr;
    std::memcpy(copy, text.data(), text.size());
    copy[text.size()] = '\0';
    const std::scoped_lock guard(mutex_);
    known_.insert(copy);
    return copy;
  }
  bool release(const char* text) {
    const std::scoped_lock guard(mutex_);
    if (known_.erase(text) == 0) return false;
    std::free(const_cast<char*>(text));
    return true;
  }

 private:
  std::mutex mutex_;
  std::unordered_set<const void*> known_;
};
attached_texts& attached() {
  static auto* const texts = new attached_texts;
  return *texts;
}

/// Calls `take` for every entry; MTA_ITEM_LIST continues with another array instead of the rest.
template <class Take>
int for_each_item(mta_item_list_t* entry, Take take) {
  int lists = 0;
  for (; entry != nullptr && entry->item_code != MTA_END_LIST; ++entry) {
    while (entry->item_code == MTA_ITEM_LIST) {
      entry = static_cast<mta_item_list_t*>(const_cast<void*>(entry->item_address));
      if (entry == nullptr || ++lists > most_lists) return MTA_BADARGS;
    }
    if (entry->item_code == MTA_END_LIST) break;
    if (const int code = take(*entry); code != MTA_OK) return code;
  }
  return MTA_OK;
}

std::optional<mta::recipient_role> role_of(int code) {
  using mta::recipient_role;
  switch (code) {
    case MTA_TO: return recipient_role::to;
    case MTA_CC: return recipient_role::cc;
    case MTA_BCC: return recipient_role::bcc;
    case MTA_ENV_TO: return recipient_role::envelope;
    case MTA_HDR_TO: return recipient_role::header_to;
    case MTA_HDR_CC: return recipient_role::header_cc;
    case MTA_HDR_BCC: return recipient_role::header_bcc;
    default: return std::nullopt;
  }
}

std::optional<mta::content_encoding> encoding_of(int code) {
  using enum mta::content_encoding;
  switch (code) {
    case MTA_ENC_NONE:
    case MTA_ENC_UNKNOWN: return none;
    case MTA_ENC_BASE64:
    case MTA_ENC_PATHWORKS: return base64;  // a form that nothing reads any more
    case MTA_ENC_QUOTED_PRINTABLE: return quoted_printable;
    case MTA_ENC_BASE85: return base85;
    case MTA_ENC_BINHEX: return binhex;
    case MTA_ENC_BTOA: return btoa;
    case MTA_ENC_HEXADECIMAL: return hexadecimal;
    case MTA_ENC_UUENCODE: return uuencode;
    case MTA_ENC_COMPRESSED_BASE64:
    case MTA_ENC_COMPRESSED_BINARY: return compressed_base64;  // a queued message is made of lines
    case MTA_ENC_COMPRESSED_UUENCODE: return compressed_uuencode;
    default: return std::nullopt;
  }
}

/// The array, read into a mail.
class item_reader {
 public:
  mta::mail mail;
  std::vector<mta_item_list_t*> addresses;  // entries of mail.recipients
  bool wants_status = false;
  bool interactive = false;

  int read(mta_item_list_t* list) {
    const int walked = for_each_item(list, [this](mta_item_list_t& entry) {
      if (entry.item_code == MTA_ADR_STATUS) wants_status = true;
      if (entry.item_code == MTA_ADR_NOSTATUS) wants_status = false;
      if (role_of(entry.item_code)) addresses.push_back(&entry);
      return MTA_OK;
    });
    if (walked != MTA_OK) return walked;
    // Whatever happens from now on, a program that asked for it finds something there.
    for (mta_item_list_t* entry : addresses) {
      if (!wants_status) break;
      entry->item_status = MTA_OK;
      entry->item_smessage = nullptr;
    }
    const int code = for_each_item(list, [this](mta_item_list_t& entry) { return take(entry); });
    if (code != MTA_OK) return code;
    return mail.envelope_from && (mail.user || !mail.subaddress.empty()) ? MTA_BADARGS : MTA_OK;
  }

 private:
  int take(const mta_item_list_t& entry) {
    if (role_of(entry.item_code)) return take_address(entry);
    if (const auto encoding = encoding_of(entry.item_code)) {
      next_.encoding = *encoding;
      return MTA_OK;
    }
    switch (entry.item_code) {
      case MTA_ADR_STATUS:
      case MTA_ADR_NOSTATUS: return MTA_OK;
      case MTA_INTERACTIVE: interactive = true; return MTA_OK;
      case MTA_BLANK: next_.blank_line_before = true; return MTA_OK;
      case MTA_NOBLANK: next_.blank_line_before = false; return MTA_OK;
      case MTA_MODE_TEXT: next_.binary = false; return MTA_OK;
      case MTA_MODE_BINARY: next_.binary = true; return MTA_OK;
      case MTA_CFILENAME: return text(entry, next_.name);
      case MTA_CFILENAME_NONE: next_.name.clear(); return MTA_OK;
      case MTA_HDR_ADRS: mail.send_to_header_recipients = true; return MTA_OK;
      case MTA_HDR_NOADRS: mail.send_to_header_recipients = false; return MTA_OK;
      case MTA_HDR_RESENT: mail.resent = true; return MTA_OK;
      case MTA_HDR_NORESENT: mail.resent = false; return MTA_OK;
      case MTA_IGNORE_ERRORS: mail.ignore_errors = true; return MTA_OK;
      case MTA_NOIGNORE_ERRORS: mail.ignore_errors = false; return MTA_OK;
      case MTA_CHANNEL: return text(entry, mail.channel, CHANLENGTH);
      case MTA_CTYPE: return text_once(entry, mail.content_type);
      case MTA_ENV_FROM: return text_once(entry, mail.envelope_from);
      case MTA_FROM: return text_once(entry, mail.from);
      case MTA_SUBJECT: return text_once(entry, mail.subject);
      case MTA_USER: return text_once(entry, mail.user);
      case MTA_SUBADDRESS: return mail.subaddress.empty() ? text(entry, mail.subaddress) : MTA_BADARGS;
      case MTA_HDR_LINE: return text(entry, mail.header_lines.emplace_back());
      case MTA_FRAGMENT_BLOCKS: return number(entry, mail.fragment_blocks);
      case MTA_FRAGMENT_LINES: return number(entry, mail.fragment_lines);
      case MTA_MAX_TO: return number(entry, mail.max_recipients);
      case MTA_PRIV_ENABLE_PROC: return hook(entry, mail.before_enqueue);
      case MTA_PRIV_DISABLE_PROC: return hook(entry, mail.after_enqueue);
      case MTA_HDR_FILE:
      case MTA_HDRMSG_FILE:
      case MTA_HDR_PROC:
      case MTA_HDRMSG_PROC: return header_source(entry);
      case MTA_MSG_FILE:
      case MTA_MSG_PROC: return body_source(entry);
      default: return MTA_NOSUCHITEM;
    }
  }

  static int text(const mta_item_list_t& entry, std::string& to, std::size_t longest = ALFA_SIZE) {
    const auto* const address = static_cast<const char*>(entry.item_address);
    if (address == nullptr || entry.item_length < 0) return MTA_BADARGS;
    const std::size_t length =
        entry.item_length == 0 ? std::strlen(address) : static_cast<std::size_t>(entry.item_length);
    if (length > longest) return MTA_STRTRUERR;
    to.assign(address, length);
    return MTA_OK;
  }
  static int text_once(const mta_item_list_t& entry, std::optional<std::string>& to) {
    return to ? MTA_BADARGS : text(entry, to.emplace());
  }
  template <class Number>
  static int number(const mta_item_list_t& entry, Number& to) {
    if (entry.item_length < 0) return MTA_BADARGS;
    to = static_cast<Number>(entry.item_length);
    return MTA_OK;
  }
  static int hook(const mta_item_list_t& entry, std::function<void()>& to) {
    if (entry.item_address == nullptr) return MTA_BADARGS;
    to = reinterpret_cast<plain_procedure>(const_cast<void*>(entry.item_address));
    return MTA_OK;
  }

  int take_address(const mta_item_list_t& entry) {
    mta::mail_recipient r;
    r.role = *role_of(entry.item_code);
    if (const int code = text(entry, r.address); code != MTA_OK) return code;
    mail.recipients.push_back(std::move(r));
    return MTA_OK;
  }

  /// -1 ends the data; other negative values are errors, which stop the send.
  int source(const mta_item_list_t& entry, bool is_procedure, mta::mail_source& to) {
    if (!is_procedure) return text(entry, to.file);
    if (entry.item_address == nullptr) return MTA_BADARGS;
    const auto call = reinterpret_cast<input_procedure>(const_cast<void*>(entry.item_address));
    to.lines = [call]() -> mta::result<std::optional<std::string_view>> {
      const char* line = nullptr;
      const ssize_t length = call(&line);
      if (length >= 0 && (line != nullptr || length == 0))
        return std::optional(std::string_view(line, static_cast<std::size_t>(length)));
      if (length == -1) return std::optional<std::string_view>();
      return mta::error(mta::errc::cancelled,
                        "the program's input procedure returned " + std::to_string(length));
    };
    return MTA_OK;
  }
  int header_source(const mta_item_list_t& entry) {
    if (!mail.body.empty()) return MTA_ORDER;
    if (mail.header) return MTA_BADARGS;
    mta::mail_source& header = mail.header.emplace(next_);
    header.binary = false;
    return source(entry, entry.item_code == MTA_HDR_PROC || entry.item_code == MTA_HDRMSG_PROC, header);
  }
  int body_source(const mta_item_list_t& entry) {
    return source(entry, entry.item_code == MTA_MSG_PROC, mail.body.emplace_back(next_));
  }

  mta::mail_source next_;  // what the items before a source say of it
};

int status_of_failure(const mta::error& e, mta::send_report::step reached) {
  using step = mta::send_report::step;
  switch (reached) {
    case step::items: return MTA_BADARGS;
    case step::site: return mta::sdk::initialisation_status(e);
    case step::privilege: return MTA_ACCESS;
    case step::source_open: return MTA_FOPEN;
    case step::source_read:
      return e.code == mta::errc::cancelled ? MTA_NO : e.code == mta::errc::out_of_range ? MTA_SIZE : MTA_FIO;
    case step::recipients:
      if (e.code == mta::errc::out_of_range && e.context.starts_with("submit")) return MTA_ORDER;
      return mta::sdk::status_of(e, MTA_NO);
    case step::enqueue: break;
  }
  return mta::sdk::file_status(e);
}

}  // namespace

extern "C" {

int mtaSend(mta_item_list_t* item_list) try {
  if (item_list == nullptr) return status(MTA_BADARGS);
  item_reader items;
  if (const int read = items.read(item_list); read != MTA_OK) return status(read);
  mta::send_report report;
  const auto sent = mta::send(items.mail, &report);
  for (std::size_t n = 0; items.wants_status && n < items.addresses.size(); ++n) {
    mta_item_list_t& entry = *items.addresses[n];
    if (n >= report.recipients.size()) break;
    const auto& outcome = report.recipients[n];
    if (outcome.why_not) entry.item_status = mta::sdk::status_of(*outcome.why_not, MTA_NO);
    entry.item_smessage = attached().attach(outcome.why_not ? outcome.why_not->message() : outcome.address);
  }
  if (items.interactive) mtaAccountingLogClose();
  return sent ? MTA_OK : status(status_of_failure(sent.error(), report.reached));
} catch (const std::bad_alloc&) {
  return status(MTA_NOMEM);
}

void mtaSendDispose(mta_item_list_t* item_list) {
  for_each_item(item_list, [](mta_item_list_t& entry) {
    if (role_of(entry.item_code) && attached().release(entry.item_smessage)) entry.item_smessage = nullptr;
    return MTA_OK;
  });
}

}  // extern "C"
