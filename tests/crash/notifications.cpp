// Crash proof of what a finish with a notification does: the power fails after every step, and every call of
// the file interface fails once. Whatever is then on the disk, each recipient that failed is either still to
// be tried or his sender is notified: nothing is lost. And nobody is notified twice unless the failure fell
// into the window between the commit of the notification and the state of the original being on the disk.
//
// CRASH_SEED=N repeats one run; JOBCTL_TEST_LONG=1 tries ten times as many states.
#include "dequeue/claims.hpp"
#include "dequeue/context.hpp"
#include "effort.hpp"
#include "queue/store.hpp"
#include "simulated_disk.hpp"

#include <mta/dequeue.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <map>
#include <set>

namespace {

namespace queue = mta::queue;
namespace enqueue = mta::enqueue;
using mta::disposition;

std::uint64_t states_checked = 0;

bool long_run() {
  const char* value = std::getenv("JOBCTL_TEST_LONG");
  return value != nullptr && *value == '1';
}

std::shared_ptr<const mta::config::settings> site() {
  static const auto settings = [] {
    const auto parsed = mta::config::parse(
        "[jobctl]\nroot = /q/site\nhost = mta.example\nbuiltin = no\n[queue]\nreserve = 0\n[channel "
        "x]\n[channel "
        "back]\n"
        "[routes]\nx.example = x\nsender.example = back\n",
        "/q/site/jobctl.conf");
    return std::make_shared<const mta::config::settings>(parsed.value());
  }();
  return settings;
}

mta::result<std::unique_ptr<enqueue::enqueuer>> open_enqueuer(test::simulated_disk& disk) {
  enqueue::enqueuer_options o;
  o.one_shot = true;
  o.announce = [](std::string_view, const queue::committed&) {};
  return enqueue::enqueuer::open(site(), o, disk);
}

constexpr int messages = 3;
std::string recipient(int message, int n) {
  return "user" + std::to_string(message) + std::to_string(n) + "@x.example";
}

/// What is on a disk, by recipient.
struct found {
  std::set<std::string> waiting;        // not finished, in a live message
  std::map<std::string, int> notified;  // times
};

struct run {
  test::simulated_disk disk;
  std::mt19937_64 random;
  std::string replay;
  std::set<std::string> told;  // finish() said that it is finished, and the state was flushed
  std::set<std::string> delivered;

  explicit run(std::uint64_t seed)
      : random(seed), replay("replay: CRASH_SEED=" + std::to_string(seed) + " test_crash_notifications") {}
  [[noreturn]] void fail(const std::string& what) const { throw std::runtime_error(what + "; " + replay); }

  void submit_all() {
    auto e = open_enqueuer(disk).value();
    for (int m = 0; m < messages; ++m) {
      auto s = e->start("ann@sender.example").value();
      for (int n = 0; n < 3; ++n) s.add_recipient(recipient(m, n)).value();
      s.write("Subject: hello\n\n" + std::string(random() % 2000, 'x') + "\n").value();
      s.commit().value();
    }
  }

  found look(test::simulated_disk& d) const {
    found all;
    queue::store store(d, "/q/site/queue");
    for (const char* channel : {"x", "back"}) {
      const auto files = store.files(channel);
      if (!files) continue;  // not made yet
      for (const auto number : *files) {
        const auto f = store.open(channel, number);
        if (!f) fail("a file cannot be opened: " + f.error().message());
        const auto scanned = store.scan(**f, channel);
        if (!scanned) fail("a scan fails: " + scanned.error().message());
        for (const auto& m : scanned->messages) {
          const auto envelope = (*f)->read_envelope(m.entry);
          const auto content = (*f)->read_content(m.entry);
          if (!envelope || !content) continue;  // a commit that was not finished: never acknowledged
          if (std::string_view(channel) == "x") {
            for (std::size_t i = 0; i < envelope->recipients.size(); ++i)
              if (!m.state.finished.test(i)) all.waiting.insert(envelope->recipients[i].address);
          } else {
            for (int k = 0; k < messages; ++k)
              for (int n = 0; n < 3; ++n)
                if (content->find("Final-Recipient: rfc822; " + recipient(k, n)) != std::string::npos)
                  ++all.notified[recipient(k, n)];
          }
        }
      }
    }
    return all;
  }

  /// Of each message the first recipient fails, the second is delivered, the third fails too. What cannot be
  /// done is left: the disk may fail.
  void process_all(test::simulated_disk& d, bool note) {
    queue::store store(d, "/q/site/queue");
    mta::dequeueing::claims claims(store, "x");
    mta::dequeueing::notifier notifier([&d] { return open_enqueuer(d); });
    const auto files = store.files("x");
    if (!files) return;
    for (const auto number : *files) {
      const auto f = store.open("x", number);
      if (!f) continue;
      const auto scanned = store.scan(**f, "x");
      if (!scanned) continue;
      for (const auto& m : scanned->messages) {
        std::vector<mta::dequeueing::claimed> ours;
        std::vector<mta::wire::message_result> not_ours;
        const mta::wire::leased_message lease{(*f)->id(m.entry.slot), 0, queue::priority::normal};
        claims.claim(std::span(&lease, 1), ours, not_ours);
        if (ours.empty()) continue;
        auto context =
            mta::dequeueing::context::open(std::move(ours[0]), notifier, *site()->find_channel("x"), 1);
        if (!context) continue;
        mta::message in_hand(**context);
        std::vector<std::string> failed;
        for (const mta::recipient& to : in_hand.recipients()) {
          const bool good = to.address.find("1@") != std::string_view::npos;
          in_hand.dispose(to, good ? disposition::delivered : disposition::failed, "550 5.1.1 no");
          if (good) {
            if (note) delivered.insert(std::string(to.address));
          } else {
            failed.emplace_back(to.address);
          }
        }
        const bool done =
            in_hand.finish().has_value() && (*context)->outcome().outcome == mta::wire::outcome::finished;
        if (done && note && (*f)->flush()) told.insert(failed.begin(), failed.end());
      }
    }
  }

  void check(const found& now, int most, const std::string& when) const {
    for (int m = 0; m < messages; ++m)
      for (int n = 0; n < 3; ++n) {
        const std::string who = recipient(m, n);
        const auto at = now.notified.find(who);
        const int times = at == now.notified.end() ? 0 : at->second;
        const bool waits = now.waiting.contains(who);
        if (n == 1) {
          if (times != 0) fail(when + ": a delivery is reported as failed: " + who);
          if (!waits && !delivered.contains(who)) fail(when + ": lost: " + who);
          continue;
        }
        if (!waits && times == 0) fail(when + ": neither to be tried nor notified: " + who);
        if (times > most) fail(when + ": notified " + std::to_string(times) + " times: " + who);
        if (told.contains(who) && (waits || times != 1))
          fail(when + ": was finished on the disk, and is to be tried again, or notified not once: " + who);
      }
  }

  void power_failures(int count) {
    for (int i = 0; i < count; ++i) {
      const auto left = disk.after_power_failure(random, i < 2 ? i : 2 + i % 3);
      ++states_checked;
      check(look(*left), 1, "after a power failure");
      if (random() % 4 != 0) continue;
      // Those who go on try again what waits: at worst that is the one repetition.
      run next(random());
      next.replay = replay;
      next.process_all(*left, false);
      const found after = look(*left);
      if (!after.waiting.empty())
        fail("what was left by a power failure cannot be finished: " + *after.waiting.begin());
      run judge(0);
      judge.replay = replay;
      judge.told = told;
      for (int m = 0; m < messages; ++m) judge.delivered.insert(recipient(m, 1));
      judge.check(after, 2, "after a power failure and another attempt");
    }
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(
    a_power_failure_at_any_step_of_a_finish_loses_no_notification_and_repeats_it_at_most_once) {
  const char* replayed = std::getenv("CRASH_SEED");
  const std::uint64_t from = replayed != nullptr ? std::strtoull(replayed, nullptr, 10) : 0;
  const std::uint64_t count =
      replayed != nullptr ? 1 : std::max(1u, (long_run() ? 60 : 6) / test::effort_divisor);
  for (std::uint64_t seed = from; seed < from + count; ++seed) {
    run r(seed);
    r.submit_all();
    r.disk.set_observer([&r] { r.power_failures(8); });
    try {
      r.process_all(r.disk, true);
      r.disk.set_observer({});
      r.power_failures(50);
      BOOST_TEST(r.told.size() == 2u * messages);
    } catch (const std::exception& e) {
      BOOST_FAIL(e.what());
    }
  }
  std::cout << states_checked << " crash states checked\n";
  BOOST_TEST(states_checked > 500u / test::effort_divisor);
}

BOOST_AUTO_TEST_CASE(a_call_that_fails_once_during_a_finish_loses_no_notification) {
  std::vector<std::string> kinds;
  {
    run r(0);
    r.submit_all();
    r.disk.set_fault([&](std::uint64_t, const char* kind) -> std::optional<test::simulated_disk::failure> {
      kinds.emplace_back(kind);
      return {};
    });
    r.process_all(r.disk, true);
  }
  BOOST_TEST(kinds.size() > 30u);
  std::uint64_t runs = 0, finished = 0;
  for (std::uint64_t call = 0; call < kinds.size(); call += test::effort_divisor)
    for (const int number : {EIO, ENOSPC})
      for (const double done_before : {0.0, 0.5}) {
        run r(call);
        r.submit_all();
        std::uint64_t n = 0;
        r.disk.set_fault(
            [&](std::uint64_t, const char* kind) -> std::optional<test::simulated_disk::failure> {
              if (n++ != call) return {};
              return test::simulated_disk::failure{mta::os_error(kind, number), done_before};
            });
        r.replay = "call " + std::to_string(call) + " (" + kinds[call] + ") fails with error " +
                   std::to_string(number);
        try {
          r.process_all(r.disk, true);
          r.disk.set_fault({});
          // A failed write of the state repeats a notification when somebody tries again: the window.
          r.check(r.look(r.disk), 1, "after a failure");
          r.told.clear();
          r.process_all(r.disk, false);
          for (int m = 0; m < messages; ++m) r.delivered.insert(recipient(m, 1));
          r.check(r.look(r.disk), 2, "after another attempt");
          finished += r.look(r.disk).waiting.empty() ? 1 : 0;
          ++runs;
        } catch (const std::exception& e) {
          BOOST_FAIL(e.what());
        }
      }
  std::cout << runs << " failing calls tried\n";
  BOOST_TEST(finished * 10 >= runs * 8);
}
