#include "dequeue/stress.hpp"

#include <mta/dequeue.hpp>

#include <mutex>
#include <vector>

namespace mta {
namespace {

std::mutex mutex;
std::vector<wire::session*>& sessions() {
  static auto* const all = new std::vector<wire::session*>;  // stays: threads may outlive static destruction
  return *all;
}

}  // namespace

namespace dequeueing {

stress_line::stress_line(wire::session& s) : session_(s) {
  const std::scoped_lock guard(mutex);
  sessions().push_back(&s);
}

stress_line::~stress_line() {
  const std::scoped_lock guard(mutex);
  std::erase(sessions(), &session_);
}

}  // namespace dequeueing

result<> report_stress(std::string_view why) {
  const std::scoped_lock guard(mutex);
  if (sessions().empty())
    return error(std::make_error_code(std::errc::operation_not_permitted),
                 "report stress while no messages are dequeued");
  result<> outcome;
  for (wire::session* s : sessions())
    if (auto reported = s->report_stress(why); !reported) outcome = std::move(reported);
  return outcome;
}

}  // namespace mta
