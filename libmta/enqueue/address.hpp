// Addresses: one transport address taken apart and made canonical, and address lists of header lines (RFC
// 5322 3.4) read with care: groups, comments, quoted strings, routes, folded lines.
//
// Thread safety: pure functions and values.
#pragma once

#include "base/error.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mta::enqueue {

/// "local@domain" taken apart at the last @ outside quotes. Views into the given text.
struct address_parts {
  std::string_view local;
  std::string_view domain;  ///< without the @; empty: none given
  bool has_domain = false;  ///< there was an @, even with nothing after it
};
address_parts split_address(std::string_view address) noexcept;

/// The form that is written to an envelope: surrounding blanks and one pair of <> removed, the domain in
/// lower case and without a final dot; `default_domain` added where there is none. Errors: errc::out_of_range
/// (over config::max_address bytes, before or after); errc::syntax (empty, control characters, nothing before
/// or after the
/// @, a domain with blanks or brackets that do not match). The context names the address and what is wrong
/// with it.
result<std::string> canonical_address(std::string_view address, std::string_view default_domain);

/// An address for a person to read in a message: control characters replaced, cut after 80 bytes.
std::string printable(std::string_view text);

/// One address of a header's address list.
struct mailbox {
  std::string phrase;  ///< display name, unquoted, one blank between words; empty: none
  std::string route;   ///< source route (RFC 5322 4.4), "@a,@b"; empty: none
  std::string local;   ///< as given, quotes kept where the local part needs them
  std::string domain;  ///< as given; empty: none
  std::string group;   ///< name of the group that it stands in; empty: none

  std::string address() const { return domain.empty() ? local : local + '@' + domain; }
};

/// What could not be read as an address: the reading went on behind the next comma.
struct address_problem {
  std::size_t offset = 0;  ///< in the list, bytes
  std::string text;        ///< "expected ..., found ..."
};

struct address_list {
  std::vector<mailbox> mailboxes;
  std::vector<address_problem> problems;
};

/// Reads a list; folded lines, comments (nested) and empty places between commas are white space. Nothing is
/// given up because of a problem elsewhere in the list.
address_list parse_address_list(std::string_view text);

}  // namespace mta::enqueue
