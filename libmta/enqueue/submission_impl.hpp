// What a submission holds. Internal to libmta/enqueue.
#pragma once

#include "enqueue/enqueuer.hpp"
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
  };
  /// One message record to be.
  struct record {
    std::string channel, host;
    queue::envelope envelope;
    bool non_ascii_address = false;
    queue::committed committed;  // once it is
  };

  impl(enqueuer&, std::shared_ptr<const config::settings>, queue::file_io&, std::size_t memory_limit,
       std::string from, const submission_options&);

  result<> begin_content();
  result<> keep_failure(result<>);
  std::vector<record> make_records();
  bool take_back(const record&);
  error undo(std::vector<record>&, std::size_t committed, const error& why);
  static queue::time_point now() {
    return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  }

  enqueuer& owner;
  std::shared_ptr<const config::settings> site;
  queue::file_io& files;
  std::string sender, source_channel, envelope_id;
  submission_options options;  // its views point to the strings above
  std::vector<pending> recipients;
  std::unordered_set<std::string> known;  // address and options of each
  std::vector<std::string> header_lines;
  content_buffer content;
  std::optional<error> failure;  // of a write: nothing may be committed any more
  enum { open, writing, over } phase = open;
};

}  // namespace mta::enqueue
