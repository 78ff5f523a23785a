// Crash proof, part 1: every operation of the queue is interrupted by a power failure after every step, and
// what the disk may hold then is recovered. It must be the old or the new state; what was acknowledged must
// be there.
//
// Part 2: every call of the file interface fails once, with each error that it may give; nothing acknowledged
// is lost, nothing failed is acknowledged.
//
// CRASH_SEED=N repeats one run; JOBCTL_TEST_LONG=1 tries ten times as many states.
#include "effort.hpp"
#include "queue/store.hpp"
#include "queue/writer.hpp"
#include "simulated_disk.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <thread>

namespace {

namespace queue = mta::queue;
using queue::message_id;
using queue::message_state;
using queue::phase;

std::uint64_t states_checked = 0;

bool long_run() {
  const char* value = std::getenv("JOBCTL_TEST_LONG");
  return value != nullptr && *value == '1';
}
std::uint64_t first_seed() {
  const char* value = std::getenv("CRASH_SEED");
  return value != nullptr ? std::strtoull(value, nullptr, 10) : 0;
}

/// What must be true of the queue, whatever happens: by content, which is different for each message.
struct expectation {
  bool acknowledged = false;
  std::deque<message_state> possible{
      message_state{}};  // the last is the newest; a crash may leave any of them
};

struct world {
  test::simulated_disk disk;
  std::mutex mutex;
  std::map<std::string, expectation> messages;
  bool committing_or_failed = false;  // a record may be half there
  std::mt19937_64 random;
  std::uint64_t seed = 0;
  int states_per_step = 0;
  std::string scenario;
  bool broken = false;

  explicit world(std::uint64_t s) : random(s), seed(s) {}

  queue::store store() { return queue::store(disk, "/q/queue"); }

  [[noreturn]] void fail(const std::string& what) {
    throw std::runtime_error(what + " (scenario \"" + scenario +
                             "\"; replay: CRASH_SEED=" + std::to_string(seed) + " test_crash_states)");
  }

  /// Everything live on a disk, by content.
  std::map<std::string, message_state> recover(test::simulated_disk& d) {
    std::map<std::string, message_state> live;
    queue::store s(d, "/q/queue");
    const auto channels = s.channels();
    if (!channels) return live;
    for (const std::string& channel : *channels)
      for (const auto number : *s.files(channel)) {
        const auto f = s.open(channel, number);
        if (!f) fail("a file cannot be opened: " + f.error().message());
        const auto found = s.scan(**f, channel);
        if (!found) fail("a scan fails: " + found.error().message());
        if (!found->damaged.empty() && !committing_or_failed)
          fail("damage after operations that leave none, slot " + std::to_string(found->damaged[0]));
        for (const auto& m : found->messages) {
          const auto content = (*f)->read_content(m.entry);
          if (!content || !(*f)->read_envelope(m.entry)) {
            if (!committing_or_failed) fail("a damaged record: " + content.error().message());
            continue;  // set aside, never delivered
          }
          if (!live.emplace(*content, m.state).second) fail("a message is there twice");
        }
      }
    return live;
  }

  void check(test::simulated_disk& d) {
    ++states_checked;
    const auto live = recover(d);
    for (const auto& [content, state] : live) {
      const auto known = messages.find(content);
      if (known == messages.end()) fail("a message that nobody queued");
      const auto& possible = known->second.possible;
      if (std::ranges::find(possible, state) == possible.end())
        fail("a state that never was (phase " + std::to_string(static_cast<int>(state.phase)) +
             ", finished " + state.finished.to_string().substr(248) + "; newest expected: phase " +
             std::to_string(static_cast<int>(possible.back().phase)) + ", " +
             possible.back().finished.to_string().substr(248) + ")");
    }
    for (const auto& [content, expected] : messages) {
      if (!expected.acknowledged || live.contains(content)) continue;
      const auto may_be_gone = [](const message_state& s) { return !s.live(); };
      if (std::ranges::none_of(expected.possible, may_be_gone)) fail("an acknowledged message is lost");
    }
    for (const auto& [content, expected] : messages)
      if (live.contains(content) &&
          std::ranges::none_of(expected.possible, [](const auto& s) { return s.live(); }))
        fail("a finished message is back");
  }

  /// The power may fail here.
  void step() {
    const std::scoped_lock guard(mutex);
    for (int i = 0; i < states_per_step; ++i) {
      const int style = i < 2 ? i : 2 + i % 3;
      const auto left = disk.after_power_failure(random, style);
      check(*left);
      if (random() % 16 == 0) carry_on(*left);
    }
  }

  /// What was recovered is a queue like any other.
  void carry_on(test::simulated_disk& d) {
    const auto before = recover(d);
    const std::string content = "after the failure";
    if (!queue::store(d, "/q/queue").make_channel("l")) fail("no channel can be made after the failure");
    {
      queue::writer_options options;
      options.one_shot = true;
      queue::writer writer(d, "/q/queue", options);
      queue::envelope env;
      env.recipients.push_back({"p@b.example", {}, {}, 0, 0});
      queue::commit_request request;
      request.channel = "l";
      request.envelope = &env;
      request.content.memory = content;
      const auto done = writer.commit(request);
      if (!done) fail("nothing can be queued after the failure: " + done.error().message());
    }
    auto after = recover(d);
    if (after.erase(content) != 1) fail("what was queued after the failure is not there");
    if (after != before) fail("queueing after the failure changes other messages");
  }

  void watch(int per_step) {
    states_per_step = per_step;
    disk.set_observer([this] { step(); });
  }

  // --- operations, with the expectation kept
  // ----------------------------------------------------------------------

  std::optional<queue::committed> commit(queue::writer& writer, const std::string& content,
                                         int recipients = 1, queue::file* spilled = nullptr) {
    {
      const std::scoped_lock guard(mutex);
      messages[content];
      committing_or_failed = true;
    }
    queue::envelope env;
    env.from = "s@a.example";
    for (int i = 0; i < recipients; ++i)
      env.recipients.push_back({std::to_string(i) + "@b.example", {}, {}, 0, 0});
    queue::commit_request request;
    request.channel = "l";
    request.envelope = &env;
    request.host = "b.example";
    if (spilled != nullptr) {
      request.content.spilled = spilled;
      request.content.length = content.size();
    } else {
      request.content.memory = content;
    }
    const auto done = writer.commit(request);
    if (!done) return {};
    const std::scoped_lock guard(mutex);
    messages[content].acknowledged = true;
    return *done;
  }

  /// A new state, as a channel program or the controller makes one. false: it failed.
  template <class Change>
  bool change(queue::message_file& f, std::uint32_t slot, const std::string& content, Change how) {
    const auto locked = f.try_lock(slot);
    if (!locked || !*locked) return false;
    auto message = f.read_entry(slot);
    if (message) {
      const message_state before = message->state;
      how(message->state);
      {
        const std::scoped_lock guard(mutex);
        messages[content].possible.push_back(message->state);
      }
      const auto changed = f.change_state(slot, message->state);
      (void)f.unlock(slot);
      if (!changed) {
        const std::scoped_lock guard(mutex);
        messages[content].possible.push_back(before);
      }
      return bool(changed);
    }
    (void)f.unlock(slot);
    return false;
  }

  /// New states of several messages at a time, as an operator's order makes them.
  template <class Change>
  void change_all(queue::message_file& f, const std::vector<message_id>& ids,
                  const std::vector<std::string>& contents, Change how) {
    std::vector<queue::message_file::new_state> states;
    std::vector<message_state> before;
    for (const message_id& id : ids) {
      const auto message = f.read_entry(id.slot);
      if (!message) return;
      before.push_back(message->state);
      states.push_back({id.slot, message->state});
      how(states.back().state);
    }
    {
      const std::scoped_lock guard(mutex);
      for (std::size_t i = 0; i < ids.size(); ++i) messages[contents[i]].possible.push_back(states[i].state);
    }
    if (f.change_states(states)) return;
    const std::scoped_lock guard(mutex);
    for (std::size_t i = 0; i < ids.size(); ++i) messages[contents[i]].possible.push_back(before[i]);
  }

  /// After a flush only the newest state is left.
  bool flush(queue::message_file& f, const std::vector<std::string>& contents) {
    if (!f.flush()) return false;
    const std::scoped_lock guard(mutex);
    for (const auto& content : contents) {
      auto& possible = messages[content].possible;
      possible.erase(possible.begin(), possible.end() - 1);
    }
    return true;
  }
};

queue::writer_options one_shot() {
  queue::writer_options o;
  o.one_shot = true;
  return o;
}

std::string text(world& w, const std::string& name) {
  return name + ' ' + std::string(w.random() % 3000, static_cast<char>('a' + w.random() % 26));
}

// --- scenarios: each runs to its end whatever fails
// ------------------------------------------------------------------

void committing(world& w) {
  auto store = w.store();
  (void)store.make_channel("l");
  for (int program = 0; program < 2; ++program) {
    queue::writer writer(w.disk, store.root(), one_shot());
    for (int i = 0; i < 4; ++i)
      w.commit(writer, text(w, "message " + std::to_string(program) + "." + std::to_string(i)),
               i == 2 ? 256 : 1);
  }
  const std::string large = text(w, "large") + std::string(600'000, 'L');
  auto spill = w.disk.open("/q/spill", queue::open_mode::create_new);
  if (!spill || !(*spill)->write(0, std::as_bytes(std::span(large)))) return;
  queue::writer writer(w.disk, store.root(), one_shot());
  w.commit(writer, large, 1, spill->get());
  w.commit(writer, text(w, "after the large one"));
}

void committing_together(world& w) {
  auto store = w.store();
  (void)store.make_channel("l");
  queue::writer writer(w.disk, store.root());
  std::vector<std::string> texts;
  for (int i = 0; i < 40; ++i) texts.push_back(text(w, "message " + std::to_string(i)));
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> threads;
  std::exception_ptr failure;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      try {
        for (std::size_t i = next++; i < texts.size(); i = next++) w.commit(writer, texts[i]);
      } catch (...) {
        const std::scoped_lock guard(w.mutex);
        failure = std::current_exception();
      }
    });
  for (auto& t : threads) t.join();
  if (failure) std::rethrow_exception(failure);
}

void changing(world& w) {
  auto store = w.store();
  (void)store.make_channel("l");
  std::vector<std::string> contents;
  std::vector<message_id> ids;
  {
    queue::writer writer(w.disk, store.root(), one_shot());
    for (int i = 0; i < 3; ++i) {
      contents.push_back(text(w, "message " + std::to_string(i)));
      const auto done = w.commit(writer, contents.back(), 5);
      if (!done) return;
      ids.push_back(done->id);
    }
  }
  w.committing_or_failed = false;
  auto f = store.open("l", ids[0].file);
  if (!f) return;
  for (int round = 0; round < 12; ++round) {
    const auto i = w.random() % ids.size();
    w.change(**f, ids[i].slot, contents[i], [&](message_state& s) {
      s.phase = round % 4 == 3 ? phase::held : phase::deferred;
      s.hold_ends = false;
      ++s.attempts;
      s.finished.set(w.random() % 5);
      s.next_attempt += std::chrono::hours(1);
    });
    switch (w.random() % 4) {
      case 0: w.flush(**f, contents); break;
      case 1:  // another process goes on
        f = store.open("l", ids[0].file);
        if (!f) return;
        break;
      case 2:
        w.change_all(**f, ids, contents, [&](message_state& s) {
          s.phase = phase::held;
          s.hold_ends = round % 2 == 0;
          ++s.attempts;
        });
        break;
      default: break;
    }
  }
  for (std::size_t i = 0; i < ids.size(); ++i)
    w.change(**f, ids[i].slot, contents[i], [](message_state& s) {
      s.phase = phase::finished;
      s.hold_ends = false;
    });
  w.flush(**f, contents);
}

void reusing(world& w) {
  auto store = w.store();
  (void)store.make_channel("l");
  for (int round = 0; round < 3; ++round) {
    std::vector<std::string> contents;
    std::vector<message_id> ids;
    {
      queue::writer writer(w.disk, store.root(), one_shot());
      for (int i = 0; i < 3; ++i) {
        contents.push_back(text(w, "round " + std::to_string(round) + " message " + std::to_string(i)));
        const auto done = w.commit(writer, contents.back());
        if (!done) return;
        ids.push_back(done->id);
      }
    }
    {
      auto f = store.open("l", ids[0].file);
      if (!f) return;
      for (std::size_t i = 0; i < ids.size(); ++i)
        if (!w.change(**f, ids[i].slot, contents[i], [](message_state& s) { s.phase = phase::finished; }))
          return;
    }
    const auto recycled = store.recycle("l", ids[0].file, ids[0].generation, round == 2 ? 0 : 4);
    if (!recycled) {  // the file may seem to be reset, and still be named as one with room
      queue::writer writer(w.disk, store.root(), one_shot());
      w.commit(writer, text(w, "after a reset that failed"));
      return;
    }
    const std::scoped_lock guard(w.mutex);
    for (const auto& content : contents) {
      auto& possible = w.messages[content].possible;
      possible.erase(possible.begin(), possible.end() - 1);
    }
  }
}

void moving(world& w) {
  auto store = w.store();
  (void)store.make_channel("l");
  const std::string survivor = text(w, "survivor"), other = text(w, "other");
  std::optional<queue::committed> from, gone;
  {
    queue::writer writer(w.disk, store.root(), one_shot());
    from = w.commit(writer, survivor, 3);
    gone = w.commit(writer, other);
  }
  if (!from || !gone) return;
  auto f = store.open("l", from->id.file);
  if (!f) return;
  w.change(**f, from->id.slot, survivor, [](message_state& s) {
    s.phase = phase::deferred;
    s.finished.set(1);
  });
  if (!w.flush(**f, {survivor})) return;
  w.change(**f, gone->id.slot, other, [](message_state& s) { s.phase = phase::finished; });
  message_id to;
  {
    // Somebody has the old file open for appending, so the copy goes to another one.
    auto lock = store.open("l", from->id.file);
    if (!lock) return;
    const auto locked = (*lock)->raw().try_lock(1ull << 40, 1);
    if (!locked || !*locked) return;
    queue::writer writer(w.disk, store.root(), one_shot());
    const auto moved = store.move(**f, "l", from->id.slot, writer);
    if (!moved) {
      // Where the original still counts it is delivered, and its file reused: the copy must not come to life.
      f = store.open("l", from->id.file);
      const auto original =
          f ? (*f)->read_entry(from->id.slot) : mta::result<queue::listed_message>(f.error());
      if (!original || !original->state.live() ||
          !w.change(**f, from->id.slot, survivor, [](message_state& s) { s.phase = phase::finished; }) ||
          !w.flush(**f, {survivor}))
        return;
      (void)(*lock)->raw().unlock(1ull << 40, 1);
      (void)store.recycle("l", from->id.file, from->id.generation, 4);
      return;
    }
    to = moved->id;
  }
  f = mta::result<std::shared_ptr<queue::message_file>>(std::shared_ptr<queue::message_file>{});
  (void)store.recycle("l", from->id.file, from->id.generation, 4);
  auto target = store.open("l", to.file);
  if (!target) return;
  w.change(**target, to.slot, survivor, [](message_state& s) { s.finished.set(2); });
  w.flush(**target, {survivor});
  w.change(**target, to.slot, survivor, [](message_state& s) { s.phase = phase::finished; });
  w.flush(**target, {survivor});
}

void setting_aside(world& w) {
  auto store = w.store();
  (void)store.make_channel("l");
  std::vector<queue::committed> done;
  std::vector<std::string> contents;
  {
    queue::writer writer(w.disk, store.root(), one_shot());
    for (int i = 0; i < 3; ++i) {
      contents.push_back(text(w, "message " + std::to_string(i)));
      const auto one = w.commit(writer, contents.back());
      if (!one) return;
      done.push_back(*one);
    }
  }
  auto f = store.open("l", done[0].id.file);
  if (!f) return;
  const std::string junk = "junk";
  {
    const std::scoped_lock guard(w.mutex);
    w.messages[contents[1]].acknowledged = false;  // the disk loses it; that is not what is tested
  }
  if (!(*f)->raw().write(done[1].entry.record_offset + 66, std::as_bytes(std::span(junk)))) return;
  (void)store.set_aside(**f, "l", done[1].id.slot, queue::reason::damaged_record, "for the test");
}

struct scenario {
  const char* name;
  void (*run)(world&);
};
constexpr scenario scenarios[] = {{"committing", committing}, {"committing together", committing_together},
                                  {"changing", changing},     {"reusing", reusing},
                                  {"moving", moving},         {"setting aside", setting_aside}};

struct possible_error {
  const char* kind;
  int number;
  double done_before;
};
constexpr possible_error possible_errors[] = {{"open", EMFILE, 0},
                                              {"open", EACCES, 0},
                                              {"open", ENOSPC, 0},
                                              {"write", EIO, 0},
                                              {"write", EIO, 0.5},
                                              {"write", ENOSPC, 0},
                                              {"write", ENOSPC, .5},
                                              {"write", EDQUOT, 0},
                                              {"flush", EIO, 0},
                                              {"flush", ENOSPC, 0},
                                              {"read", EIO, 0},
                                              {"rename", EIO, 0},
                                              {"rename", ENOSPC, 0},
                                              {"remove", EIO, 0},
                                              {"list", EIO, 0},
                                              {"lock", ENOLCK, 0},
                                              {"unlock", ENOLCK, 0},
                                              {"test lock", EIO, 0},
                                              {"flush_directory", EIO, 0},
                                              {"size", EIO, 0},
                                              {"truncate", EIO, 0},
                                              {"free_space", EIO, 0},
                                              {"make_directory", ENOSPC, 0}};

}  // namespace

BOOST_AUTO_TEST_CASE(every_state_that_a_power_failure_may_leave_recovers_to_the_old_or_the_new_one) {
  const std::uint64_t rounds = std::max(1u, (long_run() ? 40 : 4) / test::effort_divisor);
  const std::uint64_t from = first_seed(), to = std::getenv("CRASH_SEED") != nullptr ? from + 1 : rounds;
  for (const scenario& s : scenarios) {
    const std::uint64_t before = states_checked;
    for (std::uint64_t seed = from; seed < to; ++seed) {
      world w(seed);
      w.scenario = s.name;
      w.watch(24);
      try {
        s.run(w);
        w.step();
      } catch (const std::exception& e) {
        BOOST_FAIL(e.what());
      }
    }
    BOOST_TEST_MESSAGE(s.name << ": " << states_checked - before << " states");
    BOOST_TEST(states_checked > before);
  }
  std::cout << states_checked << " crash states checked\n";
  if (std::getenv("CRASH_SEED") == nullptr) BOOST_TEST(states_checked >= 20'000u / test::effort_divisor);
}

BOOST_AUTO_TEST_CASE(every_call_that_fails_once_loses_nothing_and_acknowledges_nothing_falsely) {
  std::uint64_t runs = 0;
  for (const scenario& s : scenarios) {
    // How many calls there are, and of which kinds.
    std::vector<std::string> kinds;
    {
      world w(first_seed());
      w.scenario = s.name;
      w.disk.set_fault([&](std::uint64_t, const char* kind) -> std::optional<test::simulated_disk::failure> {
        kinds.emplace_back(kind);
        return {};
      });
      s.run(w);
    }
    for (std::uint64_t call = 0; call < kinds.size(); call += test::effort_divisor)
      for (const possible_error& e : possible_errors) {
        if (kinds[call] != e.kind) continue;
        // What a failed flush leaves is a matter of luck.
        const int attempts = kinds[call] == "flush" ? 8 : 1;
        for (int luck = 1; luck <= attempts; ++luck) {
          world w(first_seed());
          w.disk.set_luck(static_cast<std::uint64_t>(luck));
          w.scenario = std::string(s.name) + ", call " + std::to_string(call) + " (" + e.kind +
                       ") fails with error " + std::to_string(e.number);
          w.disk.set_fault(
              [&](std::uint64_t n, const char* kind) -> std::optional<test::simulated_disk::failure> {
                if (n != call) return {};
                return test::simulated_disk::failure{mta::os_error(kind, e.number), e.done_before};
              });
          ++runs;
          try {
            s.run(w);
            w.disk.set_fault({});
            w.committing_or_failed = true;
            w.check(w.disk);  // as it is seen by those who go on
            w.states_per_step = 8;
            w.step();  // and if the power fails on top of it
          } catch (const std::exception& failure) {
            BOOST_FAIL(failure.what());
          }
        }
      }
  }
  std::cout << runs << " failing calls tried\n";
  BOOST_TEST(runs > 500u / test::effort_divisor);
}
