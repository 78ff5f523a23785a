#include "jobctl/server/kept_totals.hpp"

#include "jobctl/server/log.hpp"

#include <utility>

namespace jobctl {

void kept_totals::open(const std::string& path, time_point now,
                       const std::function<std::optional<channel_no>(std::string_view)>& find_channel) {
  const auto opened = file_.open(path, now);
  if (!opened)
    log(log_level::error, "counters: {}; they begin at 0, and end with this controller",
        opened.error().message());
  else if (!opened->empty())
    log(log_level::warning, "counters: {}", *opened);
  for (const auto& [name, totals] : file_.load())
    if (const auto channel = find_channel(name)) core_.restore_totals(*channel, totals);
}

void kept_totals::keep() {
  const std::size_t count = core_.channel_count();
  kept_.resize(count);
  for (std::size_t c = 0; c < count; ++c) {
    const channel_no number{static_cast<std::uint32_t>(c)};
    const channel_totals& t = core_.totals(number);
    if (t == kept_[c]) continue;
    kept_[c] = t;
    file_.store(core_.channel_name(number), t);
    if (!std::exchange(changed_, true)) sync_soon();
  }
}

void kept_totals::sync_soon() {
  timer_.expires_after(counters_file::sync_interval);
  timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (cancelled) return;
    changed_ = false;
    pool_.submit([this] {
      if (const auto done = file_.sync(); !done)
        log(log_level::error, "counters: {}", done.error().message());
    });
  });
}

}  // namespace jobctl
