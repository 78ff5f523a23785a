#include "jobctl/admin/http_server.hpp"

#include "jobctl/admin/event_stream.hpp"
#include "jobctl/admin/handlers.hpp"
#include "jobctl/version.hpp"

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/http/chunk_encode.hpp>

#include <array>
#include <charconv>
#include <optional>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <unordered_set>

namespace jobctl::admin {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using asio::local::stream_protocol;
/// Of either kind.
using any_socket = asio::generic::stream_protocol::socket;
using boost::system::error_code;

// A client that asks nothing, or does not read, is dropped; a page of 10,000 rows is about 2.5 MB and takes
// no time to read.
constexpr std::chrono::seconds patience{30};
constexpr std::size_t most_connections = 64;
constexpr std::uint32_t most_header_bytes = 16 * 1024;
constexpr std::uint64_t most_body_bytes = 64 * 1024;     // no request needs one, but
constexpr std::uint64_t most_order_bytes = 1024 * 1024;  // orders on messages, with their ids
constexpr std::size_t piece_size = 256 * 1024;
constexpr std::size_t most_followers = 8;
// Followers get up to 512 events, 0.1 ms of work, so often while much is happening.
constexpr std::chrono::milliseconds between_events{5};

/// Who is at the other end; -1: not known.
std::int64_t user_of(any_socket& s) {
  ucred who{};
  socklen_t size = sizeof who;
  return ::getsockopt(s.native_handle(), SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 ? std::int64_t{who.uid}
                                                                                    : -1;
}

/// Takes as long whatever the first difference is.
bool same_token(std::string_view given, std::string_view token) {
  if (token.empty()) return false;
  unsigned difference = given.size() == token.size() ? 0 : 1;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const volatile unsigned char a = static_cast<unsigned char>(given[i]);
    const volatile unsigned char b = static_cast<unsigned char>(token[i % token.size()]);
    difference |= static_cast<unsigned>(a ^ b);
  }
  return difference == 0;
}

}  // namespace

struct http_server::impl : std::enable_shared_from_this<http_server::impl> {
  class connection;

  impl(asio::io_context& context, admin::backend& b)
      : io(context), backend(b), handlers(b), acceptor(context), tcp_acceptor(context), pause(context) {}

  template <class Acceptor>
  void accept(Acceptor&);
  mta::result<unsigned> listen_tcp(const std::string& address);
  void close();

  asio::io_context& io;
  admin::backend& backend;
  admin::handlers handlers;
  stream_protocol::acceptor acceptor;
  tcp::acceptor tcp_acceptor;
  std::string token;         // that requests over TCP have to carry; empty: none is let in
  asio::steady_timer pause;  // after an accept that failed (no descriptors left)
  std::string path;
  bool closed = false;
  std::unordered_set<connection*> connections;
  std::size_t followers = 0;
};

// One client: reads a request, has it answered, writes the answer, and again. Kept alive by its pending
// operation, and by the answer that it waits for.
class http_server::impl::connection : public std::enable_shared_from_this<connection> {
 public:
  /// `guarded`: only requests with the token are answered.
  connection(std::shared_ptr<impl> owner, any_socket socket, bool guarded)
      : owner_(std::move(owner)),
        guarded_(guarded),
        socket_(std::move(socket)),
        timer_(owner_->io),
        pace_(owner_->io),
        user_(guarded ? -1 : user_of(socket_)) {
    owner_->connections.insert(this);
  }
  ~connection() {
    owner_->connections.erase(this);
    if (events_) --owner_->followers;
  }

  void read() {
    if (owner_->closed) return;
    parser_.emplace();
    parser_->header_limit(most_header_bytes);
    parser_->body_limit(most_order_bytes);
    answering_ = false;
    start_timer();
    http::async_read_header(socket_, buffer_, *parser_,
                            [self = shared_from_this()](error_code e, std::size_t) { self->on_header(e); });
  }

  void refuse(unsigned status, std::string_view code, std::string_view detail) {
    keep_alive_ = false;
    send(admin::handlers::error_response(status, code, detail));
  }

  // Ends the connection unless an answer is on its way, which ends it afterwards.
  void close_when_idle() {
    keep_alive_ = false;
    if (!answering_) drop();
    if (events_) send_last_events();
  }

 private:
  using header_response = http::response<http::empty_body>;

  void drop() {
    error_code ignored;
    socket_.close(ignored);
    timer_.cancel();
    pace_.cancel();
  }

  void start_timer() {
    timer_.expires_after(patience);
    timer_.async_wait([self = weak_from_this()](error_code e) {
      if (e) return;
      if (auto alive = self.lock()) alive->drop();
    });
  }

  void on_header(error_code e) {
    if (e) return on_read(e);
    if (guarded_ && !carries_token(parser_->get())) {
      keep_alive_ = false;
      answering_ = true;
      return refuse(401, "unauthorized",
                    "over TCP each request needs the header 'Authorization: Bearer TOKEN'");
    }
    if (!parser_->get().target().starts_with("/v1/messages/")) {
      if (parser_->content_length() > most_body_bytes) return on_read(http::error::body_limit);
      parser_->body_limit(most_body_bytes);
    }
    http::async_read(socket_, buffer_, *parser_,
                     [self = shared_from_this()](error_code failed, std::size_t) { self->on_read(failed); });
  }

  void on_read(error_code e) {
    if (e == http::error::end_of_stream || e == asio::error::operation_aborted || e == asio::error::eof)
      return drop();
    answering_ = true;
    if (e == http::error::header_limit)
      return refuse(431, "too_large", "the request's header is over 16 KiB");
    if (e == http::error::body_limit)
      return refuse(413, "too_large", "the request's body is over 64 KiB (an order's: over 1 MiB)");
    if (e && e.category() == http::make_error_code(http::error::bad_method).category())
      return refuse(400, "bad_request", "not a request of HTTP/1.1: " + e.message());
    if (e) return drop();

    const auto& message = parser_->get();
    keep_alive_ = message.keep_alive() && !owner_->closed;
    admin::request q;
    q.method = message.method() == http::verb::get    ? admin::method::get
               : message.method() == http::verb::post ? admin::method::post
                                                      : admin::method::other;
    q.target = std::string(message.target());
    q.body = std::move(parser_->get().body());
    q.user = user_;
    timer_.cancel();  // the time that the answer takes is ours, not the client's
    owner_->handlers.handle(q, [self = shared_from_this()](admin::response r) { self->send(std::move(r)); });
  }

  template <class Message>
  bool carries_token(const Message& m) const {
    constexpr std::string_view scheme = "Bearer ";
    const std::string_view given = m[http::field::authorization];
    return given.starts_with(scheme) && same_token(given.substr(scheme.size()), owner_->token);
  }

  void send(admin::response r) {
    if (!socket_.is_open()) return;
    start_timer();
    if (r.stream) return send_stream(std::move(r));
    if (r.events) return send_events(std::move(r));
    text_ = {};
    text_.result(r.status);
    set_fields(text_, r);
    text_.body() = std::move(r.body);
    text_.prepare_payload();
    http::async_write(socket_, text_,
                      [self = shared_from_this()](error_code e, std::size_t) { self->on_sent(e); });
  }

  template <class Message>
  void set_fields(Message& m, const admin::response& r) {
    m.version(11);
    m.set(http::field::server, std::string("jobctl/") + version);
    m.set(http::field::content_type, r.content_type);
    if (r.status == 401) m.set(http::field::www_authenticate, "Bearer");
    if (!r.allow.empty()) m.set(http::field::allow, r.allow);
    m.keep_alive(keep_alive_);
  }

  void on_sent(error_code e) {
    if (e) return drop();
    if (keep_alive_ && !owner_->closed) return read();
    error_code ignored;
    socket_.shutdown(any_socket::shutdown_send, ignored);
    drop();
  }

  // --- events, as they happen: one piece at a time is on its way, so a slow client costs no more memory ---

  void send_events(admin::response r) {
    if (owner_->followers >= most_followers)
      return send(admin::handlers::error_response(503, "busy", "8 clients follow the events already"));
    ++owner_->followers;
    events_ = std::move(r.events);
    header_.emplace();
    header_->result(r.status);
    set_fields(*header_, r);
    header_->chunked(true);
    serializer_.emplace(*header_);
    // It has nothing more to say: whatever comes, its end above all, ends this.
    socket_.async_wait(any_socket::wait_read, [self = shared_from_this()](error_code e) {
      if (!e) self->drop();
    });
    http::async_write_header(socket_, *serializer_, [self = shared_from_this()](error_code e, std::size_t) {
      if (e) return self->drop();
      self->next_events();
    });
  }

  void next_events() {
    if (!socket_.is_open()) return;
    waiting_ = false;
    text_.body().clear();
    const auto state = events_->next(text_.body());
    if (text_.body().empty()) return owner_->closed ? end_events() : after_events(state);
    start_timer();
    asio::async_write(socket_, http::make_chunk(asio::buffer(text_.body())),
                      [self = shared_from_this(), state](error_code e, std::size_t) {
                        if (e) return self->drop();
                        self->timer_.cancel();
                        self->after_events(state);
                      });
  }

  void after_events(event_stream::state state) {
    if (state == event_stream::state::ended) return end_events();
    if (owner_->closed) return last_pieces_-- > 0 ? next_events() : end_events();
    if (state == event_stream::state::more) {
      if (events_->busy()) return next_events_soon();
      return asio::post(owner_->io, [self = shared_from_this()] { self->next_events(); });
    }
    timer_.cancel();
    waiting_ = true;
    // Not kept alive by the log, but by its reading.
    events_->wait([self = weak_from_this()] {
      if (auto alive = self.lock()) alive->next_events_soon();
    });
  }

  // More may come with it.
  void next_events_soon() {
    if (!socket_.is_open() || ending_) return;
    pace_.expires_after(between_events);
    pace_.async_wait([self = shared_from_this()](error_code cancelled) {
      if (!cancelled) self->next_events();
    });
  }

  // The server stops: what is there still goes out.
  void send_last_events() {
    if (std::exchange(ending_, true) || !waiting_) return;
    pace_.cancel();
    next_events();
  }

  void end_events() {
    start_timer();
    asio::async_write(socket_, http::make_chunk_last(),
                      [self = shared_from_this()](error_code, std::size_t) { self->drop(); });
  }

  // --- bodies in pieces: the first piece is read before the header goes out, so that an error can still be
  // told ---

  struct piece {
    std::shared_ptr<admin::body_source> source;
    std::uint64_t offset = 0;
    std::vector<std::byte> bytes;
    mta::result<std::size_t> read = std::size_t{0};
  };

  void send_stream(admin::response r) {
    auto p = std::make_shared<piece>();
    p->source = r.stream;
    header_.emplace();
    header_->result(r.status);
    set_fields(*header_, r);
    header_->content_length(p->source->length());
    serializer_.emplace(*header_);
    next_piece(std::move(p));
  }

  void next_piece(std::shared_ptr<piece> p) {
    timer_.cancel();
    owner_->backend.in_pool(
        [p] {
          const std::uint64_t left = p->source->length() - p->offset;
          p->bytes.resize(static_cast<std::size_t>(std::min<std::uint64_t>(left, piece_size)));
          p->read = p->source->read(p->offset, p->bytes);
          if (p->read && *p->read == 0 && left > 0)
            p->read = mta::error(mta::errc::damaged, "the content ends early");
        },
        [self = shared_from_this(), p] { self->send_piece(p); });
  }

  void send_piece(const std::shared_ptr<piece>& p) {
    if (!socket_.is_open()) return;
    if (!p->read) {
      if (p->offset > 0) return drop();  // the client sees a body that is too short
      return send(admin::handlers::error_response(500, "damaged", p->read.error().message()));
    }
    start_timer();
    if (p->offset > 0) return write_piece(p);
    http::async_write_header(socket_, *serializer_,
                             [self = shared_from_this(), p](error_code e, std::size_t) {
                               if (e) return self->drop();
                               self->write_piece(p);
                             });
  }

  void write_piece(const std::shared_ptr<piece>& p) {
    asio::async_write(socket_, asio::buffer(p->bytes.data(), *p->read),
                      [self = shared_from_this(), p](error_code e, std::size_t written) {
                        if (e) return self->drop();
                        p->offset += written;
                        if (p->offset < p->source->length()) return self->next_piece(p);
                        self->on_sent({});
                      });
  }

  std::shared_ptr<impl> owner_;
  const bool guarded_;
  any_socket socket_;
  asio::steady_timer timer_;
  asio::steady_timer pace_;  // between pieces of events
  beast::flat_buffer buffer_{most_header_bytes + most_order_bytes};
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> text_;
  std::optional<header_response> header_;
  std::optional<http::response_serializer<http::empty_body>> serializer_;
  const std::int64_t user_;
  bool keep_alive_ = true;
  bool answering_ = false;
  std::shared_ptr<event_stream> events_;  // it follows them
  bool waiting_ = false;                  // …and nothing is on its way
  bool ending_ = false;
  int last_pieces_ = 8;  // that it gets when the server stops: it does not wait for who is far behind
};

template <class Acceptor>
void http_server::impl::accept(Acceptor& from) {
  using protocol = typename Acceptor::protocol_type;
  from.async_accept([self = shared_from_this(), &from](error_code e, typename protocol::socket socket) {
    if (self->closed || e == asio::error::operation_aborted) return;
    if (e) {
      // Out of descriptors or memory, most likely: the client waits in the socket's backlog.
      self->pause.expires_after(std::chrono::milliseconds(200));
      self->pause.async_wait([self, &from](error_code) {
        if (!self->closed && from.is_open()) self->accept(from);
      });
      return;
    }
    constexpr bool guarded = std::is_same_v<protocol, tcp>;
    const bool full = self->connections.size() >= most_connections;
    auto c = std::make_shared<connection>(self, any_socket(std::move(socket)), guarded);
    if (full)
      c->refuse(503, "busy", "64 clients are connected; try again");
    else
      c->read();
    self->accept(from);
  });
}

mta::result<unsigned> http_server::impl::listen_tcp(const std::string& address) {
  error_code e;
  tcp_acceptor.close(e);
  if (address.empty()) return 0u;
  const std::size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  unsigned short port = 0;
  std::from_chars(address.data() + colon + 1, address.data() + address.size(), port);
  const tcp::endpoint where(asio::ip::make_address(host, e), port);
  if (!e) tcp_acceptor.open(where.protocol(), e);
  if (!e) tcp_acceptor.set_option(tcp::acceptor::reuse_address(true), e);
  if (!e) tcp_acceptor.bind(where, e);
  if (!e) tcp_acceptor.listen(asio::socket_base::max_listen_connections, e);
  if (e) {
    error_code ignored;
    tcp_acceptor.close(ignored);
    return mta::error(std::error_code(e.value(), std::system_category()), "listen on " + address);
  }
  accept(tcp_acceptor);
  return static_cast<unsigned>(tcp_acceptor.local_endpoint().port());
}

void http_server::impl::close() {
  if (closed) return;
  closed = true;
  error_code ignored;
  acceptor.close(ignored);
  tcp_acceptor.close(ignored);
  pause.cancel();
  if (!path.empty()) ::unlink(path.c_str());
  std::vector<std::shared_ptr<connection>> open;
  for (connection* c : connections)
    if (auto alive = c->weak_from_this().lock()) open.push_back(std::move(alive));
  for (const auto& c : open) c->close_when_idle();
}

http_server::http_server(asio::io_context& io, backend& b) : impl_(std::make_shared<impl>(io, b)) {}

http_server::~http_server() { impl_->close(); }

void http_server::listen(const std::string& socket_path) {
  const auto check = [&](error_code e, const char* what) {
    if (e)
      throw mta::exception(
          mta::error(std::error_code(e.value(), std::system_category()), what + socket_path));
  };
  if (socket_path.size() >= sizeof(sockaddr_un::sun_path))
    throw mta::exception(
        mta::error(mta::errc::out_of_range,
                   "listen on " + socket_path + ": over 107 bytes; choose a shorter root directory"));
  // Only the holder of the site's lock gets here, so what is there belongs to a controller that is gone.
  ::unlink(socket_path.c_str());
  error_code e;
  impl_->acceptor.open(stream_protocol(), e);
  check(e, "make a socket for ");
  impl_->acceptor.bind(stream_protocol::endpoint(socket_path), e);
  check(e, "bind ");
  impl_->path = socket_path;
  if (::chmod(socket_path.c_str(), 0660) != 0) throw mta::exception(mta::os_error("chmod " + socket_path));
  impl_->acceptor.listen(asio::socket_base::max_listen_connections, e);
  check(e, "listen on ");
  impl_->accept(impl_->acceptor);
}

mta::result<unsigned> http_server::listen_tcp(const std::string& address, const std::string& token) {
  impl_->token = token;
  return impl_->listen_tcp(token.empty() ? std::string() : address);
}

void http_server::close() { impl_->close(); }

}  // namespace jobctl::admin
