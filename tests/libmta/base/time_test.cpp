#include "base/time.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <ctime>
#include <optional>
#include <string>

using namespace mta;
using namespace std::chrono_literals;

namespace {

/// Sets TZ for one test.
class time_zone {
 public:
  explicit time_zone(const char* zone) {
    if (const char* was = std::getenv("TZ")) before_ = was;
    ::setenv("TZ", zone, 1);
    ::tzset();
  }
  ~time_zone() {
    if (before_)
      ::setenv("TZ", before_->c_str(), 1);
    else
      ::unsetenv("TZ");
    ::tzset();
  }
  time_zone(const time_zone&) = delete;
  time_zone& operator=(const time_zone&) = delete;

 private:
  std::optional<std::string> before_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(time_text)

BOOST_AUTO_TEST_CASE(a_date_has_the_form_of_rfc_5322) {
  const std::chrono::sys_seconds moment{1795230245s};
  {
    const time_zone utc("UTC0");
    BOOST_TEST(rfc5322_date(moment) == "Sat, 21 Nov 2026 03:04:05 +0000");
  }
  {
    const time_zone east("XXX-5:30");
    BOOST_TEST(rfc5322_date(moment) == "Sat, 21 Nov 2026 08:34:05 +0530");
  }
  {
    const time_zone west("XXX+9:30");
    BOOST_TEST(rfc5322_date(moment) == "Fri, 20 Nov 2026 17:34:05 -0930");
  }
}

BOOST_AUTO_TEST_CASE(durations_are_read_in_iso_form_of_either_case) {
  BOOST_TEST((parse_duration("PT30M") == 30min));
  BOOST_TEST((parse_duration("pt1h30m5s") == 1h + 30min + 5s));
  BOOST_TEST((parse_duration("P1D") == 24h));
  BOOST_TEST((parse_duration("P1W2DT1H") == 24h * 9 + 1h));
  BOOST_TEST((parse_duration("P1Y2M") == 24h * 425));
  BOOST_TEST((parse_duration("PT0S") == 0s));
}

BOOST_AUTO_TEST_CASE(durations_are_read_in_plain_form) {
  BOOST_TEST((parse_duration("45") == 45s));
  BOOST_TEST((parse_duration("1h30m") == 90min));
  BOOST_TEST((parse_duration("500ms") == 500ms));
  BOOST_TEST((parse_duration("1w1d") == 24h * 8));
  BOOST_TEST((parse_duration("2H") == 2h));
}

BOOST_AUTO_TEST_CASE(what_is_no_duration_is_refused) {
  for (const char* text :
       {"",     "P",     "PT",     "PT5", "P5",   "P1H", "PT1D",    "30x",
        "m",    "1m1h",  "1m1m",   "-5s", "1.5h", "5 s", "PT1HT1M", "99999999999999999999s",
        "200y", "P101Y", "40000d", "p1s"})
    BOOST_TEST(!parse_duration(text).has_value(), text);
}

BOOST_AUTO_TEST_CASE(what_is_formatted_is_read_back) {
  for (const auto value : {0ms, 1ms, 1500ms, 60'000ms, 5'400'000ms, 90'061'001ms, 31'622'400'000ms}) {
    const std::string text = format_duration(value);
    BOOST_TEST((parse_duration(text) == value), text);
  }
  BOOST_TEST(format_duration(90min) == "1h30m");
  BOOST_TEST(format_duration(0s) == "0s");
}

BOOST_AUTO_TEST_SUITE_END()
