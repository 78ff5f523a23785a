// What mta_nq_t and mta_dq_t point to.
// Thread safety: `in_use` is held for the length of each call (status.hpp, use).
#pragma once

#include "sdk/option_values.hpp"
#include "sdk/status.hpp"

#include <mta/dequeue.hpp>
#include <mta/enqueue.hpp>
#include <mta/mime.hpp>

#include <mutex>
#include <optional>
#include <string>

namespace mta::sdk {

struct dequeue_context {
  static constexpr unsigned live = 0x64715EA1;
  unsigned magic = 0;
  std::mutex in_use;
  mta::message* message = nullptr;
  std::size_t next = 0;   // recipient
  bool end_seen = false;  // MTA_EOF was returned: content may be read
  bool finished = false;

  /// Whether the pointer is one that mtaDequeueRecipientNext() returned, and not a copy of the text.
  bool is_returned_string(const char* text) const {
    for (const mta::recipient& r : message->recipients())
      if (r.address.data() == text) return true;
    return false;
  }
};

struct enqueue_context {
  static constexpr unsigned live = 0x6E715EA1;
  unsigned magic = 0;
  std::mutex in_use;
  std::optional<mta::submission> submission;
  std::string channel, from, envelope_id, error_text;
  std::size_t delivery_flags = 0, notify_flags = 0, fragment_blocks = 0, fragment_lines = 0;
  std::size_t expand_limit = static_cast<std::size_t>(-1) / 2;  // none: the largest signed value
  bool sort = true, expand_aliases = true;
  std::size_t recipients = 0;
  bool written = false;
};

struct decode_context {
  static constexpr unsigned live = 0x64655EA1;
  unsigned magic = 0;
  std::mutex in_use;
  mta::mime::part* part = nullptr;  // the latest
  int data_type = MTA_DATA_NONE;
  bool in_output_routine = false;
  option_values type_parameters, disposition_parameters;
};

context_pool<dequeue_context>& dequeue_contexts();
context_pool<enqueue_context>& enqueue_contexts();

}  // namespace mta::sdk
