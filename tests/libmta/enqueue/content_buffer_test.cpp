#include "enqueue/content_buffer.hpp"

#include "failing_file_io.hpp"
#include "messages/messages.hpp"
#include "queue/state.hpp"
#include "temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

using namespace mta::enqueue;
namespace facts = mta::queue::facts;

namespace {

/// All the content, from memory or file.
std::string text_of(const content_buffer& buffer) {
  const auto source = buffer.content();
  if (source.spilled == nullptr) return std::string(source.memory);
  std::string text(source.length + 1, '\0');
  const auto got = source.spilled->read(0, std::as_writable_bytes(std::span(text)));
  text.resize(got.value());
  return text;
}

struct fixture {
  test::temporary_directory directory;
  test::failing_file_io io;

  content_buffer make(std::size_t limit = 4096) { return content_buffer(io, directory.path(), limit); }
  std::string wire(std::string_view text) {
    content_buffer b = make();
    BOOST_REQUIRE(b.write(text));
    BOOST_REQUIRE(b.finish());
    return text_of(b);
  }
  int facts_of(std::string_view text) {
    content_buffer b = make();
    BOOST_REQUIRE(b.write(text));
    BOOST_REQUIRE(b.finish());
    return b.content().facts;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(content_buffers, fixture)

BOOST_AUTO_TEST_CASE(every_line_end_becomes_crlf_and_a_lone_cr_stays) {
  BOOST_TEST(wire("a\nb\r\nc\n") == "a\r\nb\r\nc\r\n");
  BOOST_TEST(wire("a\rb\n\rc\n") == "a\rb\r\n\rc\r\n");
  BOOST_TEST(wire("a\r\r\nb\n") == "a\r\r\nb\r\n");
  BOOST_TEST(wire("\n\n") == "\r\n\r\n");
  BOOST_TEST(wire("a") == "a\r\n");
  BOOST_TEST(wire("a\r") == "a\r\r\n");
  BOOST_TEST(wire("") == "");
}

BOOST_AUTO_TEST_CASE(pieces_may_begin_and_end_anywhere) {
  const std::string text = "one\r\ntwo\nthr\ree\r\r\n\r\n.\n\nlast";
  const std::string whole = wire(text);
  for (std::size_t a = 0; a <= text.size(); ++a)
    for (std::size_t b = a; b <= text.size(); ++b) {
      content_buffer buffer = make();
      for (const auto& piece : {text.substr(0, a), text.substr(a, b - a), text.substr(b)})
        BOOST_REQUIRE(buffer.write(piece));
      BOOST_REQUIRE(buffer.finish());
      BOOST_TEST(text_of(buffer) == whole, "cut at " << a << " and " << b);
      BOOST_TEST(buffer.content().longest_line == 7u);
    }
}

BOOST_AUTO_TEST_CASE(a_line_written_as_a_line_keeps_a_cr_at_its_end) {
  content_buffer b = make();
  BOOST_REQUIRE(b.write_line("a\r"));
  BOOST_REQUIRE(b.write_line(""));
  BOOST_REQUIRE(b.write_line("two\nlines"));
  BOOST_REQUIRE(b.finish());
  BOOST_TEST(text_of(b) == "a\r\r\n\r\ntwo\r\nlines\r\n");
}

BOOST_AUTO_TEST_CASE(facts_for_senders_are_noted) {
  BOOST_TEST(facts_of("A: 1\n\nplain\n") == 0);
  BOOST_TEST(facts_of("A: 1\n\nm\xC3\xBC\n") == facts::eight_bit);
  BOOST_TEST(facts_of("A: \xC3\xBC\n\nx\n") == (facts::eight_bit | facts::non_ascii_header));
  BOOST_TEST(facts_of("A: \xC3\xBC") == (facts::eight_bit | facts::non_ascii_header));
  BOOST_TEST(facts_of("\nA: \xC3\xBC") == facts::eight_bit);
  BOOST_TEST(facts_of("A: 1\n\n.x\n") == facts::leading_dot);
  BOOST_TEST(facts_of("A: 1\n\nx.\n") == 0);
  BOOST_TEST(facts_of(std::string(998, 'x') + "\r\n") == 0);
  BOOST_TEST(facts_of(std::string(999, 'x') + "\r\n") == facts::long_line);
}

BOOST_AUTO_TEST_CASE(the_longest_line_is_counted_without_its_line_end) {
  for (const char* end : {"\n", "\r\n", ""}) {
    content_buffer b = make();
    BOOST_REQUIRE(b.write("ab\n" + std::string(50, 'x') + end));
    BOOST_REQUIRE(b.finish());
    BOOST_TEST(b.content().longest_line == 50u);
  }
}

BOOST_AUTO_TEST_CASE(the_message_id_is_found_in_the_header_only) {
  const auto id = [&](std::string_view text) {
    content_buffer b = make();
    BOOST_REQUIRE(b.write(text));
    BOOST_REQUIRE(b.finish());
    return b.message_id();
  };
  BOOST_TEST(id("A: 1\nmessage-ID:\n <one@x> \nB: 2\n\nx") == "<one@x>");
  BOOST_TEST(id("A: 1\n\nMessage-ID: <two@x>\n") == "");
  BOOST_TEST(id("Message-ID: <three@x>") == "<three@x>");
}

BOOST_AUTO_TEST_CASE(large_content_goes_to_a_file_without_a_name) {
  content_buffer b = make(4096);
  std::string expected;
  BOOST_REQUIRE(b.write("Message-ID: <m@x>\n\n"));
  expected = "Message-ID: <m@x>\r\n\r\n";
  for (int i = 0; i < 20'000; ++i) {
    BOOST_REQUIRE(b.write("line " + std::to_string(i) + "\n"));
    expected += "line " + std::to_string(i) + "\r\n";
  }
  BOOST_REQUIRE(b.finish());
  BOOST_TEST(b.spilled());
  BOOST_TEST(b.length() == expected.size());
  BOOST_TEST((text_of(b) == expected));
  BOOST_TEST(b.message_id() == "<m@x>");
  BOOST_TEST(std::filesystem::is_empty(directory.path()));
}

BOOST_AUTO_TEST_CASE(generated_mail_of_every_shape_comes_out_in_wire_form_memory_or_file) {
  messages::generator generator(7, {"example.org"});
  std::mt19937 random(7);
  for (int i = 0; i < 3 * messages::kinds; ++i) {
    const messages::message m = generator.next();
    content_buffer b = make(i % 2 == 0 ? 1000 : 4u << 20);
    for (std::string_view rest = m.content; !rest.empty();) {
      const std::size_t n = std::min<std::size_t>(rest.size(), 1 + random() % 5000);
      BOOST_REQUIRE(b.write(rest.substr(0, n)));
      rest.remove_prefix(n);
    }
    BOOST_REQUIRE(b.finish());
    BOOST_TEST((text_of(b) == m.wire_form()), messages::name(m.kind));
    BOOST_TEST(b.message_id().find("@generator.example>") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(failures_of_the_temporary_file_are_errors_of_the_write) {
  for (const std::string operation : {"open", "remove", "write"}) {
    io.fail = [&](const std::string& op, const std::string& path) {
      return op == operation && path.find("/.content.") != path.npos ? ENOSPC : 0;
    };
    content_buffer b = make(100);
    const auto written = b.write(std::string(200, 'x'));
    BOOST_REQUIRE(!written.has_value());
    BOOST_TEST((written.error().code == std::errc::no_space_on_device), operation);
  }
}

// --- labels of 8-bit text

struct labelling : fixture {
  std::string labelled(const std::string& text, const std::string& charset = "auto",
                       std::size_t limit = 4096) {
    content_buffer b = make(limit);
    b.label_8bit(charset);
    for (std::size_t at = 0; at < text.size(); at += 1000) BOOST_REQUIRE(b.write(text.substr(at, 1000)));
    BOOST_REQUIRE(b.finish());
    BOOST_TEST(b.length() == text_of(b).size());
    BOOST_TEST(b.content().length == b.length());
    return text_of(b);
  }
  static std::string labels(const std::string& charset) {
    return "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=" + charset +
           "\r\nContent-Transfer-Encoding: 8bit\r\n";
  }
};

BOOST_FIXTURE_TEST_CASE(text_in_utf8_is_called_that_and_other_8bit_text_unknown, labelling) {
  BOOST_TEST(labelled("Subject: x\n\ngr\xC3\xBC\xC3\x9F\n") ==
             "Subject: x\r\n" + labels("utf-8") + "\r\ngr\xC3\xBC\xC3\x9F\r\n");
  BOOST_TEST(labelled("Subject: x\n\ngr\xFC\xDF\n") ==
             "Subject: x\r\n" + labels("unknown-8bit") + "\r\ngr\xFC\xDF\r\n");
  BOOST_TEST(labelled("\n\xE2\x82\xAC") == labels("utf-8") + "\r\n\xE2\x82\xAC\r\n");
}

BOOST_FIXTURE_TEST_CASE(a_charset_can_be_given_and_labelling_switched_off, labelling) {
  const std::string text = "Subject: x\n\ngr\xC3\xBC\xC3\x9F\n";
  BOOST_TEST(labelled(text, "iso-8859-15").find("charset=iso-8859-15\r\n") != std::string::npos);
  BOOST_TEST(labelled(text, "no") == wire(text));
}

BOOST_FIXTURE_TEST_CASE(what_needs_no_label_or_has_one_is_not_touched, labelling) {
  for (const std::string text :
       {"Subject: x\n\nplain\n", "Subject: gr\xC3\xBC\xC3\x9F\n\nplain\n", "Subject: gr\xC3\xBC\xC3\x9F\n",
        "mime-version: 1.0\n\n\xFC\n", "CONTENT-TYPE: text/plain\n\n\xFC\n",
        "Content-Transfer-Encoding: 8bit\n\n\xFC\n", "", "\n"})
    BOOST_TEST(labelled(text) == wire(text), text);
}

BOOST_FIXTURE_TEST_CASE(text_that_is_in_a_file_is_labelled_too_wherever_its_first_8bit_byte_is, labelling) {
  for (const std::string header : {"Subject: x\n", ""})
    for (const std::size_t place : {std::size_t{100}, std::size_t{5'000}, std::size_t{600'000}}) {
      std::string body;
      while (body.size() < 700'000) body += "a line of some length that is said again and again\n";
      body.insert(place, "\xE2\x82\xAC");
      std::string expected = wire(header + "\n" + body);
      expected.insert(header.empty() ? 0 : header.size() + 1, labels("utf-8"));
      BOOST_TEST((labelled(header + "\n" + body) == expected), "8-bit at " << place);
    }
  BOOST_TEST(std::filesystem::is_empty(directory.path()));
}

BOOST_FIXTURE_TEST_CASE(a_header_that_outgrows_memory_is_left_alone, labelling) {
  std::string header;
  while (header.size() < 10'000) header += "X-Line: x\n";
  const std::string text = header + "\n\xFC\n";
  BOOST_TEST((labelled(text) == wire(text)));
}

BOOST_AUTO_TEST_SUITE_END()
