// Criteria that the controller's index cannot answer: sender, recipients, subject, content, and why a message
// is held. They take a look into the message files. Thread safety: values; matching() on any thread, meant
// for the worker pool.
#pragma once

#include "queue/store.hpp"

#include <span>
#include <string>
#include <vector>

namespace jobctl::admin {

/// Empty: any. Texts are compared without regard to the case of A-Z.
struct text_criteria {
  std::string sender;  ///< an address, "@domain", either with wildcards (`*`, `?`), or "<>": the null sender
  std::string recipient;  ///< likewise, of any recipient that is not finished
  std::string subject;    ///< a part of the header field, unfolded and decoded
  std::string content;    ///< a part of header or body, as it is stored
  std::string reason;     ///< a part of the reason of a hold; only held messages have one

  bool empty() const {
    return sender.empty() && recipient.empty() && subject.empty() && content.empty() && reason.empty();
  }
  /// Does it have to read more than envelopes?
  bool reads_content() const { return !subject.empty() || !content.empty(); }
};

struct search_candidate {
  mta::queue::message_id id;
  std::string channel;
};

/// Which of the candidates match. One that cannot be read (it was finished meanwhile, or is damaged) does
/// not.
std::vector<bool> matching(mta::queue::store&, const text_criteria&, std::span<const search_candidate>);

/// Does an address match what text_criteria says of senders?
bool address_matches(std::string_view address, std::string_view wanted);
/// The field of that name in a header (lines end in CRLF), unfolded, with encoded words (RFC 2047) of UTF-8,
/// ISO 8859-1 and US-ASCII decoded; empty: there is none.
std::string header_field(std::string_view header, std::string_view name);

}  // namespace jobctl::admin
