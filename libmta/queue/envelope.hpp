// The envelope of a message: who sent it, to whom, and the delivery options (Developer's Reference ch. 3).
// Thread safety: values.
#pragma once

#include "base/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mta::queue {

struct recipient {
  std::string address;
  std::string original;      ///< ORCPT (RFC 3461 4.2), bare address; empty: none given
  std::string intermediate;  ///< empty: same as address
  std::uint32_t delivery_flags = 0;
  std::uint32_t notify_flags = 0;  ///< MTA_NOTIFY_* bits; 0: those of the message
  bool replaces_delivery_flags =
      false;  ///< its delivery flags count instead of the message's, not beside them
};

struct envelope {
  std::string from;            ///< empty: null sender
  std::string source_channel;  ///< the channel that enqueued it
  std::string envelope_id;     ///< ENVID; empty: none
  std::string header_id;       ///< Message-ID; empty: none
  std::uint32_t delivery_flags = 0;
  std::uint32_t notify_flags = 0;
  std::uint64_t fragment_blocks = 0, fragment_lines = 0;  ///< 0: no limit
  std::vector<recipient> recipients;
};

/// The text form of docs/queue-format.md; `id` is the text of the message id.
std::string format_envelope(const envelope&, std::string_view id);
/// Error: errc::syntax naming the line. Unknown keys are skipped.
result<envelope> parse_envelope(std::string_view text);

}  // namespace mta::queue
