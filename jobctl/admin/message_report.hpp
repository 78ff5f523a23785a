// All that the disk says about one message: entry, state, envelope, history. Used by the API (on the worker
// pool) and by `jobctl show` when no controller runs.
//
// Thread safety: read_message() may run on any thread, beside everything that changes the queue. Values
// otherwise.
#pragma once

#include "queue/store.hpp"

#include <boost/json/object.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace jobctl::admin {

struct message_report {
  mta::queue::message_id id;
  std::string channel;
  mta::queue::listed_message stored;
  mta::queue::envelope envelope;
  std::string envelope_damage;       ///< not empty: the envelope could not be read, and why
  std::vector<std::string> history;  ///< JSON lines, oldest first
  std::shared_ptr<mta::queue::message_file> file;
};

/// `channel` empty: every channel's directory is looked at. Errors: errc::gone, no such message (its file may
/// have been reused); errc::damaged, its entry; the system's.
mta::result<message_report> read_message(mta::queue::store&, std::string_view channel,
                                         const mta::queue::message_id&);

/// The fields of docs/api.md, GET /v1/messages/ID.
boost::json::object to_json(const message_report&);

/// "ready", "deferred", "held", "finished", "moved", "bad"
std::string_view name_of(mta::queue::phase);
/// "urgent", "normal", "nonurgent"
std::string_view name_of(mta::queue::priority);
/// An ISO time, or null for the epoch ("none").
boost::json::value json_time(mta::queue::time_point);

}  // namespace jobctl::admin
