// The socket that programs connect to, run/jobctl.sock: makes it, accepts, and sees who is calling
// (SO_PEERCRED). Thread safety: none; the loop's thread. Lifetime: handlers are not called after close().
#pragma once

#include "base/error.hpp"
#include "wire/peer.hpp"

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <string>

namespace jobctl {

class listener {
 public:
  using socket = boost::asio::local::stream_protocol::socket;
  using accept_handler = std::function<void(socket, const mta::wire::peer&)>;

  listener(boost::asio::io_context&, accept_handler);
  ~listener();

  /// Replaces a socket that an earlier controller left: the site's lock has shown that there is no other.
  /// Mode 0660.
  mta::result<> listen(const std::string& path);
  /// Removes the socket.
  void close();

 private:
  void accept();

  boost::asio::io_context& io_;
  accept_handler on_accept_;
  boost::asio::local::stream_protocol::acceptor acceptor_;
  boost::asio::steady_timer pause_;
  std::string path_;
};

}  // namespace jobctl
