// decode: how fast a message with a large base64 attachment is taken apart, and the same by GMime alone.
//
// Usage: bench_decode
//
// The message is in memory: a text and an attachment of 10,000,000 bytes, 13.7 MB in lines of 76 characters.
// MB are millions of bytes of that message. Ours presents every piece (1,024 bytes) to a function that reads
// its first byte; GMime parses the message into its tree and writes the attachment, decoded, to a stream that
// drops it. Prints a JSON line per row, the median of 15.
#include <mta/mime.hpp>
#include <mtasdk.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <gmime/gmime.h>
#include <string>
#include <vector>

namespace {

constexpr std::size_t attachment_size = 10'000'000;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "bench_decode: %s\n", what);
  std::exit(1);
}

std::string message() {
  std::string text =
      "From: ann@example.org\r\nSubject: a file\r\nMIME-Version: 1.0\r\n"
      "Content-Type: multipart/mixed; boundary=\"=_x\"\r\n\r\n--=_x\r\n\r\nHere it is.\r\n--=_x\r\n"
      "Content-Type: application/octet-stream; name=file.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n";
  GMimeEncoding state;
  g_mime_encoding_init_encode(&state, GMIME_CONTENT_ENCODING_BASE64);
  std::string raw(attachment_size, '\0'), encoded(attachment_size * 3 / 2 + 1000, '\0');
  unsigned seed = 1;
  for (char& c : raw) c = static_cast<char>((seed = seed * 1103515245 + 12345) >> 16);
  encoded.resize(g_mime_encoding_flush(&state, raw.data(), raw.size(), encoded.data()));
  for (const char c : encoded) {
    if (c == '\n') text += '\r';
    text += c;
  }
  return text + "\r\n--=_x--\r\n";
}

template <class F>
double megabytes_per_second(std::size_t bytes, F once) {
  std::vector<double> all;
  for (int i = 0; i < 15; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    if (once() != attachment_size) fail("the attachment was not decoded whole");
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    all.push_back(static_cast<double>(bytes) / 1e6 / took.count());
  }
  std::nth_element(all.begin(), all.begin() + 7, all.end());
  return all[7];
}

std::size_t ours(const std::string& text) {
  std::size_t decoded = 0;
  unsigned sum = 0;
  const auto done = mta::mime::decode(text, [&](mta::mime::part&, const mta::mime::piece& x) {
    if (x.kind != mta::mime::piece_kind::binary) return;
    decoded += x.data.size();
    sum += static_cast<unsigned char>(x.data.front());
  });
  if (!done || sum == 0) fail("mta::mime::decode failed");
  return decoded;
}

struct c_state {
  const std::string* text;
  std::size_t at = 0, decoded = 0;
};
int c_read(void* ctx, const char** line, size_t* length) {
  auto& s = *static_cast<c_state*>(ctx);
  if (s.at >= s.text->size()) return MTA_EOF;
  *line = s.text->data() + s.at;
  *length = std::min(std::size_t{256} << 10, s.text->size() - s.at);
  s.at += *length;
  return MTA_OK;
}
int c_inspect(void* ctx, mta_decode_t*, int type, const char*, size_t length) {
  if (type == MTA_DATA_BINARY) static_cast<c_state*>(ctx)->decoded += length;
  return MTA_OK;
}
std::size_t ours_in_c(const std::string& text) {
  c_state s{&text};
  mta_decode_read_t* const read = c_read;
  if (mtaDecodeMessage(&s, MTA_DECODE_PROC, reinterpret_cast<void*>(read), 0, nullptr, c_inspect,
                       MTA_TERM_CRLF, 0) != MTA_OK)
    fail("mtaDecodeMessage failed");
  return s.decoded;
}

std::size_t gmime(const std::string& text) {
  GMimeStream* const in = g_mime_stream_mem_new_with_buffer(text.data(), text.size());
  GMimeParser* const parser = g_mime_parser_new_with_stream(in);
  GMimeMessage* const parsed = g_mime_parser_construct_message(parser, nullptr);
  GMimeObject* const part =
      g_mime_multipart_get_part(GMIME_MULTIPART(g_mime_message_get_mime_part(parsed)), 1);
  GMimeStream* const nowhere = g_mime_stream_null_new();
  const auto decoded =
      g_mime_data_wrapper_write_to_stream(g_mime_part_get_content(GMIME_PART(part)), nowhere);
  for (void* object : {static_cast<void*>(nowhere), static_cast<void*>(parsed), static_cast<void*>(parser),
                       static_cast<void*>(in)})
    g_object_unref(object);
  return static_cast<std::size_t>(decoded);
}

void print(const char* row, double value, double limit) {
  std::printf(
      R"({"row": "%s", "value": %.1f, "unit": "MB/s", "limit": %.1f, "limit_name": "GMime alone, same message"})"
      "\n",
      row, value, limit);
}

}  // namespace

int main() {
  g_mime_init();
  const std::string text = message();
  const double limit = megabytes_per_second(text.size(), [&] { return gmime(text); });
  print("decode", megabytes_per_second(text.size(), [&] { return ours(text); }), limit);
  print("decode.c", megabytes_per_second(text.size(), [&] { return ours_in_c(text); }), limit);
}
