#include "simulation.hpp"

#include "jobctl/controller/controller.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <variant>

namespace sim {
namespace {

using namespace jobctl;
using namespace std::chrono_literals;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint32_t slots_per_file = 64;

struct mail {  // as it is on the disk
  std::uint32_t channel = 0, file = 0, slot = 0;
  mta::queue::priority priority{};
  mta::queue::phase phase{};
  std::uint16_t attempts = 0;
  time_point committed{}, next_attempt{};
  time_point released{};  // it does not expire while it is held
  std::string host;
  std::uint64_t locked_by = 0;  // program
  std::uint8_t notices = 0;
  bool hold_ends = false;
};

struct message_file {
  std::uint32_t channel = 0;
  file_key key;
  std::vector<std::uint32_t> mails;
  bool removed = false;
};

struct program {
  std::uint32_t channel = 0;
  job_no job{};
  worker_no worker{};
  bool connected = false, alive = true, stopping = false;
  std::uint32_t threads = 4, busy = 0;
  std::uint64_t credit = 0;  // as the controller must see it
  double slowness = 1;
  std::vector<std::uint32_t> waiting;  // leased, not begun
  std::set<std::uint32_t> in_hand;
  time_point idle_since{};
};

class world {
 public:
  world(std::uint64_t seed, int length) : seed_(seed), random_(seed), length_(length) {}

  totals run() {
    now_ = time_point{hours(24 * 365 * 55)};
    make_limits();
    restart();
    const time_point end = now_ + minutes(length_);
    traffic_end_ = end;
    drain_end_ = end + hours(24 * 3);  // longer than a deferral written while the clock was a day ahead
    for (std::uint32_t c = 0; c < limits_.channels.size(); ++c) arrivals(c);
    after(60s, [this] { rescan(); });
    trouble();
    // Then the traffic ends, and everything that can be done must get done.
    while (!events_.empty() && now_ < drain_end_) {
      step();
      if (totals_.events % 256 == 0) {
        invariants();
        if (now_ > traffic_end_ && unfinished_ == 0) break;
      }
    }
    invariants();
    if (unfinished_ != 0)
      fail(std::to_string(std::chrono::duration_cast<minutes>(now_ - traffic_end_).count()) +
           " min after the traffic, " + std::to_string(unfinished_) +
           " messages were never finished: " + describe_unfinished());
    return totals_;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw std::runtime_error("seed " + std::to_string(seed_) + ", event " + std::to_string(totals_.events) +
                             ": " + what + "\nreplay: SIM_SEED=" + std::to_string(seed_) + " test_sim");
  }
  std::uint64_t below(std::uint64_t n) { return random_() % n; }
  bool chance(double p) { return static_cast<double>(random_() >> 11) * 0x1p-53 < p; }
  milliseconds about(milliseconds mean) {
    const double ms = std::exponential_distribution<>(1.0 / static_cast<double>(mean.count() + 1))(random_);
    return milliseconds{static_cast<std::int64_t>(ms)};
  }
  void after(milliseconds wait, std::function<void()> what) {
    events_.push({now_ + wait, ++sequence_, std::move(what)});
  }

  std::string describe_unfinished() {
    for (std::uint32_t m = 0; m < mails_.size(); ++m) {
      if (mails_[m].phase == phase::finished) continue;
      listed row;
      const bool known = controller_ && controller_->find(id_of(m), row);
      std::string text = to_string(id_of(m)) + " on disk in phase " +
                         std::to_string(static_cast<int>(mails_[m].phase)) + ", locked by " +
                         std::to_string(mails_[m].locked_by) + ", file removed " +
                         std::to_string(files_[mails_[m].file].removed) + "; to the controller ";
      if (!known) return text + "unknown";
      return text + "in phase " + std::to_string(static_cast<int>(row.phase)) +
             (row.in_hand ? ", in hand" : "") + ", due in " + std::to_string((row.due - now_).count()) +
             " ms";
    }
    return {};
  }

  void make_limits() {
    limits_.lease_batch = static_cast<std::uint32_t>(1 + below(64));
    for (int p = 0; p < 2; ++p)
      limits_.pools.push_back({"pool" + std::to_string(p), static_cast<std::uint32_t>(1 + below(4))});
    for (std::uint64_t c = 0, n = 1 + below(5); c < n; ++c) {
      channel_limits l;
      l.name = "channel" + std::to_string(c);
      l.pool = "pool" + std::to_string(below(2));
      l.max_jobs = static_cast<std::uint32_t>(1 + below(4));
      l.thread_depth = static_cast<std::uint32_t>(1 + below(20));
      l.threads_per_job = 4;
      for (auto& schedule : l.backoff) schedule = {seconds(30 + below(60)), minutes(5)};
      l.relaunch_last = 60s;
      l.weight = static_cast<std::uint32_t>(1 + below(3));
      regulate(l);
      if (chance(0.5))
        for (auto& schedule : l.notices) {
          schedule.push_back(seconds(60 + below(600)));
          while (schedule.size() < 5 && chance(0.6))
            schedule.push_back(schedule.back() + seconds(30 + below(600)));
        }
      limits_.channels.push_back(l);
    }
  }

  void regulate(channel_limits& l) {
    l.hosts = chance(0.6) ? some_host_limits() : host_limits{};
    l.host_rules.clear();
    if (chance(0.3))
      l.host_rules.push_back({"host" + std::to_string(below(4)) + ".example", some_host_limits()});
  }
  host_limits some_host_limits() {
    host_limits h;
    if (chance(0.5)) h.concurrency = static_cast<std::uint32_t>(1 + below(20));
    h.adaptive = chance(0.3);
    if (chance(0.3)) {
      h.rate = static_cast<std::uint32_t>(1 + below(50));
      h.period = milliseconds(1 + below(3000));
    }
    if (chance(0.5)) h.failures = static_cast<std::uint32_t>(1 + below(10));
    h.probe_every = seconds(1 + below(120));
    h.run = static_cast<std::uint32_t>(1 + below(30));
    h.weight = static_cast<std::uint32_t>(1 + below(3));
    return h;
  }

  // --- the disk and those who put mail on it
  // ------------------------------------------------------------------------

  void arrivals(std::uint32_t channel) {
    if (now_ > traffic_end_) return;
    const std::uint64_t burst = chance(0.05) ? below(400) : 1 + below(3);
    std::vector<std::uint32_t> fresh;
    for (std::uint64_t i = 0; i < burst; ++i) fresh.push_back(commit(channel));
    announce(fresh);
    after(about(20s), [=, this] { arrivals(channel); });
  }

  std::uint32_t commit(std::uint32_t channel) {
    const auto m = static_cast<std::uint32_t>(mails_.size());
    auto& current = current_file_[channel];
    if (current == 0 || files_[current - 1].mails.size() == slots_per_file || files_[current - 1].removed) {
      files_.push_back({channel, {mta::queue::file_number{files_.size() + 1}, 1}, {}, false});
      current = files_.size();
    }
    message_file& f = files_[current - 1];
    mail mail;
    mail.channel = channel;
    mail.file = static_cast<std::uint32_t>(current - 1);
    mail.slot = static_cast<std::uint32_t>(f.mails.size());
    mail.priority = static_cast<mta::queue::priority>(below(3));
    mail.committed = now_;
    mail.host = "host" + std::to_string(below(4)) + ".example";
    f.mails.push_back(m);
    mails_.push_back(mail);
    ++unfinished_;
    ++totals_.messages;
    return m;
  }

  void announce(const std::vector<std::uint32_t>& fresh) {
    if (!controller_ || chance(0.05)) return;  // lost: a rescan finds it
    std::map<std::uint32_t, std::vector<std::uint32_t>> by_file;
    for (const std::uint32_t m : fresh) by_file[mails_[m].file].push_back(m);
    for (int times = chance(0.05) ? 2 : 1; times > 0; --times)
      for (const auto& [file, list] : by_file) tell(file, list);
  }

  void tell(std::uint32_t file, const std::vector<std::uint32_t>& list) {
    std::vector<new_message> found;
    for (const std::uint32_t i : list) {
      const mail& m = mails_[i];
      if (m.phase == phase::finished) continue;
      new_message n;
      n.slot = m.slot;
      n.priority = m.priority;
      n.phase = m.phase;
      n.attempts = m.attempts;
      n.notices = m.notices;
      n.size = 1000;
      n.committed = m.committed;
      n.hold_ends = m.phase == phase::held && m.hold_ends;
      n.due = m.phase == phase::deferred || n.hold_ends ? m.next_attempt : time_point{};
      n.host = m.host;
      found.push_back(n);
    }
    const message_file& f = files_[file];
    controller_->messages_found(now_, channel_of(f.channel), f.key, slots_per_file,
                                f.mails.size() == slots_per_file, found);
    act();
  }

  void rescan() {
    if (controller_)
      for (std::uint32_t f = 0; f < files_.size(); ++f)
        if (!files_[f].removed) tell(f, files_[f].mails);
    while (controller_ && now_ > traffic_end_ && !stops_.empty()) start_again(stops_.front().order);
    if (controller_ && now_ > traffic_end_)  // an operator lets go of whatever is still held
      for (std::uint32_t m = 0; m < mails_.size(); ++m)
        if (mails_[m].phase == phase::held) {
          const message_id id = id_of(m);
          controller_->release(now_, std::span(&id, 1));
          act();
        }
    after(60s, [this] { rescan(); });
  }

  channel_no channel_of(std::uint32_t c) { return controller_->channel(limits_.channels[c].name); }

  // --- the controller
  // ------------------------------------------------------------------------------------------------

  void restart() {
    controller_ = std::make_unique<controller>(limits_);
    for (std::uint32_t c = 0; c < limits_.channels.size(); ++c)
      controller_->restore_totals(channel_of(c), kept_totals_[c]);
    for (stop_in_force& each : stops_) {  // as the server kept them
      each.until = each.order.until;
      controller_->impose(now_, each.order);
    }
    disturbed_ = now_;
    ++incarnation_;
    jobs_.clear();
    const std::uint64_t mine = incarnation_;
    for (auto& [id, p] : programs_) {
      if (!p.alive) continue;
      p.connected = false;
      after(milliseconds(50 + below(500)), [this, id = id, mine] {
        if (mine == incarnation_) connect(id);
      });
    }
    for (std::uint32_t f = 0; f < files_.size(); ++f)
      if (!files_[f].removed)
        after(milliseconds(below(1000)), [this, f, mine] {
          if (mine == incarnation_ && controller_ && !files_[f].removed) tell(f, files_[f].mails);
        });
    after(milliseconds(1000), [this, mine] {
      if (mine == incarnation_ && controller_) controller_->index_is_complete();
    });
    act();
  }

  void trouble() {
    if (now_ > traffic_end_) return;
    switch (below(15)) {
      case 0:
        for (std::uint32_t c = 0; controller_ && c < limits_.channels.size(); ++c)
          kept_totals_[c] = controller_->totals(channel_of(c));
        controller_.reset();
        for (auto& [id, p] : programs_) p.connected = false;
        program_of_worker_.clear();
        armed_ = {};
        ++incarnation_;
        ++totals_.crashes;
        after(about(3s), [this] { restart(); });
        break;
      case 1: jump(hours(24)); break;
      case 2: jump(-hours(24)); break;
      case 3:
        if (!controller_) break;
        for (auto& c : limits_.channels) {
          c.max_jobs = static_cast<std::uint32_t>(1 + below(4));
          regulate(c);
        }
        controller_->configure(now_, limits_);
        act();
        break;
      case 4:
        if (!controller_) break;
        controller_->run_channel(now_,
                                 channel_of(static_cast<std::uint32_t>(below(limits_.channels.size()))));
        act();
        break;
      case 5: hold_some(); break;
      case 6: order_some(); break;
      case 8: stop_some(); break;
      case 7: dead_until_["host" + std::to_string(below(4)) + ".example"] = now_ + about(10min); break;
      default:
        if (!programs_.empty()) {
          auto victim = programs_.begin();
          std::advance(victim, static_cast<long>(below(programs_.size())));
          if (victim->second.alive) die(victim->first, false);
        }
    }
    after(about(90s), [this] { trouble(); });
  }

  void jump(milliseconds by) {
    // The clock is set; what is simulated keeps its distance from now, and only times written down stay.
    std::vector<event> later;
    while (!events_.empty()) {
      later.push_back(events_.top());
      events_.pop();
    }
    for (event& e : later) {
      e.at += by;
      events_.push(std::move(e));
    }
    for (auto& [id, p] : programs_) p.idle_since += by;
    now_ += by;
    traffic_end_ += by;
    drain_end_ += by;
    for (auto& [host, until] : dead_until_) until += by;
    // What ends at a time ends no later by the clock set back; only the file has the time as it was.
    for (stop_in_force& each : stops_)
      if (controller_ && each.until != time_point{} && by < 0ms) each.until += by;
    armed_ = {};
    disturbed_ = now_;
    if (controller_) {
      controller_->clock(now_);
      act();
    }
  }

  // Retry, or what the server does at once: a message is returned or removed, or it cannot be.
  void order_some() {
    if (!controller_ || mails_.empty()) return;
    std::vector<message_id> ids;
    for (int i = 0; i < 5; ++i) ids.push_back(id_of(static_cast<std::uint32_t>(below(mails_.size()))));
    if (chance(0.3)) {
      controller_->retry(now_, ids);
      return act();
    }
    std::erase_if(
        ids, [&](const message_id& id) { return controller_->would(verb::remove, id) != effect::changed; });
    controller_->take(now_, ids);
    act();
    const std::uint64_t mine = incarnation_;
    after(milliseconds(1 + below(500)), [this, ids, mine] {
      if (mine != incarnation_ || !controller_) return;
      for (const message_id& id : ids) {
        mail& m = mails_[find(id)];
        auto what = errand_outcome::back;
        if (m.phase == phase::finished) {
          what = errand_outcome::gone;
        } else if (m.locked_by == 0 && chance(0.5)) {
          m.phase = phase::finished;
          --unfinished_;
          what = errand_outcome::finished;
        }
        controller_->given_back(now_, id, what, verb::remove);
      }
      act();
    });
  }

  void hold_some() {
    if (!controller_ || mails_.empty()) return;
    std::vector<message_id> ids;
    for (int i = 0; i < 5; ++i) ids.push_back(id_of(static_cast<std::uint32_t>(below(mails_.size()))));
    controller_->hold(now_, ids, chance(0.5) ? now_ + about(60s) : time_point{});
    act();
    after(about(120s), [this, ids] {
      if (controller_) {
        controller_->release(now_, ids);
        act();
      }
      // Whatever a crash kept from being released.
      for (const auto& id : ids)
        if (controller_ && mails_[find(id)].phase == phase::held) {
          controller_->release(now_, std::span(&id, 1));
          act();
        }
    });
  }

  // --- operators' standing orders: the controller's, and what they forbid

  struct stop_in_force {
    standing_stop order;
    time_point until{};  // no earlier than that, as the clock was set since
  };

  void stop_some() {
    if (!controller_) return;
    standing_stop order;
    if (chance(0.7)) order.channel = limits_.channels[below(limits_.channels.size())].name;
    if (order.channel.empty() || chance(0.7))
      order.host = chance(0.3) ? ".example" : "host" + std::to_string(below(4)) + ".example";
    order.since = now_;
    if (chance(0.5)) order.until = now_ + 1ms + about(60s);
    std::erase_if(stops_, [&](const stop_in_force& each) { return each.order.same_place(order); });
    stops_.push_back({order, order.until});
    controller_->impose(now_, order);
    act();
    after(about(120s), [this, order] { start_again(order); });
  }

  void start_again(standing_stop place) {  // a copy: it may be one of stops_
    if (!controller_) return after(about(10s), [this, place] { start_again(place); });
    std::erase_if(stops_, [&](const stop_in_force& each) { return each.order.same_place(place); });
    controller_->lift(now_, place.channel, place.host);
    act();
  }

  bool stopped(std::uint32_t channel, std::string_view host) const {
    for (const auto& [order, until] : stops_)
      if ((until == time_point{} || now_ < until) &&
          (order.channel.empty() || order.channel == limits_.channels[channel].name) &&
          (order.host.empty() || (!host.empty() && host_matches(order.host, host))))
        return true;
    return false;
  }

  void carry_out(action::stop_ended& ended) {
    const auto at = std::find_if(stops_.begin(), stops_.end(), [&](const stop_in_force& each) {
      return each.order.same_place(ended.order);
    });
    if (at == stops_.end()) fail("a stop has ended that was not in force");
    if (at->until == time_point{} || now_ < at->until) fail("a stop has ended too early");
    stops_.erase(at);
  }

  message_id id_of(std::uint32_t m) const {
    const file_key& key = files_[mails_[m].file].key;
    return {key.file, key.generation, mails_[m].slot};
  }
  std::uint32_t find(const message_id& id) const {
    return files_[static_cast<std::uint64_t>(id.file) - 1].mails.at(id.slot);
  }

  void act() {
    if (!controller_) return;
    for (auto& a : controller_->take_actions()) std::visit([this](auto& x) { carry_out(x); }, a);
    const time_point next = controller_->next_deadline();
    if (next != time_point::max() && (armed_ == time_point{} || next < armed_ || armed_ <= now_)) {
      armed_ = std::max(next, now_ + 1ms);
      const std::uint64_t mine = incarnation_;
      const std::uint64_t arming = ++armings_;
      events_.push({armed_, ++sequence_, [this, mine, arming] {
                      if (mine != incarnation_ || !controller_ || arming != armings_)
                        return;  // armed anew since
                      armed_ = {};
                      controller_->clock(now_);
                      act();
                    }});
    }
  }

  void carry_out(action::lease& lease) {
    const auto at = program_of_worker_.find(static_cast<std::uint64_t>(lease.worker));
    if (at == program_of_worker_.end()) fail("a lease for a program that is not there");
    program& p = programs_.at(at->second);
    if (lease.messages.size() > p.credit) fail("more was leased than asked for");
    if (lease.messages.size() > limits_.lease_batch) fail("a lease beyond the batch");
    p.credit -= lease.messages.size();
    for (const leased_message& l : lease.messages) {
      const std::uint32_t m = find(l.id);
      if (mails_[m].channel != p.channel) fail("a message of another channel was leased");
      if (stopped(p.channel, mails_[m].host)) fail("a message was leased for a host that is stopped");
      for (const auto& [id, other] : programs_)
        if (other.alive && other.connected && other.in_hand.contains(m)) fail("a message was leased twice");
      p.in_hand.insert(m);
      p.waiting.push_back(m);
      ++totals_.leases;
    }
    const std::uint64_t id = at->second;
    after(1ms, [this, id] { work(id); });
  }

  void carry_out(action::launch& launch) {
    ++totals_.launches;
    std::uint32_t channel = 0;
    while (channel_of(channel) != launch.channel) ++channel;
    if (stopped(channel, {})) fail("a program was launched for a channel that is stopped");
    const std::uint64_t job = static_cast<std::uint64_t>(launch.job);
    jobs_[job] = channel;
    std::uint32_t in_channel = 0, in_pool = 0, pool_limit = 0;
    for (const auto& [other, c] : jobs_) {
      in_channel += c == channel ? 1 : 0;
      in_pool += limits_.channels[c].pool == limits_.channels[channel].pool ? 1 : 0;
    }
    for (const auto& pool : limits_.pools)
      if (pool.name == limits_.channels[channel].pool) pool_limit = pool.job_limit;
    if (in_channel > limits_.channels[channel].max_jobs) fail("more programs than maxjobs");
    if (in_pool > pool_limit) fail("more programs than the pool's job_limit");
    const std::uint64_t mine = incarnation_;
    if (chance(0.02)) {
      after(1ms, [this, job, mine] {
        if (mine != incarnation_ || !controller_) return;
        jobs_.erase(job);
        controller_->launch_failed(now_, job_no{job}, "no such file");
        act();
      });
      return;
    }
    const std::uint64_t id = ++last_program_;
    program& p = programs_[id];
    p.channel = channel;
    p.job = launch.job;
    p.slowness = chance(0.1) ? 20 : 1;
    p.idle_since = now_;
    controller_->job_started(now_, launch.job, static_cast<std::int64_t>(id));
    after(milliseconds(2 + below(30)), [this, id] {
      if (chance(0.02))
        die(id, false);
      else
        connect(id);
    });
  }

  void carry_out(action::stop_worker& stop) {
    const auto at = program_of_worker_.find(static_cast<std::uint64_t>(stop.worker));
    if (at != program_of_worker_.end()) leave(at->second);
  }
  void carry_out(action::recycle& r) {
    const std::uint64_t mine = incarnation_;
    after(2ms, [this, r, mine] {
      if (mine != incarnation_ || !controller_) return;
      message_file& f = files_[static_cast<std::uint64_t>(r.file.file) - 1];
      bool live = false;
      for (const std::uint32_t m : f.mails)
        live = live || mails_[m].phase != phase::finished || mails_[m].locked_by != 0;
      const bool done = !live && f.mails.size() == slots_per_file;
      f.removed = f.removed || done;
      controller_->recycled(now_, r.file, done);
      act();
    });
  }
  void carry_out(action::compact& c) {
    const std::uint64_t mine = incarnation_;
    after(3ms, [this, c, mine] {
      if (mine != incarnation_ || !controller_) return;
      for (const std::uint32_t slot : c.slots) {
        const message_id from{c.file.file, c.file.generation, slot};
        const std::uint32_t m = find(from);
        if (chance(0.1) || mails_[m].phase == phase::finished) {
          controller_->move_failed(now_, from);
          continue;
        }
        const mail old = mails_[m];
        const std::uint32_t copy = commit(old.channel);
        const auto place = std::pair{mails_[copy].file, mails_[copy].slot};
        mails_[copy] = old;
        std::tie(mails_[copy].file, mails_[copy].slot) = place;
        mails_[m].phase = phase::finished;  // "moved"
        --unfinished_;
        --totals_.messages;
        controller_->moved(now_, from, id_of(copy));
      }
      act();
    });
  }
  void carry_out(action::write_state& w) {
    mail& m = mails_[find(w.id)];
    if (m.phase == phase::finished) return;
    if (m.phase == phase::held && w.phase != phase::held) m.released = now_;
    m.phase = w.phase;
    m.hold_ends = w.hold_ends;
    if (w.hold_ends) m.next_attempt = w.due;
  }
  void carry_out(action::notice& n) {
    const std::uint64_t mine = incarnation_;
    const mail& waiting = mails_[find(n.id)];
    const auto& schedule = limits_.channels[waiting.channel].notices[static_cast<unsigned>(waiting.priority)];
    if (n.last && now_ < waiting.committed + schedule.back() && now_ >= waiting.committed)
      fail("a message is returned before its time");
    after(milliseconds(1 + below(20)), [this, n, mine] {
      if (mine != incarnation_ || !controller_) return;
      const std::uint32_t i = find(n.id);
      mail& m = mails_[i];
      auto what = notice_outcome::done;
      if (m.phase == phase::finished) {
        what = notice_outcome::gone;
      } else if (m.locked_by != 0) {
        what = notice_outcome::busy;
      } else if (m.phase == phase::held) {
        what = notice_outcome::held;
      } else if (chance(0.05)) {
        what = notice_outcome::failed;
      } else if (n.last) {
        m.phase = phase::finished;
        --unfinished_;
        ++totals_.expired;
        what = notice_outcome::finished;
      } else {
        if (n.step <= m.notices) fail("a sender is told a second time");
        m.notices = n.step;
        ++totals_.warned;
      }
      controller_->noticed(now_, n.id, what, n.step);
      act();
    });
  }
  void carry_out(action::set_aside& s) {
    fail("nothing is damaged, yet " + to_string(s.id) + " is set aside");
  }
  void carry_out(action::report&) {}

  // --- channel programs
  // ------------------------------------------------------------------------------------------------

  void connect(std::uint64_t id) {
    if (!programs_.contains(id)) return;
    program& p = programs_.at(id);
    if (!p.alive || p.connected || !controller_) return;
    p.connected = true;
    p.worker = worker_no{++last_worker_};
    program_of_worker_[last_worker_] = id;
    std::vector<message_id> holding;
    for (const std::uint32_t m : p.in_hand) holding.push_back(id_of(m));
    controller_->worker_connected(now_, p.worker, channel_of(p.channel), p.job, p.threads, holding);
    p.credit = 0;
    if (p.stopping) {
      controller_->worker_stopping(now_, p.worker);
    } else {
      ask(p, p.threads * 4);
    }
    act();
    after(10s, [this, id] { poll(id); });
  }

  void ask(program& p, std::uint32_t more) {
    if (!p.connected || p.stopping) return;
    p.credit += more;
    controller_->worker_asks(now_, p.worker, more);
  }

  void poll(std::uint64_t id) {
    if (!programs_.contains(id)) return;
    program& p = programs_.at(id);
    if (!p.alive || !p.connected) return;
    if (controller_->threads_needed(p.worker) > p.threads)
      fail("more threads wanted than the program may run");
    if (p.in_hand.empty() && now_ - p.idle_since > 50s) {
      leave(id);
      return;
    }
    after(10s, [this, id] { poll(id); });
  }

  void work(std::uint64_t id) {
    if (!programs_.contains(id)) return;
    program& p = programs_.at(id);
    while (p.alive && p.busy < p.threads && !p.waiting.empty()) {
      const std::uint32_t m = p.waiting.back();
      p.waiting.pop_back();
      mail& mail = mails_[m];
      if (mail.phase == phase::finished || files_[mail.file].removed) {
        report(id, m, outcome::gone);
        continue;
      }
      if (mail.locked_by != 0) {
        report(id, m, outcome::locked);
        continue;
      }
      mail.locked_by = id;
      ++p.busy;
      const double mean = chance(0.001) ? 60'000 : 20 * p.slowness;
      after(about(milliseconds(static_cast<std::int64_t>(mean))), [this, id, m] { finish(id, m); });
    }
  }

  void finish(std::uint64_t id, std::uint32_t m) {
    if (!programs_.contains(id)) return;
    program& p = programs_.at(id);
    if (!p.alive) return;
    --p.busy;
    mail& mail = mails_[m];
    mail.locked_by = 0;
    outcome result = outcome::finished;
    if (chance(0.1)) result = chance(0.1) ? outcome::released : outcome::deferred;
    if (const auto dead = dead_until_.find(mail.host); dead != dead_until_.end() && now_ < dead->second)
      result = outcome::deferred;
    if (result == outcome::finished) {
      mail.phase = phase::finished;
      --unfinished_;
    } else if (result == outcome::deferred) {
      mail.phase = phase::deferred;
      ++mail.attempts;
      mail.next_attempt = now_ + 30s;
    }
    report(id, m, result);
    work(id);
  }

  void report(std::uint64_t id, std::uint32_t m, outcome result) {
    program& p = programs_.at(id);
    p.in_hand.erase(m);
    p.idle_since = now_;
    if (p.connected && controller_) {
      const message_result r{id_of(m), result,
                             result == outcome::deferred ? mails_[m].next_attempt : time_point{}};
      controller_->results(now_, p.worker, std::span(&r, 1));
      ask(p, 1);
      act();
    }
    if (p.stopping && p.in_hand.empty()) die(id, true);
  }

  void leave(std::uint64_t id) {
    if (!programs_.contains(id)) return;
    program& p = programs_.at(id);
    if (p.stopping || !p.alive) return;
    p.stopping = true;
    p.credit = 0;
    if (p.connected && controller_) controller_->worker_stopping(now_, p.worker);
    for (const std::uint32_t m : std::exchange(p.waiting, {})) {
      p.in_hand.erase(m);
      const message_result r{id_of(m), outcome::released, {}};
      if (p.connected && controller_) controller_->results(now_, p.worker, std::span(&r, 1));
    }
    if (p.in_hand.empty()) after(1ms, [this, id] { die(id, true); });
    act();
  }

  void die(std::uint64_t id, bool clean) {
    if (!programs_.contains(id)) return;
    program& p = programs_.at(id);
    if (!p.alive) return;
    p.alive = false;
    for (const std::uint32_t m : p.in_hand)
      if (mails_[m].locked_by == id) mails_[m].locked_by = 0;
    p.in_hand.clear();
    p.waiting.clear();
    if (controller_ && p.connected) {
      program_of_worker_.erase(static_cast<std::uint64_t>(p.worker));
      controller_->worker_gone(now_, p.worker);
      act();
    }
    const auto job = static_cast<std::uint64_t>(p.job);
    if (controller_ && jobs_.erase(job) > 0) {
      controller_->job_exited(now_, p.job, clean, clean ? "exited with status 0" : "killed by signal 9");
      act();
    }
    after(1ms, [this, id] { programs_.erase(id); });  // whoever is still looking at it may finish
  }

  // --- the loop
  // ----------------------------------------------------------------------------------------------------------

  void step() {
    event e = events_.top();
    events_.pop();
    now_ = std::max(now_, e.at);
    ++totals_.events;
    e.what();
  }

  void invariants() const {
    if (!controller_) return;
    if (const std::string broken = controller_->check_invariants(); !broken.empty()) fail(broken);
    if (controller_->stops().size() > stops_.size()) fail("something is stopped that nobody has stopped");
    // Nothing that nobody works on outlives its time while the controller runs. It takes a while after a
    // start, or after the clock was set, and a minute after a notice that failed.
    for (std::uint32_t i = 0; i < mails_.size(); ++i) {
      const mail& m = mails_[i];
      const auto& schedule = limits_.channels[m.channel].notices[static_cast<unsigned>(m.priority)];
      if (schedule.empty() || m.phase == phase::finished || m.phase == phase::held || m.locked_by != 0)
        continue;
      if (now_ <= std::max<time_point>(
                      {m.committed + schedule.back(), disturbed_ + schedule.back() / 10, m.released}) +
                      15min)
        continue;
      listed row;
      if (controller_->find(id_of(i), row) && (row.in_hand || row.phase == phase::held)) continue;
      fail(to_string(id_of(i)) + " has waited longer than it may");
    }
  }

  struct event {
    time_point at;
    std::uint64_t sequence;
    std::function<void()> what;
    bool operator<(const event& o) const { return std::tie(o.at, o.sequence) < std::tie(at, sequence); }
  };

  std::uint64_t seed_;
  std::mt19937_64 random_;
  int length_;
  time_point now_{}, traffic_end_{}, drain_end_{}, armed_{};
  time_point disturbed_{};  // the last start of the controller, or setting of the clock
  limits limits_;
  std::unique_ptr<controller> controller_;
  std::map<std::uint32_t, channel_totals> kept_totals_;  // as the server keeps them over a crash
  std::uint64_t incarnation_ = 0, sequence_ = 0, armings_ = 0, last_program_ = 0, last_worker_ = 0;
  std::priority_queue<event> events_;
  std::vector<mail> mails_;
  std::vector<message_file> files_;
  std::map<std::string, time_point> dead_until_;
  std::vector<stop_in_force> stops_;
  std::map<std::uint32_t, std::size_t> current_file_;
  std::map<std::uint64_t, program> programs_;
  std::map<std::uint64_t, std::uint64_t> program_of_worker_;
  std::map<std::uint64_t, std::uint32_t> jobs_;
  std::uint64_t unfinished_ = 0;
  totals totals_;
};

}  // namespace

totals run(std::uint64_t seed, int minutes_of_traffic) { return world(seed, minutes_of_traffic).run(); }

}  // namespace sim
