// Several programs on one channel, with the real job controller.
#include "dequeue/engine.hpp"
#include "tests/jobctl/server/site_fixture.hpp"

#include <condition_variable>
#include <future>
#include <map>
#include <mutex>
#include <set>

using namespace test;
using namespace std::chrono_literals;

namespace {

/// What became of which message, and where.
struct record {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, std::set<int>> programs;  // by message
  std::set<int> busy;                             // programs that have had a message
  int calls = 0;

  int total() {
    const std::scoped_lock guard(mutex);
    return calls;
  }
};

/// Delivers, but nothing before every program has begun with a message.
class sharing_program final : public mta::dequeue_handler {
 public:
  sharing_program(record& r, int number, std::size_t of) : record_(r), number_(number), of_(of) {}
  mta::next_step process(void*&, mta::message& m) override {
    {
      std::unique_lock guard(record_.mutex);
      ++record_.calls;
      record_.programs[std::string(m.id())].insert(number_);
      record_.busy.insert(number_);
      record_.changed.notify_all();
      record_.changed.wait_for(guard, 20s, [this] { return record_.busy.size() == of_; });
    }
    (void)m.finish(mta::disposition::delivered);
    return mta::next_step::go_on;
  }
  void thread_done(void*) noexcept override {}

 private:
  record& record_;
  int number_;
  std::size_t of_;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(shared_queue, site_fixture)

BOOST_AUTO_TEST_CASE(programs_on_one_channel_share_its_queue_without_duplicates) {
  const int messages = 200, count = 3;
  for (int i = 0; i < messages; ++i) commit();
  until_indexed();
  server->sync();
  until([&] { return figures().ready == messages; }, "the messages");

  const auto settings =
      std::make_shared<const mta::config::settings>(std::move(*mta::config::find_site({}, root())));
  record seen;
  std::vector<std::future<mta::result<>>> programs_running;
  for (int n = 0; n < count; ++n)
    programs_running.push_back(std::async(std::launch::async, [&seen, settings, n, count] {
      mta::dequeue_options o;
      o.max_attempts = 1;
      o.retry_interval = 20ms;
      o.max_threads = 4;
      return std::make_shared<mta::dequeueing::engine>(settings, *settings->find_channel("x"), o,
                                                       std::make_shared<sharing_program>(seen, n, count))
          ->run();
    }));
  until([&] { return server->state().message_count() == 0; }, "the end of the queue");
  until([&] { return server->workers().empty(); }, "the programs' leave");
  for (auto& p : programs_running) BOOST_TEST(p.get().has_value());

  BOOST_TEST(seen.total() == messages);
  BOOST_TEST(seen.programs.size() == static_cast<std::size_t>(messages));
  BOOST_TEST(seen.busy.size() == static_cast<std::size_t>(count));
  BOOST_TEST(figures().finished == static_cast<std::uint64_t>(messages));
}

BOOST_AUTO_TEST_SUITE_END()
