#include "parts.hpp"
#include "temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>

using test::look;
using test::multipart;
using test::rewritten;
namespace mime = mta::mime;

namespace {

/// Removes or replaces the parts with these numbers.
auto without(std::vector<std::size_t> numbers, std::optional<mime::replacement> r = {},
             mime::piece_kind when = mime::piece_kind::end) {
  return [=](mime::part& p, const mime::piece& x) {
    if (x.kind == when && p.decidable() &&
        std::find(numbers.begin(), numbers.end(), p.number()) != numbers.end())
      BOOST_TEST((r ? p.replace(*r) : p.remove()).has_value());
  };
}

std::vector<std::string> in_lines(const std::string& text, std::size_t longest, mime::visitor& v) {
  std::vector<std::string> lines;
  const auto done = mime::rewrite(text,
                                  mime::output::to_lines(
                                      [&](std::string_view line) {
                                        lines.emplace_back(line);
                                        return mta::result<>();
                                      },
                                      longest),
                                  v);
  BOOST_REQUIRE_MESSAGE(done, done.error().message());
  return lines;
}
std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& l : lines) text += l + "\n";
  return text;
}

const std::string three = multipart({"X-N: 1\n\none", "X-N: 2\n\ntwo", "X-N: 3\n\nthree"});

}  // namespace

BOOST_AUTO_TEST_SUITE(rewriting)

BOOST_AUTO_TEST_CASE(parts_about_which_nothing_is_said_are_copied_byte_for_byte) {
  for (const std::string& text :
       {three, std::string("Subject: x\n\nbody\n"), std::string("\n"), std::string(),
        multipart({"Content-Type: message/rfc822\n\nA: b\n\nc", ""})}) {
    BOOST_TEST(rewritten(text, [](mime::part&, const mime::piece&) {}) == text);
    const auto keep = [](mime::part& p, const mime::piece&) {
      if (p.decidable()) {
        BOOST_TEST(p.keep().has_value());
      }
    };
    BOOST_TEST(rewritten(text, keep) == text);
  }
}

BOOST_AUTO_TEST_CASE(a_removed_part_disappears_with_its_delimiter) {
  for (const auto when : {mime::piece_kind::header, mime::piece_kind::text, mime::piece_kind::end}) {
    BOOST_TEST(rewritten(three, without({1}, {}, when)) == multipart({"X-N: 1\n\none", "X-N: 3\n\nthree"}));
    BOOST_TEST(rewritten(three, without({2}, {}, when)) == multipart({"X-N: 1\n\none", "X-N: 2\n\ntwo"}));
    BOOST_TEST(rewritten(three, without({0}, {}, when)) == multipart({"X-N: 2\n\ntwo", "X-N: 3\n\nthree"}));
  }
}

BOOST_AUTO_TEST_CASE(a_multipart_whose_parts_were_all_removed_has_an_empty_one) {
  BOOST_TEST(rewritten(three, without({0, 1, 2})) == multipart({""}));
  const std::string nested =
      multipart({"Content-Type: multipart/mixed; boundary=in\n\n--in\n\none\n--in--", "\ntwo"});
  BOOST_TEST(look(rewritten(nested, without({0}))).all.size() == 2u);
  const std::string open = "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n";
  BOOST_TEST(look(rewritten(open, without({0}))).log == "<multipart/mixed part > ");
}

BOOST_AUTO_TEST_CASE(a_replaced_part_becomes_a_text) {
  mime::replacement r;
  r.text = "It is gone.\nReally.";
  BOOST_TEST(
      rewritten(three, without({1}, r)) ==
      multipart(
          {"X-N: 1\n\none",
           "Content-Type: text/plain; charset=us-ascii\nContent-Disposition: inline\n\nIt is gone.\nReally.",
           "X-N: 3\n\nthree"}));
  r = {.text = "<p>weg</p>",
       .type = "text",
       .subtype = "html",
       .charset = "utf-8",
       .disposition = "",
       .language = "de"};
  BOOST_TEST(rewritten(three, without({1}, r)) ==
             multipart({"X-N: 1\n\none",
                        "Content-Type: text/html; charset=utf-8\nContent-Language: de\n\n<p>weg</p>",
                        "X-N: 3\n\nthree"}));
}

BOOST_AUTO_TEST_CASE(a_replacement_is_encoded_so_that_it_arrives) {
  for (const std::string& text : {std::string("Grüße\nund mehr\n"), std::string(2000, 'x') + "\n",
                                  std::string("--b\n\nfake\n--b--\n"), std::string("a\r\nb\r\n--\r\n")}) {
    mime::replacement r;
    r.text = text;
    const auto out = rewritten(three, without({1}, r));
    for (std::size_t at = 0; at < out.size();) {
      const auto end = out.find('\n', at);
      BOOST_TEST(end - at <= 998u);
      at = end + 1;
    }
    const auto seen = look(out);
    BOOST_REQUIRE_EQUAL(seen.all.size(), 3u);
    std::string lf = text;
    std::erase(lf, '\r');
    lf.pop_back();  // the delimiter's line end
    BOOST_TEST(seen.all[1].content == lf);
    BOOST_TEST(seen.all[2].content == "three");
  }
}

BOOST_AUTO_TEST_CASE(of_a_message_that_is_one_part_the_header_stays) {
  const std::string text =
      "Subject: x\nContent-Type: image/gif;\n name=y\nMIME-Version: 1.0\nContent-Transfer-Encoding: "
      "base64\nTo: b\n\nAAAA\n";
  BOOST_TEST(rewritten(text, without({0})) == "Subject: x\nMIME-Version: 1.0\nTo: b\n\n");
  BOOST_TEST(rewritten(text, without({0}, mime::replacement{.text = "gone\n"})) ==
             "Subject: x\nMIME-Version: 1.0\nTo: b\nContent-Type: text/plain; charset=us-ascii\n"
             "Content-Disposition: inline\n\ngone\n");
  BOOST_TEST(rewritten("Subject: x\n\nold\n", without({0}, mime::replacement{.text = "new\n"})) ==
             "Subject: x\nMIME-Version: 1.0\nContent-Type: text/plain; "
             "charset=us-ascii\nContent-Disposition: inline\n\nnew\n");
}

BOOST_AUTO_TEST_CASE(a_part_is_decided_about_once) {
  std::size_t asked = 0;
  (void)rewritten(three, [&](mime::part& p, const mime::piece& x) {
    if (p.number() != 1) return;
    BOOST_TEST((x.kind == mime::piece_kind::header));
    ++asked;
    BOOST_TEST(!p.replace({.text = "x", .charset = "a\nb"}).has_value());
    BOOST_TEST(!p.replace({.text = "x", .type = ""}).has_value());
    BOOST_TEST(p.decidable());
    BOOST_TEST(p.keep().has_value());
    BOOST_TEST(!p.decidable());
    BOOST_TEST(!p.remove().has_value());
    BOOST_TEST(!p.replace({.text = "x"}).has_value());
  });
  BOOST_TEST(asked == 1u);  // and is not presented any further
}

BOOST_AUTO_TEST_CASE(what_is_not_looked_into_is_copied) {
  mime::options o;
  o.parts_max = 1;
  BOOST_TEST(rewritten(three, without({0, 1, 2}), o) == multipart({"X-N: 2\n\ntwo", "X-N: 3\n\nthree"}));
  o.parts_max = 0;
  BOOST_TEST(rewritten(three, without({0, 1, 2}), o) == three);
}

BOOST_AUTO_TEST_CASE(a_part_of_any_size_waits_for_its_decision) {
  test::temporary_directory directory;
  mime::options o;
  o.temporary_directory = directory.path();
  std::string big;
  for (int i = 0; i < 100'000; ++i) big += "line " + std::to_string(i) + " of a part that does not fit\n";
  const std::string text = multipart({"\n" + big, "\nsmall"});
  BOOST_TEST((rewritten(
                  text, [](mime::part&, const mime::piece&) {}, o) == text));
  BOOST_TEST((rewritten(text, without({0}), o) == multipart({"\nsmall"})));
  BOOST_TEST(std::filesystem::is_empty(directory.path()));

  o.temporary_directory = directory.path() + "/missing";
  std::string out;
  const auto done = mime::rewrite(
      text, mime::output::to_bytes([](std::string_view) { return mta::result<>(); }),
      [](mime::part&, const mime::piece&) {}, o);
  BOOST_REQUIRE(!done);
  BOOST_TEST(done.error().message().find("TMPDIR") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(lines_that_are_too_long_are_encoded_or_folded) {
  const std::string word(300, 'w');
  const std::string text = "Subject: " + word + " " + word + " " + word + "\nX-Solid: " + word + word +
                           "\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n"
                           "Content-Transfer-Encoding: 8bit\nX-Y: z\n\n" +
                           word + word +
                           "\nü\n--b\n"
                           "Content-Type: image/gif\n\n" +
                           word + word + "\n--b\n\nshort\n--b--\n";
  test::parts before, after;
  const auto lines = in_lines(text, 500, before);
  for (const auto& l : lines) BOOST_TEST(l.size() <= 500u);
  const std::string out = joined(lines);
  BOOST_TEST(out.find("Subject: " + word + "\n " + word + "\n " + word + "\n") != std::string::npos);
  BOOST_TEST(out.find("short") != std::string::npos);
  const auto seen = look(out);
  BOOST_REQUIRE_EQUAL(seen.all.size(), 3u);
  BOOST_TEST(seen.all[0].content == word + word + "\nü");
  BOOST_TEST(seen.all[0].header == "X-Y: z\nContent-Transfer-Encoding: quoted-printable\n");
  BOOST_TEST(seen.all[1].content == word + word);
  BOOST_TEST(seen.all[2].header.empty());
}

BOOST_AUTO_TEST_CASE(breaking_a_line_makes_no_delimiter) {
  const std::string type = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n";
  for (std::size_t n = 480; n < 600; ++n) {  // so that "--b" comes to stand at every place
    const std::string line =
        std::string(n, 'A') + "--b\nContent-Type: application/x-unseen\n\nunseen\n" + std::string(501, '-');
    for (const std::string& text :
         {type + line + "\n--b\n\nseen\n--b--\n", type + "--b\n\nseen\n--b--\n" + line + "\n",
          type + "--b\n\n" + line + "\n--b--\n",
          type + "--b\nContent-Type: image/gif\n\n" + line + "\n--b--\n"}) {
      test::parts before;
      const auto lines = in_lines(text, 500, before);
      for (const auto& l : lines) BOOST_TEST(l.size() <= 500u);
      const auto after = look(joined(lines));
      BOOST_REQUIRE_EQUAL(before.all.size(), 1u);
      BOOST_REQUIRE_EQUAL(after.all.size(), 1u);
      BOOST_TEST(after.all[0].content == before.all[0].content);
    }
  }
}

BOOST_AUTO_TEST_CASE(encoding_a_replacement_makes_no_delimiter) {
  for (std::size_t n = 0; n < 160; ++n) {
    const std::string text = "\xC3\xBC" + std::string(n, 'A') + "--b\n\nfake\nx" + std::string(1100, '-');
    const auto out = rewritten(three, without({1}, mime::replacement{.text = text}));
    for (std::size_t at = out.find("=C3=BC"); at < out.size();) {
      const auto end = out.find('\n', at);
      BOOST_TEST(end - at <= 76u);
      at = end + 1;
    }
    const auto seen = look(out);
    BOOST_REQUIRE_EQUAL(seen.all.size(), 3u);
    BOOST_TEST(seen.all[1].content == text);
  }
}

BOOST_AUTO_TEST_CASE(encoding_anew_leaves_every_byte_as_it_was) {
  std::string encoded;  // UTF-16, with what looks like line ends, on one line
  for (int i = 0; i < 100; ++i) encoded += "eAB4AHgACgANCgoA";
  const std::string text =
      multipart({"Content-Type: text/plain; charset=utf-16\n"
                 "Content-Transfer-Encoding: base64\n\n" +
                     encoded,
                 ""});
  const auto base64_content = [](const std::string& message) {
    const auto at = message.find("\n\n", message.find("base64")) + 2;
    std::string content = message.substr(at, message.find("--b", at) - at);
    std::erase(content, '\n');
    return content;
  };
  test::parts seen;
  const std::string out = joined(in_lines(text, 500, seen));
  BOOST_REQUIRE(out.find("base64") != out.npos);
  BOOST_TEST(base64_content(out) == base64_content(text));
}

BOOST_AUTO_TEST_CASE(a_message_that_is_encoded_becomes_mime) {
  test::parts seen;
  const std::string line(700, 'w');
  std::string out = joined(in_lines("Subject: x\n\n" + line + "\n", 500, seen));
  BOOST_TEST(
      out.starts_with("Subject: x\nMIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\n"));
  BOOST_TEST(look(out).all.at(0).content == line + "\n");
  out = joined(in_lines("Mime-version: 1.0\n\n" + line + "\n", 500, seen));
  BOOST_TEST(out.starts_with("Mime-version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\n"));
}

BOOST_AUTO_TEST_CASE(an_error_of_the_output_ends_the_rewriting) {
  const auto done = mime::rewrite(three, mime::output::to_lines([](std::string_view line) -> mta::result<> {
                                    if (line == "two") return mta::error(mta::errc::no_space, "write");
                                    return {};
                                  }),
                                  [](mime::part&, const mime::piece&) {});
  BOOST_REQUIRE(!done);
  BOOST_TEST(done.error().code == mta::errc::no_space);
}

BOOST_AUTO_TEST_CASE(the_summary_tells_whether_anything_changed) {
  const auto run = [](auto f) {
    return mime::rewrite(three, mime::output::to_bytes([](std::string_view) { return mta::result<>(); }), f)
        .value();
  };
  BOOST_TEST(!run([](mime::part&, const mime::piece&) {}).changed);
  BOOST_TEST(run(without({2})).changed);
  BOOST_TEST(run(without({2})).parts == 3u);
}

BOOST_AUTO_TEST_SUITE_END()
