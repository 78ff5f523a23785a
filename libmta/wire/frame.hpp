// Cuts a stream of bytes into frames: u32 length (of what follows), u16 type, body. Used by the server (Asio)
// and by the blocking client alike: read into prepare(), tell commit() how much came, then take frames until
// there is none.
//
// Thread safety: none. Lifetime: a frame's body is valid until the next prepare().
#pragma once

#include "base/error.hpp"
#include "wire/messages.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

namespace mta::wire {

class frame_splitter {
 public:
  /// Room for the next read: at least `least` bytes. Moves or grows the buffer, up to one frame of the
  /// largest size and one read.
  std::span<char> prepare(std::size_t least = 16 * 1024);
  /// `count` bytes were read into what prepare() returned.
  void commit(std::size_t count) noexcept { end_ += count; }
  /// true: `f` is the next frame. false: more bytes are needed. errc::protocol: the length is beyond the
  /// limit or below the smallest frame; the stream cannot be used any more.
  result<bool> next(frame& f);
  /// Forgets everything, for a new connection.
  void clear() noexcept { begin_ = end_ = 0; }
  /// Bytes that no frame has been made of yet.
  std::size_t buffered() const noexcept { return end_ - begin_; }

 private:
  std::unique_ptr<char[]> data_;
  std::size_t capacity_ = 0, begin_ = 0, end_ = 0;
};

}  // namespace mta::wire
