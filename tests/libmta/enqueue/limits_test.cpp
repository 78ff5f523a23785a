// What becomes of messages that are too large for their priority, or have gone in circles.

#include "config/settings.hpp"
#include "enqueue/enqueuer.hpp"
#include "queue/store.hpp"
#include "temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

using namespace mta::enqueue;
namespace queue = mta::queue;

namespace {

struct fixture {
  test::temporary_directory directory;
  std::shared_ptr<const mta::config::settings> site = std::make_shared<const mta::config::settings>(
      mta::config::parse("[jobctl]\nhost = home.example\nloop_limit = 10\n[queue]\nreserve = 0\n"
                         "[channel sms]\nurgentblocklimit = 4\nnormalblocklimit = 8\n[channel fax]\n"
                         "[routes]\nsms.example = sms\nfax.example = fax\n",
                         directory.path() + "/jobctl.conf", directory.path() + "/site")
          .value());
  queue::committed announced;

  void submit(const std::string& to, const std::string& header, std::size_t blocks, queue::priority p) {
    enqueuer_options options;
    options.announce = [this](std::string_view, const queue::committed& c) { announced = c; };
    auto e = enqueuer::open(site, std::move(options)).value();
    auto s = e->start("ann@home.example").value();
    BOOST_REQUIRE(s.add_recipient(to));
    BOOST_REQUIRE(s.write(header + "Subject: x\n\n"));
    const std::string line = std::string(62, 'x') + "\n";  // 64 bytes in wire form, 16 to a block
    for (std::size_t n = 1; n < blocks * 16; ++n) BOOST_REQUIRE(s.write(line));
    BOOST_REQUIRE(s.commit(p));
  }
  queue::priority priority_of(const std::string& to, std::size_t blocks, queue::priority p) {
    submit(to, "", blocks, p);
    return announced.entry.priority;
  }
  queue::message_state state_of(const std::string& channel) {
    queue::store store(queue::real_file_io(), site->queue_root());
    return store.open(channel, announced.id.file).value()->read_entry(announced.id.slot).value().state;
  }
};

using queue::priority;

}  // namespace

BOOST_FIXTURE_TEST_SUITE(limits, fixture)

BOOST_AUTO_TEST_CASE(large_messages_go_behind) {
  BOOST_TEST((priority_of("a@sms.example", 4, priority::urgent) == priority::urgent));
  BOOST_TEST((priority_of("a@sms.example", 5, priority::urgent) == priority::normal));
  BOOST_TEST((priority_of("a@sms.example", 8, priority::normal) == priority::normal));
  BOOST_TEST((priority_of("a@sms.example", 9, priority::normal) == priority::nonurgent));
  BOOST_TEST((priority_of("a@sms.example", 9, priority::urgent) == priority::nonurgent));
  BOOST_TEST((priority_of("a@sms.example", 9, priority::nonurgent) == priority::nonurgent));
  BOOST_TEST((priority_of("a@fax.example", 9, priority::urgent) == priority::urgent));
}

BOOST_AUTO_TEST_CASE(a_message_with_too_many_received_lines_begins_on_hold) {
  std::string header;
  for (int n = 0; n < 10; ++n) header += "Received: from a by b;\n\tsome time\n";
  submit("a@fax.example", header, 1, priority::normal);
  BOOST_TEST((announced.phase == queue::phase::queued));
  BOOST_TEST((state_of("fax").phase == queue::phase::queued));
  submit("a@fax.example", header + "Received: again\n", 1, priority::normal);
  BOOST_TEST((announced.phase == queue::phase::held));
  BOOST_TEST((state_of("fax").phase == queue::phase::held));
  BOOST_TEST((state_of("fax").why == queue::reason::mail_loop));
}

BOOST_AUTO_TEST_SUITE_END()
