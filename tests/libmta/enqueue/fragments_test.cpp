// What of a message goes into which fragment (RFC 2046 5.2.2), and what is left whole.

#include "enqueue/fragments.hpp"

#include "queue/state.hpp"
#include "temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <string>
#include <vector>

using namespace mta::enqueue;
namespace queue = mta::queue;

namespace {

struct dividing {
  test::temporary_directory directory;

  std::vector<std::string> divide(const std::string& message, fragment_limits limits,
                                  std::size_t in_memory = 4 << 20) {
    content_buffer content(queue::real_file_io(), directory.path(), in_memory);
    BOOST_REQUIRE(content.write(message));
    BOOST_REQUIRE(content.finish());
    const auto made =
        make_fragments(content.content(), limits, "mta.example", queue::real_file_io(), directory.path());
    BOOST_REQUIRE(made);
    std::vector<std::string> texts;
    for (const fragment& f : *made) texts.emplace_back(f.content->content().memory);
    return texts;
  }
  static std::string header(const std::string& text) { return text.substr(0, text.find("\r\n\r\n") + 2); }
  static std::string body(const std::string& text) { return text.substr(text.find("\r\n\r\n") + 4); }
  static std::string lines(int count) {
    std::string text;
    for (int i = 0; i < count; ++i)
      text += "line " + std::to_string(i) + " of the message's body, forty-six bytes\r\n";
    return text;
  }
};

constexpr const char* fields =
    "Received: from here\r\nFrom: ann@example.org\r\nSubject: hello\r\n there\r\nMessage-ID: <1@x>\r\n"
    "X-Mark: 1\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\nEncrypted: no\r\n";

}  // namespace

BOOST_FIXTURE_TEST_SUITE(fragments, dividing)

BOOST_AUTO_TEST_CASE(fields_go_where_rfc_2046_wants_them) {
  const auto parts = divide(std::string(fields) + "\r\n" + lines(100), {2000, 0});
  BOOST_REQUIRE(parts.size() > 2u);
  const std::string total = std::to_string(parts.size());
  for (std::size_t n = 0; n < parts.size(); ++n) {
    const std::string own = header(parts[n]), number = std::to_string(n + 1);
    BOOST_TEST(own.starts_with("Received: from here\r\nFrom: ann@example.org\r\nX-Mark: 1\r\nMessage-ID: <"));
    BOOST_TEST(own.find("Subject: hello\r\n there (part " + number + " of " + total + ")\r\n") != own.npos);
    BOOST_TEST(own.find("number=" + number + "; total=" + total) != own.npos);
    BOOST_TEST(own.find("<1@x>") == own.npos);
    BOOST_TEST(own.find("Encrypted") == own.npos);
    BOOST_TEST(is_fragment(own));
  }
  BOOST_TEST(body(parts[0]).starts_with(
      "Subject: hello\r\n there\r\nMessage-ID: <1@x>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n"
      "Encrypted: no\r\n\r\nline 0"));
}

BOOST_AUTO_TEST_CASE(the_bodies_make_the_whole_and_no_fragment_is_over_the_limit) {
  const std::string text = lines(3000);
  for (const std::size_t in_memory : {std::size_t{4} << 20, std::size_t{1000}}) {
    const auto parts = divide(std::string(fields) + "\r\n" + text, {4096, 0}, in_memory);
    std::string whole;
    for (const std::string& part : parts) {
      BOOST_TEST(part.size() <= 4096u);
      BOOST_TEST((part.size() > 3000u || &part == &parts.back()));
      whole += body(part);
    }
    BOOST_TEST(whole.substr(whole.find("\r\n\r\n") + 4) == text);
  }
}

BOOST_AUTO_TEST_CASE(lines_are_limited_too) {
  const auto parts = divide(std::string(fields) + "\r\n" + lines(100), {0, 30});
  BOOST_TEST(parts.size() > 4u);
  for (const std::string& part : parts) BOOST_TEST(std::count(part.begin(), part.end(), '\n') <= 30);
  BOOST_TEST(divide(std::string(fields) + "\r\n" + lines(10), {0, 30}).empty());
}

BOOST_AUTO_TEST_CASE(a_message_within_the_limits_is_left_whole) {
  const std::string message = std::string(fields) + "\r\n" + lines(10);
  BOOST_TEST(divide(message, {message.size(), 0}).empty());
  BOOST_TEST(divide(message, {}).empty());
  BOOST_TEST(!divide(message, {message.size() - 1, 0}).empty());
}

BOOST_AUTO_TEST_CASE(what_no_fragment_may_contain_is_left_whole) {
  BOOST_TEST(divide(std::string(fields) + "\r\n" + lines(100) + "\xC3\xBC\r\n", {2000, 0}).empty());
  BOOST_TEST(divide(std::string(fields) + "\r\n" + std::string(5000, 'x') + "\r\n", {2000, 0}).empty());
  BOOST_TEST(divide("Content-Type: Message/Partial; id=x; number=1\r\n\r\n" + lines(100), {2000, 0}).empty());
  BOOST_TEST(divide("X-Long: " + std::string(990, 'x') + "\r\nX: 1\r\n", {512, 0}).empty());  // no body
}

BOOST_AUTO_TEST_CASE(a_header_of_which_something_would_be_lost_is_left_whole) {
  const std::string text = lines(100);
  BOOST_TEST(divide("From: a@b\r\nno field at all\r\nTo: c@d\r\n\r\n" + text, {2000, 0}).empty());
  BOOST_TEST(divide("\r\nno header\r\n\r\n" + text, {2000, 0}).empty());
  std::string long_header;
  while (long_header.size() < 300'000)
    long_header += "X-Mark: " + std::to_string(long_header.size()) + "\r\n";
  BOOST_TEST(divide(long_header + "\r\n" + text, {2000, 0}).empty());
}

BOOST_AUTO_TEST_CASE(a_type_that_only_begins_alike_is_no_fragment) {
  BOOST_TEST(is_fragment("Content-Type: message/partial; id=x\r\n"));
  BOOST_TEST(is_fragment("content-type:message/PARTIAL\r\n"));
  BOOST_TEST(!is_fragment("Content-Type: message/partially\r\n"));
  BOOST_TEST(!is_fragment("Content-Type: message/rfc822\r\n"));
  BOOST_TEST(!is_fragment(""));
}

BOOST_AUTO_TEST_CASE(limits_below_what_a_header_needs_still_make_progress) {
  const auto parts = divide(std::string(fields) + "\r\n" + lines(200), {100, 0});
  BOOST_TEST(parts.size() > 10u);
  BOOST_TEST(parts.size() < 200u);
}

BOOST_AUTO_TEST_CASE(there_are_never_many_more_than_a_thousand) {
  const auto parts = divide(std::string(fields) + "\r\n" + lines(20'000), {1024, 8});
  BOOST_TEST(parts.size() <= max_fragments * 11 / 10);  // lines are not divided
  BOOST_TEST(parts.size() > max_fragments / 2);
}

BOOST_AUTO_TEST_SUITE_END()
