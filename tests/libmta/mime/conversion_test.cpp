#include "parts.hpp"

#include <boost/test/unit_test.hpp>

#include <array>

using test::look;
namespace mime = mta::mime;

namespace {

std::string uu(std::string_view data, const std::string& name) {
  std::string out = "begin 644 " + name + "\n";
  const auto digit = [](unsigned n) { return static_cast<char>(n == 0 ? '`' : ' ' + n); };
  for (std::size_t at = 0; at < data.size(); at += 45) {
    const auto line = data.substr(at, 45);
    out += digit(static_cast<unsigned>(line.size()));
    for (std::size_t i = 0; i < line.size(); i += 3) {
      const auto byte = [&](std::size_t n) {
        return n < line.size() ? static_cast<unsigned char>(line[n]) : 0u;
      };
      const unsigned bits = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
      for (const int shift : {18, 12, 6, 0}) out += digit(bits >> shift & 63);
    }
    out += '\n';
  }
  return out + "`\nend\n";
}

std::uint16_t crc(std::string_view data) {
  unsigned c = 0;
  for (const char byte : data) {
    c ^= static_cast<unsigned>(static_cast<unsigned char>(byte)) << 8;
    for (int i = 0; i < 8; ++i) c = (c & 0x8000) != 0 ? (c << 1 ^ 0x1021) & 0xFFFF : c << 1 & 0xFFFF;
  }
  return static_cast<std::uint16_t>(c);
}

std::string number(std::size_t n, int bytes) {
  std::string out;
  while (bytes-- > 0) out += static_cast<char>(n >> 8 * bytes);
  return out;
}

std::string binhex(const std::string& name, const std::string& data, const std::string& resource) {
  static constexpr std::string_view alphabet =
      "!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr";
  std::string header = number(name.size(), 1) + name + std::string(1, '\0') + "TEXTttxt" + number(0x0100, 2) +
                       number(data.size(), 4) + number(resource.size(), 4);
  const std::string all =
      header + number(crc(header), 2) + data + number(crc(data), 2) + resource + number(crc(resource), 2);
  std::string packed;  // run-length encoded
  for (std::size_t i = 0; i < all.size();) {
    std::size_t run = 1;
    while (run < 255 && i + run < all.size() && all[i + run] == all[i]) ++run;
    packed += all[i];
    if (all[i] == '\x90') packed += '\0';
    if (run > 3 && all[i] != '\x90') {
      packed += '\x90';
      packed += static_cast<char>(run);
      i += run;
    } else {
      ++i;
    }
  }
  std::string out = ":";
  unsigned bits = 0, count = 0;
  for (const char c : packed) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    count += 8;
    while (count >= 6) out += alphabet[bits >> (count -= 6) & 63];
  }
  if (count > 0) out += alphabet[bits << (6 - count) & 63];
  out += ':';
  std::string text = "(This file must be converted with BinHex 4.0)\n\n";
  for (std::size_t at = 0; at < out.size(); at += 64) text += out.substr(at, 64) + "\n";
  return text;
}

mime::options converting() {
  mime::options o;
  o.convert_non_mime = true;
  return o;
}

test::parts convert(const std::string& text, bool expected = true) {
  mime::summary summary;
  auto seen = look(text, converting(), &summary);
  BOOST_TEST(summary.converted == expected);
  return seen;
}

const std::string plain = "Subject: old\n\n";

}  // namespace

BOOST_AUTO_TEST_SUITE(conversion)

BOOST_AUTO_TEST_CASE(a_uuencoded_file_becomes_a_part_between_texts) {
  std::string data;
  for (int i = 0; i < 1000; ++i) data += static_cast<char>(i * 7);
  const auto seen = convert(plain + "Look at this:\n" + uu(data, "a b.bin") + "Nice?\n");
  BOOST_REQUIRE_EQUAL(seen.all.size(), 3u);
  BOOST_TEST(seen.all[0].content == "Look at this:");
  BOOST_TEST(seen.all[1].content == data);
  BOOST_TEST(seen.all[1].type == "application/octet-stream");
  BOOST_TEST(seen.all[1].header.find("filename=\"a b.bin\"") != std::string::npos);
  BOOST_TEST(seen.all[2].content == "Nice?");
  BOOST_TEST(seen.log == "<multipart/mixed part part part > ");
}

BOOST_AUTO_TEST_CASE(several_files_and_nothing_else_are_as_many_parts) {
  const auto seen = convert(plain + uu("one", "1") + "\n\n" + uu("two", "2"));
  BOOST_REQUIRE_EQUAL(seen.all.size(), 2u);
  BOOST_TEST(seen.all[0].content == "one");
  BOOST_TEST(seen.all[1].content == "two");
}

BOOST_AUTO_TEST_CASE(what_only_looks_like_a_file_stays_text) {
  for (const std::string& body :
       {std::string("begin 644 something\nelse, but not with a file\nend\n"),
        std::string("begin 644 x\nM1234\n"), std::string("begin\nend\n"),
        std::string("(This file must be converted with BinHex 4.0)\n\n:abc:\n"), std::string()}) {
    const auto seen = convert(plain + body, false);
    BOOST_REQUIRE_EQUAL(seen.all.size(), 1u);
    BOOST_TEST(seen.all[0].header == "Subject: old\n");
    BOOST_TEST(seen.all[0].content == body);
  }
  const auto seen = convert(plain + "begin 644 a\nbegin 644 b\n" + uu("x", "c"));
  BOOST_REQUIRE_EQUAL(seen.all.size(), 2u);
  BOOST_TEST(seen.all[0].content == "begin 644 a\nbegin 644 b");
}

BOOST_AUTO_TEST_CASE(mime_is_left_alone) {
  for (const char* field :
       {"MIME-Version: 1.0\n", "Content-Type: text/plain\n", "Content-Transfer-Encoding: 7bit\n"}) {
    const auto seen = convert("Subject: x\n" + std::string(field) + "\n" + uu("x", "c"), false);
    BOOST_TEST(seen.all.size() == 1u);
  }
  BOOST_TEST(look(plain + uu("x", "c")).all.size() ==
             1u);  // and so is everything that is not to be converted
  BOOST_TEST(convert("Subject: header only\n", false).all.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_binhex_file_becomes_a_part_and_its_resource_fork_another) {
  std::string data = std::string(300, 'r') + "\x90\x90" + std::string(5, '\0');
  for (int i = 0; i < 3000; ++i) data += static_cast<char>(i * 13);
  auto seen = convert(plain + "a Mac file\n\n" + binhex("Name", data, ""));
  BOOST_REQUIRE_EQUAL(seen.all.size(), 2u);
  BOOST_TEST((seen.all[1].content == data));
  BOOST_TEST(seen.all[1].header.find("filename=Name") != std::string::npos);

  seen = convert(plain + binhex("Name", data, "RESOURCE") + "bye\n");
  BOOST_REQUIRE_EQUAL(seen.all.size(), 3u);
  BOOST_TEST((seen.all[0].content == data));
  BOOST_TEST(seen.all[1].type == "application/applefile");
  BOOST_TEST(seen.all[1].content.size() == 26 + 36 + 4 + 32 + 8);
  BOOST_TEST(seen.all[1].content.starts_with(std::string("\0\5\x16\7\0\2\0\0", 8)));
  BOOST_TEST(seen.all[1].content.ends_with("RESOURCE"));
  BOOST_TEST(seen.all[2].content == "bye");

  seen = convert(plain + binhex("Empty", "", ""));
  BOOST_REQUIRE_EQUAL(seen.all.size(), 1u);
  BOOST_TEST(seen.all[0].content.empty());
}

BOOST_AUTO_TEST_CASE(parts_of_an_encoding_field_become_parts) {
  const std::string field =
      "Subject: x\nEncoding: 2 TEXT, 3 Message,\n 1 PostScript, 4 UUENCODE, TEXT Signature\n\n";
  const auto seen =
      convert(field + "one\ntwo\n\nSubject: in\n\ninner\n\n%!PS\n\n" + uu("file", "f") + "\n-- \nAnn\n");
  BOOST_REQUIRE_EQUAL(seen.all.size(), 5u);
  BOOST_TEST(seen.all[0].content == "one\ntwo");
  BOOST_TEST(seen.all[1].header == "Subject: in\n");
  BOOST_TEST(seen.all[1].content == "inner");
  BOOST_TEST(seen.all[2].type == "application/postscript");
  BOOST_TEST(seen.all[3].content == "file");
  BOOST_TEST(seen.all[4].content == "-- \nAnn");
}

BOOST_AUTO_TEST_CASE(an_encoding_field_that_does_not_fit_is_not_believed) {
  for (const char* value :
       {"2 TEXT, 3 TEXT", "TEXT", "99 TEXT", "1 TEXT, TEXT", ",,", "TEXT, TEXT", "0 TEXT, TEXT", "7"}) {
    const auto seen = convert("Encoding: " + std::string(value) + "\n\none\ntwo\nthree\n", false);
    BOOST_REQUIRE_EQUAL(seen.all.size(), 1u);
    BOOST_TEST(seen.all[0].content == "one\ntwo\nthree\n");
  }
}

BOOST_AUTO_TEST_CASE(text_around_a_declared_file_is_not_lost) {
  for (const char* field : {"Encoding: UUENCODE\n\n", "Encoding: 6 UUENCODE\n\n"}) {
    const auto seen = convert(field + std::string("before\n") + uu("file", "f") + "after\n");
    BOOST_REQUIRE_EQUAL(seen.all.size(), 3u);
    BOOST_TEST(seen.all[0].content == "before");
    BOOST_TEST(seen.all[1].content == "file");
    BOOST_TEST(seen.all[2].content == "after");
  }
  const auto two = convert("Encoding: UUENCODE\n\n" + uu("one", "1") + uu("two", "2"));
  BOOST_REQUIRE_EQUAL(two.all.size(), 2u);
  BOOST_TEST(two.all[0].content == "one");
  BOOST_TEST(two.all[1].content == "two");
  // Blank lines are no text.
  const auto blanks = convert("Encoding: 1 PS, UUENCODE\n\n%!PS\n\n\n" + uu("file", "f") + "\n\t\n");
  BOOST_REQUIRE_EQUAL(blanks.all.size(), 2u);
  BOOST_TEST(blanks.all[0].type == "application/postscript");
  BOOST_TEST(blanks.all[1].content == "file");
}

BOOST_AUTO_TEST_CASE(the_converted_message_is_what_is_written) {
  const std::string text =
      "Subject: old\nEncoding: x y\nTo: b\n\nGr\xfc\xdf"
      "e\n" +
      uu("data", "d.bin");
  const auto out = test::rewritten(
      text, [](mime::part&, const mime::piece&) {}, converting());
  BOOST_TEST(out.starts_with(
      "Subject: old\nTo: b\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"=_"));
  const auto seen = look(out);
  BOOST_REQUIRE_EQUAL(seen.all.size(), 2u);
  BOOST_TEST(seen.all[0].header ==
             "Content-Type: text/plain; charset=unknown-8bit\nContent-Transfer-Encoding: 8bit\n");
  BOOST_TEST(seen.all[0].content ==
             "Gr\xfc\xdf"
             "e");
  BOOST_TEST(seen.all[1].content == "data");
  BOOST_TEST(test::rewritten(
                 plain + "text\n", [](mime::part&, const mime::piece&) {}, converting()) == plain + "text\n");
}

BOOST_AUTO_TEST_SUITE_END()
