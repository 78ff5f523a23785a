// Channel programs and a clock around a controller, for scenarios with numbers: what is queued, how long a
// delivery takes and how it ends is up to the scenario. Nothing is random. Thread safety: none.
#pragma once

#include "jobctl/controller/controller.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <queue>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

namespace sim {

using namespace jobctl;
using namespace std::chrono_literals;

/// What a scenario is told of a message.
struct mail {
  std::uint32_t channel = 0;
  std::string host;
  mta::queue::priority priority = mta::queue::priority::normal;
  time_point queued{}, due{};
  time_point leased{}, begun{}, finished{};  // the last time; epoch: not yet
  std::uint32_t attempts = 0;
};

class fleet {
 public:
  /// How long an attempt takes, and how it ends.
  struct attempt {
    milliseconds takes{10};
    jobctl::outcome outcome = outcome::finished;
    time_point next{};  ///< deferred: epoch: by the channel's backoff
  };
  std::function<attempt(const mail&)> deliver = [](const mail&) { return attempt{}; };
  std::function<void(const mail&)> on_begin = [](const mail&) {};
  std::uint32_t threads = 20;      ///< of each program
  std::uint32_t ahead = 2;         ///< messages that a program asks for, for each thread
  milliseconds startup{20};        ///< until a launched program connects
  milliseconds idle_exit{50'000};  ///< a program with nothing to do leaves
  time_point now{std::chrono::hours(24 * 365 * 55)};
  std::deque<mail> mails;  // what is in it stays where it is
  std::uint64_t finished = 0, failed = 0, launches = 0;
  std::vector<std::string> reports;
  std::vector<standing_stop> stops_ended;

  explicit fleet(const limits& l) : limits_(l), controller_(l) { set_time(); }

  jobctl::controller& controller() { return controller_; }
  channel_no channel(std::uint32_t c) { return controller_.channel(limits_.channels.at(c).name); }

  void configure(const limits& l) {
    limits_ = l;
    controller_.configure(now, l);
    act();
  }

  void stop(const std::string& channel, const std::string& host, time_point until = {}) {
    controller_.impose(now, {channel, host, "ann", "a reason", now, until});
    act();
  }
  void start(const std::string& channel, const std::string& host) {
    controller_.lift(now, channel, host);
    act();
  }

  /// Queues messages now; `prepare` completes each.
  void queue(std::uint32_t c, std::uint32_t count, const std::function<void(mail&, std::uint32_t)>& prepare) {
    std::vector<new_message> found;
    for (std::uint32_t n = 0; n < count;) {
      const std::uint32_t in_file = std::min<std::uint32_t>(count - n, 4096);
      const file_key key{mta::queue::file_number{++last_file_}, 1};
      files_[last_file_] = static_cast<std::uint32_t>(mails.size());
      found.clear();
      for (std::uint32_t slot = 0; slot < in_file; ++slot, ++n) {
        mail& m = mails.emplace_back();
        m.channel = c;
        m.queued = now;
        prepare(m, n);
        new_message one;
        one.slot = slot;
        one.priority = m.priority;
        one.phase = m.due > now ? phase::deferred : phase::queued;
        one.attempts = static_cast<std::uint16_t>(m.attempts);
        one.size = 1000;
        one.committed = m.queued;
        one.due = m.due;
        one.host = m.host;
        found.push_back(one);
      }
      controller_.messages_found(now, channel(c), key, 4096, in_file == 4096, found);
    }
    act();
  }

  /// A program of the channel reports that its target is stressed.
  void stressed(std::uint32_t c) {
    add(0ms, [this, c] {
      for (const auto& [number, p] : programs_)
        if (p.channel == c && p.connected)
          return controller_.worker_stressed(now, worker_no{number}, "overloaded");
    });
  }

  void at(milliseconds later, std::function<void()> what) { add(later, std::move(what)); }

  /// Lets time pass until nothing happens any more, or the time has come.
  void run(milliseconds most) {
    const time_point end = now + most;
    while (true) {
      time_point armed = controller_.next_deadline();
      if (armed != time_point::max()) armed = std::min(armed, told_ + 1s);  // as the server does
      const time_point next = std::min(events_.empty() ? time_point::max() : events_.top().at,
                                       armed == time_point::max() ? armed : std::max(armed, now + 1ms));
      if (next > end) {
        now = end;
        return;
      }
      now = std::max(now, next);
      if (!events_.empty() && events_.top().at <= now) {
        const event e = events_.top();
        events_.pop();
        happen(e);
      } else {
        controller_.clock(now);
      }
      told_ = now;
      act();
    }
  }
  bool run_until(milliseconds most, const std::function<bool()>& done) {
    for (const time_point end = now + most; now < end;) {
      if (done()) return true;
      run(std::min<milliseconds>(10ms, end - now));
    }
    return done();
  }

  /// The clock is set: what goes on in the programs goes on.
  void set_clock(milliseconds by) {
    std::vector<event> all;
    for (; !events_.empty(); events_.pop()) all.push_back(events_.top());
    for (event& e : all) {
      e.at += by;
      events_.push(std::move(e));
    }
    now += by;
    told_ = now;
    controller_.clock(now);
    act();
  }

  void check() const {
    const std::string broken = controller_.check_invariants();
    BOOST_TEST_REQUIRE(broken.empty(), broken);
  }
  std::uint32_t programs(std::uint32_t c) const {
    return static_cast<std::uint32_t>(std::count_if(programs_.begin(), programs_.end(),
                                                    [&](const auto& p) { return p.second.channel == c; }));
  }

 private:
  struct program {
    std::uint32_t channel = 0;
    job_no job{};
    std::uint32_t busy = 0;
    std::deque<std::uint32_t> waiting;
    bool stopping = false, connected = false;
    time_point idle_since{};
  };
  struct event {
    time_point at;
    std::uint64_t sequence;
    std::uint64_t program;  // an attempt of it ends; 0: `what`
    std::uint32_t message;
    jobctl::outcome outcome;
    time_point next;
    std::function<void()> what;
    bool operator<(const event& o) const { return std::tie(o.at, o.sequence) < std::tie(at, sequence); }
  };

  void set_time() { controller_.clock(now); }
  void add(milliseconds later, std::function<void()> what) {
    events_.push({now + later, ++sequence_, 0, 0, {}, {}, std::move(what)});
  }
  message_id id_of(std::uint32_t m) const {
    const auto file = std::prev(std::upper_bound(
        files_.begin(), files_.end(), m, [](std::uint32_t i, const auto& f) { return i < f.second; }));
    return {mta::queue::file_number{file->first}, 1, m - file->second};
  }
  std::uint32_t find(const message_id& id) const {
    return files_.at(static_cast<std::uint64_t>(id.file)) + id.slot;
  }

  void happen(const event& e) {
    if (e.program == 0) return e.what();
    const auto at = programs_.find(e.program);
    if (at == programs_.end()) return;
    program& p = at->second;
    --p.busy;
    p.idle_since = now;
    mail& m = mails[e.message];
    ++m.attempts;
    if (e.outcome == outcome::finished) {
      m.finished = now;
      ++finished;
    } else {
      ++failed;
    }
    const message_result r{id_of(e.message), e.outcome, e.next};
    controller_.results(now, worker_no{e.program}, std::span(&r, 1));
    if (!p.stopping) controller_.worker_asks(now, worker_no{e.program}, 1);
    begin(e.program, p);
    if (p.stopping && p.busy == 0) end(e.program);
  }

  void begin(std::uint64_t number, program& p) {
    for (; p.busy < threads && !p.waiting.empty(); p.waiting.pop_front()) {
      const std::uint32_t i = p.waiting.front();
      mails[i].begun = now;
      on_begin(mails[i]);
      const attempt a = deliver(mails[i]);
      ++p.busy;
      events_.push({now + a.takes, ++sequence_, number, i, a.outcome, a.next, {}});
    }
  }

  void act() {
    for (auto list = controller_.take_actions(); !list.empty(); list = controller_.take_actions())
      for (auto& a : list) std::visit([this](auto& x) { carry_out(x); }, a);
  }
  void carry_out(action::lease& l) {
    const auto at = programs_.find(static_cast<std::uint64_t>(l.worker));
    BOOST_TEST_REQUIRE((at != programs_.end()), "a lease for a program that is not there");
    for (const leased_message& m : l.messages) {
      const std::uint32_t i = find(m.id);
      mails[i].leased = now;
      at->second.waiting.push_back(i);
    }
    begin(at->first, at->second);
  }
  void carry_out(action::launch& l) {
    ++launches;
    std::uint32_t c = 0;
    while (channel(c) != l.channel) ++c;
    const std::uint64_t number = ++last_program_;
    programs_[number].channel = c;
    programs_[number].job = l.job;
    controller_.job_started(now, l.job, static_cast<std::int64_t>(number));
    add(startup, [this, number] {
      const auto at = programs_.find(number);
      if (at == programs_.end()) return;
      at->second.connected = true;
      at->second.idle_since = now;
      controller_.worker_connected(now, worker_no{number}, channel(at->second.channel), at->second.job,
                                   threads, {});
      controller_.worker_asks(now, worker_no{number}, threads * ahead);
      watch_idle(number);
    });
  }
  void watch_idle(std::uint64_t number) {
    add(10s, [this, number] {
      const auto at = programs_.find(number);
      if (at == programs_.end()) return;
      program& p = at->second;
      if (p.busy == 0 && p.waiting.empty() && now - p.idle_since >= idle_exit) {
        controller_.worker_stopping(now, worker_no{number});
        return end(number);
      }
      watch_idle(number);
    });
  }
  void carry_out(action::stop_worker& s) {
    const auto number = static_cast<std::uint64_t>(s.worker);
    const auto at = programs_.find(number);
    if (at == programs_.end()) return;
    program& p = at->second;
    p.stopping = true;
    for (const std::uint32_t i : std::exchange(p.waiting, {})) {
      const message_result r{id_of(i), outcome::released, {}};
      controller_.results(now, s.worker, std::span(&r, 1));
    }
    if (p.busy == 0) end(number);
  }
  void end(std::uint64_t number) {
    const job_no job = programs_.at(number).job;
    programs_.erase(number);
    controller_.worker_gone(now, worker_no{number});
    controller_.job_exited(now, job, true, "exited with status 0");
  }
  void carry_out(action::recycle& r) { controller_.recycled(now, r.file, true); }
  void carry_out(action::compact& c) {
    for (const std::uint32_t slot : c.slots)
      controller_.move_failed(now, {c.file.file, c.file.generation, slot});
  }
  void carry_out(action::write_state&) {}
  void carry_out(action::stop_ended& s) { stops_ended.push_back(s.order); }
  void carry_out(action::notice& n) { controller_.noticed(now, n.id, notice_outcome::done, n.step); }
  void carry_out(action::set_aside&) { BOOST_FAIL("nothing is damaged"); }
  void carry_out(action::report& r) { reports.push_back(r.text); }

  time_point told_ = now;  // the controller was told the time
  limits limits_;
  jobctl::controller controller_;
  std::priority_queue<event> events_;
  std::map<std::uint64_t, program> programs_;
  std::map<std::uint64_t, std::uint32_t> files_;  // its first message
  std::uint64_t sequence_ = 0, last_program_ = 0, last_file_ = 0;
};

}  // namespace sim
