#include "jobctl/server/connection.hpp"

#include <boost/asio/buffer.hpp>

#include <fmt/format.h>
#include <sys/socket.h>

namespace jobctl {

namespace {
constexpr std::size_t read_size = 32 * 1024;
constexpr std::size_t kept_output = 256 * 1024;  // capacity worth keeping between bursts, bytes
}  // namespace

connection::connection(socket s, const mta::wire::peer& p, connection_owner& owner)
    : socket_(std::move(s)), peer_(p), owner_(owner) {}

std::string connection::peer_name() const { return fmt::format("process {}", peer_.pid); }

void connection::start() { read(); }

void connection::read() {
  const auto room = splitter_.prepare(read_size);
  socket_.async_read_some(
      boost::asio::buffer(room.data(), room.size()),
      [self = shared_from_this()](const boost::system::error_code& failed, std::size_t count) {
        if (self->closed() || self->ending_) return;
        if (failed == boost::asio::error::eof || failed == boost::asio::error::connection_reset) {
          return self->lost({});
        }
        if (failed) return self->lost(failed.message());
        self->on_read(count);
      });
}

void connection::on_read(std::size_t count) {
  splitter_.commit(count);
  mta::wire::frame f;
  for (;;) {
    const auto more = splitter_.next(f);
    if (!more) {
      const auto why = more.error().message();
      lost(why);
      break;
    }
    if (!*more) break;
    owner_.on_frame(*this, f);
    if (closed() || ending_) break;
  }
  owner_.on_turn_end();
  if (!closed() && !ending_) read();
}

std::string& connection::output() {
  if (!announced_) {
    announced_ = true;
    owner_.on_output(*this);
  }
  return out_;
}

void connection::flush() {
  announced_ = false;
  if (closed() || waiting_) {
    if (!closed() && out_.size() - sent_ > most_output) lost("it does not read what it is sent");
    return;
  }
  while (heard_ && sent_ < out_.size()) {
    const ssize_t n = ::send(socket_.native_handle(), out_.data() + sent_, out_.size() - sent_,
                             MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
      sent_ += static_cast<std::size_t>(n);
      continue;
    }
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return wait_writable();
    if (errno != EPIPE && errno != ECONNRESET) return lost(mta::os_error("send").message());
    // It has left. What it said before is still to be read; the end of that is the end of the connection.
    heard_ = false;
    break;
  }
  sent_ = 0;
  out_.clear();
  if (out_.capacity() > kept_output) out_.shrink_to_fit();
  if (ending_) close();
}

void connection::wait_writable() {
  if (sent_ > kept_output) {
    out_.erase(0, sent_);
    sent_ = 0;
  }
  if (out_.size() - sent_ > most_output) return lost("it does not read what it is sent");
  waiting_ = true;
  socket_.async_wait(socket::wait_write,
                     [self = shared_from_this()](const boost::system::error_code& failed) {
                       self->waiting_ = false;
                       if (failed || self->closed()) return;
                       const bool was_announced = self->announced_;
                       self->flush();
                       // Somebody in this turn still counts on calling flush(); to do so is harmless.
                       self->announced_ = was_announced && !self->closed();
                     });
}

void connection::close_after_output() {
  ending_ = true;
  if (!announced_) {
    announced_ = true;
    owner_.on_output(*this);
  }
}

void connection::close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
}

void connection::lost(std::string_view why) {
  if (closed()) return;
  close();
  owner_.on_lost(*this, why);
}

}  // namespace jobctl
