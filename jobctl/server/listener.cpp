#include "jobctl/server/listener.hpp"

#include "jobctl/server/log.hpp"

#include <boost/asio/io_context.hpp>

#include <sys/stat.h>
#include <unistd.h>

namespace jobctl {

using boost::asio::local::stream_protocol;

listener::listener(boost::asio::io_context& io, accept_handler handler)
    : io_(io), on_accept_(std::move(handler)), acceptor_(io), pause_(io) {}

listener::~listener() { close(); }

mta::result<> listener::listen(const std::string& path) {
  const auto problem = [&](const boost::system::error_code& code) {
    return mta::error(std::error_code(code), "listen on " + path);
  };
  if (path.size() > stream_protocol::endpoint().capacity() || path.size() >= sizeof(sockaddr_un::sun_path)) {
    return mta::error(
        mta::errc::out_of_range,
        "listen on " + path + " (a socket's path has 107 bytes at most: choose a shorter root)");
  }
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return mta::os_error("replace " + path);
  boost::system::error_code failed;
  acceptor_.open(stream_protocol(), failed);
  if (!failed) acceptor_.bind(stream_protocol::endpoint(path), failed);
  if (failed) return problem(failed);
  path_ = path;
  if (::chmod(path.c_str(), 0660) != 0) return mta::os_error("set the mode of " + path);
  acceptor_.listen(1024, failed);
  if (failed) return problem(failed);
  accept();
  return {};
}

void listener::accept() {
  acceptor_.async_accept([this](const boost::system::error_code& failed, socket s) {
    if (failed == boost::asio::error::operation_aborted || !acceptor_.is_open()) return;
    if (failed) {
      // Most likely no descriptors are left; programs wait in the backlog until some are.
      log(log_level::error, "accept a program's connection: {}", failed.message());
      pause_.expires_after(std::chrono::milliseconds(200));
      pause_.async_wait([this](const boost::system::error_code& cancelled) {
        if (!cancelled && acceptor_.is_open()) accept();
      });
      return;
    }
    if (const auto who = mta::wire::peer_of(s.native_handle()))
      on_accept_(std::move(s), *who);
    else
      log(log_level::warning, "see who connects: {}", who.error().message());
    if (acceptor_.is_open()) accept();
  });
}

void listener::close() {
  if (!acceptor_.is_open()) return;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  pause_.cancel();
  if (!path_.empty()) ::unlink(path_.c_str());
}

}  // namespace jobctl
