#include "jobctl/admin/client.hpp"

#include "jobctl/version.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/json/parse.hpp>

#include <fmt/format.h>
#include <limits>
#include <sys/socket.h>

namespace jobctl::admin {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::local::stream_protocol;
using boost::system::error_code;

}  // namespace

struct client::impl {
  asio::io_context io;
  stream_protocol::socket socket{io};
  beast::flat_buffer buffer;
  std::chrono::milliseconds patience{};

  // Runs one asynchronous operation to its end, or cancels it when `patience` is over.
  template <class Start>
  mta::result<> wait_for(std::string_view what, Start start) {
    error_code outcome = asio::error::would_block;
    start([&outcome](error_code e, std::size_t) { outcome = e; });
    io.restart();
    io.run_for(patience);
    if (outcome == asio::error::would_block) {
      error_code ignored;
      socket.close(ignored);
      io.restart();
      io.run();
      return mta::error(mta::errc::timed_out, fmt::format("{}: no answer from the controller within {} s",
                                                          what, patience.count() / 1000));
    }
    if (!outcome) return {};
    if (outcome == http::error::end_of_stream || outcome == http::error::partial_message ||
        outcome.category() == asio::error::get_system_category() ||
        outcome.category() == asio::error::get_misc_category())
      return mta::error(mta::errc::disconnected, fmt::format("{}: the controller closed the connection ({})",
                                                             what, outcome.message()));
    return mta::error(mta::errc::protocol, fmt::format("{}: {}", what, outcome.message()));
  }

  mta::result<> send(http::verb verb, const std::string& target, const std::string& body = {}) {
    http::request<http::string_body> q(verb, target, 11);
    q.body() = body;
    if (!body.empty()) q.set(http::field::content_type, "application/json");
    q.set(http::field::host, "jobctl");
    q.set(http::field::user_agent, std::string("jobctl/") + version);
    q.prepare_payload();
    return wait_for(target, [&](auto done) { http::async_write(socket, q, std::move(done)); });
  }

  static mta::result<client::answer> parsed(const std::string& target, unsigned status,
                                            std::string_view body) {
    error_code wrong;
    client::answer a{status, boost::json::parse(body, wrong)};
    if (wrong) return mta::error(mta::errc::protocol, target + ": the answer is not JSON");
    return a;
  }

  mta::result<client::answer> exchange(http::verb verb, const std::string& target,
                                       const std::string& body = {}) {
    if (auto sent = send(verb, target, body); !sent) return sent.error();
    http::response_parser<http::string_body> parser;
    parser.body_limit(std::uint64_t{256} << 20);
    if (auto read =
            wait_for(target, [&](auto done) { http::async_read(socket, buffer, parser, std::move(done)); });
        !read)
      return read.error();
    return parsed(target, parser.get().result_int(), parser.get().body());
  }
};

client::client(std::unique_ptr<impl> i) : impl_(std::move(i)) {}
client::client(client&&) noexcept = default;
client& client::operator=(client&&) noexcept = default;
client::~client() = default;

mta::result<client> client::connect(const std::string& socket_path, std::chrono::milliseconds patience) {
  auto i = std::make_unique<impl>();
  i->patience = patience;
  if (socket_path.size() >= sizeof(sockaddr_un::sun_path))
    return mta::error(mta::errc::out_of_range, socket_path + " is too long for a socket's name");
  error_code e;
  i->socket.connect(stream_protocol::endpoint(socket_path), e);
  if (e == boost::system::errc::no_such_file_or_directory || e == boost::system::errc::connection_refused)
    return mta::error(
        mta::errc::disconnected,
        fmt::format("no controller runs for this site (nobody listens on {}); 'jobctl serve' starts one",
                    socket_path));
  if (e) return mta::error(std::error_code(e.value(), std::system_category()), "connect to " + socket_path);
  return client(std::move(i));
}

std::string client::answer::detail() const {
  if (const auto* o = body.if_object())
    if (const auto* d = o->if_contains("detail"); d && d->is_string()) return std::string(d->get_string());
  return fmt::format("status {}", status);
}

mta::result<client::answer> client::get(const std::string& target) {
  return impl_->exchange(http::verb::get, target);
}
mta::result<client::answer> client::post(const std::string& target, const std::string& body) {
  return impl_->exchange(http::verb::post, target, body);
}
void client::be_patient(std::chrono::milliseconds patience) { impl_->patience = patience; }

mta::result<client::answer> client::fetch(const std::string& target,
                                          const std::function<bool(std::string_view)>& sink) {
  impl& c = *impl_;
  if (auto sent = c.send(http::verb::get, target); !sent) return sent.error();
  http::response_parser<http::buffer_body> parser;
  parser.body_limit(std::numeric_limits<std::uint64_t>::max());
  auto read = c.wait_for(
      target, [&](auto done) { http::async_read_header(c.socket, c.buffer, parser, std::move(done)); });
  if (!read) return read.error();
  const unsigned status = parser.get().result_int();
  std::string error_body;
  std::vector<char> piece(256 * 1024);
  while (!parser.is_done()) {
    parser.get().body().data = piece.data();
    parser.get().body().size = piece.size();
    // As it comes: need_buffer only says that the piece is full.
    read = c.wait_for(target, [&](auto done) {
      http::async_read_some(c.socket, c.buffer, parser,
                            [done = std::move(done)](error_code e, std::size_t n) mutable {
                              done(e == http::error::need_buffer ? error_code() : e, n);
                            });
    });
    if (!read) return read.error();
    const std::string_view got(piece.data(), piece.size() - parser.get().body().size);
    if (got.empty()) continue;
    if (status >= 300)
      error_body += got;
    else if (!sink(got))
      return mta::error(mta::errc::cancelled, target);
  }
  if (status >= 300) return impl::parsed(target, status, error_body);
  return answer{status, {}};
}

std::int64_t client::peer_process() const {
  ucred who{};
  socklen_t size = sizeof who;
  const int fd = impl_->socket.native_handle();
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 ? who.pid : 0;
}

bool client::wait_until_closed(std::chrono::milliseconds timeout) {
  char byte;
  bool ended = false;
  impl_->socket.async_read_some(asio::buffer(&byte, 1),
                                [&ended](error_code e, std::size_t) { ended = bool(e); });
  impl_->io.restart();
  impl_->io.run_for(timeout);
  if (ended) return true;
  error_code ignored;
  impl_->socket.close(ignored);
  impl_->io.restart();
  impl_->io.run();
  return false;
}

}  // namespace jobctl::admin
