#include "mime/content_decoder.hpp"

#include "base/text.hpp"
#include "mime/uuencode.hpp"

#include <algorithm>
#include <gmime/gmime-encodings.h>

namespace mta::mime::detail {

content_decoder::content_decoder(std::size_t piece_size, taker take)
    : piece_size_(std::max<std::size_t>(piece_size, 1)), take_(std::move(take)) {}

void content_decoder::begin(piece_kind kind, transfer_encoding encoding) {
  kind_ = kind;
  encoding_ = encoding;
  break_owed_ = in_file_ = false;
  pending_.clear();
  blanks_.clear();
  base64_ = {};
  quoted_state_ = 0;
  quoted_save_ = 0;
}

result<> content_decoder::line(const line_piece& p) {
  if (encoding_ == transfer_encoding::base64) return encoded(p.data);  // where its lines end means nothing
  if (encoding_ == transfer_encoding::uuencode) return uuencoded(p);
  if (p.starts && break_owed_) {
    if (const auto done = line_break(); !done) return done;
  }
  break_owed_ = p.ends && p.terminated;
  if (encoding_ == transfer_encoding::quoted_printable) return quoted(p);
  return kind_ == piece_kind::text ? text_line(p.data) : block(p.data);
}

result<> content_decoder::line_break() {
  break_owed_ = false;
  if (encoding_ == transfer_encoding::quoted_printable) return encoded("\r\n");
  return kind_ == piece_kind::text ? text_line_end() : block("\r\n");
}

result<> content_decoder::encoded(std::string_view data) {
  if (encoding_ == transfer_encoding::base64) {
    decoded_.resize(std::max(decoded_.size(), base64_decoder::room_for(data.size())));
    return bytes({decoded_.data(), base64_.decode(data, decoded_.data())});
  }
  decoded_.resize(std::max(decoded_.size(), data.size() + 8));
  const std::size_t n = g_mime_encoding_quoted_decode_step(
      reinterpret_cast<const unsigned char*>(data.data()), data.size(),
      reinterpret_cast<unsigned char*>(decoded_.data()), &quoted_state_, &quoted_save_);
  return bytes({decoded_.data(), n});
}

/// Blanks at the end of a line came on the way (RFC 2045 6.7 (3)); without them "=" joins it to the next one.
result<> content_decoder::quoted(const line_piece& p) {
  const std::size_t end = p.data.find_last_not_of(" \t") + 1;  // 0: nothing but blanks
  // In a long line the next piece tells; but they are not kept without bound.
  if (!blanks_.empty() && (end > 0 || blanks_.size() >= line_splitter::longest_piece)) {
    if (const auto done = encoded(blanks_); !done) return done;
    blanks_.clear();
  }
  if (const auto done = encoded(p.data.substr(0, end)); !done) return done;
  if (p.ends)
    blanks_.clear();
  else
    blanks_.append(p.data.substr(end));
  return {};
}

/// What is not between begin and end is presented as it is.
result<> content_decoder::uuencoded(const line_piece& p) {
  const bool whole = p.starts && p.ends;
  if (!in_file_ && whole && uu_begin(p.data)) {
    in_file_ = true;
    return {};
  }
  if (in_file_ && whole) {
    if (trim(p.data) == "end") {
      in_file_ = false;
      return {};
    }
    if (is_uu_line(p.data)) {
      decoded_.clear();
      uu_decode(p.data, decoded_);
      return bytes(decoded_);
    }
  }
  if (whole && trim(p.data).empty()) return {};
  if (const auto done = bytes(p.data); !done) return done;
  return p.ends ? bytes("\r\n") : result<>{};
}

result<> content_decoder::end(bool delimiter_follows) {
  if (encoding_ == transfer_encoding::base64) {
    char tail[4];
    if (const auto done = bytes({tail, base64_.finish(tail)}); !done) return done;
  } else if (break_owed_ && !delimiter_follows) {
    if (const auto done = line_break(); !done) return done;
  }
  if (encoding_ == transfer_encoding::quoted_printable && quoted_state_ == 2) {  // "=" and a character
    const char cut[] = {'=', static_cast<char>(quoted_save_)};
    if (const auto done = bytes({cut, sizeof cut}); !done) return done;
  }
  if (pending_.empty()) return {};
  return emit(pending_, false);
}

result<> content_decoder::bytes(std::string_view decoded) {
  return kind_ == piece_kind::text ? text(decoded) : block(decoded);
}

/// Decoded text: lines end in LF or CRLF.
result<> content_decoder::text(std::string_view decoded) {
  while (!decoded.empty()) {
    const auto end = decoded.find('\n');
    if (const auto done = text_line(decoded.substr(0, end)); !done) return done;
    if (end == decoded.npos) return {};
    if (!pending_.empty() && pending_.back() == '\r') pending_.pop_back();
    if (const auto done = text_line_end(); !done) return done;
    decoded.remove_prefix(end + 1);
  }
  return {};
}

result<> content_decoder::text_line(std::string_view part) {
  pending_.append(part);
  std::size_t sent = 0;
  while (pending_.size() - sent > piece_size_) {
    if (const auto done = emit(std::string_view(pending_).substr(sent, piece_size_), false); !done)
      return done;
    sent += piece_size_;
  }
  if (sent > 0) pending_.erase(0, sent);
  return {};
}

result<> content_decoder::text_line_end() {
  const auto done = emit(pending_, true);
  pending_.clear();
  return done;
}

result<> content_decoder::block(std::string_view data) {
  if (!pending_.empty()) {
    const std::size_t n = std::min(data.size(), piece_size_ - pending_.size());
    pending_.append(data.substr(0, n));
    data.remove_prefix(n);
    if (pending_.size() < piece_size_) return {};
    const auto done = emit(pending_, false);
    pending_.clear();
    if (!done) return done;
  }
  while (data.size() >= piece_size_) {
    if (const auto done = emit(data.substr(0, piece_size_), false); !done) return done;
    data.remove_prefix(piece_size_);
  }
  pending_.append(data);
  return {};
}

result<> content_decoder::emit(std::string_view data, bool ends_line) {
  return take_({kind_, data, ends_line});
}

}  // namespace mta::mime::detail
