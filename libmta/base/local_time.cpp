#include "base/local_time.hpp"

#include <algorithm>
#include <ctime>

namespace mta {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;

// Local time less UTC.
seconds offset_at(sys_seconds t) {
  const std::time_t count = t.time_since_epoch().count();
  std::tm local{};
  return ::localtime_r(&count, &local) == nullptr ? seconds{0} : seconds{local.tm_gmtoff};
}

}  // namespace

std::chrono::local_days local_day_of(sys_seconds t) {
  const auto shown = t + offset_at(t);
  return std::chrono::local_days(std::chrono::floor<std::chrono::days>(shown).time_since_epoch());
}

// Zones change their offset at most once within two days, so it is the one of a day earlier or of a day
// later. (mktime() answers the same question, but of two right answers it gives one that depends on what it
// was asked before.)
sys_seconds instant_of(std::chrono::local_days day, std::chrono::minutes since_midnight, when_twice which) {
  const sys_seconds shown(day.time_since_epoch() + since_midnight);
  const sys_seconds early = shown - offset_at(shown - std::chrono::days(1));
  const sys_seconds late = shown - offset_at(shown + std::chrono::days(1));
  const bool early_fits = early + offset_at(early) == shown, late_fits = late + offset_at(late) == shown;
  if (early_fits && late_fits)
    return which == when_twice::first ? std::min(early, late) : std::max(early, late);
  return late_fits ? late : early;
}

}  // namespace mta
