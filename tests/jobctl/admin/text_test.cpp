// What operators write and read: sizes, durations, times, request targets, misspelt names.
#include "jobctl/admin/nearest.hpp"
#include "jobctl/admin/target.hpp"
#include "jobctl/admin/units.hpp"

#include <boost/test/unit_test.hpp>

#include <array>

using namespace jobctl;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

time_point at(std::int64_t ms) { return time_point(milliseconds(ms)); }
const time_point noon = at(1'795'262'400'000);  // 2026-11-21T12:00:00Z

}  // namespace

BOOST_AUTO_TEST_SUITE(units)

BOOST_AUTO_TEST_CASE(a_time_is_printed_in_utc_with_milliseconds) {
  BOOST_TEST(iso_time(noon + milliseconds(7)) == "2026-11-21T12:00:00.007Z");
  BOOST_TEST(iso_time(at(0)) == "1970-01-01T00:00:00.000Z");
  BOOST_TEST(iso_time(at(-1)) == "1969-12-31T23:59:59.999Z");
}

BOOST_AUTO_TEST_CASE(a_printed_time_is_read_again) {
  for (const std::int64_t ms : {0LL, 951'827'696'789LL, 1'795'262'400'001LL})
    BOOST_TEST((parse_time(iso_time(at(ms)), noon).value() == at(ms)));
}

BOOST_AUTO_TEST_CASE(times_are_read_in_every_form_that_is_offered) {
  BOOST_TEST((parse_time("2026-11-21", noon).value() == noon - std::chrono::hours(12)));
  BOOST_TEST((parse_time("2026-11-21T12:00", noon).value() == noon));
  BOOST_TEST((parse_time("2026-11-21 12:00:00", noon).value() == noon));
  BOOST_TEST((parse_time("2026-11-21T13:00:00+01:00", noon).value() == noon));
  BOOST_TEST((parse_time("2026-11-21T07:30:00-0430", noon).value() == noon));
  BOOST_TEST((parse_time("2026-11-21T12:00:00.25Z", noon).value() == noon + milliseconds(250)));
  BOOST_TEST((parse_time("+1h30m", noon).value() == noon + seconds(5400)));
  BOOST_TEST((parse_time("-2d", noon).value() == noon - std::chrono::hours(48)));
}

BOOST_AUTO_TEST_CASE(what_is_no_time_is_refused_with_an_example) {
  for (const char* text :
       {"", "tomorrow", "2026-13-01", "2026-02-30", "2026-11-21T25:00:00Z", "2026-11-21T12:00:00X",
        "26-11-21", "2026-11-21T12:00:00Z ", "+", "12:00", "2026-11--1"}) {
    const auto t = parse_time(text, noon);
    BOOST_TEST(!t, text);
    if (!t) BOOST_TEST(t.error().context.find("such as") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(durations_are_read_with_units_alone_or_in_a_row) {
  const std::pair<const char*, int> good[] = {{"0", 0},        {"90", 90},      {"90s", 90},
                                              {"15m", 900},    {"2h", 7200},    {"3d", 259'200},
                                              {"1w", 604'800}, {"1h30m", 5400}, {"1d1s", 86401}};
  for (const auto& [text, value] : good) BOOST_TEST(parse_duration(text).value().count() == value, text);
  for (const char* text : {"", "h", "-5m", "5x", "5m-", " 5m", "1.5h", "99999999999999999999"})
    BOOST_TEST(!parse_duration(text), text);
  BOOST_TEST((parse_duration("200000w").error().code == mta::errc::out_of_range));
}

BOOST_AUTO_TEST_CASE(sizes_are_multiples_of_1024) {
  const std::pair<const char*, std::uint64_t> good[] = {{"0", 0},
                                                        {"2048", 2048},
                                                        {"10k", 10240},
                                                        {"10K", 10240},
                                                        {"1.5M", 1'572'864},
                                                        {"1GiB", 1ull << 30},
                                                        {"1GB", 1ull << 30},
                                                        {"5B", 5}};
  for (const auto& [text, value] : good) BOOST_TEST(parse_size(text).value() == value, text);
  for (const char* text : {"", "k", "-1", "1x", "1ki", "1iB", "nan", "inf", "1e3", "9999999999999G"})
    BOOST_TEST(!parse_size(text), text);
}

BOOST_AUTO_TEST_CASE(sizes_and_durations_are_printed_short) {
  const std::pair<std::uint64_t, const char*> sizes[] = {
      {0, "0"},        {1023, "1023"},      {1024, "1.0K"},
      {10'240, "10K"}, {1'023'999, "1.0M"}, {1'572'864, "1.5M"},
      {~0ull, "16E"}};
  for (const auto& [bytes, text] : sizes) BOOST_TEST(human_size(bytes) == text);
  const std::pair<std::int64_t, const char*> durations[] = {
      {0, "0s"},          {999, "0s"},           {-1500, "-1s"},         {59'999, "59s"},
      {312'000, "5m12s"}, {11'100'000, "3h05m"}, {187'200'000, "2d04h"}, {10'368'000'000, "120d"}};
  for (const auto& [ms, text] : durations) BOOST_TEST(human_duration(milliseconds(ms)) == text);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(targets)

using admin::parse_target;
using admin::percent_encode;

BOOST_AUTO_TEST_CASE(path_and_parameters_are_taken_apart_and_decoded) {
  const auto t = parse_target("/v1/channels/a%2Fb/run?now=true&host=%2eexample+x&empty").value();
  BOOST_TEST(t.path == (std::vector<std::string>{"v1", "channels", "a/b", "run"}),
             boost::test_tools::per_element());
  BOOST_TEST(*t.find("now") == "true");
  BOOST_TEST(*t.find("host") == ".example x");
  BOOST_TEST(*t.find("empty") == "");
  BOOST_TEST(t.find("other") == nullptr);
}

BOOST_AUTO_TEST_CASE(what_was_encoded_is_decoded_to_the_same) {
  std::string every_byte;
  for (int i = 0; i < 256; ++i) every_byte += static_cast<char>(i);
  BOOST_TEST(*parse_target("/?x=" + percent_encode(every_byte)).value().find("x") == every_byte);
}

BOOST_AUTO_TEST_CASE(malformed_targets_are_refused) {
  for (const char* text : {"", "v1", "*", "/a%", "/a%4", "/a%zz", "/a?b=%", "/a?b=1&b=2"})
    BOOST_TEST(!parse_target(text), text);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_CASE(misspelt_names_lead_to_the_one_that_was_meant) {
  const std::array<std::string_view, 5> names = {"serve", "submit", "summary", "show", "ls"};
  BOOST_TEST(nearest("sumbit", names) == "submit");
  BOOST_TEST(nearest("summry", names) == "summary");
  BOOST_TEST(nearest("summ", names) == "summary");
  BOOST_TEST(nearest("sevre", names) == "serve");
  BOOST_TEST(nearest("list", names).empty());
  BOOST_TEST(nearest("explain", names).empty());
  BOOST_TEST(did_you_mean("shwo", names) == " Did you mean 'show'?");
  BOOST_TEST(did_you_mean("x", names) == "");
}
