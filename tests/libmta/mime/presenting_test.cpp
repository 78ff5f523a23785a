#include "parts.hpp"

#include <boost/test/unit_test.hpp>

using test::look;
using test::multipart;
namespace mime = mta::mime;

BOOST_AUTO_TEST_SUITE(presenting)

BOOST_AUTO_TEST_CASE(a_message_without_parts_is_one_part_whose_header_is_the_messages) {
  const auto seen = look("Subject: hello\nTo: b\n\none\n\ntwo\n");
  BOOST_REQUIRE_EQUAL(seen.all.size(), 1u);
  BOOST_TEST(seen.all[0].header == "Subject: hello\nTo: b\n");
  BOOST_TEST(seen.all[0].content == "one\n\ntwo\n");
  BOOST_TEST(seen.all[0].type == "text/plain");
  BOOST_TEST(seen.all[0].text);
  BOOST_TEST(seen.all[0].ends == 1u);
}

BOOST_AUTO_TEST_CASE(of_a_multipart_only_the_parts_are_presented) {
  const auto seen = look(
      multipart({"X-A: 1\n\none", "Content-Type: image/gif\nContent-Transfer-Encoding: base64\n\n/w8="}));
  BOOST_REQUIRE_EQUAL(seen.all.size(), 2u);
  BOOST_TEST(seen.all[0].header == "X-A: 1\n");
  BOOST_TEST(seen.all[0].content == "one");
  BOOST_TEST(seen.all[1].header == "Content-Type: image/gif\nContent-Transfer-Encoding: base64\n");
  BOOST_TEST(seen.all[1].content == "\xff\x0f");
  BOOST_TEST(!seen.all[1].text);
  BOOST_TEST(seen.log == "<multipart/mixed part part > ");
}

BOOST_AUTO_TEST_CASE(a_message_in_a_message_is_opened_like_one_of_its_own) {
  const auto seen = look(multipart({"Content-Type: message/rfc822\n\nSubject: inner\n\ntext", "\nlast"}));
  BOOST_REQUIRE_EQUAL(seen.all.size(), 2u);
  BOOST_TEST(seen.all[0].header == "Subject: inner\n");
  BOOST_TEST(seen.all[0].content == "text");
  BOOST_TEST(seen.log == "<multipart/mixed <message/rfc822 part > part > ");
}

BOOST_AUTO_TEST_CASE(an_encoded_message_in_a_message_is_decoded_and_not_opened) {
  const auto seen = look(
      multipart({"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeA=="}));
  BOOST_REQUIRE_EQUAL(seen.all.size(), 1u);
  BOOST_TEST(seen.all[0].content == "Subject: x");
  BOOST_TEST(seen.all[0].text);
  BOOST_TEST(seen.all[0].unparsed);
}

BOOST_AUTO_TEST_CASE(an_entity_tells_what_its_header_says) {
  std::size_t looked = 0;
  const auto done =
      mime::decode(multipart({"Content-Type: TEXT/X-Y; Charset=\"utf-8\"; name=\"a.txt\"\n"
                              "Content-Disposition: ATTACHMENT;\n filename*=utf-8''%C3%A4.txt\n"
                              "Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\n\n"}),
                   [&](mime::part& p, const mime::piece& x) {
                     if (x.kind != mime::piece_kind::end) return;
                     ++looked;
                     BOOST_TEST(p.is("text", "x-y"));
                     BOOST_TEST(p.charset() == "utf-8");
                     BOOST_TEST(p.disposition() == "attachment");
                     BOOST_TEST(p.filename() == "ä.txt");
                     BOOST_REQUIRE_EQUAL(p.type_parameters().size(), 2u);
                     BOOST_TEST(p.type_parameters()[1].value == "a.txt");
                     BOOST_TEST(p.depth() == 1u);
                     BOOST_TEST(p.header("SUBJECT").value_or("") == "=?utf-8?q?gr=C3=BC=C3=9Fe?=");
                     BOOST_TEST(p.header_text("subject").value_or("") == "grüße");
                     BOOST_TEST(!p.header("to").has_value());
                     BOOST_TEST(!p.keep());  // nothing is rewritten
                   });
  BOOST_TEST(done.has_value());
  BOOST_TEST(looked == 1u);
}

BOOST_AUTO_TEST_CASE(no_piece_is_longer_than_asked_for) {
  const std::string line(5000, 'x');
  mime::options o;
  o.piece_size = 100;
  const auto seen = look("X-Long: " + line + "\n\n" + line + "\n" + line + "\n", o);
  BOOST_TEST(seen.longest == 100u);
  BOOST_TEST(seen.all[0].header == "X-Long: " + line + "\n");
  BOOST_TEST(seen.all[0].content == line + "\n" + line + "\n");
}

BOOST_AUTO_TEST_CASE(a_line_longer_than_any_buffer_comes_whole) {
  const std::string line(300'000, 'y');
  const auto seen = look("Subject: " + line + "\n\n" + line + "\n--b\n" + line);
  BOOST_TEST((seen.all[0].header == "Subject: " + line + "\n"));
  BOOST_TEST((seen.all[0].content == line + "\n--b\n" + line));
}

BOOST_AUTO_TEST_CASE(blanks_at_the_end_of_a_line_of_quoted_printable_are_not_content) {
  const std::string header = "Content-Transfer-Encoding: quoted-printable\n\n";
  const auto content = [&](const std::string& text) { return look(header + text).all.at(0).content; };
  BOOST_TEST(content("one= \t\ntwo=20 \nthree\t\n \n a= b\n=\t") == "onetwo \nthree\n\n a= b\n");
  // Where a line comes in several pieces, blanks may be divided among them, and must not be lost within it.
  for (const std::size_t n : {65'530u, 65'535u, 65'536u, 131'071u}) {
    const std::string line(n, 'x'), blanks(20, ' ');
    BOOST_TEST((content(line + "=" + blanks + "\nend\n") == line + "end\n"));
    BOOST_TEST((content(line + blanks + "y" + blanks + "\nend\n") == line + blanks + "y\nend\n"));
  }
}

BOOST_AUTO_TEST_CASE(a_type_after_a_very_long_header_is_found) {
  std::string header;
  for (int i = 0; i < 50'000; ++i) header += "X-Filler: some text to make it long\n";
  const auto seen = look(header + "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n");
  BOOST_TEST(seen.log == "<multipart/mixed part > ");
}

BOOST_AUTO_TEST_CASE(a_multipart_without_a_boundary_or_without_a_delimiter_is_text) {
  for (const char* type :
       {"multipart/mixed", "multipart/mixed; boundary=never", "multipart/mixed; boundary=\"\""}) {
    const auto seen = look("Content-Type: " + std::string(type) + "\n\none\n--b\ntwo\n");
    BOOST_REQUIRE_EQUAL(seen.all.size(), 1u);
    BOOST_TEST(seen.all[0].unparsed);
    BOOST_TEST(seen.all[0].text);
    BOOST_TEST(seen.all[0].header == "Content-Type: " + std::string(type) + "\n");
    BOOST_TEST(seen.all[0].content == "one\n--b\ntwo\n");
    BOOST_TEST(seen.log == "part ");
  }
}

BOOST_AUTO_TEST_CASE(a_multipart_with_nothing_but_its_last_delimiter_is_text) {
  const auto seen = look("Content-Type: multipart/mixed; boundary=b\n\none\n--b--\ntwo\n");
  BOOST_REQUIRE_EQUAL(seen.all.size(), 1u);
  BOOST_TEST(seen.all[0].content == "one\n--b--\ntwo\n");
}

BOOST_AUTO_TEST_CASE(multiparts_below_the_deepest_level_are_text) {
  const std::string text =
      multipart({"Content-Type: multipart/mixed; boundary=in\n\n--in\n\none\n--in--", "\ntwo"});
  mime::summary summary;
  mime::options o;
  o.levels_max = 1;
  auto seen = look(text, o, &summary);
  BOOST_REQUIRE_EQUAL(seen.all.size(), 2u);
  BOOST_TEST(seen.all[0].content == "--in\n\none\n--in--");
  BOOST_TEST(seen.all[0].unparsed);
  BOOST_TEST(seen.all[1].content == "two");
  BOOST_TEST(summary.levels_limited);

  o.levels_max = 0;
  seen = look(text, o);
  BOOST_REQUIRE_EQUAL(seen.all.size(), 1u);
  BOOST_TEST(seen.all[0].header.starts_with("Subject: x\n"));

  o.levels_max = 2;
  seen = look(text, o, &summary);
  BOOST_TEST(seen.all.size() == 2u);
  BOOST_TEST(!summary.levels_limited);
}

BOOST_AUTO_TEST_CASE(nesting_without_end_is_bounded_and_nothing_is_withheld) {
  std::string text;
  for (int i = 0; i < 5000; ++i)
    text += "Content-Type: multipart/mixed; boundary=b" + std::to_string(i) + "\n\n--b" + std::to_string(i) +
            "\n";
  text += "\ndeepest\n";
  mime::summary summary;
  const auto seen = look(text, {}, &summary);
  BOOST_TEST(summary.levels_limited);
  BOOST_REQUIRE_EQUAL(seen.all.size(), 1u);
  BOOST_TEST(seen.all[0].content.ends_with("deepest"));
  BOOST_TEST(seen.all[0].content.find("boundary=b4999") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(parts_beyond_the_limit_are_not_presented) {
  mime::options o;
  o.parts_max = 2;
  mime::summary summary;
  const auto seen = look(multipart({"\none", "\ntwo", "\nthree"}), o, &summary);
  BOOST_TEST(seen.all.size() == 2u);
  BOOST_TEST(summary.parts_limited);
  (void)look(multipart({"\none", "\ntwo"}), o, &summary);
  BOOST_TEST(!summary.parts_limited);
}

BOOST_AUTO_TEST_CASE(blocks_of_any_size_give_the_same_parts) {
  const std::string text =
      multipart({"Content-Type: text/html\r\n\r\none\r\n\r\ntwo", "\n\rthree\r\r\nfour\r"});
  const auto whole = look(text);
  for (std::size_t size = 1; size < 20; ++size) {
    std::size_t at = 0;
    const auto seen = look(mime::input([&]() -> mta::result<std::optional<std::string_view>> {
      if (at >= text.size()) return std::optional<std::string_view>();
      const auto block = std::string_view(text).substr(at, size);
      at += size;
      return std::optional(block);
    }));
    BOOST_REQUIRE_EQUAL(seen.all.size(), whole.all.size());
    for (std::size_t i = 0; i < seen.all.size(); ++i) {
      BOOST_TEST(seen.all[i].header == whole.all[i].header);
      BOOST_TEST(seen.all[i].content == whole.all[i].content);
    }
  }
}

BOOST_AUTO_TEST_CASE(lines_end_as_the_input_says) {
  const auto with = [](std::string_view text, mime::line_ends ends, std::size_t size) {
    std::size_t at = 0;
    return look(mime::input(
                    [=]() mutable -> mta::result<std::optional<std::string_view>> {
                      if (at >= text.size()) return std::optional<std::string_view>();
                      const auto block = text.substr(at, size);
                      at += size;
                      return std::optional(block);
                    },
                    ends))
        .all.at(0);
  };
  for (std::size_t size = 1; size < 8; ++size) {
    BOOST_TEST(with("A: 1\rB: 2\r\rx\n\ry\r", mime::line_ends::cr, size).content == "x\n\ny\n");
    BOOST_TEST(with("A: 1\n\nx\r\ny\r", mime::line_ends::lf, size).content == "x\r\ny\r");
    BOOST_TEST(with("A: 1\r\n\r\nx\ny\r\nz\r\r\n", mime::line_ends::crlf, size).content == "x\ny\nz\r\n");
    BOOST_TEST(with("A: 1\n\r\n\rx\ry\n\r", mime::line_ends::lfcr, size).content == "x\ry\n");
  }
}

BOOST_AUTO_TEST_CASE(an_input_can_be_decoded_again) {
  const mime::input in("Subject: x\n\nbody\n");
  BOOST_TEST(look(in).all[0].content == "body\n");
  BOOST_TEST(look(in).all[0].content == "body\n");
}

BOOST_AUTO_TEST_CASE(an_error_of_the_input_or_of_the_visitor_ends_the_decode) {
  int calls = 0;
  const auto broken = mime::decode(mime::input([&]() -> mta::result<std::optional<std::string_view>> {
                                     if (++calls > 1) return mta::error(mta::errc::damaged, "read");
                                     return std::optional(std::string_view("A: 1\n\nx\n"));
                                   }),
                                   [](mime::part&, const mime::piece&) {});
  BOOST_REQUIRE(!broken);
  BOOST_TEST(broken.error().code == mta::errc::damaged);

  int pieces = 0;
  const auto refused = mime::decode("A: 1\n\nx\ny\n", [&](mime::part&, const mime::piece&) -> mta::result<> {
    if (++pieces == 2) return mta::error(mta::errc::rejected, "look");
    return {};
  });
  BOOST_REQUIRE(!refused);
  BOOST_TEST(refused.error().code == mta::errc::rejected);
  BOOST_TEST(pieces == 2);
}

BOOST_AUTO_TEST_SUITE_END()
