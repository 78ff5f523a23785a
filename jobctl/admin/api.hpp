// The JSON API for operators: HTTP/1.1 on the Unix socket run/api.sock (docs/api.md). Runs inside the
// server's io_context thread and never blocks it: what reads files is posted to the server's worker pool.
//
// Thread safety: construct, listen, close and destroy on the io_context's thread (or before it runs).
// Lifetime: the server and the io_context outlive it. To be destroyed when the io_context no longer runs: an
// answer may still wait for the server's worker pool.
#pragma once

#include "base/error.hpp"
#include "config/settings.hpp"

#include <memory>
#include <string>

namespace boost::asio {
class io_context;
}

namespace jobctl {

class server;

class api {
 public:
  api(boost::asio::io_context&, server&);
  ~api();
  api(const api&) = delete;
  api& operator=(const api&) = delete;

  /// Makes the socket (mode 0660; a left-over one is replaced) and accepts connections. Throws mta::exception
  /// when it cannot.
  void listen(const std::string& socket_path);
  /// Takes connections over TCP as the settings say ([http]), or no longer. To be called at the start and
  /// when the settings have changed. Returns what it listens on, or nothing. After an error nothing is taken
  /// over TCP.
  mta::result<std::string> listen_tcp(const mta::config::http_settings&);
  /// Accepts no more, ends idle connections at once and others after their answer; removes the socket file.
  void close();

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace jobctl
