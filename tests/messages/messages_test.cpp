#include "messages/messages.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

using messages::generator;
using messages::kind;
using messages::message;

namespace {

std::vector<message> first(std::size_t count, std::uint64_t seed = 1) {
  generator source(seed, {"example.com"});
  std::vector<message> made;
  for (std::size_t i = 0; i < count; ++i) made.push_back(source.next());
  return made;
}

message one(kind wanted) { return first(messages::kinds)[static_cast<std::size_t>(wanted)]; }

}  // namespace

BOOST_AUTO_TEST_CASE(the_same_seed_makes_the_same_mail_and_another_seed_other_mail) {
  const auto once = first(100, 7), again = first(100, 7), other = first(100, 8);
  for (std::size_t i = 0; i < once.size(); ++i) {
    BOOST_TEST(once[i].content == again[i].content);
    BOOST_TEST(once[i].from == again[i].from);
    BOOST_TEST(once[i].to == again[i].to);
    BOOST_TEST(once[i].content != other[i].content);
  }
}

BOOST_AUTO_TEST_CASE(the_first_messages_are_one_of_each_kind) {
  const auto made = first(messages::kinds);
  for (int i = 0; i < messages::kinds; ++i)
    BOOST_TEST(static_cast<int>(made[static_cast<std::size_t>(i)].kind) == i);
}

BOOST_AUTO_TEST_CASE(each_kind_is_what_it_says) {
  BOOST_TEST(one(kind::multipart).content.find("--=_") != std::string::npos);
  BOOST_TEST(one(kind::eight_bit).content.find('\xff') != std::string::npos);
  BOOST_TEST(one(kind::long_lines).content.find("\n" + std::string(999, 'y') + "\n") != std::string::npos);
  BOOST_TEST(one(kind::leading_dots).content.find("\n.\n") != std::string::npos);
  BOOST_TEST(one(kind::empty_sender).from.empty());
  BOOST_TEST(one(kind::many_recipients).to.size() == 100u);
  BOOST_TEST(!one(kind::no_final_newline).content.ends_with('\n'));
  BOOST_TEST(one(kind::header_only).wire_form().find("\r\n\r\n") == std::string::npos);
  BOOST_TEST(one(kind::empty_body).wire_form().ends_with("\r\n\r\n"));
  BOOST_TEST(one(kind::utf8_header).content.find("X-Grüße") != std::string::npos);
  BOOST_TEST(one(kind::binary).content.find('\0') != std::string::npos);
  BOOST_TEST(one(kind::large).content.size() >= 256u * 1024);
}

BOOST_AUTO_TEST_CASE(recipients_of_a_message_differ) {
  for (const message& made : first(500)) {
    BOOST_TEST(std::set<std::string>(made.to.begin(), made.to.end()).size() == made.to.size());
  }
}

BOOST_AUTO_TEST_CASE(wire_form_ends_every_line_in_crlf_and_changes_nothing_else) {
  for (const message& made : first(200)) {
    const std::string wire = made.wire_form();
    BOOST_TEST(wire.ends_with("\r\n"));
    for (std::size_t i = 0; i < wire.size(); ++i) {
      if (wire[i] == '\n') BOOST_REQUIRE(i > 0 && wire[i - 1] == '\r');
      if (wire[i] == '\r') BOOST_REQUIRE(i + 1 < wire.size() && wire[i + 1] == '\n');
    }
    std::string text = made.content, back = wire;
    std::erase(text, '\r');
    std::erase(back, '\r');
    if (!text.ends_with('\n')) text += '\n';
    BOOST_TEST(back == text);
  }
}
