// The API without HTTP: a request's method and target in, a status and a JSON body out (docs/api.md).
//
// Thread safety: handle() on the server's loop thread, where the answer is given, too: at once, or when the
// worker pool has read what was asked for. Lifetime: the backend outlives the handlers, and both outlive
// every answer.
#pragma once

#include "jobctl/admin/backend.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace jobctl::admin {

enum class method { get, post, other };

struct request {
  admin::method method = admin::method::get;
  std::string target;
  std::string body{};
  std::int64_t user = -1;  ///< user id of who asks; negative: not known
};

/// A body too large to be held in memory: read piece by piece on the worker pool.
class body_source {
 public:
  virtual ~body_source() = default;
  virtual std::uint64_t length() const = 0;
  /// Fills the buffer from `offset`, up to the end. Worker pool.
  virtual mta::result<std::size_t> read(std::uint64_t offset, std::span<std::byte> buffer) = 0;
};

class event_stream;

struct response {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body{};
  std::string allow;                     ///< for status 405
  std::shared_ptr<body_source> stream;   ///< if set, instead of `body`
  std::shared_ptr<event_stream> events;  ///< likewise: lines as they come, until the client leaves
};

using answer = std::function<void(response)>;

class handlers {
 public:
  explicit handlers(admin::backend& b) : backend_(b) {}
  /// Calls `reply` exactly once.
  void handle(const request&, answer reply);

  /// {"error": code, "detail": text}
  static response error_response(const mta::error&);
  static response error_response(unsigned status, std::string_view code, std::string_view detail);

 private:
  admin::backend& backend_;
};

}  // namespace jobctl::admin
