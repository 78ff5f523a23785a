// What a submission holds. Internal to libmta/enqueue.
#pragma once

#include "enqueue/enqueuer.hpp"
#include "enqueue/fragments.hpp"
#include "enqueue/submission.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace mta::enqueue {

struct submission::impl {
  struct pending {
    routed way;
    queue::recipient recipient;
    std::string sender;  // instead of the message's: the owner of an alias; empty: the message's
  };
  /// One message record to be.
  struct record {
    std::string channel, host;
    queue::envelope envelope;
    bool non_ascii_address = false;
    queue::committed committed;               // once it is
    bool queued = false;                      // it is, and was not taken back
    std::shared_ptr<content_buffer> content;  // of a fragment; else the message's
  };

  impl(enqueuer&, std::shared_ptr<const config::settings>, queue::file_io&, std::size_t memory_limit,
       std::string from, const submission_options&);

  /// What the address stands for (recipients.cpp); empty: it is no alias.
  result<std::vector<expanded_address>> stands_for(std::string_view address);
  result<routed> add(std::string_view address, const recipient_options&);
  result<routed> add_expanded(std::string_view alias, const std::vector<expanded_address>&,
                              const recipient_options&);
  /// Is there room in the channel that the way leads to?
  result<> check_room(std::string_view address, const routed&);
  void enter(const routed&, const recipient_options&, std::string sender);
  void put_off_beyond_limit();
  // The accounting log.
  void account_refused(std::string_view address, const recipient_options&, const error& why);
  void account_enqueued(const std::vector<record>&);
  void account_failed(const std::vector<record>&, const error& why);
  /// The error, after it was accounted to every recipient: nothing of the message is queued.
  error refuse_everybody(error why);

  result<> begin_content();
  result<> keep_failure(result<>);
  std::vector<record> make_records();
  queue::priority lowered(queue::priority, std::string_view channel, std::uint64_t bytes) const;
  bool take_back(const record&);
  error undo(std::vector<record>&, std::size_t committed, const error& why);
  // Fragments (fragments.cpp).
  void divert_fragments();
  result<std::vector<fragment>> fragments_of(const record&);
  static queue::time_point now() {
    return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  }

  enqueuer& owner;
  std::shared_ptr<const config::settings> site;
  queue::file_io& files;
  std::string sender, source_channel, routes_of, envelope_id;
  submission_options options;  // its views point to the strings above
  std::vector<pending> recipients;
  std::unordered_set<std::string> known;           // address and options of each
  std::unordered_set<std::string> expanded;        // addresses that aliases stood for
  std::shared_ptr<const alias_table> alias_names;  // once they were needed
  std::vector<std::string> header_lines;
  content_buffer content;
  std::optional<error> failure;  // of a write: nothing may be committed any more
  enum { open, writing, over } phase = open;
};

}  // namespace mta::enqueue
