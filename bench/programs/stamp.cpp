// stamp: the channel program of bench_latency. Writes the time of entry of each message into the FIFO that
// option.fifo names. With option.once it asks to be stopped after a message, so that each one needs a launch.
#include "stamp.hpp"

#include <mta/dequeue.hpp>
#include <mta/program.hpp>

#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <unistd.h>

int main() {
  const int fifo = ::open(mta::option_or("fifo", "").c_str(), O_WRONLY | O_CLOEXEC);
  if (fifo < 0) return 66;
  const bool once = mta::option("once").has_value();
  const auto done = mta::dequeue({}, [fifo, once](mta::message& m) {
    const std::int64_t entered = monotonic_ns();
    const stamp s{std::strtoull(std::string(m.envelope_id()).c_str(), nullptr, 10), entered};
    (void)m.finish(mta::disposition::delivered);
    if (::write(fifo, &s, sizeof s) != sizeof s) std::abort();
    if (once) mta::request_stop();
  });
  return done ? 0 : 75;
}
