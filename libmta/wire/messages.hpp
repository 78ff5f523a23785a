// What the job controller and programs say to each other (docs/protocol.md), as structs, with their encoding.
//
// Encoding appends whole frames to a buffer that the caller keeps and reuses; a list too long for one frame
// becomes several frames. Decoding is strict: a wrong length, an unknown value, a count that the remaining
// bytes cannot hold or bytes left over are errc::protocol, nothing is read beyond the frame, and nothing
// larger than the frame warrants is allocated. Decoding into an object reuses the capacity of its vectors.
//
// The values of `outcome` equal those of jobctl::outcome, and new_message, message_result and leased_message
// mirror the controller's types field by field; the server converts.
//
// Thread safety: values; functions may be called from any thread. Lifetime: a std::string_view in a decoded
// message points into the frame that it was decoded from.
#pragma once

#include "base/error.hpp"
#include "queue/message_id.hpp"
#include "queue/state.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mta::wire {

using queue::file_key;
using queue::message_id;
using queue::time_point;

inline constexpr std::uint16_t protocol_version = 1;
inline constexpr std::size_t max_frame = 256 * 1024;  ///< bytes after the length field, at most
inline constexpr std::size_t max_channel = 255;       ///< bytes of a channel's name, at most
inline constexpr std::size_t max_host =
    255;  ///< bytes of a destination host, at most; longer ones are cut to none
inline constexpr std::size_t max_text = 1024;  ///< bytes of a text for people, at most; longer ones are cut
/// Messages that a program may hold at most (credit given, leased, in hand): so that they fit into one HELLO.
inline constexpr std::size_t max_in_hand = 8192;

enum class frame_type : std::uint16_t {
  // program → controller
  hello = 1,
  queued = 2,
  ask = 3,
  results = 4,
  poll = 5,
  stopping = 6,
  bye = 7,
  sync = 8,
  stress = 9,
  // controller → program
  welcome = 129,
  refused = 130,
  lease = 131,
  polled = 132,
  stop = 133,
  synced = 134,
};

/// One frame in somebody's buffer.
struct frame {
  frame_type type{};
  std::string_view body;  ///< without length and type
};

enum class role : std::uint8_t {
  enqueuer = 0,         ///< only announces messages
  channel_program = 1,  ///< takes messages (and may announce some)
};

/// First frame of a program on every connection.
struct hello {
  std::uint16_t version = protocol_version;
  wire::role role = role::enqueuer;
  std::uint32_t pid = 0;
  std::uint64_t job = 0;            ///< JOBCTL_JOB of the environment, or 0: started by hand
  std::uint32_t max_threads = 0;    ///< channel program: most threads it will run
  std::string_view channel;         ///< channel program: whose queue
  std::vector<message_id> holding;  ///< channel program: in hand from before, at most max_in_hand
};

/// A message as an enqueuer announces it (jobctl::new_message).
struct new_message {
  std::uint32_t slot = 0;
  queue::priority priority = queue::priority::normal;
  queue::phase phase = queue::phase::queued;  ///< queued, deferred or held
  std::uint16_t attempts = 0;
  std::uint32_t recipients = 1;
  std::uint64_t size = 0;  ///< content bytes
  time_point committed{};
  time_point due{};       ///< epoch: at once
  std::string_view host;  ///< destination host, may be empty
};

/// Messages were committed to a file. No entries: "look into this file yourself" (an announcement was lost).
struct queued {
  std::string_view channel;
  file_key file;
  std::uint32_t capacity = 0;  ///< of the file, slots
  bool complete = false;       ///< no writer will add more to this generation
  std::vector<new_message> messages;
};

/// The program can take this many messages beyond all that it has been given on this connection.
struct ask {
  std::uint32_t more = 0;
};

enum class outcome : std::uint8_t {
  finished = 0,
  deferred = 1,
  released = 2,
  locked = 3,
  gone = 4,
  bad = 5,
  held = 6
};

/// jobctl::message_result
struct message_result {
  message_id id;
  wire::outcome outcome = outcome::finished;
  time_point next_attempt{};  ///< deferred: epoch = by the channel's backoff
};

struct results {
  std::vector<message_result> messages;
};

/// How many messages wait, and how many threads should run? Answered by `polled` with the same token.
struct poll {
  std::uint32_t token = 0;
  std::uint32_t running = 0;  ///< threads that run at present
};

/// The program wants nothing more: its credit is void. It will finish or give back what it has.
struct stopping {};
/// The program leaves. What it still has in hand is due again, as when the connection ends without this.
struct bye {};
/// Asks for `synced` with the same token once everything sent before has been taken in.
struct sync {
  std::uint32_t token = 0;
};

/// The target of the program's channel (a message store, a server) is overloaded.
struct stress {
  std::string_view why;  ///< for a person; may be empty
};

struct welcome {
  std::uint16_t version = protocol_version;
  std::uint64_t session = 0;  ///< the controller's number of this connection, for logs
};

enum class refusal : std::uint8_t {
  version = 1,
  not_allowed = 2,
  unknown_channel = 3,
  stopping = 4,
  protocol = 5
};

/// The controller closes the connection after this.
struct refused {
  wire::refusal code = refusal::protocol;
  std::string_view why;  ///< for a person
};

/// jobctl::leased_message
struct leased_message {
  message_id id;
  std::uint16_t attempts = 0;
  queue::priority priority = queue::priority::normal;
};

struct lease {
  std::string_view channel;
  std::vector<leased_message> messages;
};

struct polled {
  std::uint32_t token = 0;
  std::uint64_t pending = 0;  ///< due messages of the channel that nobody has in hand
  std::uint32_t threads = 0;  ///< threads this program should run
};

/// Finish what is in hand, give back the rest, leave.
struct stop {
  std::string_view why;
};

struct synced {
  std::uint32_t token = 0;
};

/// Appends the message as one frame; queued, results and lease as several when they do not fit into one.
/// Nothing is appended for results and leases without messages. Precondition of hello: at most max_in_hand
/// messages held.
void append(std::string& out, const hello&);
void append(std::string& out, const queued&);
void append(std::string& out, const ask&);
void append(std::string& out, const results&);
void append(std::string& out, const poll&);
void append(std::string& out, const stopping&);
void append(std::string& out, const bye&);
void append(std::string& out, const sync&);
void append(std::string& out, const stress&);
void append(std::string& out, const welcome&);
void append(std::string& out, const refused&);
void append(std::string& out, const lease&);
void append(std::string& out, const polled&);
void append(std::string& out, const stop&);
void append(std::string& out, const synced&);

/// The same without copying into a struct first.
void append_results(std::string& out, std::span<const message_result>);
void append_lease(std::string& out, std::string_view channel, std::span<const leased_message>);
void append_queued(std::string& out, std::string_view channel, file_key file, std::uint32_t capacity,
                   bool complete, std::span<const new_message>);

/// Decodes a frame of the type that belongs to the object. errc::protocol, saying which field; the object is
/// then in an unspecified state.
result<> decode(const frame&, hello&);
result<> decode(const frame&, queued&);
result<> decode(const frame&, ask&);
result<> decode(const frame&, results&);
result<> decode(const frame&, poll&);
result<> decode(const frame&, stopping&);
result<> decode(const frame&, bye&);
result<> decode(const frame&, sync&);
result<> decode(const frame&, stress&);
result<> decode(const frame&, welcome&);
result<> decode(const frame&, refused&);
result<> decode(const frame&, lease&);
result<> decode(const frame&, polled&);
result<> decode(const frame&, stop&);
result<> decode(const frame&, synced&);

/// "LEASE", as in docs/protocol.md; "?" for an unknown type.
std::string_view name_of(frame_type) noexcept;

}  // namespace mta::wire
