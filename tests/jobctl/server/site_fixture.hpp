// A site in a directory of its own with its server, and programs that are scripted by the test. Everything
// runs on the test's one thread: until() runs the event loop until what the test waits for has happened.
#pragma once

#include "jobctl/server/log.hpp"
#include "jobctl/server/server.hpp"
#include "queue/file_io.hpp"
#include "queue/store.hpp"
#include "queue/writer.hpp"
#include "site_processes.hpp"
#include "temporary_directory.hpp"
#include "wire/frame.hpp"
#include "wire/messages.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>

#include <array>
#include <deque>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace test {

namespace asio = boost::asio;
namespace fs = std::filesystem;
namespace wire = mta::wire;
namespace queue = mta::queue;

inline std::string contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// A program's end of a connection: sends frames, and collects those that come.
class scripted_program {
 public:
  struct received {
    wire::frame_type type{};
    std::string body;
  };

  scripted_program(asio::io_context& io, const std::string& path) : io_(io), socket_(io) {
    socket_.connect(asio::local::stream_protocol::endpoint(path));
    read();
  }

  template <class Message>
  void send(const Message& m) {
    std::string bytes;
    wire::append(bytes, m);
    send_bytes(bytes);
  }
  void send_bytes(const std::string& bytes) { asio::write(socket_, asio::buffer(bytes)); }
  void close() { socket_.close(); }

  bool has_frame() const { return !frames_.empty(); }
  bool ended() const { return ended_ && frames_.empty(); }
  received take() {
    auto f = std::move(frames_.front());
    frames_.pop_front();
    return f;
  }

 private:
  void read() {
    const auto room = splitter_.prepare();
    socket_.async_read_some(asio::buffer(room.data(), room.size()),
                            [this](const boost::system::error_code& failed, std::size_t n) {
                              if (failed) {
                                ended_ = failed != asio::error::operation_aborted;
                                return;
                              }
                              splitter_.commit(n);
                              wire::frame f;
                              while (splitter_.next(f).value())
                                frames_.push_back({f.type, std::string(f.body)});
                              read();
                            });
  }

  asio::io_context& io_;
  asio::local::stream_protocol::socket socket_;
  wire::frame_splitter splitter_;
  std::deque<received> frames_;
  bool ended_ = false;
};

struct site_fixture {
  explicit site_fixture(const std::string& configuration = "[channel x]\n") {
    jobctl::set_log_level("error", false);
    configure(configuration);
    start();
  }
  ~site_fixture() {
    programs.clear();
    server.reset();
    end_programs_of(root());
  }

  /// Writes the configuration file; the built-in channels are left out.
  void configure(const std::string& text) {
    std::ofstream(root() + "/jobctl.conf") << "[jobctl]\nbuiltin = no\n" << global << text;
  }

  void start() {
    stopped = false;
    auto settings = mta::config::find_site({}, root());
    BOOST_REQUIRE_MESSAGE(settings, settings.error().text());
    server = make_server(*settings);
    const auto opened = server->open();
    BOOST_REQUIRE_MESSAGE(opened, opened.error().message());
  }
  std::unique_ptr<jobctl::server> make_server(const mta::config::settings& s) {
    jobctl::server_options options;
    options.explicit_root = root();
    options.on_stopped = [this] { stopped = true; };
    return std::make_unique<jobctl::server>(*loop, s, options);
  }
  /// As if it was killed: programs only see that their connections end.
  void kill_server() {
    programs.clear();
    server.reset();
    loop = std::make_unique<asio::io_context>();
  }

  /// Runs the loop until `happened()`. Fails the test after 30 s.
  template <class Condition>
  void until(Condition happened, const char* what) {
    const auto late = std::make_shared<bool>(false);
    asio::steady_timer limit(*loop, std::chrono::seconds(30));
    limit.async_wait([late](const boost::system::error_code& cancelled) { *late = !cancelled; });
    while (!happened()) {
      loop->run_one();
      BOOST_REQUIRE_MESSAGE(!*late, "waited in vain for: " << what);
    }
    limit.cancel();
    loop->poll();
    loop->restart();
  }
  void until_indexed() {
    until([&] { return server->progress().complete; }, "the index");
  }

  // --- messages
  // ----------------------------------------------------------------------------------------------------

  /// Commits a message to channel x, and tells nobody.
  queue::message_id commit(const std::string& channel = "x") {
    if (!writer) {
      fs::create_directories(root() + "/queue");
      queue::writer_options options;
      options.one_shot = true;  // files of 64 messages
      options.reserve_bytes = 0;
      writer = std::make_unique<queue::writer>(queue::real_file_io(), root() + "/queue", options);
    }
    queue::envelope e;
    e.from = "sender@example.org";
    e.recipients.push_back({"to@example.org", "", "", 0, 0});
    const std::string content = "Subject: test\r\n\r\nHello.\r\n";
    queue::commit_request r;
    r.channel = channel;
    r.envelope = &e;
    r.host = "example.org";
    r.now = jobctl::server::now();
    r.content.memory = content;
    r.content.length = content.size();
    const auto done = writer->commit(r);
    BOOST_REQUIRE_MESSAGE(done, done.error().message());
    return done->id;
  }
  wire::queued announcement(const queue::message_id& id, const std::string& channel = "x") {
    channel_text = channel;
    wire::queued q;
    q.channel = channel_text;
    q.file = id.key();
    q.capacity = 64;
    wire::new_message m;
    m.slot = id.slot;
    m.size = 25;
    m.committed = jobctl::server::now();
    q.messages.push_back(m);
    return q;
  }
  /// What a program does to finish a message, as far as the queue is concerned.
  void write_state(const queue::message_id& id, queue::phase p, const std::string& channel = "x") {
    const auto f = server->store().open(channel, id.file);
    BOOST_REQUIRE(f);
    BOOST_REQUIRE((*f)->try_lock(id.slot).value());
    auto state = (*f)->read_entry(id.slot).value().state;
    state.phase = p;
    BOOST_REQUIRE((*f)->change_state(id.slot, state));
  }
  queue::message_state state_on_disk(const queue::message_id& id, const std::string& channel = "x") {
    return server->store().open(channel, id.file).value()->read_entry(id.slot).value().state;
  }

  // --- programs
  // ------------------------------------------------------------------------------------------------------

  scripted_program& connect() {
    programs.push_back(std::make_unique<scripted_program>(*loop, root() + "/run/jobctl.sock"));
    return *programs.back();
  }
  /// A channel program that has been welcomed.
  scripted_program& channel_program(const std::string& channel = "x",
                                    std::vector<queue::message_id> holding = {}, std::uint64_t job = 0) {
    auto& p = connect();
    wire::hello h;
    h.role = wire::role::channel_program;
    h.pid = 4711;
    h.job = job;
    h.max_threads = 10;
    h.channel = channel;
    h.holding = std::move(holding);
    p.send(h);
    BOOST_REQUIRE(next(p).type == wire::frame_type::welcome);
    return p;
  }
  scripted_program& enqueuer() {
    auto& p = connect();
    p.send(wire::hello{});
    BOOST_REQUIRE(next(p).type == wire::frame_type::welcome);
    return p;
  }

  scripted_program::received next(scripted_program& p) {
    until([&] { return p.has_frame() || p.ended(); }, "a frame");
    BOOST_REQUIRE_MESSAGE(p.has_frame(), "the connection was closed instead of a frame");
    return p.take();
  }
  void until_closed(scripted_program& p) {
    until([&] { return p.ended(); }, "the end of the connection");
  }
  template <class Message>
  static Message decode(const scripted_program::received& r) {
    Message m;
    const auto read = wire::decode(wire::frame{r.type, r.body}, m);
    BOOST_REQUIRE_MESSAGE(read, read.error().message());
    return m;
  }
  /// Waits for a lease, and returns its messages.
  std::vector<queue::message_id> leased(scripted_program& p) {
    const auto f = next(p);
    BOOST_REQUIRE(f.type == wire::frame_type::lease);
    std::vector<queue::message_id> ids;
    for (const auto& m : decode<wire::lease>(f).messages) ids.push_back(m.id);
    return ids;
  }
  std::string refusal(scripted_program& p) {
    const auto f = next(p);
    BOOST_REQUIRE(f.type == wire::frame_type::refused);
    return std::string(decode<wire::refused>(f).why);
  }
  void report(scripted_program& p, const queue::message_id& id, wire::outcome o) {
    wire::results r;
    r.messages.push_back({id, o, {}});
    p.send(r);
  }
  /// Returns when everything that `p` sent has been taken in.
  void settle(scripted_program& p) {
    p.send(wire::sync{99});
    while (next(p).type != wire::frame_type::synced) {
    }
  }

  jobctl::channel_figures figures(const std::string& channel = "x") {
    jobctl::channel_no number{};
    BOOST_REQUIRE(server->find_channel(channel, number));
    return server->state().figures(number);
  }
  jobctl::channel_no number(const std::string& channel = "x") {
    jobctl::channel_no n{};
    BOOST_REQUIRE(server->find_channel(channel, n));
    return n;
  }

  const std::string& root() const { return directory.path(); }

  std::string global;  ///< further lines of [jobctl]
  temporary_directory directory;
  std::unique_ptr<asio::io_context> loop = std::make_unique<asio::io_context>();
  std::unique_ptr<queue::writer> writer;
  std::unique_ptr<jobctl::server> server;
  std::vector<std::unique_ptr<scripted_program>> programs;
  std::string channel_text;
  bool stopped = false;
};

}  // namespace test
