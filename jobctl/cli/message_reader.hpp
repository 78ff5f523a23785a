// Reads all about one message: from the controller, which knows what is in whose hands, or, when none runs,
// from the queue's files. Thread safety: none.
#pragma once

#include "jobctl/admin/client.hpp"
#include "jobctl/cli/site.hpp"
#include "queue/store.hpp"

#include <boost/json/object.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace jobctl::cli {

class message_reader {
 public:
  /// Prints a note to in.io.err when there is no controller.
  message_reader(const invocation& in, const mta::config::settings&);

  /// The fields of docs/api.md, GET /v1/messages/ID. On an error prints it, and sets `status`.
  std::optional<boost::json::object> details(const mta::queue::message_id&, int& status);
  /// Hands on the content (wire form) piece by piece, until `sink` returns false. False: an error was
  /// printed, `status` set.
  bool content(const mta::queue::message_id&, const std::function<bool(std::string_view)>& sink, int& status);

 private:
  int fail(const mta::error&) const;

  const invocation& in_;
  std::optional<admin::client> controller_;
  mta::queue::store store_;
};

}  // namespace jobctl::cli
