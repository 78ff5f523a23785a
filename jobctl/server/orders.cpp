#include "jobctl/server/orders.hpp"

#include "jobctl/server/log.hpp"
#include "jobctl/server/message_orders.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>

namespace jobctl {

namespace asio = boost::asio;

namespace {

constexpr std::size_t slice = 4'000;  // messages that one turn of the loop sees to
// Messages of a file that one task of the pool works on. What is removed shares a flush; what is routed or
// returned has one of its own, and programs are not to wait long for what is not yet begun.
constexpr std::size_t most_removed = 1024, most_sent = 64;
constexpr std::size_t most_under_way = 4;  // tasks, of all orders: others want the pool, too
constexpr std::size_t most_remarks = 20;   // lines in the log for one order

order_counts& counts_of(order_outcome& o, const std::string& channel) { return o.channels[channel]; }

}  // namespace

struct orders::impl : std::enable_shared_from_this<orders::impl> {
  explicit impl(surroundings s) : around(std::move(s)) {}

  struct job {
    message_order order;
    std::vector<message_id> ids;
    std::function<void(order_outcome)> done;
    std::size_t next = 0;  ///< of `ids`
    order_outcome outcome;
    std::size_t under_way = 0;  ///< tasks of the pool
    std::size_t remarks = 0;
    bool posted = false;              ///< its next turn is
    std::uint64_t failed_writes = 0;  ///< of everybody, when it began
  };

  // One turn of the loop: what an order does to each of some messages, and that it is done.
  void step(const std::shared_ptr<job>& j) {
    const std::size_t end = std::min(j->ids.size(), j->next + slice);
    std::vector<message_id> changing, waiting;
    std::string channel;
    for (; j->next < end; ++j->next) {
      const message_id& id = j->ids[j->next];
      listed row;
      if (!around.controller.find(id, row)) {
        ++j->outcome.not_found;
        continue;
      }
      const std::string& name = around.controller.channel_name(row.channel);
      const effect what = effect_on(j->order, id, row, name);
      order_counts& counts = counts_of(j->outcome, name);
      if (what == effect::changed) {
        // Messages that are worked on by one task are of one file.
        if (takes(j->order.verb) && !changing.empty() &&
            (changing.size() == (j->order.verb == verb::remove ? most_removed : most_sent) ||
             changing.front().key() != id.key()))
          break;
        channel = name;
        changing.push_back(id);
        ++counts.changed;
      } else if (what == effect::in_hand) {
        waiting.push_back(id);
        ++counts.in_hand;
      } else {
        ++counts.unchanged;
      }
    }
    if (!j->order.dry_run) {
      if (takes(j->order.verb))
        work_on(j, channel, std::move(changing));
      else
        apply(j, changing, waiting);
    }
    go_on(j);
  }

  static bool takes(verb v) { return v == verb::route || v == verb::bounce || v == verb::remove; }

  effect effect_on(const message_order& order, const message_id& id, const listed& row,
                   const std::string& channel) const {
    const effect what = around.controller.would(order.verb, id, order.until);
    if (what == effect::changed && order.verb == verb::route &&
        (order.to_channel.empty() || order.to_channel == channel) &&
        (!order.to_host || *order.to_host == row.host))
      return effect::unchanged;
    return what;
  }

  void apply(const std::shared_ptr<job>& j, const std::vector<message_id>& changing,
             const std::vector<message_id>& waiting) {
    const time_point now = server::now();
    const auto note = std::make_shared<const order_note>(j->order.note);
    switch (j->order.verb) {
      case verb::hold:
        for (const auto* ids : {&changing, &waiting})
          for (const message_id& id : *ids) around.upkeep.note(id, note);
        wait_for(waiting, j->order.until, *note);
        around.controller.hold(now, changing, j->order.until);
        around.controller.hold(now, waiting, j->order.until);
        break;
      case verb::release:
        for (const message_id& id : changing) {
          around.upkeep.note(id, note);
          around.pending.over(id);
        }
        // Each goes to the front of its line: so the first one last.
        around.controller.release(now, std::vector<message_id>(changing.rbegin(), changing.rend()));
        break;
      default: around.controller.retry(now, changing); break;
    }
    around.after_events();
  }

  // Programs have these in hand.
  void wait_for(const std::vector<message_id>& ids, time_point until, const order_note& note) {
    if (ids.empty()) return;
    around.pending.prune([this](const message_id& id) {
      listed row;
      return around.controller.find(id, row) && row.in_hand;
    });
    if (const auto kept = around.pending.add(ids, {verb::hold, until, note}); !kept)
      log(log_level::warning,
          "hold {} messages that programs have in hand: {}; a kill of the controller would undo that",
          ids.size(), kept.error().message());
  }

  // Has the pool work on messages of one file, which nobody gets meanwhile.
  void work_on(const std::shared_ptr<job>& j, const std::string& channel, std::vector<message_id> ids) {
    if (ids.empty()) return;
    around.controller.take(server::now(), ids);
    around.after_events();
    ++j->under_way;
    ++under_way;
    const auto key = static_cast<std::uint64_t>(ids.front().file);
    around.pool.submit(key, [self = shared_from_this(), j, channel, ids = std::move(ids)] {
      auto all = self->on_file(j->order, channel, ids);
      asio::post(self->around.io,
                 [self, j, channel, all = std::move(all)] { self->worked(j, channel, all); });
    });
  }

  // On the pool.
  std::vector<order_result> on_file(const message_order& order, const std::string& channel,
                                    const std::vector<message_id>& ids) const {
    const auto none = [&](const mta::error& why) {
      std::vector<order_result> all;
      const bool gone = why.code == std::errc::no_such_file_or_directory || why.code == mta::errc::gone;
      for (const message_id& id : ids)
        all.push_back({id, gone ? errand_outcome::gone : errand_outcome::back, false, {why.message()}});
      return all;
    };
    const auto f = around.store.open(channel, ids.front().file);
    if (!f) return none(f.error());
    if ((*f)->header().generation != ids.front().generation)
      return none(mta::error(mta::errc::gone, to_string(ids.front())));
    const auto queue = around.enqueuer();
    if (!queue) return none(queue.error());
    return jobctl::carry_out(around.store, **f, **queue, channel, ids, order);
  }

  void worked(const std::shared_ptr<job>& j, const std::string& channel,
              const std::vector<order_result>& all) {
    order_counts& counts = counts_of(j->outcome, channel);
    for (const order_result& r : all) {
      if (r.outcome == errand_outcome::back) {
        --counts.changed;
        ++(r.remarks.empty() ? counts.in_hand : counts.failed);
      } else if (r.outcome == errand_outcome::gone) {
        --counts.changed;
        ++(r.damaged ? counts.failed : j->outcome.not_found);
      }
      for (const std::string& remark : r.remarks)
        if (j->remarks++ < most_remarks)
          log(log_level::warning, "{} message {} of channel {}: {}", name_of(j->order.verb), to_string(r.id),
              channel, remark);
      around.controller.given_back(server::now(), r.id, r.outcome, j->order.verb);
      // Set aside after the controller has let go of it.
      if (r.damaged) around.damaged(around.controller.channel(channel), r.id);
    }
    around.after_events();
    --j->under_way;
    --under_way;
    go_on(j);
    // Others may have waited for the pool.
    for (auto& each : std::exchange(stalled, {})) go_on(each);
  }

  void go_on(const std::shared_ptr<job>& j) {
    if (j->next < j->ids.size()) {
      if (under_way >= most_under_way) {
        if (std::ranges::find(stalled, j) == stalled.end()) stalled.push_back(j);
        return;
      }
      if (std::exchange(j->posted, true)) return;
      asio::post(around.io, [self = shared_from_this(), j] {
        j->posted = false;
        self->step(j);
      });
      return;
    }
    if (j->under_way > 0 || !j->done) return;
    auto done = std::exchange(j->done, nullptr);
    if (j->order.dry_run || takes(j->order.verb) || j->order.verb == verb::retry) return finish(*j, done);
    around.upkeep.when_written([self = shared_from_this(), j, done = std::move(done)] {
      j->outcome.write_errors = self->around.upkeep.failed_writes() - j->failed_writes;
      self->finish(*j, done);
    });
  }

  void finish(job& j, const std::function<void(order_outcome)>& done) {
    std::uint64_t changed = 0;
    for (const auto& [channel, counts] : j.outcome.channels) changed += counts.changed;
    if (!j.order.dry_run && changed > 0)
      log(log_level::info, "{}: {} messages, ordered by {}{}{}", name_of(j.order.verb), changed,
          j.order.note.by.empty() ? "an operator" : j.order.note.by, j.order.note.reason.empty() ? "" : ": ",
          j.order.note.reason);
    done(std::move(j.outcome));
  }

  surroundings around;
  std::size_t under_way = 0;
  std::vector<std::shared_ptr<job>> stalled;
};

orders::orders(surroundings s) : impl_(std::make_shared<impl>(std::move(s))) {}
orders::~orders() = default;

void orders::carry_out(message_order order, std::vector<message_id> ids,
                       std::function<void(order_outcome)> done) {
  auto j = std::make_shared<impl::job>();
  j->order = std::move(order);
  j->ids = std::move(ids);
  j->done = std::move(done);
  // Messages of a file together, and the oldest first.
  std::ranges::sort(j->ids);
  j->ids.erase(std::unique(j->ids.begin(), j->ids.end()), j->ids.end());
  j->failed_writes = impl_->around.upkeep.failed_writes();
  impl_->go_on(j);
}

}  // namespace jobctl
