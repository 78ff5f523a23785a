// Tells the sender of a message, and perhaps the postmaster, what became of its recipients: decides who is to
// be told, makes one notification for all of them, and commits it.
//
// No notification about a notification: they are sent with an empty envelope sender, and the sender of such a
// message is never told anything. The postmaster is told of such a message where the site wants it, but never
// what becomes of that.
//
// Thread safety: every function from any thread.
#pragma once

#include "enqueue/enqueuer.hpp"
#include "notify/report.hpp"

#include <span>
#include <string>
#include <vector>

namespace mta::notify {

struct told {
  std::vector<std::string> ids;      ///< of the queued notification; empty: there was nobody to be told
  std::vector<std::string> remarks;  ///< for the log, a line each
};

/// Returns when the notification is on the disk, and so before anybody may forget the message. Reports that
/// nobody asked for are left out. An error: nothing was queued. See is_lasting().
result<told> send(enqueue::enqueuer&, const subject&, std::span<const recipient_report>);

/// Trying again later would be of no use: neither sender nor postmaster can be reached by any route.
bool is_lasting(const error&) noexcept;

}  // namespace mta::notify
