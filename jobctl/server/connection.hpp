// One program's connection, as bytes and frames: reads and cuts into frames, collects what is to be sent and
// sends it with one system call a turn. What the frames mean is programs.cpp's affair.
//
// Thread safety: none; the loop's thread. Lifetime: shared; it keeps itself alive while an operation is under
// way, and does not call its owner after close().
#pragma once

#include "wire/frame.hpp"
#include "wire/peer.hpp"

#include <boost/asio/local/stream_protocol.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace jobctl {

class connection;

/// Who is told what happens on a connection.
class connection_owner {
 public:
  /// The bytes of the frame are valid during the call. It may close the connection.
  virtual void on_frame(connection&, const mta::wire::frame&) = 0;
  /// All frames of one read were handed over.
  virtual void on_turn_end() = 0;
  /// There is something to send: flush() is to be called before the turn ends. At most once between flushes.
  virtual void on_output(connection&) = 0;
  /// The peer closed it, or an error did; `why` is empty at an orderly end. close() has been done.
  virtual void on_lost(connection&, std::string_view why) = 0;

 protected:
  ~connection_owner() = default;
};

class connection : public std::enable_shared_from_this<connection> {
 public:
  using socket = boost::asio::local::stream_protocol::socket;

  /// What may wait to be sent, in bytes; a peer that lets more pile up does not read, and is cut off.
  static constexpr std::size_t most_output = 4u << 20;

  connection(socket, const mta::wire::peer&, connection_owner&);

  void start();
  /// To append frames to.
  std::string& output();
  /// Sends what it can without waiting; the rest follows by itself.
  void flush();
  void close();
  /// Sends what is waiting, then closes; nothing more is read.
  void close_after_output();
  bool closed() const noexcept { return !socket_.is_open(); }

  const mta::wire::peer& peer() const noexcept { return peer_; }
  /// "process 1234"
  std::string peer_name() const;

 private:
  void read();
  void on_read(std::size_t count);
  void wait_writable();
  void lost(std::string_view why);

  socket socket_;
  mta::wire::peer peer_;
  connection_owner& owner_;
  mta::wire::frame_splitter splitter_;
  std::string out_;
  std::size_t sent_ = 0;    // of out_
  bool announced_ = false;  // on_output was called and flush() not yet
  bool waiting_ = false;    // for the socket to be writable
  bool ending_ = false;     // close_after_output
  bool heard_ = true;       // false: the other end is closed, what is written is dropped
};

}  // namespace jobctl
