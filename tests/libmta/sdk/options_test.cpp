// mtaOption*: Developer's Reference ch. 6, option file routines.
#include "sdk_fixture.hpp"

namespace {

struct option_file {
  explicit option_file(const std::string& text) : path(directory.path() + "/options") {
    std::ofstream(path) << text;
  }
  test::temporary_directory directory;
  std::string path;
};

struct options {
  explicit options(const std::string& text) : file(text) {
    BOOST_REQUIRE_EQUAL(mtaOptionStart(&context, file.path.c_str(), 0, 0), MTA_OK);
    BOOST_REQUIRE(context != nullptr);
  }
  ~options() { mtaOptionFinish(context); }
  std::string text(const char* name, const char* otherwise = "-") const {
    char value[BIGALFA_SIZE + 1];
    std::snprintf(value, sizeof value, "%s", otherwise);
    BOOST_TEST(mtaOptionString(context, name, 0, value, nullptr, sizeof value) == MTA_OK);
    return value;
  }

  option_file file;
  mta_opt_t* context = nullptr;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(sdk_options)

BOOST_AUTO_TEST_CASE(options_are_found_whatever_their_case_and_the_last_one_counts) {
  const options o(
      "! a comment\n# another\n\nDEBUG=1\n  Host = mail.example  \r\nhost=other.example\nEMPTY=\n");
  int debug = 0;
  BOOST_TEST(mtaOptionInt(o.context, "debug", 0, &debug) == MTA_OK);
  BOOST_TEST(debug == 1);
  BOOST_TEST(o.text("HOST") == "other.example");
  BOOST_TEST(o.text("EMPTY") == "");
  char value[33];
  size_t length = 0;
  BOOST_TEST(mtaOptionString(o.context, "HOSTNAME", 4, value, &length, sizeof value) == MTA_OK);
  BOOST_TEST(length == 13u);
}

BOOST_AUTO_TEST_CASE(an_option_that_is_not_there_or_no_number_leaves_the_default) {
  const options o("WORD=many\nHALF=0.5\nPARTLY=7 of 9\n");
  int number = 42;
  double real = 1.5;
  for (const char* name : {"MISSING", "WORD", "PARTLY"}) {
    BOOST_TEST(mtaOptionInt(o.context, name, 0, &number) == MTA_OK);
    BOOST_TEST(mtaOptionFloat(o.context, name, 0, &real) == MTA_OK);
  }
  BOOST_TEST(number == 42);
  BOOST_TEST(real == 1.5);
  BOOST_TEST(mtaOptionFloat(o.context, "HALF", 0, &real) == MTA_OK);
  BOOST_TEST(real == 0.5);
  BOOST_TEST(o.text("MISSING", "default") == "default");
}

BOOST_AUTO_TEST_CASE(a_value_too_long_for_its_buffer_is_cut_and_reported) {
  const options o("NAME=0123456789\n");
  char value[5];
  size_t length = 0;
  BOOST_TEST(mtaOptionString(o.context, "NAME", 0, value, &length, sizeof value) == MTA_STRTRU);
  BOOST_TEST(std::string_view(value) == "0123");
  BOOST_TEST(length == 4u);
}

BOOST_AUTO_TEST_CASE(a_name_too_long_is_an_error) {
  const options o("NAME=1\n");
  const std::string longest(ALFA_SIZE, 'n'), name = longest + 'n';
  int number = 0;
  double real = 0;
  char value[5];
  BOOST_TEST(mtaOptionInt(o.context, longest.c_str(), 0, &number) == MTA_OK);
  BOOST_TEST(mtaOptionInt(o.context, name.c_str(), 0, &number) == MTA_STRTRUERR);
  BOOST_TEST(mtaOptionFloat(o.context, name.c_str(), 0, &real) == MTA_STRTRUERR);
  BOOST_TEST(mtaOptionString(o.context, name.c_str(), 0, value, nullptr, sizeof value) == MTA_STRTRUERR);
  mta_opt_t* context = nullptr;
  BOOST_TEST(mtaOptionStart(&context, ('/' + name).c_str(), 0, 0) == MTA_STRTRUERR);
}

BOOST_AUTO_TEST_CASE(a_file_that_does_not_exist_has_no_options) {
  const test::temporary_directory empty;
  mta_opt_t* context = nullptr;
  BOOST_TEST(mtaOptionStart(&context, (empty.path() + "/none").c_str(), 0, 0) == MTA_OK);
  BOOST_TEST(context == nullptr);
  int number = 42;
  BOOST_TEST(mtaOptionInt(context, "DEBUG", 0, &number) == MTA_OK);
  BOOST_TEST(number == 42);
  mtaOptionFinish(context);
}

BOOST_AUTO_TEST_CASE(files_that_cannot_be_opened_or_understood_are_errors) {
  const option_file file("NAME=1\nno value\n");
  mta_opt_t* context = nullptr;
  BOOST_TEST(mtaOptionStart(nullptr, file.path.c_str(), 0, 0) == MTA_BADARGS);
  BOOST_TEST(mtaOptionStart(&context, file.path.c_str(), 0, 0) == MTA_NO);
  BOOST_TEST((context == nullptr));
  BOOST_TEST(mtaOptionStart(&context, (file.path + "/below").c_str(), 0, 0) == MTA_FOPEN);
}

BOOST_AUTO_TEST_CASE(the_environment_names_the_channels_own_file) {
  const option_file file("DEBUG=5\n");
  const test::environment_variable own("PMDF_CHANNEL_OPTION", file.path.c_str());
  mta_opt_t* context = nullptr;
  BOOST_REQUIRE_EQUAL(mtaOptionStart(&context, nullptr, 0, 0), MTA_OK);
  int debug = 0;
  BOOST_TEST(mtaOptionInt(context, "DEBUG", 0, &debug) == MTA_OK);
  BOOST_TEST(debug == 5);
  mtaOptionFinish(context);
}

BOOST_AUTO_TEST_CASE(a_program_started_by_hand_finds_the_options_of_its_channels_section) {
  const test::site s("[channel x]\noption.debug = 6\n");
  mta_opt_t* context = nullptr;
  BOOST_REQUIRE_EQUAL(mtaOptionStart(&context, nullptr, 0, 0), MTA_OK);
  int debug = 0;
  BOOST_TEST(mtaOptionInt(context, "DEBUG", 0, &debug) == MTA_OK);
  BOOST_TEST(debug == 6);
  mtaOptionFinish(context);
}

BOOST_AUTO_TEST_SUITE_END()
