// The API over its socket: the client of the command line, and what strangers send.
#include "jobctl/admin/client.hpp"
#include "jobctl/admin/fake_server.hpp"

#include <boost/json.hpp>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

using jobctl::admin::client;

namespace {

// A connection that says exactly what a test wants.
class raw_connection {
 public:
  explicit raw_connection(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    BOOST_REQUIRE(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  ~raw_connection() { ::close(fd_); }
  raw_connection(const raw_connection&) = delete;
  raw_connection& operator=(const raw_connection&) = delete;

  void send(const std::string& text) {
    for (std::size_t done = 0; done < text.size();) {
      const ssize_t n = ::send(fd_, text.data() + done, text.size() - done, MSG_NOSIGNAL);
      if (n <= 0) return;  // the server has had enough
      done += static_cast<std::size_t>(n);
    }
  }
  // Everything up to the end of the connection.
  std::string receive() {
    std::string all;
    char piece[4096];
    while (true) {
      const ssize_t n = ::recv(fd_, piece, sizeof piece, 0);
      if (n <= 0) return all;
      all.append(piece, static_cast<std::size_t>(n));
    }
  }

 private:
  int fd_;
};

struct fixture {
  test::listening_server site;

  client connect() {
    auto c = client::connect(site.socket());
    BOOST_REQUIRE_MESSAGE(c, c.error().message());
    return std::move(*c);
  }
  std::string answer_to(const std::string& text) {
    raw_connection c(site.socket());
    c.send(text);
    return c.receive();
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(api_over_http, fixture)

BOOST_AUTO_TEST_CASE(many_requests_use_one_connection) {
  client c = connect();
  for (int i = 0; i < 50; ++i) {
    const auto answer = c.get("/v1/summary");
    BOOST_REQUIRE_MESSAGE(answer, answer.error().message());
    BOOST_TEST(answer->status == 200u);
    BOOST_TEST(answer->body.at("channels").as_array().size() == 3u);
  }
  BOOST_TEST(c.peer_process() == ::getpid());
}

BOOST_AUTO_TEST_CASE(errors_are_answers_with_a_detail) {
  client c = connect();
  const auto answer = c.get("/v1/channels/nothere");
  BOOST_REQUIRE(answer);
  BOOST_TEST(answer->status == 404u);
  BOOST_TEST(answer->detail().find("no channel 'nothere'") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(content_of_several_pieces_arrives_byte_for_byte) {
  std::string content;
  for (int i = 0; content.size() < 700'000; ++i) content += "line " + std::to_string(i) + "\r\n";
  const auto committed = site.server.commit("maildir", content);
  client c = connect();
  const std::string target = "/v1/messages/" + mta::queue::to_string(committed.id) + "/content";
  for (int twice = 0; twice < 2; ++twice) {
    std::string got;
    const auto answer = c.fetch(target, [&](std::string_view piece) {
      got += piece;
      return true;
    });
    BOOST_REQUIRE_MESSAGE(answer, answer.error().message());
    BOOST_TEST((got == content));
  }
}

BOOST_AUTO_TEST_CASE(damaged_content_is_an_error_and_never_passed_on) {
  const auto committed = site.server.commit("maildir", std::string(5000, 'x') + "\r\n");
  const std::string path = site.server.store().path("maildir", committed.id.file);
  auto file = mta::queue::real_file_io().open(path, mta::queue::open_mode::read_write).value();
  const std::uint64_t inside = committed.entry.record_offset + 64 + committed.entry.envelope_length + 2000;
  BOOST_REQUIRE(file->write(inside, std::as_bytes(std::span("y", 1))));
  client c = connect();
  bool called = false;
  const auto answer =
      c.fetch("/v1/messages/" + mta::queue::to_string(committed.id) + "/content", [&](std::string_view) {
        called = true;
        return true;
      });
  BOOST_REQUIRE_MESSAGE(answer, answer.error().message());
  BOOST_TEST(answer->status == 500u);
  BOOST_TEST(!called);
}

BOOST_AUTO_TEST_CASE(garbage_ends_that_connection_and_nothing_else) {
  client c = connect();
  BOOST_TEST(answer_to("garbage\r\n\r\n").find("400") != std::string::npos);
  BOOST_TEST(answer_to(std::string(40'000, 'a') + "\r\n\r\n").find("HTTP/1.1 4") == 0u);
  BOOST_TEST(
      answer_to("GET / HTTP/1.1\r\nX: " + std::string(20'000, 'a') + "\r\n\r\n").find("HTTP/1.1 431") == 0u);
  BOOST_TEST(answer_to("POST /v1/reload HTTP/1.1\r\nContent-Length: 100000\r\n\r\n").find("HTTP/1.1 413") ==
             0u);
  BOOST_TEST(c.get("/v1/summary").value().status == 200u);
}

BOOST_AUTO_TEST_CASE(a_client_may_ask_to_close_and_old_ones_are_closed) {
  BOOST_TEST(answer_to("GET /v1/summary HTTP/1.1\r\nConnection: close\r\n\r\n").find("HTTP/1.1 200") == 0u);
  BOOST_TEST(answer_to("GET /v1/summary HTTP/1.0\r\n\r\n").find("200 OK") != std::string::npos);
  BOOST_TEST(answer_to("DELETE /v1/summary HTTP/1.1\r\nConnection: close\r\n\r\n").find("Allow: GET") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(requests_sent_ahead_are_answered_in_order) {
  const std::string got = answer_to(
      "GET /v1/channels/fax HTTP/1.1\r\n\r\nGET /v1/channels/sms HTTP/1.1\r\nConnection: close\r\n\r\n");
  const std::size_t fax = got.find("\"channel\":\"fax\""), sms = got.find("\"channel\":\"sms\"");
  BOOST_TEST(fax != std::string::npos);
  BOOST_TEST(sms != std::string::npos);
  BOOST_TEST(fax < sms);
}

BOOST_AUTO_TEST_CASE(the_65th_client_is_told_to_come_back) {
  std::vector<client> clients;
  for (int i = 0; i < 64; ++i) {
    clients.push_back(connect());
    BOOST_REQUIRE(clients.back().get("/v1/status").value().ok());
  }
  BOOST_TEST(answer_to("").find("HTTP/1.1 503") == 0u);
  BOOST_TEST(clients[0].get("/v1/status").value().ok());
}

BOOST_AUTO_TEST_CASE(closing_ends_idle_connections_and_removes_the_socket) {
  client c = connect();
  BOOST_REQUIRE(c.get("/v1/status").value().ok());
  struct stat s;
  BOOST_TEST(::stat(site.socket().c_str(), &s) == 0);
  BOOST_TEST((s.st_mode & 0777) == 0660u);
  site.close();
  BOOST_TEST(c.wait_until_closed(std::chrono::seconds(10)));
  BOOST_TEST(::stat(site.socket().c_str(), &s) == -1);
  const auto again = client::connect(site.socket());
  BOOST_REQUIRE(!again);
  BOOST_TEST((again.error().code == mta::errc::disconnected));
  BOOST_TEST(again.error().context.find("jobctl serve") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(no_answer_is_an_error_in_the_end) {
  auto c = client::connect(site.socket(), std::chrono::milliseconds(50)).value();
  std::promise<void> release, held;
  site.post([&] {
    held.set_value();
    release.get_future().get();
  });
  held.get_future().get();
  const auto answer = c.get("/v1/summary");
  release.set_value();
  BOOST_REQUIRE(!answer);
  BOOST_TEST((answer.error().code == mta::errc::timed_out));
}

BOOST_AUTO_TEST_SUITE_END()
