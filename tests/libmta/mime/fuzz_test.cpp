// Made-up and damaged messages by the million bytes, through every way of decoding and rewriting. What must
// hold for any input is checked for each; the sanitizers watch the rest.
#include "parts.hpp"

#include <mtasdk.h>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <random>

namespace {

namespace mime = mta::mime;

// One thread: nothing for ThreadSanitizer to see.
#if defined(__SANITIZE_THREAD__)
constexpr std::size_t bytes_to_try = 100'000;
#else
constexpr std::size_t bytes_to_try = 10'000'000;
#endif

using random_numbers = std::mt19937_64;
std::size_t below(random_numbers& r, std::size_t n) { return n == 0 ? 0 : r() % n; }

constexpr std::array pieces{
    "Content-Type: multipart/mixed; boundary=b\n",
    "Content-Type: multipart/digest; boundary=\"b c\"\n",
    "Content-Type: multipart/alternative; boundary=bb\n",
    "Content-Type: message/rfc822\n",
    "Content-Type: text/plain; charset=utf-8\n",
    "Content-Type: application/octet-stream; name*0*=utf-8''%41; name*1=\"b\n",
    "content-type : TEXT/html;;;=;\"\n",
    "Content-Transfer-Encoding: base64\n",
    "Content-Transfer-Encoding: quoted-printable\n",
    "Content-Transfer-Encoding: x-uuencode\n",
    "Content-Disposition: attachment; filename=\"=?utf-8?b?4pyT?= =?x?y?z?=\"\n",
    "MIME-Version: 1.0\n",
    "Subject: x\n",
    " folded\n",
    "\t\n",
    "Encoding: 2 TEXT, 1 MESSAGE, TEXT\n",
    "From x\n",
    "\n",
    "\n",
    "\n",
    "--b\n",
    "--b--\n",
    "--b c\n",
    "--b c--\n",
    "--bb\n",
    "--bb--\n",
    "--b  \n",
    "--\n",
    "text\n",
    "QUJDREVG\n",
    "QUI=\n",
    "=\n",
    "a=3D=\n",
    "=C3=BC=4",
    "begin 644 x y\n",
    "#86)C\n",
    "`\n",
    "end\n",
    "M\n",
    "(This file must be converted with BinHex 4.0)\n",
    ":$f*TEQKPH#jdG@4[3$Jc5N0:\n",
    "::\n",
    "\r",
    "\r\n",
    "\0",
    "\xff\xfe",
    "; ",
    "\"",
    "=",
    "*",
    "''",
    "%",
    "(",
    "\\",
};

std::string made_up(random_numbers& r) {
  std::string text;
  const std::size_t count = 1 + below(r, below(r, 10) == 0 ? 400 : 40);
  for (std::size_t i = 0; i < count; ++i) {
    switch (below(r, 40)) {
      case 0: text.append(below(r, below(r, 8) == 0 ? 3000 : 100), static_cast<char>(r())); break;
      case 1:
        for (std::size_t n = below(r, 100); n > 0; --n) text += static_cast<char>(r());
        break;
      default: text += pieces[below(r, pieces.size())];
    }
  }
  for (std::size_t n = below(r, 4); n > 0 && !text.empty(); --n) {  // and damaged
    const std::size_t at = below(r, text.size());
    switch (below(r, 4)) {
      case 0: text[at] = static_cast<char>(r()); break;
      case 1: text.erase(at, below(r, 20)); break;
      case 2: text.insert(at, text.substr(below(r, text.size()), below(r, 200))); break;
      default: text.resize(at);
    }
  }
  return text;
}

/// Checks what holds for every presentation; decides about parts at random.
class checker final : public mime::visitor {
 public:
  checker(random_numbers& r, bool decides, std::size_t longest)
      : random_(&r), decides_(decides), longest_(longest) {}

  mta::result<> visit(mime::part& p, const mime::piece& x) override {
    if (open_ && p.number() != number_) {
      BOOST_REQUIRE(decided_);
      open_ = false;
    }
    if (!open_) {
      BOOST_REQUIRE_EQUAL(p.number(), parts_++);
      number_ = p.number();
      open_ = true;
      in_content_ = decided_ = false;
    }
    BOOST_REQUIRE(!decided_);
    BOOST_REQUIRE_LE(x.data.size(), longest_);
    if (x.kind == mime::piece_kind::header) BOOST_REQUIRE(!in_content_);
    if (x.kind == mime::piece_kind::text || x.kind == mime::piece_kind::binary) in_content_ = true;
    if (x.kind == mime::piece_kind::end) open_ = false;
    BOOST_REQUIRE_EQUAL(p.depth(), depth_);
    (void)p.filename();
    (void)p.header_text("subject");
    if (decides_ && below(*random_, 4) == 0) {
      BOOST_REQUIRE(p.decidable());
      const auto what = below(*random_, 4);
      decided_ = what == 0   ? p.keep().has_value()
                 : what == 1 ? p.remove().has_value()
                             : p.replace({.text = what == 2 ? "gone\n" : "--b\n\xff"}).has_value();
      BOOST_REQUIRE(decided_);
    }
    return {};
  }
  mta::result<> enter(const mime::entity& e) override {
    BOOST_REQUIRE_EQUAL(e.depth(), depth_++);
    return {};
  }
  mta::result<> leave(const mime::entity& e) override {
    BOOST_REQUIRE_EQUAL(e.depth(), --depth_);
    return {};
  }
  void finish(const mime::summary& s) const {
    BOOST_REQUIRE_EQUAL(depth_, 0u);
    BOOST_REQUIRE_EQUAL(parts_, s.parts);
    BOOST_REQUIRE(!open_ || decided_);
  }

 private:
  random_numbers* random_;
  bool decides_;
  std::size_t longest_, parts_ = 0, number_ = 0, depth_ = 0;
  bool open_ = false, in_content_ = false, decided_ = false;
};

mime::options some_options(random_numbers& r) {
  mime::options o;
  if (below(r, 4) == 0) o.levels_max = below(r, 4);
  if (below(r, 4) == 0) o.parts_max = below(r, 5);
  if (below(r, 3) == 0) o.convert_non_mime = true;
  if (below(r, 2) == 0) o.piece_size = 1 + below(r, 100);
  return o;
}

mime::input in_blocks(const std::string& text, std::size_t size, mime::line_ends ends) {
  return mime::input(
      [&text, size, at = std::size_t{0}]() mutable -> mta::result<std::optional<std::string_view>> {
        if (at >= text.size()) return std::optional<std::string_view>();
        const auto block = std::string_view(text).substr(at, size);
        at += size;
        return std::optional(block);
      },
      ends);
}

void try_cpp(const std::string& text, random_numbers& r) {
  const mime::options o = some_options(r);
  const std::size_t block = 1 + below(r, 5000);
  const auto ends = static_cast<mime::line_ends>(below(r, 6));
  {
    checker all(r, false, o.piece_size);
    const auto done = mime::decode(in_blocks(text, block, ends), all, o);
    BOOST_REQUIRE(done);
    all.finish(*done);
  }
  {  // nothing said: the same bytes
    checker all(r, false, o.piece_size);
    mime::options plain = o;
    plain.convert_non_mime = false;
    std::string out, wire;
    const auto done = mime::rewrite(in_blocks(text, block, mime::line_ends::any),
                                    mime::output::to_bytes([&](std::string_view bytes) {
                                      out += bytes;
                                      return mta::result<>();
                                    }),
                                    all, plain);
    BOOST_REQUIRE(done);
    all.finish(*done);
    for (const char c : text) {
      if (c == '\n' && !wire.ends_with('\r')) wire += '\r';
      wire += c;
    }
    BOOST_REQUIRE(out == wire);
  }
  {
    checker all(r, true, o.piece_size);
    const std::size_t longest = 80 + below(r, 1000);
    const auto done = mime::rewrite(in_blocks(text, block, ends),
                                    mime::output::to_lines(
                                        [&](std::string_view line) {
                                          BOOST_REQUIRE_LE(line.size(), longest);
                                          return mta::result<>();
                                        },
                                        longest),
                                    all, o);
    BOOST_REQUIRE(done);
    all.finish(*done);
  }
}

struct c_run {
  const std::string* text;
  std::size_t at = 0, block = 1;
  random_numbers* random;
};
int c_read(void* ctx, const char** line, size_t* length) {
  auto& run = *static_cast<c_run*>(ctx);
  if (run.at >= run.text->size()) return MTA_EOF;
  *line = run.text->data() + run.at;
  *length = std::min(run.block, run.text->size() - run.at);
  run.at += *length;
  return MTA_OK;
}
int c_write(void*, mta_decode_t* d, const char**, size_t* length) {
  BOOST_REQUIRE_LE(*length, std::size_t{BIGALFA_SIZE});
  BOOST_REQUIRE_EQUAL(mtaDecodeMessagePartCopy(d, 0), MTA_NO);
  return MTA_OK;
}
int c_inspect(void* ctx, mta_decode_t* d, int, const char*, size_t length) {
  auto& run = *static_cast<c_run*>(ctx);
  BOOST_REQUIRE_LE(length, std::size_t{BIGALFA_SIZE});
  BOOST_REQUIRE(mtaDecodeMessageInfoString(d, MTA_DECODE_CTYPE, nullptr, nullptr) != nullptr);
  char name[ALFA_SIZE + 1] = "";
  (void)mtaOptionString(mtaDecodeMessageInfoParams(d, MTA_DECODE_CDISP_PARAMS, nullptr), "filename", 0, name,
                        nullptr, sizeof name);
  if (below(*run.random, 6) == 0) return mtaDecodeMessagePartDelete(d, MTA_REASON, name, size_t{0}, 0);
  return MTA_OK;
}
void try_c(const std::string& text, random_numbers& r) {
  static constexpr int ends[] = {MTA_TERM_NONE, MTA_TERM_CR, MTA_TERM_CRLF, MTA_TERM_LF, MTA_TERM_LFCR};
  c_run run{&text, 0, 1 + below(r, 300), &r};
  mta_decode_read_t* const read = c_read;
  mta_decode_write_t* const write = c_write;
  const int status = mtaDecodeMessage(&run, MTA_DECODE_PROC, reinterpret_cast<void*>(read), MTA_DECODE_PROC,
                                      reinterpret_cast<void*>(write), c_inspect, ends[below(r, 5)],
                                      below(r, 2) == 0 ? MTA_DECODE_THURMAN : 0, 0);
  BOOST_REQUIRE_EQUAL(status, MTA_OK);
}

void try_seed(std::uint64_t seed, std::size_t& bytes) {
  BOOST_TEST_CONTEXT("repeat with MIME_FUZZ_SEED=" << seed) {
    random_numbers r(seed);
    const std::string text = made_up(r);
    bytes += text.size();
    try_cpp(text, r);
    try_c(text, r);
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(fuzz)

BOOST_AUTO_TEST_CASE(no_message_is_too_strange) {
  std::size_t bytes = 0;
  if (const char* one = std::getenv("MIME_FUZZ_SEED"))
    return try_seed(std::strtoull(one, nullptr, 10), bytes);
  const std::size_t wanted = std::getenv("JOBCTL_TEST_LONG") != nullptr ? 50 * bytes_to_try : bytes_to_try;
  std::uint64_t seed = 1;
  for (; bytes < wanted; ++seed) try_seed(seed, bytes);
  BOOST_TEST_MESSAGE("seeds 1 to " << seed - 1 << ", " << bytes << " bytes");
}

BOOST_AUTO_TEST_SUITE_END()
