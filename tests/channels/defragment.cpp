// What a fragment says of itself, what the whole says, and what is remembered of those that have come.

#include "channels/defragment/collection.hpp"
#include "channels/defragment/partial.hpp"
#include "temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <filesystem>
#include <string>
#include <utility>

using namespace defragment;

namespace {

std::string place_of(const std::string& value) {
  const auto place = read_place("Subject: x\r\nContent-Type: " + value + "\r\nX: y\r\n");
  return place ? place->id + ' ' + std::to_string(place->number) + '/' + std::to_string(place->total)
               : "none";
}

struct sets {
  test::temporary_directory directory;

  collection open(const std::string& sender = "ann@example.org", const std::string& id = "1") {
    return collection::open(directory.path(), sender, id).value();
  }
  static collection::added add(collection& set, std::uint32_t number, std::uint32_t total, std::string text) {
    return set
        .add(number, total, 0,
             [&text]() -> mta::result<std::string_view> {
               static std::string given;
               given = std::exchange(text, {});
               return std::string_view(given);
             })
        .value();
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(defragment_channel, sets)

BOOST_AUTO_TEST_CASE(a_fragment_says_its_id_number_and_perhaps_the_total) {
  BOOST_TEST(place_of("message/partial; id=\"a b\"; number=2; total=3") == "a b 2/3");
  BOOST_TEST(place_of("Message/PARTIAL (c (d));\r\n\tNUMBER=1;id=x@y.example (e)") == "x@y.example 1/0");
  BOOST_TEST(place_of("message/partial; id=\"a\\\"b\"; number=7") == "a\"b 7/0");
}

BOOST_AUTO_TEST_CASE(what_is_no_proper_fragment_says_nothing) {
  for (const char* value :
       {"message/rfc822; id=x; number=1", "text/plain", "message/partial", "message/partial; id=x",
        "message/partial; number=1", "message/partial; id=x; number=0",
        "message/partial; id=x; number=4; total=3", "message/partial; id=x; number=99999999999999999999",
        "message/partial; id=x; number=one", "message/partial; id=x; number=1; total=many",
        "message/partial; id"})
    BOOST_TEST(place_of(value) == "none", value);
  BOOST_TEST(!read_place(""));
  BOOST_TEST(!read_place("no header at all"));
}

BOOST_AUTO_TEST_CASE(the_whole_takes_its_fields_from_both_headers) {
  BOOST_TEST(whole_header(
                 "From: a\r\nSubject: part 1\r\nX-A: 1\r\n 2\r\nMIME-Version: 1.0\r\nContent-Type: "
                 "message/partial\r\n",
                 "X-Weird: dropped\r\nSubject: whole\r\nMessage-ID: <1>\r\nContent-Type: audio/basic\r\n") ==
             "From: a\r\nX-A: 1\r\n 2\r\nSubject: whole\r\nMessage-ID: <1>\r\nContent-Type: audio/basic\r\n");
}

BOOST_AUTO_TEST_CASE(text_is_not_taken_for_a_header) {
  BOOST_TEST(only_fields(""));
  BOOST_TEST(only_fields("Subject: whole\r\n folded\r\nX-A :1\r\n"));
  BOOST_TEST(!only_fields("Subject: whole\r\nno field at all\r\n"));
  BOOST_TEST(!only_fields("Dear Bob, this is it: text\r\n"));
  BOOST_TEST(!only_fields(" folded: of nothing\r\nSubject: whole\r\n"));
}

BOOST_AUTO_TEST_CASE(a_set_is_complete_for_whom_all_have_come) {
  collection set = open();
  BOOST_TEST((add(set, 2, 2, "two") == collection::added::yes));
  set.came("bob", 2);
  BOOST_TEST(!set.complete("bob"));
  BOOST_TEST((add(set, 1, 0, "one") == collection::added::yes));
  set.came("bob", 1);
  BOOST_TEST(set.complete("bob"));
  BOOST_TEST(!set.complete("cat"));
  BOOST_TEST(set.set_done("bob").has_value());
  const auto now = std::chrono::system_clock::now();
  BOOST_TEST((set.of("bob", now) == collection::standing::done));
  BOOST_TEST((set.of("cat", now) == collection::standing::waiting));
}

BOOST_AUTO_TEST_CASE(what_comes_after_the_whole_begins_anew) {
  collection set = open();
  const auto now = std::chrono::system_clock::now(), later = now + std::chrono::minutes(1);
  for (const std::string who : {"bob", "cat"}) {
    for (std::uint32_t n : {1u, 2u}) {
      add(set, n, 2, "text " + std::to_string(n));
      set.came(who, n);
    }
    BOOST_TEST(set.set_done(who).has_value());
  }
  BOOST_TEST((set.of("bob", now) == collection::standing::done));
  BOOST_TEST((set.of("bob", later) == collection::standing::waiting));
  BOOST_TEST((set.of("bob", now) == collection::standing::waiting));
  BOOST_TEST(set.progress("bob").first == 0u);
  BOOST_TEST((set.of("cat", now) == collection::standing::done));
  BOOST_TEST(set.progress("cat").first == 2u);
  set.came("bob", 1);
  BOOST_TEST(!set.complete("bob"));
  set.came("bob", 2);
  BOOST_TEST(set.complete("bob"));
}

BOOST_AUTO_TEST_CASE(the_same_again_is_fine_and_a_contradiction_is_not) {
  {
    collection set = open();
    BOOST_TEST((add(set, 1, 3, "one") == collection::added::yes));
  }
  collection set = open();  // as another attempt finds it
  BOOST_TEST((add(set, 1, 3, "one") == collection::added::yes));
  BOOST_TEST((add(set, 1, 3, "two") == collection::added::conflict));
  BOOST_TEST((add(set, 2, 4, "two") == collection::added::conflict));
  BOOST_TEST((add(set, 4, 0, "four") == collection::added::conflict));
}

BOOST_AUTO_TEST_CASE(a_total_below_a_number_that_has_come_is_a_contradiction) {
  collection set = open();
  BOOST_TEST((add(set, 5, 0, "five") == collection::added::yes));
  BOOST_TEST((add(set, 1, 2, "one") == collection::added::conflict));
}

BOOST_AUTO_TEST_CASE(contents_go_when_nobody_waits_for_them) {
  collection set = open();
  add(set, 1, 1, "one");
  set.came("bob", 1);
  set.came("cat", 1);
  BOOST_TEST(set.set_done("bob").has_value());
  set.drop_contents_if_over();
  BOOST_TEST(set.complete("cat"));
  set.set_late("cat");
  set.drop_contents_if_over();
  BOOST_TEST(!set.complete("cat"));
}

BOOST_AUTO_TEST_CASE(old_sets_are_swept_away_unless_they_are_in_use) {
  {
    collection set = open();
    collection::sweep(directory.path(), std::chrono::seconds(-60));
    BOOST_TEST(!std::filesystem::is_empty(directory.path()));
  }
  collection::sweep(directory.path(), std::chrono::hours(1));
  BOOST_TEST(!std::filesystem::is_empty(directory.path()));
  collection::sweep(directory.path(), std::chrono::seconds(-60));
  BOOST_TEST(std::filesystem::is_empty(directory.path()));
}

BOOST_AUTO_TEST_SUITE_END()
