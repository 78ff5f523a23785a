#include "wire/frame.hpp"

#include <algorithm>

namespace mta::wire {

std::span<char> frame_splitter::prepare(std::size_t least) {
  if (begin_ == end_) begin_ = end_ = 0;
  if (capacity_ - end_ < least) {
    const std::size_t have = end_ - begin_;
    if (capacity_ - have >= least) {
      std::memmove(data_.get(), data_.get() + begin_, have);
    } else {
      const std::size_t larger = std::max(have + least, capacity_ * 2);
      std::unique_ptr<char[]> data(new char[larger]);
      if (have != 0) std::memcpy(data.get(), data_.get() + begin_, have);
      data_ = std::move(data);
      capacity_ = larger;
    }
    begin_ = 0;
    end_ = have;
  }
  return {data_.get() + end_, capacity_ - end_};
}

result<bool> frame_splitter::next(frame& f) {
  const std::size_t have = end_ - begin_;
  if (have < 4) return false;
  const char* p = data_.get() + begin_;
  std::uint32_t length = 0;
  std::memcpy(&length, p, sizeof length);
  if (length < 2 || length > max_frame) {
    return error(errc::protocol, "read from the socket of the job controller: a frame of " +
                                     std::to_string(length) + " bytes, allowed are 2 to " +
                                     std::to_string(max_frame));
  }
  if (have - 4 < length) return false;
  std::uint16_t type = 0;
  std::memcpy(&type, p + 4, sizeof type);
  f.type = static_cast<frame_type>(type);
  f.body = std::string_view(p + 6, length - 2);
  begin_ += 4 + length;
  return true;
}

}  // namespace mta::wire
