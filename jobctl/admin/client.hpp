// The command line's side of the JSON API: blocking HTTP over the Unix socket, one request at a time on one
// connection.
//
// Thread safety: none; one thread per client. The includes of Beast are in client.cpp.
#pragma once

#include "base/error.hpp"

#include <boost/json/value.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace jobctl::admin {

class client {
 public:
  /// Connects. `patience`: longest wait for any one answer. Errors: errc::disconnected, nobody listens (the
  /// context says so in words, with what to do); the system's (permission denied).
  static mta::result<client> connect(const std::string& socket_path,
                                     std::chrono::milliseconds patience = std::chrono::seconds(30));
  client(client&&) noexcept;
  client& operator=(client&&) noexcept;
  ~client();

  struct answer {
    unsigned status = 0;
    boost::json::value body;
    bool ok() const { return status < 300; }
    /// "detail" of an error body.
    std::string detail() const;
  };

  /// `target` is a path with parameters, encoded. Errors: errc::disconnected, the connection ended;
  /// errc::timed_out; errc::protocol, no JSON came back. An HTTP error status is an answer.
  mta::result<answer> get(const std::string& target);
  mta::result<answer> post(const std::string& target, const std::string& body = {});
  /// Longest wait for any one answer from now on.
  void be_patient(std::chrono::milliseconds);

  /// Fetches a body of any size and hands it on piece by piece. An error status is answered with a parsed
  /// body, without calling `sink`; `sink` returns false to give up (errc::cancelled).
  mta::result<answer> fetch(const std::string& target, const std::function<bool(std::string_view)>& sink);

  /// The process that listens; 0: not known (other namespace).
  std::int64_t peer_process() const;
  /// Waits until the other side has closed the connection. False: not within `timeout`.
  bool wait_until_closed(std::chrono::milliseconds timeout);

 private:
  struct impl;
  explicit client(std::unique_ptr<impl>);
  std::unique_ptr<impl> impl_;
};

}  // namespace jobctl::admin
