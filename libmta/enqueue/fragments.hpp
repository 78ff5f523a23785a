// Dividing a message into several of type message/partial (RFC 2046 5.2.2), because a channel or a submitter
// wants none over a certain size.
//
// A fragment must be 7-bit and its lines short, whatever is in it: messages with bytes over 127, or with
// lines of over 998, are left whole; so are fragments, and messages without a body.
//
// Thread safety: one thread at a time.
#pragma once

#include "base/error.hpp"
#include "enqueue/content_buffer.hpp"
#include "queue/file_io.hpp"
#include "queue/writer.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mta::enqueue {

/// 0: no limit.
struct fragment_limits {
  std::uint64_t bytes = 0;  ///< of a fragment, header included
  std::uint64_t lines = 0;
};

/// Most fragments of a message, give or take what whole lines make: they become larger than wanted instead.
inline constexpr std::uint64_t max_fragments = 1000;

struct fragment {
  std::unique_ptr<content_buffer> content;  ///< finished
};

/// The header of content in wire form, with its last line's end; at most 256 KiB of it. Errors: the system's.
result<std::string> read_header(const queue::content_source&);

/// Is it a fragment: Content-Type: message/partial?
bool is_fragment(std::string_view header);

/// The fragments of a message, in order; empty: it is within the limits, or must be left whole. Fields that
/// describe the content (Content-..., MIME-Version, Subject, Message-ID, Encrypted) go into the first
/// fragment; all others are in each, with a Message-ID of its own, and the subject with "(part N of M)".
/// `host` is for the ids; temporary files are made in `directory`. Errors: the system's.
result<std::vector<fragment>> make_fragments(const queue::content_source&, fragment_limits,
                                             std::string_view host, queue::file_io&,
                                             const std::string& directory);

}  // namespace mta::enqueue
