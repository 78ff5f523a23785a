// Maintenance that the controller orders only after a while: with a controller whose clock is the test's.
#include "jobctl/server/upkeep.hpp"

#include "site_fixture.hpp"

using namespace test;

namespace {

struct upkeep_fixture {
  static jobctl::limits limits() {
    jobctl::limits l;
    l.pools.push_back({"DEFAULT", 10});
    jobctl::channel_limits c;
    c.name = "x";
    c.has_program = false;
    for (auto& b : c.backoff) b = {std::chrono::hours(1)};
    l.channels.push_back(c);
    return l;
  }

  queue::committed commit() {
    queue::envelope e;
    e.recipients.push_back({"to@example.org", "", "", 0, 0});
    queue::commit_request r;
    r.channel = "x";
    r.envelope = &e;
    r.host = "example.org";
    r.now = now;
    r.content.memory = content;
    r.content.length = content.size();
    return writer->commit(r).value();
  }
  void set_state(const queue::message_id& id, queue::phase p) {
    const auto f = store.open("x", id.file).value();
    auto state = f->read_entry(id.slot).value().state;
    state.phase = p;
    if (p == queue::phase::deferred) state.next_attempt = now + std::chrono::hours(1);
    BOOST_REQUIRE(f->change_state(id.slot, state));
  }
  template <class Condition>
  void until(Condition happened, const char* what) {
    const auto late = std::make_shared<bool>(false);
    asio::steady_timer limit(io, std::chrono::seconds(30));
    limit.async_wait([late](const boost::system::error_code& cancelled) { *late = !cancelled; });
    while (!happened()) {
      io.run_one();
      BOOST_REQUIRE_MESSAGE(!*late, "waited in vain for: " << what);
    }
  }
  // Carries out what the controller wants of the queue; true if that was anything.
  bool carry_out() {
    bool any = false;
    for (const auto& a : core.take_actions()) {
      if (const auto* m = std::get_if<jobctl::action::compact>(&a)) upkeep.carry_out(*m), any = true;
      if (const auto* m = std::get_if<jobctl::action::recycle>(&a)) upkeep.carry_out(*m), any = true;
    }
    return any;
  }

  temporary_directory directory;
  std::string content = "Subject: x\r\n\r\n" + std::string(500, 'y') + "\r\n";
  jobctl::time_point now = jobctl::server::now();
  asio::io_context io;
  queue::store store{queue::real_file_io(), directory.path()};
  std::unique_ptr<queue::writer> writer = std::make_unique<queue::writer>(
      queue::real_file_io(), directory.path(), queue::writer_options{0, true});
  jobctl::controller core{limits()};
  jobctl::server_counters counters;
  jobctl::work_pool pool{2};
  std::vector<jobctl::file_key> named;
  bool indexed = true;
  jobctl::upkeep upkeep{{io, pool, store, queue::real_file_io(), core, counters,
                         [] { return std::size_t{1}; }, [] { return std::uint64_t{0}; }, [](auto, auto) {},
                         [](auto, auto) {}, [this](auto, const jobctl::file_key& k) { named.push_back(k); },
                         [this] { return indexed; }, [this] { carry_out(); }}};

  ~upkeep_fixture() { pool.stop(); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(maintenance, upkeep_fixture)

BOOST_AUTO_TEST_CASE(survivors_of_a_mostly_finished_file_are_moved_and_the_file_is_recycled) {
  const auto channel = core.channel("x");
  std::vector<queue::message_id> ids;
  std::vector<jobctl::new_message> found;
  for (std::uint32_t i = 0; i < 64; ++i) {
    ids.push_back(commit().id);
    BOOST_REQUIRE((ids.back().key() == ids.front().key()));
    jobctl::new_message m;
    m.slot = ids.back().slot;
    m.committed = now;
    found.push_back(m);
  }
  writer.reset();
  core.messages_found(now, channel, ids[0].key(), 64, true, found);
  core.worker_connected(now, jobctl::worker_no{1}, channel, jobctl::job_no{}, 10, {});
  core.worker_asks(now, jobctl::worker_no{1}, 64);
  core.take_actions();
  std::vector<jobctl::message_result> results;
  for (const auto& id : ids) {
    const bool survives = id.slot == 10;
    set_state(id, survives ? queue::phase::deferred : queue::phase::finished);
    results.push_back(
        {id, survives ? jobctl::outcome::deferred : jobctl::outcome::finished, now + std::chrono::hours(1)});
  }
  core.results(now, jobctl::worker_no{1}, results);
  for (int minutes = 1; minutes < 5 && counters.messages_moved == 0; ++minutes) {
    core.clock(now + std::chrono::seconds(61 * minutes));
    if (carry_out()) until([&] { return counters.messages_moved == 1; }, "the move");
  }
  BOOST_REQUIRE(counters.messages_moved == 1u);
  until([&] { return counters.files_reset + counters.files_removed == 1; }, "the old file to be recycled");

  BOOST_TEST(core.message_count() == 1u);
  BOOST_REQUIRE(named.size() == 1u);
  const auto f = store.open("x", named[0].file).value();
  const auto copy = store.scan(*f, "x").value();
  BOOST_REQUIRE(copy.messages.size() == 1u);
  BOOST_TEST((copy.messages[0].entry.moved_from == ids[10]));
  BOOST_TEST(f->read_content(copy.messages[0].entry).value() == content);
  jobctl::listed listed;
  BOOST_TEST(core.find(f->id(copy.messages[0].entry.slot), listed));
}

BOOST_AUTO_TEST_CASE(flush_all_tells_when_everything_is_flushed) {
  const auto channel = core.channel("x");
  const auto id = commit().id;
  upkeep.changed(channel, id.key());
  bool done = false;
  upkeep.flush_all([&] { done = true; });
  BOOST_TEST(!done);
  until([&] { return done; }, "the flush");
  BOOST_TEST(counters.flushes == 1u);
  BOOST_TEST(counters.io_errors == 0u);
}

BOOST_AUTO_TEST_CASE(what_programs_changed_is_flushed_although_the_file_cannot_be_recycled) {
  const auto channel = core.channel("x");
  const auto id = commit().id;  // and the writer keeps the file
  set_state(id, queue::phase::finished);
  upkeep.changed(channel, id.key());
  upkeep.carry_out(jobctl::action::recycle{channel, id.key()});
  bool done = false;
  upkeep.flush_all([&] { done = true; });
  until([&] { return done; }, "the flush");
  BOOST_TEST(counters.files_reset + counters.files_removed == 0u);
  BOOST_TEST(counters.flushes == 1u);
}

BOOST_AUTO_TEST_CASE(no_file_is_recycled_before_all_files_have_been_read) {
  const auto channel = core.channel("x");
  const auto id = commit().id;
  writer.reset();
  set_state(id, queue::phase::finished);
  core.messages_found(now, channel, id.key(), 64, true, {});
  indexed = false;
  BOOST_REQUIRE(carry_out());
  bool done = false;
  upkeep.flush_all([&] { done = true; });
  until([&] { return done; }, "whatever was begun");
  pool.submit(static_cast<std::uint64_t>(id.file), [&] { asio::post(io, [&] { done = false; }); });
  until([&] { return !done; }, "the file's work");
  BOOST_TEST(counters.files_reset + counters.files_removed == 0u);
  // It is offered again later.
  indexed = true;
  core.clock(now + std::chrono::seconds(10));
  BOOST_REQUIRE(carry_out());
  until([&] { return counters.files_reset == 1; }, "the file to be recycled");
}

BOOST_AUTO_TEST_CASE(a_file_that_is_gone_needs_no_flush) {
  const auto channel = core.channel("x");
  upkeep.changed(channel, {queue::new_file_number(), 1});
  bool done = false;
  upkeep.flush_all([&] { done = true; });
  until([&] { return done; }, "the flush");
  BOOST_TEST(counters.io_errors == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
