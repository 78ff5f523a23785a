// Messages of any size are decoded in the memory of a small one. JOBCTL_TEST_LONG=1: with 1 GiB each.
#include "effort.hpp"
#include "parts.hpp"
#include "temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <unistd.h>

namespace {

namespace mime = mta::mime;

constexpr std::uint64_t mib = 1u << 20;
constexpr std::uint64_t most_memory = 16 * mib;
const std::uint64_t size =
    std::getenv("JOBCTL_TEST_LONG") != nullptr ? 1024 * mib : 64 * mib / test::effort_divisor;

std::uint64_t resident() {
  std::ifstream in("/proc/self/statm");
  std::uint64_t total = 0, pages = 0;
  in >> total >> pages;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

/// `head`, then `filler` over and over until `size` bytes have been read, then `tail`. Notes how much memory
/// the process has while it is read.
struct made_message {
  std::string head, filler, tail;
  std::uint64_t done = 0, before = resident(), most = 0;
  std::string block{};

  mime::input input() {
    while (block.size() < 64u << 10) block += filler;
    return mime::input([this, step = 0]() mutable -> mta::result<std::optional<std::string_view>> {
      if (step == 0) {
        ++step;
        return std::optional(std::string_view(head));
      }
      most = std::max(most, resident());
      if (done < size) {
        done += block.size();
        return std::optional(std::string_view(block));
      }
      if (step++ == 1) return std::optional(std::string_view(tail));
      return std::optional<std::string_view>();
    });
  }
  void check() const {
    BOOST_TEST(done >= size);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    BOOST_TEST(most - before < most_memory);
#endif
    BOOST_TEST_MESSAGE(size / mib << " MiB decoded with " << (most - before) / 1024
                                  << " KiB more than before");
  }
};

const std::string base64_line = std::string(76, 'Q') + "\r\n";
made_message attachment() {
  return {
      "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: application/x\r\n"
      "Content-Transfer-Encoding: base64\r\n\r\n",
      base64_line, "\r\n--b\r\n\r\nlast\r\n--b--\r\n"};
}

struct counts {
  std::uint64_t content = 0, header = 0;
  std::size_t parts = 0;
  auto visitor() {
    return [this](mime::part&, const mime::piece& x) {
      if (x.kind == mime::piece_kind::header) header += x.data.size();
      if (x.kind == mime::piece_kind::end) ++parts;
      if (x.kind == mime::piece_kind::text || x.kind == mime::piece_kind::binary) content += x.data.size();
    };
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(memory)

BOOST_AUTO_TEST_CASE(a_large_attachment_is_presented) {
  made_message m = attachment();
  counts seen;
  BOOST_TEST(mime::decode(m.input(), seen.visitor()).has_value());
  BOOST_TEST(seen.parts == 2u);
  BOOST_TEST(seen.content == m.done / base64_line.size() * 57 + 4);
  m.check();
}

BOOST_AUTO_TEST_CASE(a_large_attachment_is_copied_and_removed) {
  const test::temporary_directory directory;
  mime::options o;
  o.temporary_directory = directory.path();
  for (const bool remove : {false, true}) {
    made_message m = attachment();
    std::uint64_t written = 0;
    const auto done = mime::rewrite(
        m.input(), mime::output::to_bytes([&](std::string_view bytes) {
          written += bytes.size();
          m.most = std::max(m.most, resident());
          return mta::result<>();
        }),
        [&](mime::part& p, const mime::piece& x) {
          if (x.kind == mime::piece_kind::end && p.number() == 0)
            BOOST_TEST((remove ? p.remove() : p.keep()).has_value());
        },
        o);
    BOOST_TEST(done.has_value());
    BOOST_TEST((remove ? written < 100 : written == m.head.size() + m.done + m.tail.size()));
    m.check();
  }
}

BOOST_AUTO_TEST_CASE(one_line_may_be_the_whole_message) {
  made_message m{"A: b\r\n\r\n", "x", ""};
  counts seen;
  BOOST_TEST(mime::decode(m.input(), seen.visitor()).has_value());
  BOOST_TEST(seen.content == m.done);
  m.check();
}

BOOST_AUTO_TEST_CASE(a_header_may_be_the_whole_message) {
  const test::temporary_directory directory;
  mime::options o;
  o.temporary_directory = directory.path();
  made_message m{"A: b\r\n", "X-Filler: some text\r\n", ""};
  counts seen;
  BOOST_TEST(mime::decode(m.input(), seen.visitor(), o).has_value());
  BOOST_TEST(seen.header > size * 9 / 10);
  m.check();
}

BOOST_AUTO_TEST_CASE(a_multipart_that_never_begins_may_be_the_whole_message) {
  const test::temporary_directory directory;
  mime::options o;
  o.temporary_directory = directory.path();
  made_message m{"Content-Type: multipart/mixed; boundary=b\r\n\r\n",
                 "text before a part that never comes\r\n", ""};
  counts seen;
  BOOST_TEST(mime::decode(m.input(), seen.visitor(), o).has_value());
  BOOST_TEST(seen.parts == 1u);
  BOOST_TEST(seen.content > size * 9 / 10);
  m.check();
}

BOOST_AUTO_TEST_CASE(a_message_may_be_all_small_parts) {
  made_message m{"Content-Type: multipart/mixed; boundary=b\r\n\r\n", "--b\r\n\r\nx\r\n", "--b--\r\n"};
  counts seen;
  BOOST_TEST(mime::decode(m.input(), seen.visitor()).has_value());
  BOOST_TEST(seen.parts == m.done / m.filler.size());
  m.check();
}

BOOST_AUTO_TEST_SUITE_END()
