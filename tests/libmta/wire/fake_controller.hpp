// A job controller made of a script: the test accepts, reads and writes frames itself, and sees everything
// that a program sends. Every wait has a limit, so that a test fails instead of hanging.
#pragma once

#include "temporary_directory.hpp"
#include "wire/frame.hpp"
#include "wire/messages.hpp"

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <cstring>
#include <memory>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

namespace test {

namespace wire = mta::wire;

inline constexpr int patience_ms = 20'000;

/// The controller's end of one connection.
class program_connection {
 public:
  explicit program_connection(int fd) : fd_(fd) {}
  ~program_connection() { hang_up(); }
  program_connection(const program_connection&) = delete;
  program_connection& operator=(const program_connection&) = delete;

  int fd() const { return fd_; }
  void hang_up() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n < 0 && errno == EPIPE) return;  // it has left; what it said can still be read
      BOOST_REQUIRE_GT(n, 0);
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }

  template <class Message>
  void send(const Message& m) {
    std::string out;
    append(out, m);
    write(out);
  }

  /// The next frame; its body is valid until the next call. A null body: the program has hung up.
  wire::frame next() {
    for (;;) {
      wire::frame f;
      const auto found = splitter_.next(f);
      BOOST_REQUIRE(found);
      if (*found) return f;
      pollfd p{fd_, POLLIN, 0};
      BOOST_REQUIRE_MESSAGE(::poll(&p, 1, patience_ms) == 1, "the program says nothing");
      auto room = splitter_.prepare();
      const ssize_t n = ::recv(fd_, room.data(), room.size(), 0);
      if (n == 0 || (n < 0 && errno == ECONNRESET)) return {};
      BOOST_REQUIRE_GT(n, 0);
      splitter_.commit(static_cast<std::size_t>(n));
    }
  }

  /// The next frame, which must be of this kind.
  template <class Message>
  Message expect() {
    const wire::frame f = next();
    BOOST_REQUIRE_MESSAGE(f.body.data() != nullptr, "the program has hung up");
    Message m;
    const auto ok = decode(f, m);
    BOOST_REQUIRE_MESSAGE(ok, (ok ? std::string() : ok.error().message()));
    return m;
  }

  void expect_hang_up() { BOOST_CHECK(next().body.data() == nullptr); }

  /// Is there nothing to read at this moment?
  bool silent() {
    pollfd p{fd_, POLLIN, 0};
    return splitter_.buffered() == 0 && ::poll(&p, 1, 0) == 0;
  }

 private:
  int fd_ = -1;
  wire::frame_splitter splitter_;
};

class fake_controller {
 public:
  fake_controller() { listen(); }
  /// Listens as `path`.
  explicit fake_controller(std::string path) : path_(std::move(path)) { listen(); }
  ~fake_controller() { stop_listening(); }

  const std::string& path() const { return path_; }

  void listen() {
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    BOOST_REQUIRE_GE(fd_, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string p = path();
    BOOST_REQUIRE_LT(p.size(), sizeof address.sun_path);
    std::memcpy(address.sun_path, p.data(), p.size());
    BOOST_REQUIRE_EQUAL(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    BOOST_REQUIRE_EQUAL(::listen(fd_, 16), 0);
  }

  void stop_listening() {
    if (fd_ < 0) return;
    ::close(fd_);
    ::unlink(path().c_str());
    fd_ = -1;
  }

  std::unique_ptr<program_connection> accept() {
    pollfd p{fd_, POLLIN, 0};
    BOOST_REQUIRE_MESSAGE(::poll(&p, 1, patience_ms) == 1, "no program connects");
    const int c = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
    BOOST_REQUIRE_GE(c, 0);
    return std::make_unique<program_connection>(c);
  }

  /// Accepts, reads HELLO and says WELCOME.
  std::unique_ptr<program_connection> welcome(wire::hello* said = nullptr) {
    auto c = accept();
    const wire::hello h = c->expect<wire::hello>();
    if (said != nullptr) {
      *said = h;
      said->channel = {};  // points into the frame
    }
    c->send(wire::welcome{});
    return c;
  }

 private:
  temporary_directory directory_;
  std::string path_ = directory_.path() + "/jobctl.sock";
  int fd_ = -1;
};

}  // namespace test
