// The queue directories and the index: what appears, vanishes, is damaged, is finished with.
#include "queue/append_hint.hpp"
#include "queue/format.hpp"
#include "site_fixture.hpp"

#include <fcntl.h>
#include <unistd.h>

using namespace test;

namespace {

struct queue_fixture : site_fixture {
  queue_fixture() { until_indexed(); }

  std::string file_of(const queue::message_id& id) { return server->store().path("x", id.file); }

  // Takes and finishes every message of the channel; returns when the controller knows.
  void finish(const std::vector<queue::message_id>& ids) {
    auto& p = channel_program();
    p.send(wire::ask{static_cast<std::uint32_t>(ids.size())});
    std::size_t seen = 0;
    while (seen < ids.size()) {
      for (const auto& id : leased(p)) {
        write_state(id, queue::phase::finished);
        report(p, id, wire::outcome::finished);
        ++seen;
      }
    }
    settle(p);
  }
  std::vector<queue::message_id> announce(int count) {
    std::vector<queue::message_id> ids;
    auto& e = enqueuer();
    for (int i = 0; i < count; ++i) {
      ids.push_back(commit());
      auto q = announcement(ids.back());
      q.complete = ids.back().slot == 63;
      e.send(q);
    }
    settle(e);
    return ids;
  }
  void damage(const std::string& path, std::uint64_t offset) {
    const int f = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    BOOST_REQUIRE(f >= 0);
    const char wrong[8] = {'d', 'a', 'm', 'a', 'g', 'e', 'd', '!'};
    BOOST_REQUIRE(::pwrite(f, wrong, sizeof wrong, static_cast<off_t>(offset)) == sizeof wrong);
    ::close(f);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(queue_directories, queue_fixture)

BOOST_AUTO_TEST_CASE(a_message_that_nobody_announced_is_found_by_comparing) {
  const auto id = commit();
  server->sync();
  auto& p = channel_program();
  p.send(wire::ask{1});
  BOOST_TEST((leased(p) == std::vector{id}));
}

BOOST_AUTO_TEST_CASE(a_known_file_that_has_grown_is_read_again) {
  announce(1);
  const auto unannounced = commit();
  server->sync();
  until([&] { return figures().ready == 2; }, "the second message");
  jobctl::listed found;
  BOOST_TEST(server->state().find(unannounced, found));
}

BOOST_AUTO_TEST_CASE(a_message_committed_after_a_later_one_of_a_full_file_is_found) {
  std::vector<queue::message_id> ids;
  for (int i = 0; i < 64; ++i) ids.push_back(commit());  // the writer keeps the file
  const auto f = server->store().open("x", ids[0].file).value();
  std::array<std::byte, queue::format::entry_size> entry{};
  const std::array<std::byte, queue::format::entry_size> nothing{};
  const auto at = queue::format::entry_offset(ids[10].slot);
  BOOST_REQUIRE(f->raw().read(at, entry).value() == entry.size());
  BOOST_REQUIRE(f->raw().write(at, nothing));  // its commit is still under way
  server->sync();
  until([&] { return figures().ready == 63; }, "the other messages");
  BOOST_REQUIRE(f->raw().write(at, entry));
  writer.reset();  // and its program ends before it has announced the message
  server->sync();
  until([&] { return server->progress().syncs == 2; }, "another comparison");
  BOOST_TEST(figures().ready == 64u);
}

BOOST_AUTO_TEST_CASE(a_message_is_found_although_only_the_last_one_of_its_file_was_announced) {
  std::vector<queue::message_id> ids;
  for (int i = 0; i < 64; ++i) ids.push_back(commit());
  auto& e = enqueuer();
  auto q = announcement(ids.back());
  q.complete = true;
  e.send(q);
  settle(e);
  BOOST_REQUIRE(figures().ready == 1u);
  writer.reset();
  server->sync();
  until([&] { return server->progress().syncs == 1; }, "the comparison");
  BOOST_TEST(figures().ready == 64u);
}

BOOST_AUTO_TEST_CASE(an_empty_file_that_no_hint_names_is_offered_to_writers_again) {
  const auto id = commit();
  writer.reset();
  write_state(id, queue::phase::finished);
  BOOST_REQUIRE(server->store().recycle("x", id.file, id.generation, 4));
  const auto channel = server->store().channel_directory("x");
  replace_append_hint(queue::real_file_io(), channel, {});
  server->sync();
  until([&] { return server->progress().syncs == 1; }, "the comparison");
  BOOST_TEST((read_append_hint(queue::real_file_io(), channel) == std::vector{id.file}));
  BOOST_TEST((commit().file == id.file));
}

BOOST_AUTO_TEST_CASE(a_file_that_vanished_is_forgotten) {
  const auto ids = announce(2);
  fs::remove(file_of(ids[0]));
  server->sync();
  until([&] { return server->state().message_count() == 0; }, "its messages to be forgotten");
  BOOST_TEST(server->progress().files == 0u);
}

BOOST_AUTO_TEST_CASE(a_channel_directory_that_vanished_is_noticed_too) {
  announce(1);
  fs::remove_all(root() + "/queue/x");
  server->sync();
  until([&] { return server->state().message_count() == 0; }, "its messages to be forgotten");
}

BOOST_AUTO_TEST_CASE(a_file_without_a_valid_header_is_left_alone_and_told_once) {
  const auto ids = announce(1);
  const auto bad = queue::new_file_number();
  std::ofstream(server->store().path("x", bad)) << std::string(8192, 'x');
  server->sync();
  until([&] { return server->progress().syncs == 1; }, "the comparison");
  server->sync();
  until([&] { return server->progress().syncs == 2; }, "another comparison");
  BOOST_TEST(server->progress().damaged == 1u);
  BOOST_TEST(server->counters().io_errors == 1u);
  BOOST_TEST(fs::exists(server->store().path("x", bad)));
  BOOST_TEST(figures().ready == 1u);
}

BOOST_AUTO_TEST_CASE(a_damaged_entry_is_set_aside_and_its_neighbours_are_delivered) {
  const std::vector ids{commit(), commit(), commit()};
  writer.reset();  // while a writer has the file, an entry may be half written
  damage(file_of(ids[1]), queue::format::entry_offset(ids[1].slot) + 16);
  server->sync();
  until([&] { return server->counters().set_aside == 1; }, "the entry to be set aside");
  BOOST_TEST(fs::exists(root() + "/queue/x/.bad/" + to_string(ids[1]) + ".txt"));
  auto& p = channel_program();
  p.send(wire::ask{10});
  BOOST_TEST((leased(p) == std::vector{ids[0], ids[2]}));
}

BOOST_AUTO_TEST_CASE(what_a_program_finds_damaged_is_set_aside) {
  const auto ids = announce(1);
  auto& p = channel_program();
  p.send(wire::ask{1});
  leased(p);
  report(p, ids[0], wire::outcome::bad);
  until([&] { return server->counters().set_aside == 1; }, "the message to be set aside");
  BOOST_TEST((state_on_disk(ids[0]).phase == queue::phase::bad));
  BOOST_TEST(fs::exists(root() + "/queue/x/.bad/" + to_string(ids[0]) + ".raw"));
}

BOOST_AUTO_TEST_CASE(a_file_that_is_done_with_is_reset_for_reuse) {
  const auto ids = announce(64);
  writer.reset();
  finish(ids);
  until([&] { return server->counters().files_reset + server->counters().files_removed == 1; },
        "the file to be recycled");
  BOOST_TEST(server->counters().files_reset == 1u);
  const auto again = server->store().open("x", ids[0].file);
  BOOST_REQUIRE(again);
  BOOST_TEST((*again)->header().generation == ids[0].generation + 1);
}

BOOST_AUTO_TEST_CASE(a_reset_file_serves_new_messages) {
  const auto ids = announce(64);
  writer.reset();
  finish(ids);
  until([&] { return server->counters().files_reset == 1; }, "the file to be reset");
  const auto id = commit();
  BOOST_TEST((id.file == ids[0].file));
  BOOST_TEST(id.generation == ids[0].generation + 1);
  enqueuer().send(announcement(id));
  finish({id});
  BOOST_TEST(server->state().message_count() == 0u);
}

BOOST_AUTO_TEST_CASE(a_hold_is_on_disk_and_survives_a_restart) {
  const auto ids = announce(1);
  server->hold(ids);
  until([&] { return server->counters().states_written == 1; }, "the state to be written");
  BOOST_TEST((state_on_disk(ids[0]).phase == queue::phase::held));
  BOOST_TEST((state_on_disk(ids[0]).why == queue::reason::operator_request));
  kill_server();
  start();
  until_indexed();
  BOOST_TEST(figures().held == 1u);
  BOOST_TEST(figures().ready == 0u);
}

BOOST_AUTO_TEST_CASE(a_released_message_is_due_at_once) {
  const auto ids = announce(1);
  server->hold(ids);
  until([&] { return server->counters().states_written == 1; }, "the hold");
  server->release(ids);
  until([&] { return server->counters().states_written == 2; }, "the release");
  auto& p = channel_program();
  p.send(wire::ask{1});
  BOOST_TEST((leased(p) == ids));
  BOOST_TEST((state_on_disk(ids[0]).phase == queue::phase::queued));
}

BOOST_AUTO_TEST_CASE(a_hold_that_had_to_wait_does_not_undo_a_release) {
  const auto ids = announce(2);
  const auto pool_is_done = [&] {
    bool asked = false;
    server->background([&] { boost::asio::post(*loop, [&] { asked = true; }); });
    until([&] { return asked; }, "the pool");
  };
  const auto f = server->store().open("x", ids[0].file).value();
  BOOST_REQUIRE(f->try_lock(ids[0].slot, 2).value());
  // Both have to wait for their locks, and are tried again in this order.
  const auto attempts = [&] { return server->counters().states_delayed; };
  server->hold(std::vector{ids[0]});
  until([&] { return attempts() == 1; }, "the first hold to be put off");
  server->hold(std::vector{ids[1]});
  until([&] { return attempts() == 2; }, "the second hold to be put off");
  BOOST_REQUIRE(f->unlock(ids[0].slot, 2));
  server->release(std::vector{ids[0]});
  until([&] { return server->counters().states_written == 1; }, "the release");
  until([&] { return state_on_disk(ids[1]).phase == queue::phase::held; }, "the second hold");
  pool_is_done();
  BOOST_TEST((state_on_disk(ids[0]).phase == queue::phase::queued));
}

BOOST_AUTO_TEST_CASE(a_hold_waits_for_a_message_that_somebody_else_has_in_hand) {
  const auto ids = announce(1);
  {
    const auto f = server->store().open("x", ids[0].file).value();
    BOOST_REQUIRE(f->try_lock(ids[0].slot).value());
    server->hold(ids);
    bool asked = false;
    server->background([&] { boost::asio::post(*loop, [&] { asked = true; }); });
    until([&] { return asked; }, "the pool");
    BOOST_TEST((f->read_entry(ids[0].slot).value().state.phase == queue::phase::queued));
  }
  until([&] { return server->counters().states_written == 1; }, "the hold");
  BOOST_TEST((state_on_disk(ids[0]).phase == queue::phase::held));
}

BOOST_AUTO_TEST_CASE(a_release_that_had_to_wait_is_not_undone_by_a_kill) {
  const auto ids = announce(1);
  server->hold(ids);
  until([&] { return server->counters().states_written == 1; }, "the hold");
  {
    const auto f = server->store().open("x", ids[0].file).value();
    BOOST_REQUIRE(f->try_lock(ids[0].slot).value());
    server->release(ids);
    until([&] { return server->counters().states_delayed == 1; }, "the release to be put off");
    BOOST_TEST((state_on_disk(ids[0]).phase == queue::phase::held));
    kill_server();
  }
  start();
  until([&] { return server->counters().states_written == 1; }, "the release");
  BOOST_TEST((state_on_disk(ids[0]).phase == queue::phase::queued));
  BOOST_TEST(figures().held == 0u);
  kill_server();
  start();
  until_indexed();
  BOOST_TEST(figures().ready == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
