// mtaInit, mtaDone, mtaErrno, mtaStrError: Developer's Reference ch. 2 and 6.
#include "sdk_fixture.hpp"

#include <filesystem>
#include <set>

BOOST_AUTO_TEST_SUITE(sdk_initialisation)

BOOST_AUTO_TEST_CASE(initialisation_succeeds_where_a_site_is_configured) {
  const test::site s;
  BOOST_TEST(mtaInit(0) == MTA_OK);
}

BOOST_AUTO_TEST_CASE(it_may_be_repeated_before_and_after_mtaDone) {
  const test::site s;
  BOOST_TEST(mtaInit(0) == MTA_OK);
  BOOST_TEST(mtaInit(0) == MTA_OK);
  mtaDone();
  mtaDone();
  BOOST_TEST(mtaInit(0) == MTA_OK);
}

BOOST_AUTO_TEST_CASE(every_item_of_initialisation_is_accepted) {
  const test::site s;
  for (const int code : {MTA_CHANNEL, MTA_INTERACTIVE, MTA_DEBUG_DECODE, MTA_DEBUG_DEQUEUE, MTA_DEBUG_ENQUEUE,
                         MTA_DEBUG_OS, MTA_DEBUG_SDK, MTA_DEBUG_NODECODE, MTA_DEBUG_NODEQUEUE,
                         MTA_DEBUG_NOENQUEUE, MTA_DEBUG_NOMM, MTA_DEBUG_NOOS, MTA_DEBUG_NOSDK})
    BOOST_TEST(mtaInit(code, 0) == MTA_OK, "item " << code);
  BOOST_TEST(mtaInit(MTA_DEBUG_MM, 5, MTA_CHANNEL, 0) == MTA_OK);
  test::item_array items;
  items.add(MTA_INTERACTIVE).add(MTA_DEBUG_MM, nullptr, 5).add(MTA_DEBUG_SDK);
  BOOST_TEST(mtaInit(MTA_CHANNEL, MTA_ITEM_LIST, items.get(), MTA_DEBUG_OS, 0) == MTA_OK);
}

BOOST_AUTO_TEST_CASE(an_item_of_another_routine_is_refused) {
  const test::site s;
  BOOST_TEST(mtaInit(MTA_ENV_ID, "x", static_cast<size_t>(0), 0) == MTA_NOSUCHITEM);
  BOOST_TEST(mtaErrno() == MTA_NOSUCHITEM);
  test::item_array items;
  items.add(MTA_ENV_TO);
  BOOST_TEST(mtaInit(MTA_ITEM_LIST, items.get(), 0) == MTA_NOSUCHITEM);
}

BOOST_AUTO_TEST_CASE(an_item_list_must_not_be_null) {
  const test::site s;
  BOOST_TEST(mtaInit(MTA_ITEM_LIST, static_cast<mta_item_list_t*>(nullptr), 0) == MTA_BADARGS);
}

BOOST_AUTO_TEST_CASE(a_configuration_that_cannot_be_opened_is_mta_fopen) {
  const test::site s;
  const test::environment_variable elsewhere("JOBCTL_CONFIG", (s.root() + "/missing.conf").c_str());
  BOOST_TEST(mtaInit(0) == MTA_FOPEN);
  BOOST_TEST(mtaErrno() == MTA_FOPEN);
}

BOOST_AUTO_TEST_CASE(a_mistake_in_the_configuration_is_mta_no) {
  const test::site s("[channel x]\nno_such_key = 1\n");
  BOOST_TEST(mtaInit(0) == MTA_NO);
}

BOOST_AUTO_TEST_CASE(routines_initialise_by_themselves_and_report_what_initialisation_would) {
  const test::site s;
  const test::environment_variable elsewhere("JOBCTL_CONFIG", (s.root() + "/missing.conf").c_str());
  mta_nq_t* nq = nullptr;
  BOOST_TEST(mtaEnqueueStart(&nq, "ann@example.org", 0, 0) == MTA_FOPEN);
  BOOST_TEST(mtaBlockSize() == 0u);
  BOOST_TEST(mtaErrno() == MTA_FOPEN);
  BOOST_TEST(test::dequeue([](void**, mta_dq_t*, std::string_view) { return MTA_OK; }) == MTA_FOPEN);
}

BOOST_AUTO_TEST_CASE(a_mistake_is_found_by_routines_that_initialise_by_themselves_too) {
  const test::site s("[channel x]\nno_such_key = 1\n");
  mta_nq_t* nq = nullptr;
  BOOST_TEST(mtaEnqueueStart(&nq, "ann@example.org", 0, 0) == MTA_NO);
  BOOST_TEST(mtaBlockSize() == 0u);
  BOOST_TEST(mtaErrno() == MTA_NO);
  BOOST_TEST(test::dequeue([](void**, mta_dq_t*, std::string_view) { return MTA_OK; }) == MTA_NO);
}

BOOST_AUTO_TEST_CASE(a_changed_configuration_is_not_read_by_another_mtaInit) {
  const test::site s;
  BOOST_TEST(mtaInit(0) == MTA_OK);
  s.configure("[channel x]\nno_such_key = 1\n");
  BOOST_TEST(mtaInit(0) == MTA_OK);
  BOOST_TEST(mtaBlockSize() == 2048u);
}

BOOST_AUTO_TEST_CASE(the_last_error_is_the_threads_own) {
  const test::site s;
  BOOST_TEST(mtaInit(MTA_ENV_TO, 0) == MTA_NOSUCHITEM);
  int elsewhere = -1;
  std::thread([&] {
    elsewhere = mtaErrno();
    (void)mtaUniqueString(nullptr, nullptr, 0);
  }).join();
  BOOST_TEST(elsewhere == MTA_OK);
  BOOST_TEST(mta_errno == MTA_NOSUCHITEM);
}

BOOST_AUTO_TEST_CASE(success_leaves_the_last_error_as_it_is) {
  const test::site s;
  BOOST_TEST(mtaInit(MTA_ENV_TO, 0) == MTA_NOSUCHITEM);
  BOOST_TEST(mtaInit(0) == MTA_OK);
  BOOST_TEST(mtaErrno() == MTA_NOSUCHITEM);
}

BOOST_AUTO_TEST_CASE(every_status_code_has_words_of_its_own) {
  std::set<std::string> words;
  for (int code = MTA_OK; code <= MTA_TIMEDOUT; ++code) words.insert(mtaStrError(code, 0));
  BOOST_TEST(words.size() == 21u);
  BOOST_TEST(words.count("") == 0u);
}

BOOST_AUTO_TEST_CASE(unknown_status_codes_have_words_too) {
  for (const int code : {-1, 21, 4711}) BOOST_TEST(std::string_view(mtaStrError(code, 0)) != "");
}

BOOST_AUTO_TEST_SUITE_END()
