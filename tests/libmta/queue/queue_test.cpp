// The queue on a real file system: what is committed is found again, changed, moved, set aside and reused.
#include "queue/append_hint.hpp"
#include "queue/format.hpp"
#include "queue/store.hpp"
#include "queue/writer.hpp"
#include "temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <new>
#include <optional>
#include <set>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace queue = mta::queue;
using queue::phase;

namespace {

struct fixture {
  test::temporary_directory directory;
  queue::file_io& io = queue::real_file_io();
  queue::store store{io, directory.path() + "/queue"};

  fixture() { BOOST_REQUIRE(store.make_channel("l")); }

  queue::writer_options small() const {
    queue::writer_options o;
    o.reserve_bytes = 0;
    o.one_shot = true;
    return o;
  }

  static queue::envelope envelope_to(const std::string& recipient) {
    queue::envelope e;
    e.from = "sender@a.example";
    e.recipients.push_back({recipient, {}, {}, 0, 0});
    return e;
  }

  queue::committed commit(queue::writer& writer, const std::string& recipient, const std::string& content,
                          const std::string& channel = "l") {
    const auto env = envelope_to(recipient);
    queue::commit_request request;
    request.channel = channel;
    request.envelope = &env;
    request.host = "b.example";
    request.now = queue::time_point{std::chrono::milliseconds{1'700'000'000'123}};
    request.content.memory = content;
    request.content.longest_line = 17;
    const auto done = writer.commit(request);
    BOOST_REQUIRE_MESSAGE(done, done.error().message());
    return *done;
  }

  std::shared_ptr<queue::message_file> open(const queue::message_id& id) {
    auto f = store.open("l", id.file);
    BOOST_REQUIRE_MESSAGE(f, f.error().message());
    return *f;
  }

  queue::store::found scan(const queue::message_id& id) {
    auto f = open(id);
    auto found = store.scan(*f, "l");
    BOOST_REQUIRE_MESSAGE(found, found.error().message());
    return *found;
  }

  std::string finished_file_with_room(queue::message_id& id) {
    {
      queue::writer writer(io, store.root(), small());
      id = commit(writer, "p@b.example", "old").id;
    }
    change(id, phase::finished);
    return store.path("l", id.file);
  }

  void change(const queue::message_id& id, phase to) {
    auto f = open(id);
    BOOST_REQUIRE(*f->try_lock(id.slot));
    auto message = f->read_entry(id.slot);
    BOOST_REQUIRE(message);
    message->state.phase = to;
    BOOST_REQUIRE(f->change_state(id.slot, message->state));
    BOOST_REQUIRE(f->unlock(id.slot));
  }
};

/// The real file system, but for what the test does when an existing file is opened: before (the error is
/// returned instead) and after.
class watched_io final : public queue::file_io {
 public:
  std::function<std::optional<mta::error>(const std::string&)> before_open;
  std::function<void(const std::string&)> after_open;

  mta::result<std::unique_ptr<queue::file>> open(const std::string& path, queue::open_mode mode) override {
    const bool watched = mode == queue::open_mode::read_write;
    if (watched && before_open)
      if (const auto failure = before_open(path)) return *failure;
    auto opened = real_.open(path, mode);
    if (watched && after_open) {
      const auto call = after_open;  // a copy: the call may reset the member that holds it
      call(path);
    }
    return opened;
  }
  mta::result<> rename(const std::string& from, const std::string& to) override {
    return real_.rename(from, to);
  }
  mta::result<> remove(const std::string& path) override { return real_.remove(path); }
  mta::result<std::vector<std::string>> list(const std::string& path) override { return real_.list(path); }
  mta::result<> make_directory(const std::string& path) override { return real_.make_directory(path); }
  mta::result<> flush_directory(const std::string& path) override { return real_.flush_directory(path); }
  mta::result<std::uint64_t> free_space(const std::string& path) override { return real_.free_space(path); }

 private:
  queue::file_io& real_ = queue::real_file_io();
};

}  // namespace

BOOST_AUTO_TEST_SUITE(ids)

BOOST_AUTO_TEST_CASE(a_message_id_reads_back_as_written) {
  const queue::message_id id{queue::new_file_number(), 7, 1234};
  const auto again = queue::parse_message_id(to_string(id));
  BOOST_REQUIRE(again);
  BOOST_TEST((*again == id));
  BOOST_TEST(to_string(id.file).size() == 13u);
}

BOOST_AUTO_TEST_CASE(what_is_not_a_message_id_is_refused) {
  for (const char* text : {"", "x", "0C9V3K8ZC4S0R", "0C9V3K8ZC4S0R.1", "0C9V3K8ZC4S0R.1.",
                           "0C9V3K8ZC4S0R..1", "0C9V3K8ZC4S0U.1.1", "ZC9V3K8ZC4S0R.1.1", "0C9V3K8ZC4S0R.1.1x",
                           "0C9V3K8ZC4S0R.-1.1", "0C9V3K8ZC4S0R.99999999999.1"}) {
    const auto id = queue::parse_message_id(text);
    BOOST_TEST(!id, text);
    if (!id) BOOST_TEST((id.error().code == mta::errc::syntax));
  }
}

BOOST_AUTO_TEST_CASE(file_numbers_differ_and_grow_within_a_process) {
  auto last = queue::new_file_number();
  for (int i = 0; i < 10'000; ++i) {
    const auto next = queue::new_file_number();
    BOOST_REQUIRE(last < next);
    last = next;
  }
}

BOOST_AUTO_TEST_CASE(two_processes_do_not_give_the_same_number_because_they_ask_in_the_same_microsecond) {
  constexpr int moments = 200'000;
  const auto begin = std::chrono::microseconds(std::chrono::years(6));
  for (const auto& [one, other] : {std::pair<pid_t, pid_t>{100, 101}, {1, 32'768}, {4'194'303, 4'194'302}}) {
    int same = 0;
    for (int us = 0; us < moments; ++us) {
      const auto now = begin + std::chrono::microseconds(us);
      const auto number = queue::number_of_process(now, one);
      BOOST_REQUIRE(queue::made_at(number) == queue::made_at(queue::number_of_process(now, other)));
      same += number == queue::number_of_process(now, other) ? 1 : 0;
    }
    BOOST_TEST(same <= moments / 1000, one << " and " << other << ": " << same);
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(envelopes)

BOOST_AUTO_TEST_CASE(every_field_survives) {
  queue::envelope e;
  e.from = "a b%\n@x";
  e.source_channel = "tcp_local";
  e.envelope_id = "QQ314159";
  e.header_id = "<1@x>";
  e.delivery_flags = 3;
  e.notify_flags = 0x19;
  e.fragment_blocks = 10;
  e.fragment_lines = 20;
  e.recipients = {{"p@q.example", "P@q", "p+x@q", 1, 0x20}, {"\x01\x7f\xff@z", {}, {}, 0, 0}};
  e.recipients[1].replaces_delivery_flags = true;
  const auto again = queue::parse_envelope(format_envelope(e, "ID"));
  BOOST_REQUIRE(again);
  BOOST_TEST(again->from == e.from);
  BOOST_TEST(again->source_channel == e.source_channel);
  BOOST_TEST(again->envelope_id == e.envelope_id);
  BOOST_TEST(again->header_id == e.header_id);
  BOOST_TEST(again->delivery_flags == 3u);
  BOOST_TEST(again->notify_flags == 0x19u);
  BOOST_TEST(again->fragment_blocks == 10u);
  BOOST_TEST(again->fragment_lines == 20u);
  BOOST_REQUIRE(again->recipients.size() == 2u);
  BOOST_TEST(!again->recipients[0].replaces_delivery_flags);
  BOOST_TEST(again->recipients[1].replaces_delivery_flags);
  BOOST_TEST(again->recipients[0].original == "P@q");
  BOOST_TEST(again->recipients[0].intermediate == "p+x@q");
  BOOST_TEST(again->recipients[0].notify_flags == 0x20u);
  BOOST_TEST(again->recipients[1].address == e.recipients[1].address);
}

BOOST_AUTO_TEST_CASE(unknown_keys_are_skipped_and_nonsense_is_named) {
  BOOST_TEST(queue::parse_envelope("id 1\nfuture thing\nto a@b\n")->recipients.size() == 1u);
  const auto bad = queue::parse_envelope("id 1\nflags x y\n");
  BOOST_REQUIRE(!bad);
  BOOST_TEST(bad.error().context.find("line 2") != std::string::npos);
  BOOST_TEST(!queue::parse_envelope("orcpt before@any.recipient\n"));
  BOOST_TEST(!queue::parse_envelope("from bad%4\n"));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(committing, fixture)

BOOST_AUTO_TEST_CASE(a_committed_message_is_found_with_envelope_and_content) {
  queue::writer writer(io, store.root(), small());
  const std::string content = "Subject: x\r\n\r\nhello\r\n";
  const auto done = commit(writer, "p@b.example", content);
  const auto found = scan(done.id);
  BOOST_REQUIRE(found.messages.size() == 1u);
  BOOST_TEST(found.damaged.empty());
  const auto& e = found.messages[0].entry;
  BOOST_TEST(e.host == "b.example");
  BOOST_TEST(e.content_length == content.size());
  BOOST_TEST(e.longest_line == 17u);
  BOOST_TEST((found.messages[0].state == queue::message_state{}));
  auto f = open(done.id);
  BOOST_TEST(f->read_envelope(e)->recipients[0].address == "p@b.example");
  BOOST_TEST(*f->read_content(e) == content);
  BOOST_TEST(bool(f->verify(e)));
}

BOOST_AUTO_TEST_CASE(empty_and_odd_contents_come_back_byte_for_byte) {
  queue::writer writer(io, store.root(), small());
  std::string binary;
  for (int i = 0; i < 100'000; ++i) binary += static_cast<char>(i * 7);
  for (const std::string& content : {std::string{}, std::string("x"), std::string("\0\r\n", 3), binary}) {
    const auto done = commit(writer, "p@b.example", content);
    BOOST_TEST((*open(done.id)->read_content(done.entry) == content));
  }
}

BOOST_AUTO_TEST_CASE(a_content_from_a_temporary_file_equals_the_same_from_memory) {
  queue::writer writer(io, store.root(), small());
  std::string content(700'000, 'q');
  for (std::size_t i = 0; i < content.size(); i += 61) content[i] = static_cast<char>('a' + i % 26);
  auto spill = io.open(directory.path() + "/spill", queue::open_mode::create_new);
  BOOST_REQUIRE(spill);
  BOOST_REQUIRE((*spill)->write(0, std::as_bytes(std::span(content))));
  const auto env = envelope_to("p@b.example");
  queue::commit_request request;
  request.channel = "l";
  request.envelope = &env;
  request.content.spilled = spill->get();
  request.content.length = content.size();
  const auto done = writer.commit(request);
  BOOST_REQUIRE(done);
  BOOST_TEST((*open(done->id)->read_content(done->entry) == content));
  BOOST_TEST(bool(open(done->id)->verify(done->entry)));
}

BOOST_AUTO_TEST_CASE(many_threads_commit_and_every_message_is_there_once) {
  constexpr int threads = 8, each = 200;
  queue::writer_options options;
  options.reserve_bytes = 0;
  std::mutex mutex;
  std::set<queue::message_id> ids;
  {
    queue::writer writer(io, store.root(), options);
    std::vector<std::thread> pool;
    for (int t = 0; t < threads; ++t)
      pool.emplace_back([&, t] {
        for (int i = 0; i < each; ++i) {
          const std::string text = std::to_string(t) + "." + std::to_string(i);
          const auto env = envelope_to(text + "@b.example");
          queue::commit_request request;
          request.channel = i % 2 == 0 ? "l" : "m";
          request.envelope = &env;
          request.content.memory = text;
          const auto done = writer.commit(request);
          if (!done) throw std::runtime_error(done.error().message());
          const std::scoped_lock guard(mutex);
          ids.insert(done->id);
        }
      });
    for (auto& t : pool) t.join();
  }
  BOOST_TEST(ids.size() == std::size_t{threads * each});
  std::set<std::string> seen;
  for (const std::string& channel : *store.channels())
    for (const auto number : *store.files(channel)) {
      auto f = store.open(channel, number);
      BOOST_REQUIRE(f);
      auto found = store.scan(**f, channel);
      BOOST_REQUIRE(found);
      for (const auto& m : found->messages) {
        BOOST_TEST(ids.contains((*f)->id(m.entry.slot)));
        const std::string content = *(*f)->read_content(m.entry);
        BOOST_TEST((*f)->read_envelope(m.entry)->recipients[0].address == content + "@b.example");
        seen.insert(content);
      }
    }
  BOOST_TEST(seen.size() == std::size_t{threads * each});
}

BOOST_AUTO_TEST_CASE(one_shot_programs_share_a_file) {
  std::set<queue::file_number> files;
  for (int i = 0; i < 20; ++i) {
    queue::writer writer(io, store.root(), small());
    files.insert(commit(writer, "p@b.example", "x").id.file);
  }
  BOOST_TEST(files.size() == 1u);
  BOOST_TEST(store.files("l")->size() == 1u);
}

BOOST_AUTO_TEST_CASE(two_writers_never_share_a_file_at_one_time) {
  queue::writer one(io, store.root(), small()), two(io, store.root(), small());
  BOOST_TEST((commit(one, "p@b.example", "x").id.file != commit(two, "p@b.example", "y").id.file));
}

BOOST_AUTO_TEST_CASE(a_file_that_is_removed_just_before_a_writer_locks_it_gets_no_message) {
  queue::message_id old_id;
  const std::string path = finished_file_with_room(old_id);
  watched_io watched;
  watched.after_open = [&](const std::string& opened) {
    if (opened != path) return;
    watched.after_open = {};
    const auto recycled = store.recycle("l", old_id.file, 1, 0);
    BOOST_REQUIRE(recycled);
    BOOST_REQUIRE((*recycled == queue::store::recycled::removed));
  };
  queue::writer writer(watched, store.root(), small());
  const auto id = commit(writer, "p@b.example", "new").id;
  BOOST_TEST(!watched.after_open);
  BOOST_REQUIRE(std::filesystem::exists(store.path("l", id.file)));
  BOOST_TEST(scan(id).messages.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_file_with_room_that_cannot_be_opened_for_a_moment_is_not_forgotten) {
  queue::message_id first;
  {
    queue::writer writer(io, store.root(), small());
    first = commit(writer, "p@b.example", "x").id;
  }
  watched_io watched;
  watched.before_open = [](const std::string& path) -> std::optional<mta::error> {
    return mta::os_error("open " + path, EMFILE);
  };
  {
    queue::writer writer(watched, store.root(), small());
    BOOST_TEST((commit(writer, "p@b.example", "y").id.file != first.file));
  }
  BOOST_TEST(std::ranges::count(read_append_hint(io, store.channel_directory("l")), first.file) == 1);
}

BOOST_AUTO_TEST_CASE(an_envelope_that_is_too_large_to_be_read_again_is_refused) {
  queue::writer writer(io, store.root(), small());
  queue::envelope env;
  const std::string original(17'000, 'o');
  for (int i = 0; i < 256; ++i) env.recipients.push_back({"p@b.example", original, {}, 0, 0});
  queue::commit_request request;
  request.channel = "l";
  request.envelope = &env;
  const auto done = writer.commit(request);
  if (done) BOOST_TEST(bool(open(done->id)->read_envelope(done->entry)));
  BOOST_REQUIRE(!done);
  BOOST_TEST((done.error().code == mta::errc::out_of_range));
}

BOOST_AUTO_TEST_CASE(a_file_never_takes_the_place_of_another) {
  const std::string one = directory.path() + "/one", two = directory.path() + "/two";
  for (const std::string& path : {one, two}) {
    auto f = io.open(path, queue::open_mode::create_new);
    BOOST_REQUIRE(f);
    BOOST_REQUIRE((*f)->write(0, std::as_bytes(std::span(path))));
  }
  const auto renamed = io.rename(one, two);
  BOOST_REQUIRE(!renamed);
  BOOST_TEST((renamed.error().code == std::errc::file_exists));
  BOOST_TEST(std::filesystem::exists(one));
}

BOOST_AUTO_TEST_CASE(below_the_reserve_nothing_is_queued) {
  queue::writer_options options;
  options.reserve_bytes = ~0ull >> 1;
  queue::writer writer(io, store.root(), options);
  const auto env = envelope_to("p@b.example");
  queue::commit_request request;
  request.channel = "l";
  request.envelope = &env;
  const auto done = writer.commit(request);
  BOOST_REQUIRE(!done);
  BOOST_TEST((done.error().code == mta::errc::no_space));
  BOOST_TEST(store.files("l")->empty());
}

BOOST_AUTO_TEST_CASE(a_message_needs_1_to_256_recipients) {
  queue::writer writer(io, store.root(), small());
  queue::envelope env;
  queue::commit_request request;
  request.channel = "l";
  request.envelope = &env;
  BOOST_TEST((writer.commit(request).error().code == mta::errc::out_of_range));
  env.recipients.resize(257);
  BOOST_TEST((writer.commit(request).error().code == mta::errc::out_of_range));
  for (auto& r : env.recipients) r.address = "p@b.example";
  env.recipients.resize(256);
  BOOST_TEST(bool(writer.commit(request)));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(changing, fixture)

BOOST_AUTO_TEST_CASE(the_last_change_counts_however_often_it_changes) {
  queue::writer writer(io, store.root(), small());
  const auto id = commit(writer, "p@b.example", "x").id;
  auto f = open(id);
  for (std::uint16_t i = 1; i <= 50; ++i) {
    auto message = open(id)->read_entry(id.slot);
    BOOST_REQUIRE(message);
    message->state.phase = phase::deferred;
    message->state.attempts = i;
    message->state.finished.set(i);
    if (i % 3 == 0) BOOST_REQUIRE(f->flush());
    if (i % 7 == 0) f = open(id);  // as another process would
    BOOST_REQUIRE(f->read_entry(id.slot));
    BOOST_REQUIRE(f->change_state(id.slot, message->state));
    const auto again = open(id)->read_entry(id.slot);
    BOOST_REQUIRE(again);
    BOOST_TEST((again->state == message->state));
  }
}

BOOST_AUTO_TEST_CASE(finished_messages_are_not_found_again) {
  queue::writer writer(io, store.root(), small());
  const auto one = commit(writer, "p@b.example", "1").id;
  const auto two = commit(writer, "p@b.example", "2").id;
  change(one, phase::finished);
  const auto found = scan(two);
  BOOST_REQUIRE(found.messages.size() == 1u);
  BOOST_TEST(found.messages[0].entry.slot == two.slot);
}

BOOST_AUTO_TEST_CASE(a_lock_keeps_others_off_one_message_and_not_off_its_neighbours) {
  queue::writer writer(io, store.root(), small());
  const auto one = commit(writer, "p@b.example", "1").id;
  const auto two = commit(writer, "p@b.example", "2").id;
  auto mine = open(one), other = open(one);
  BOOST_TEST(*mine->try_lock(one.slot));
  BOOST_TEST(!*other->try_lock(one.slot));
  BOOST_TEST(*other->try_lock(two.slot));
  BOOST_TEST(!*other->nobody_holds_any());
  mine.reset();
  BOOST_TEST(*other->try_lock(one.slot));
}

BOOST_AUTO_TEST_CASE(history_belongs_to_its_message) {
  queue::writer writer(io, store.root(), small());
  const auto one = commit(writer, "p@b.example", "1").id;
  for (int i = 0; i < 11; ++i) commit(writer, "p@b.example", "2");
  auto f = open(one);
  f->note_history(1, R"({"text":"first"})");
  f->note_history(11, R"({"text":"other"})");
  f->note_history(1, R"({"text":"second"})");
  const auto lines = f->read_history(1);
  BOOST_REQUIRE(lines);
  BOOST_REQUIRE(lines->size() == 2u);
  BOOST_TEST((*lines)[0] == R"({"generation":1,"slot":1,"text":"first"})");
  BOOST_TEST((*lines)[1].find("second") != std::string::npos);
  // The end of a long history, in whole lines.
  const auto last = f->read_history(1, lines->at(1).size() + 5);
  BOOST_REQUIRE(last);
  BOOST_TEST((*last == std::vector{lines->at(1)}));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(maintaining, fixture)

BOOST_AUTO_TEST_CASE(a_file_whose_messages_are_finished_is_reused_under_a_new_generation) {
  queue::message_id old_id;
  {
    queue::writer writer(io, store.root(), small());
    old_id = commit(writer, "p@b.example", "old").id;
  }
  BOOST_TEST((store.recycle("l", old_id.file, 1, 4).error().code == mta::errc::busy));
  change(old_id, phase::finished);
  const auto recycled = store.recycle("l", old_id.file, 1, 4);
  BOOST_REQUIRE_MESSAGE(recycled, recycled.error().message());
  BOOST_TEST((*recycled == queue::store::recycled::reset));
  BOOST_TEST(scan(old_id).messages.empty());
  BOOST_TEST(scan(old_id).damaged.empty());
  queue::writer writer(io, store.root(), small());
  const auto id = commit(writer, "q@b.example", "new").id;
  BOOST_TEST((id.file == old_id.file));
  BOOST_TEST(id.generation == 2u);
  BOOST_TEST(id.slot == 0u);
  const auto found = scan(id);
  BOOST_REQUIRE(found.messages.size() == 1u);
  BOOST_TEST(*open(id)->read_content(found.messages[0].entry) == "new");
}

BOOST_AUTO_TEST_CASE(a_file_in_use_is_not_reset) {
  queue::writer writer(io, store.root(), small());
  const auto id = commit(writer, "p@b.example", "x").id;
  change(id, phase::finished);
  BOOST_TEST((store.recycle("l", id.file, 1, 4).error().code == mta::errc::busy));  // the writer still has it
}

BOOST_AUTO_TEST_CASE(surplus_spare_files_are_removed) {
  queue::message_id id;
  {
    queue::writer writer(io, store.root(), small());
    id = commit(writer, "p@b.example", "x").id;
  }
  change(id, phase::finished);
  const auto recycled = store.recycle("l", id.file, 1, 0);
  BOOST_REQUIRE(recycled);
  BOOST_TEST((*recycled == queue::store::recycled::removed));
  BOOST_TEST(store.files("l")->empty());
}

BOOST_AUTO_TEST_CASE(however_often_a_spare_file_is_named_the_others_are_not_forgotten) {
  const std::string channel = store.channel_directory("l");
  const auto rare = queue::new_file_number(), busy = queue::new_file_number();
  add_append_hint(io, channel, rare);
  for (int i = 0; i < 300; ++i) add_append_hint(io, channel, busy);
  const auto named = read_append_hint(io, channel);
  BOOST_TEST(std::ranges::count(named, rare) == 1);
  BOOST_TEST(std::ranges::count(named, busy) == 1);
}

BOOST_AUTO_TEST_CASE(a_full_hint_forgets_what_was_named_first) {
  const std::string channel = store.channel_directory("l");
  std::vector<queue::file_number> numbers;
  for (int i = 0; i < 300; ++i) {
    numbers.push_back(queue::new_file_number());
    add_append_hint(io, channel, numbers.back());
    const auto named = read_append_hint(io, channel);
    BOOST_REQUIRE(!named.empty());
    BOOST_REQUIRE((named.back() == numbers.back()));
    BOOST_REQUIRE(named.size() >= std::min<std::size_t>(numbers.size(), 32));
  }
}

BOOST_AUTO_TEST_CASE(what_a_program_that_died_left_half_made_is_removed_and_nothing_else) {
  const std::string channel = store.channel_directory("l");
  const auto put = [&](const std::string& name) {
    auto f = io.open(channel + '/' + name, queue::open_mode::create_new);
    BOOST_REQUIRE(f);
    return std::move(*f);
  };
  // An hour and more ago in the queue's own numbers.
  const auto ago = [](std::uint64_t hours) {
    return to_string(queue::file_number{static_cast<std::uint64_t>(queue::new_file_number()) -
                                        (hours * 3600'000'000 << 12)});
  };
  const std::string left = '.' + ago(2) + ".new", in_use = '.' + ago(3) + ".new",
                    fresh = '.' + ago(0) + ".new";
  put(left);
  put(fresh);
  put(".append.new");
  const auto holder = put(in_use);
  BOOST_REQUIRE(*holder->try_lock(queue::format::writer_lock, 1));
  BOOST_REQUIRE(store.remove_leftovers("l"));
  BOOST_TEST(!std::filesystem::exists(channel + '/' + left));
  for (const std::string& name : {fresh, in_use, std::string(".append.new")})
    BOOST_TEST(std::filesystem::exists(channel + '/' + name), name);
}

BOOST_AUTO_TEST_CASE(a_very_large_message_is_not_moved) {
  queue::message_id id;
  {
    queue::writer writer(io, store.root(), small());
    id = commit(writer, "p@b.example", std::string(17u << 20, 'L')).id;
  }
  queue::writer target(io, store.root(), small());
  const auto moved = store.move(*open(id), "l", id.slot, target);
  BOOST_REQUIRE(!moved);
  BOOST_TEST((moved.error().code == mta::errc::busy));
  BOOST_TEST(scan(id).messages.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_survivor_moves_with_its_state_and_counts_once) {
  queue::message_id id;
  {
    queue::writer writer(io, store.root(), small());
    id = commit(writer, "p@b.example", "survivor").id;
  }
  auto f = open(id);
  BOOST_REQUIRE(*f->try_lock(id.slot));
  auto message = f->read_entry(id.slot);
  message->state.phase = phase::deferred;
  message->state.attempts = 3;
  message->state.finished.set(0);
  BOOST_REQUIRE(f->change_state(id.slot, message->state));
  BOOST_REQUIRE(f->unlock(id.slot));
  f->note_history(id.slot, R"({"text":"tried"})");
  // Somebody else appends to the old file meanwhile, so that the copy goes to another one.
  replace_append_hint(io, store.channel_directory("l"), {});
  queue::writer target(io, store.root(), small());
  const auto moved = store.move(*f, "l", id.slot, target);
  BOOST_REQUIRE_MESSAGE(moved, moved.error().message());
  BOOST_TEST((moved->id.file != id.file));
  BOOST_TEST(scan(id).messages.empty());
  const auto found = scan(moved->id);
  BOOST_REQUIRE(found.messages.size() == 1u);
  BOOST_TEST((found.messages[0].state == message->state));
  BOOST_TEST(*open(moved->id)->read_content(found.messages[0].entry) == "survivor");
  BOOST_TEST(open(moved->id)->read_history(moved->id.slot)->size() == 1u);
}

BOOST_AUTO_TEST_CASE(the_copy_of_an_unfinished_move_is_void) {
  queue::message_id id;
  {
    queue::writer writer(io, store.root(), small());
    id = commit(writer, "p@b.example", "x").id;
  }
  replace_append_hint(io, store.channel_directory("l"), {});
  queue::writer target(io, store.root(), small());
  const auto env = envelope_to("p@b.example");
  queue::commit_request request;
  request.channel = "l";
  request.envelope = &env;
  request.content.memory = "x";
  request.moved_from = id;
  const auto copy = target.commit(request);
  BOOST_REQUIRE(copy);
  BOOST_TEST(scan(copy->id).messages.empty());
  BOOST_TEST(scan(id).messages.size() == 1u);
  // Even after the original has been delivered.
  change(id, phase::finished);
  BOOST_TEST(scan(copy->id).messages.empty());
}

BOOST_AUTO_TEST_CASE(damage_affects_one_message_and_is_set_aside_with_its_bytes) {
  std::vector<queue::committed> all;
  {
    queue::writer writer(io, store.root(), small());
    for (int i = 0; i < 5; ++i) all.push_back(commit(writer, "p@b.example", "content " + std::to_string(i)));
  }
  auto f = open(all[0].id);
  const std::string junk = "junk";
  // One content, one entry.
  BOOST_REQUIRE(f->raw().write(all[1].entry.record_offset + 64 + all[1].entry.envelope_length,
                               std::as_bytes(std::span(junk))));
  BOOST_REQUIRE(f->raw().write(queue::format::entry_offset(3) + 20, std::as_bytes(std::span(junk))));
  auto found = scan(all[0].id);
  BOOST_TEST(found.messages.size() == 4u);
  BOOST_TEST(found.damaged == std::vector<std::uint32_t>{3}, boost::test_tools::per_element());
  BOOST_TEST((f->read_content(all[1].entry).error().code == mta::errc::damaged));
  BOOST_TEST((f->verify(all[1].entry).error().code == mta::errc::damaged));
  BOOST_TEST(*f->read_content(all[2].entry) == "content 2");

  BOOST_REQUIRE(store.set_aside(*f, "l", 1, queue::reason::damaged_record, "content fails its check"));
  BOOST_REQUIRE(store.set_aside(*f, "l", 3, queue::reason::damaged_entry, "entry fails its check"));
  found = scan(all[0].id);
  BOOST_TEST(found.messages.size() == 3u);
  BOOST_TEST(found.damaged.empty());
  for (const int i : {1, 3}) {
    const std::string name =
        store.channel_directory("l") + "/.bad/" + to_string(all[static_cast<std::size_t>(i)].id);
    BOOST_TEST(std::filesystem::file_size(name + ".raw") > 256u + 64u);
    BOOST_TEST(std::filesystem::exists(name + ".txt"));
  }
}

BOOST_AUTO_TEST_CASE(a_file_with_a_damaged_header_is_refused_by_name) {
  queue::message_id id;
  {
    queue::writer writer(io, store.root(), small());
    id = commit(writer, "p@b.example", "x").id;
  }
  {
    auto f = io.open(store.path("l", id.file), queue::open_mode::read_write);
    const std::string junk(64, 'j');
    BOOST_REQUIRE((*f)->write(0, std::as_bytes(std::span(junk))));
  }
  const auto opened = store.open("l", id.file);
  BOOST_REQUIRE(!opened);
  BOOST_TEST((opened.error().code == mta::errc::damaged));
  BOOST_TEST(opened.error().message().find(to_string(id.file)) != std::string::npos);
  // And a writer makes another file instead of touching it.
  queue::writer writer(io, store.root(), small());
  BOOST_TEST((commit(writer, "p@b.example", "y").id.file != id.file));
}

BOOST_AUTO_TEST_CASE(what_root_makes_belongs_to_the_owner_of_the_queue) {
  if (::geteuid() != 0) return;  // nobody else can give files away
  constexpr uid_t owner = 65534;
  BOOST_REQUIRE(::chown(store.root().c_str(), owner, owner) == 0);
  queue::message_id id;
  {
    queue::writer writer(io, store.root(), small());
    id = commit(writer, "p@b.example", "x", "made").id;
  }
  const auto file = *store.open("made", id.file);
  file->note_history(id.slot, "{}");
  const std::string channel = store.channel_directory("made");
  std::vector<std::string> all{channel};
  for (const std::string& name : *io.list(channel)) all.push_back(channel + '/' + name);
  BOOST_TEST(all.size() >= 3u);  // the message file, its history
  for (const std::string& path : all) {
    struct stat found {};
    BOOST_REQUIRE(::stat(path.c_str(), &found) == 0);
    BOOST_TEST(found.st_uid == owner, path);
    BOOST_TEST(found.st_gid == owner, path);
  }
}

BOOST_AUTO_TEST_CASE(what_is_made_where_the_group_may_write_is_the_groups_to_write) {
  const mode_t umask_before = ::umask(077);
  BOOST_REQUIRE(::chmod(store.root().c_str(), 0770) == 0);
  queue::writer writer(io, store.root(), small());
  const auto id = commit(writer, "p@b.example", "x", "made").id;
  (*store.open("made", id.file))->note_history(id.slot, "{}");
  ::umask(umask_before);
  const std::string channel = store.channel_directory("made");
  struct stat found {};
  BOOST_REQUIRE(::stat(channel.c_str(), &found) == 0);
  BOOST_TEST((found.st_mode & 07777) == 0770u);
  for (const std::string& name : *io.list(channel)) {
    BOOST_REQUIRE(::stat((channel + '/' + name).c_str(), &found) == 0);
    BOOST_TEST((found.st_mode & 07777) == 0660u, name);
  }
}

BOOST_AUTO_TEST_CASE(no_file_takes_the_place_of_a_closed_standard_error) {
  // Else an error text for standard error would be written into the mail.
  const std::string path = directory.path() + "/new";
  const pid_t child = ::fork();
  BOOST_REQUIRE(child >= 0);
  if (child == 0) {
    ::close(STDERR_FILENO);
    const auto file = io.open(path, queue::open_mode::create_new);
    ::_exit(file && ::write(STDERR_FILENO, "x", 1) < 0 ? 0 : 1);
  }
  int status = 0;
  BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
  BOOST_TEST(status == 0);
  BOOST_TEST(std::filesystem::file_size(path) == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
