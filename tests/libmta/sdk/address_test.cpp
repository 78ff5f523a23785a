// mtaAddress*: reference section 4.6, and mtaAddressParts of 2.5.
#include "sdk_fixture.hpp"

#include <cstring>

namespace {

struct parsed {
  explicit parsed(const char* list, const char* domain = nullptr) {
    code = domain == nullptr ? mtaAddressParse(&context, &count, list, 0, 0)
                             : mtaAddressParse(&context, &count, list, 0, MTA_DOMAIN, domain, size_t{0}, 0);
  }
  ~parsed() { mtaAddressFinish(context); }
  parsed(const parsed&) = delete;
  parsed& operator=(const parsed&) = delete;

  std::string get(size_t n, int elements = 0) const {
    const char* text = nullptr;
    size_t length = 0;
    BOOST_REQUIRE_EQUAL(mtaAddressGetN(context, n, &text, &length, elements), MTA_OK);
    BOOST_TEST(std::strlen(text) == length);
    return text;
  }

  mta_adr_t* context = nullptr;
  size_t count = 99;
  int code = -1;
};

constexpr const char* sample =
    "Sue <sue@siroe.com>, \"Bob, the \\\"b\\\"\" <@a.example,@b.example:bob@example.org>, "
    "friends: ann@example.org (a comment), joe@example.org;, \"a b\"@example.org, short";

}  // namespace

BOOST_AUTO_TEST_SUITE(addresses)

BOOST_AUTO_TEST_CASE(a_list_is_counted_and_each_address_is_there_in_its_order) {
  const parsed p(sample);
  BOOST_REQUIRE_EQUAL(p.code, MTA_OK);
  BOOST_REQUIRE_EQUAL(p.count, 6u);
  BOOST_TEST(p.get(0) == "sue@siroe.com");
  BOOST_TEST(p.get(1) == "@a.example,@b.example:bob@example.org");
  BOOST_TEST(p.get(2) == "ann@example.org");
  BOOST_TEST(p.get(3) == "joe@example.org");
  BOOST_TEST(p.get(4) == "\"a b\"@example.org");
  BOOST_TEST(p.get(5) == "short");
}

BOOST_AUTO_TEST_CASE(any_choice_of_elements_keeps_the_shape_of_an_address) {
  const parsed p(sample);
  BOOST_TEST(p.get(0, MTA_ADDR_PHRASE) == "Sue");
  BOOST_TEST(p.get(0, MTA_ADDR_LOCAL) == "sue");
  BOOST_TEST(p.get(0, MTA_ADDR_DOMAIN) == "siroe.com");
  BOOST_TEST(p.get(0, MTA_ADDR_ROUTE).empty());
  BOOST_TEST(p.get(0, MTA_ADDR_LOCAL | MTA_ADDR_DOMAIN) == "sue@siroe.com");
  BOOST_TEST(p.get(0, MTA_ADDR_PHRASE | MTA_ADDR_LOCAL | MTA_ADDR_DOMAIN) == "Sue <sue@siroe.com>");
  BOOST_TEST(p.get(1, MTA_ADDR_PHRASE) == "Bob, the \"b\"");
  BOOST_TEST(p.get(1, MTA_ADDR_ROUTE) == "@a.example,@b.example");
  BOOST_TEST(p.get(1, MTA_ADDR_PHRASE | MTA_ADDR_ROUTE | MTA_ADDR_LOCAL | MTA_ADDR_DOMAIN) ==
             "\"Bob, the \\\"b\\\"\" <@a.example,@b.example:bob@example.org>");
  BOOST_TEST(p.get(2, MTA_ADDR_PHRASE | MTA_ADDR_LOCAL | MTA_ADDR_DOMAIN) == "ann@example.org");
}

BOOST_AUTO_TEST_CASE(what_is_shown_can_be_parsed_again) {
  const parsed p(sample);
  for (size_t i = 0; i < p.count; ++i) {
    const std::string whole = p.get(i, MTA_ADDR_PHRASE | MTA_ADDR_ROUTE | MTA_ADDR_LOCAL | MTA_ADDR_DOMAIN);
    const parsed again(whole.c_str());
    BOOST_REQUIRE_MESSAGE(again.code == MTA_OK && again.count == 1, whole);
    for (const int element : {MTA_ADDR_PHRASE, MTA_ADDR_ROUTE, MTA_ADDR_LOCAL, MTA_ADDR_DOMAIN})
      BOOST_TEST(again.get(0, element) == p.get(i, element));
  }
}

BOOST_AUTO_TEST_CASE(a_domain_is_appended_to_short_forms_only) {
  const parsed p("sue, bob@example.org", "siroe.com");
  BOOST_TEST(p.get(0) == "sue@siroe.com");
  BOOST_TEST(p.get(1) == "bob@example.org");
}

BOOST_AUTO_TEST_CASE(each_call_overwrites_what_the_one_before_returned) {
  const parsed p("a@x.example, b@x.example");
  const char *first = nullptr, *second = nullptr;
  mtaAddressGetN(p.context, 0, &first, nullptr, 0);
  mtaAddressGetN(p.context, 1, &second, nullptr, 0);
  BOOST_TEST(std::string(second) == "b@x.example");
  BOOST_TEST(mtaAddressGetN(p.context, 0, nullptr, nullptr, 0) == MTA_OK);  // outputs are optional
}

BOOST_AUTO_TEST_CASE(a_list_of_any_length_is_parsed) {
  std::string list;
  for (int i = 0; i < 5000; ++i) list += "user" + std::to_string(i) + "@example.org,\r\n ";
  const parsed p(list.c_str());
  BOOST_TEST(p.code == MTA_OK);
  BOOST_REQUIRE_EQUAL(p.count, 5000u);
  BOOST_TEST(p.get(4999) == "user4999@example.org");
}

BOOST_AUTO_TEST_CASE(without_outputs_it_is_a_syntax_check) {
  BOOST_TEST(mtaAddressParse(nullptr, nullptr, "a@b.example", 0, 0) == MTA_OK);
  BOOST_TEST(mtaAddressParse(nullptr, nullptr, "a@b.example,,", 0, 0) == MTA_OK);
  BOOST_TEST(mtaAddressParse(nullptr, nullptr, "<a@b.example", 0, 0) == MTA_NO);
  BOOST_TEST(mtaErrno() == MTA_NO);
}

BOOST_AUTO_TEST_CASE(a_list_without_an_address_gives_no_context) {
  const parsed p("  (only a comment) ");
  BOOST_TEST(p.code == MTA_OK);
  BOOST_TEST(p.count == 0u);
  BOOST_TEST(p.context == nullptr);
}

BOOST_AUTO_TEST_CASE(the_length_ends_the_list) {
  size_t count = 0;
  BOOST_TEST(mtaAddressParse(nullptr, &count, "a@x.example, b@x.example", 11, 0) == MTA_OK);
  BOOST_TEST(count == 1u);
}

BOOST_AUTO_TEST_CASE(errors_of_mtaAddressParse) {
  size_t count = 0;
  const std::string long_domain(ALFA_SIZE + 1, 'd');
  BOOST_TEST(mtaAddressParse(nullptr, &count, nullptr, 0, 0) == MTA_BADARGS);
  BOOST_TEST(mtaAddressParse(nullptr, &count, "a", 0, MTA_DOMAIN, static_cast<char*>(nullptr), size_t{0},
                             0) == MTA_BADARGS);
  BOOST_TEST(mtaAddressParse(nullptr, &count, "a", 0, MTA_DOMAIN, long_domain.c_str(), size_t{0}, 0) ==
             MTA_STRTRUERR);
  BOOST_TEST(mtaAddressParse(nullptr, &count, "a", 0, MTA_CHANNEL, "x", size_t{0}, 0) == MTA_NOSUCHITEM);
  const parsed bad("a@b.example, c@@d");
  BOOST_TEST(bad.code == MTA_NO);
  BOOST_TEST(bad.context == nullptr);
  BOOST_TEST(bad.count == 0u);
}

BOOST_AUTO_TEST_CASE(errors_of_mtaAddressGetN) {
  const parsed p("a@x.example");
  const char* text = nullptr;
  BOOST_TEST(mtaAddressGetN(p.context, 1, &text, nullptr, 0) == MTA_EOF);
  BOOST_TEST(mtaAddressGetN(nullptr, 0, &text, nullptr, 0) == MTA_BADARGS);
  BOOST_TEST(mtaAddressGetN(p.context, 0, &text, nullptr, 16) == MTA_BADARGS);
  mta_adr_t* gone = nullptr;
  mtaAddressParse(&gone, nullptr, "b@x.example", 0, 0);
  mtaAddressFinish(gone);
  BOOST_TEST(mtaAddressGetN(gone, 0, &text, nullptr, 0) == MTA_BADARGS);
  mtaAddressFinish(gone);  // once more does no harm
  mtaAddressFinish(nullptr);
}

BOOST_AUTO_TEST_CASE(one_address_is_split_into_its_parts) {
  char phrase[ALFA_SIZE + 1], route[ALFA_SIZE + 1], local[ALFA_SIZE + 1], domain[ALFA_SIZE + 1];
  size_t p = 0, r = 0, l = 0, d = 0;
  const char* const address = "Bob <@a.example:bob@example.org>";
  BOOST_TEST(mtaAddressParts(address, 0, phrase, &p, sizeof phrase, route, &r, sizeof route, local, &l,
                             sizeof local, domain, &d, sizeof domain) == MTA_OK);
  BOOST_TEST(std::string(phrase, p) == "Bob");
  BOOST_TEST(std::string(route, r) == "@a.example");
  BOOST_TEST(std::string(local, l) == "bob");
  BOOST_TEST(std::string(domain, d) == "example.org");
  BOOST_TEST(mtaAddressParts(address, 0, nullptr, nullptr, 0, nullptr, nullptr, 0, local, nullptr,
                             sizeof local, nullptr, nullptr, 0) == MTA_OK);
  BOOST_TEST(std::string(local) == "bob");
}

BOOST_AUTO_TEST_CASE(errors_of_mtaAddressParts) {
  char small[4];
  const auto parts = [&](const char* a) {
    return mtaAddressParts(a, 0, nullptr, nullptr, 0, nullptr, nullptr, 0, small, nullptr, sizeof small,
                           nullptr, nullptr, 0);
  };
  BOOST_TEST(parts(nullptr) == MTA_BADARGS);
  BOOST_TEST(parts("a@x.example, b@x.example") == MTA_NO);
  BOOST_TEST(parts("") == MTA_NO);
  BOOST_TEST(parts("<a@") == MTA_NO);
  BOOST_TEST(parts("abc@x.example") == MTA_OK);
  BOOST_TEST(parts("abcd@x.example") == MTA_STRTRUERR);
}

BOOST_AUTO_TEST_CASE(an_address_leads_to_the_channel_that_its_mail_goes_to) {
  const test::site s;
  char channel[CHANLENGTH + 1];
  size_t length = 0;
  for (const int type : {0, MTA_TO, MTA_CC, MTA_BCC, MTA_ENV_TO, MTA_ENV_FROM, MTA_HDR_TO, MTA_HDR_CC,
                         MTA_HDR_BCC, MTA_HDR_FROM}) {
    const char* const found =
        mtaAddressToChannel(channel, &length, sizeof channel, "joe@other.example", 0, type, 0);
    BOOST_REQUIRE(found == channel);
    BOOST_TEST(std::string(channel, length) == "y");
  }
}

BOOST_AUTO_TEST_CASE(the_routes_of_the_programs_own_channel_come_first) {
  const test::site s("[channel x]\n[channel y]\n[routes]\n* = x\n[routes from x]\n* = y\n");
  char channel[CHANLENGTH + 1];
  BOOST_REQUIRE(mtaAddressToChannel(channel, nullptr, sizeof channel, "a@b.example", 0, 0, 0) != nullptr);
  BOOST_TEST(std::string(channel) == "y");
}

BOOST_AUTO_TEST_CASE(errors_of_mtaAddressToChannel) {
  const test::site s;
  char channel[CHANLENGTH + 1];
  const auto code = [&](char* buffer, size_t size, const char* address, int type = 0, int item = 0) {
    BOOST_TEST(mtaAddressToChannel(buffer, nullptr, size, address, 0, type, item) == nullptr);
    return mtaErrno();
  };
  const std::string long_address = std::string(ALFA_SIZE, 'a') + "@example.org";
  BOOST_TEST(code(nullptr, 0, "a@example.org") == MTA_BADARGS);
  BOOST_TEST(code(channel, sizeof channel, nullptr) == MTA_BADARGS);
  BOOST_TEST(code(channel, sizeof channel, "a@example.org", MTA_ABORT) == MTA_BADARGS);
  BOOST_TEST(code(channel, sizeof channel, "a@example.org", 0, MTA_CHANNEL) == MTA_NOSUCHITEM);
  BOOST_TEST(code(channel, sizeof channel, long_address.c_str()) == MTA_STRTRUERR);
  BOOST_TEST(code(channel, 1, "a@example.org") == MTA_STRTRUERR);
  BOOST_TEST(code(channel, sizeof channel, "a b@example.org") == MTA_NO);
  BOOST_TEST(code(channel, sizeof channel, "a@nowhere.example") == MTA_NO);
}

BOOST_AUTO_TEST_SUITE_END()
