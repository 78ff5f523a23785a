#include "jobctl/admin/search.hpp"

#include <algorithm>
#include <memory>

namespace jobctl::admin {
namespace {

using steady = std::chrono::steady_clock;

/// Rows that one turn of the loop takes from the index; and messages that one task of the pool looks into.
constexpr std::uint64_t rows_at_once = 20'000, files_at_once = 128;

struct job : std::enable_shared_from_this<job> {
  job(backend& b, selection s, search_limits l, std::function<void(search_result)> d)
      : around(b), what(std::move(s)), limits(l), done(std::move(d)) {
    found.cursor = l.cursor;
  }

  void step() {
    const bool reads = !what.text.empty();
    const std::uint64_t most = std::min(limits.most - found.ids.size(), reads ? files_at_once : rows_at_once);
    candidates.clear();
    for (const listed& row : around.state().list(what.index, most, found.cursor)) {
      if (reads)
        candidates.push_back({row.id, around.state().channel_name(row.channel)});
      else
        found.ids.push_back(row.id);
    }
    if (candidates.empty()) return next();
    around.in_pool([self = shared_from_this()] { self->look(); },
                   [self = shared_from_this()] { self->take(); });
  }

  void look() { matched = matching(around.store(), what.text, candidates); }

  void take() {
    found.looked_at += candidates.size();
    for (std::size_t i = 0; i < candidates.size(); ++i)
      if (matched[i]) found.ids.push_back(candidates[i].id);
    next();
  }

  void next() {
    const bool late = limits.budget.count() > 0 && steady::now() - started >= limits.budget;
    if (found.cursor == 0 || found.ids.size() >= limits.most || late) {
      // What goes from one list to another meanwhile may be seen twice.
      std::vector<message_id> seen = found.ids;
      std::ranges::sort(seen);
      if (std::ranges::adjacent_find(seen) != seen.end()) {
        seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
        found.ids = std::move(seen);
      }
      return done(std::move(found));
    }
    // Others get their turn.
    around.in_pool([] {}, [self = shared_from_this()] { self->step(); });
  }

  backend& around;
  const selection what;
  const search_limits limits;
  const std::function<void(search_result)> done;
  const steady::time_point started = steady::now();
  search_result found;
  std::vector<search_candidate> candidates;
  std::vector<bool> matched;
};

}  // namespace

void search(backend& b, selection what, search_limits limits, std::function<void(search_result)> done) {
  std::make_shared<job>(b, std::move(what), limits, std::move(done))->step();
}

}  // namespace jobctl::admin
