// HTTP/1.1 on a Unix socket, and on TCP if that is wanted, for the API's handlers: connections, limits,
// time-outs, bodies in pieces.
//
// Thread safety: everything on the thread that runs the io_context (or before it runs).
// Lifetime: io_context and backend outlive it, and the last of its connections (which end soon after
// close()).
#pragma once

#include "jobctl/admin/backend.hpp"

#include <memory>
#include <string>

namespace boost::asio {
class io_context;
}

namespace jobctl::admin {

class http_server {
 public:
  http_server(boost::asio::io_context&, backend&);
  ~http_server();
  http_server(const http_server&) = delete;
  http_server& operator=(const http_server&) = delete;

  /// Makes the socket (mode 0660; a left-over one is replaced) and accepts connections. Throws mta::exception
  /// when it cannot.
  void listen(const std::string& socket_path);
  /// Takes connections over TCP, too, in place of those that it took until now, whose requests have to carry
  /// `token`. `address` is "ADDRESS:PORT" (port 0: any); empty: no longer over TCP. Returns the port. After
  /// an error nothing is taken over TCP.
  mta::result<unsigned> listen_tcp(const std::string& address, const std::string& token);
  /// Accepts no more, ends idle connections at once and others after their answer; removes the socket file.
  void close();

 private:
  struct impl;
  std::shared_ptr<impl> impl_;
};

}  // namespace jobctl::admin
