// BinHex 4.0: a Macintosh file, its two forks and what the Finder knew, as text.
// Thread safety: none.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace mta::mime::detail {

/// Whether the line says that BinHex follows.
bool binhex_begins(std::string_view line) noexcept;

class binhex_decoder {
 public:
  enum class state : std::uint8_t { wanted, going_on, complete, wrong };
  struct contents {
    std::string name, type, creator, flags;
    std::uint32_t data_length = 0, resource_length = 0;
  };
  using taker = std::function<void(std::string_view)>;

  /// Either may be empty: then only the checks are made.
  binhex_decoder(taker data, taker resource) : data_(std::move(data)), resource_(std::move(resource)) {}

  /// A line after the one that said it. `complete`: all is there, and its three checks are right.
  state add(std::string_view line);
  bool header_known() const noexcept { return part_ != part::header; }
  /// Once the header is known.
  const contents& file() const noexcept { return file_; }

 private:
  enum class part : std::uint8_t { header, data, resource, end };
  void byte(unsigned char);  // of the run-length encoding
  void put(unsigned char);   // of the file
  void end_of_part();
  void flush();

  taker data_, resource_;
  contents file_;
  state state_ = state::wanted;
  part part_ = part::header;
  std::uint32_t bits_ = 0;
  unsigned bit_count_ = 0;
  bool repeat_ = false;     // the byte before was the mark of a repetition
  unsigned char last_ = 0;  // byte, for repetitions
  std::string header_, buffer_;
  std::uint32_t left_ = 0;  // bytes of the part, then of its check
  unsigned check_left_ = 2;
  std::uint16_t check_ = 0, given_ = 0;
};

}  // namespace mta::mime::detail
