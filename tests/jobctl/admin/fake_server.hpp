// A site with a controller and message files, and no server: what the API needs, under a test's control.
#pragma once

#include "jobctl/admin/backend.hpp"
#include "jobctl/admin/http_server.hpp"
#include "queue/writer.hpp"
#include "temporary_directory.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/test/unit_test.hpp>

#include <future>
#include <optional>
#include <thread>

namespace test {

namespace queue = mta::queue;
using jobctl::time_point;

inline time_point at(std::int64_t ms) { return time_point(std::chrono::milliseconds(ms)); }
inline const time_point noon = at(1'795'262'400'000);  // 2026-11-21T12:00:00Z

inline jobctl::limits limits_of(std::initializer_list<const char*> channels) {
  jobctl::limits l;
  l.pools.push_back({"default", 10});
  for (const char* name : channels) {
    jobctl::channel_limits c;
    c.name = name;
    c.pool = "default";
    for (auto& schedule : c.backoff) schedule = {std::chrono::seconds(60), std::chrono::hours(8)};
    l.channels.push_back(c);
  }
  return l;
}

class fake_server final : public jobctl::admin::backend {
 public:
  fake_server()
      : settings_(mta::config::defaults(directory_.path())),
        store_(queue::real_file_io(), settings_.queue_root()),
        controller_(limits_of({"fax", "maildir", "sms"})) {
    std::filesystem::create_directory(settings_.run_directory());
    for (const char* name : {"fax", "maildir", "sms"}) BOOST_REQUIRE(store_.make_channel(name));
    BOOST_REQUIRE(store_.make_channel("old"));
  }

  // --- what a test arranges ---

  jobctl::controller& controller() { return controller_; }

  /// Makes `count` messages known that exist in memory only: sizes 1000, 1001, …; committed one second apart,
  /// the last at noon.
  jobctl::file_key add_messages(const char* channel, std::uint32_t count,
                                jobctl::phase phase = jobctl::phase::queued, const char* host = "h.example",
                                jobctl::priority priority = jobctl::priority::normal) {
    const jobctl::file_key file{queue::file_number{1000 + ++files_}, 1};
    std::vector<jobctl::new_message> messages(count);
    for (std::uint32_t i = 0; i < count; ++i) {
      jobctl::new_message& m = messages[i];
      m.slot = i;
      m.phase = phase;
      m.priority = priority;
      m.size = 1000 + i;
      m.committed = noon - std::chrono::seconds(count - 1 - i);
      if (phase == jobctl::phase::deferred) {
        m.due = noon + std::chrono::hours(1);
        m.attempts = 3;
      }
      m.host = host;
    }
    controller_.messages_found(noon, controller_.channel(channel), file, count, true, messages);
    controller_.take_actions();
    return file;
  }

  /// Commits a message to its channel's queue; the controller is not told.
  queue::committed commit(const char* channel, const std::string& content,
                          std::vector<std::string> recipients = {"you@there.example"}) {
    queue::envelope envelope;
    envelope.from = "me@here.example";
    for (std::string& r : recipients) envelope.recipients.push_back({std::move(r), {}, {}, 0, 0});
    queue::writer_options options;
    options.reserve_bytes = 0;
    options.one_shot = true;
    queue::writer writer(queue::real_file_io(), settings_.queue_root(), options);
    queue::commit_request request;
    request.channel = channel;
    request.envelope = &envelope;
    request.host = "there.example";
    request.now = noon;
    request.content.memory = content;
    request.content.length = content.size();
    const auto done = writer.commit(request);
    BOOST_REQUIRE_MESSAGE(done, done.error().message());
    return *done;
  }

  /// Makes a committed message known.
  void announce(const char* channel, const queue::committed& c) {
    jobctl::new_message m;
    m.slot = c.id.slot;
    m.size = c.entry.content_length;
    m.committed = c.entry.committed;
    m.host = c.entry.host;
    controller_.messages_found(noon, controller_.channel(channel), c.id.key(), c.capacity, false, {&m, 1});
    controller_.take_actions();
  }

  jobctl::reload_report next_reload{true, {}};
  std::vector<jobctl::job_info> running;
  std::vector<jobctl::message_order> orders;
  std::vector<std::string> stops;  ///< reasons, in order
  std::vector<std::string> leaves;
  std::function<void()> on_stop;
  bool scan_complete = true;
  bool stops_are_written = true;  ///< of channels and hosts
  /// Where `then` of in_pool() is run; by default at once, like `work`.
  std::function<void(std::function<void()>)> post = [](std::function<void()> f) { f(); };

  // --- backend ---

  const jobctl::controller& state() const override { return controller_; }
  const mta::config::settings& settings() const override { return settings_; }
  time_point now() const override { return noon; }
  time_point started() const override { return noon - std::chrono::hours(1); }
  bool stopping() const override { return !stops.empty(); }
  std::vector<jobctl::job_info> jobs() const override { return running; }
  std::vector<jobctl::ended_job> ended_jobs() const override { return {}; }
  std::vector<jobctl::worker_info> workers() const override { return {}; }
  std::vector<jobctl::periodic_status> periodic_jobs;
  const std::vector<jobctl::periodic_status>& periodic() const override { return periodic_jobs; }
  mta::result<> run_periodic(std::string_view name) override {
    for (auto& j : periodic_jobs) {
      if (j.name != name) continue;
      if (j.running) return mta::error(mta::errc::busy, j.name + " runs already");
      j.running = true;
      return {};
    }
    return mta::error(mta::errc::not_configured, "periodic job " + std::string(name));
  }
  jobctl::scan_progress progress() const override {
    jobctl::scan_progress p;
    p.complete = scan_complete;
    return p;
  }
  jobctl::server_counters counters() const override { return {}; }
  time_point counting_since() const override { return noon - std::chrono::hours(24); }
  jobctl::event_log& events() override { return events_; }
  std::string program_of(jobctl::channel_no) const override { return "/libexec/maildir"; }
  /// As the server, without files: what is returned, removed or routed is gone.
  void order(jobctl::message_order o, std::vector<jobctl::message_id> ids,
             std::function<void(jobctl::order_outcome)> done) override {
    orders.push_back(o);
    jobctl::order_outcome outcome;
    for (const auto& id : ids) {
      jobctl::listed row;
      if (!controller_.find(id, row)) {
        ++outcome.not_found;
        continue;
      }
      auto& counts = outcome.channels[controller_.channel_name(row.channel)];
      const auto effect = controller_.would(o.verb, id, o.until);
      ++(effect == jobctl::effect::changed     ? counts.changed
         : effect == jobctl::effect::unchanged ? counts.unchanged
                                               : counts.in_hand);
      if (o.dry_run || effect != jobctl::effect::changed) continue;
      const std::span one(&id, 1);
      switch (o.verb) {
        case jobctl::verb::hold: controller_.hold(noon, one, o.until); break;
        case jobctl::verb::release: controller_.release(noon, one); break;
        case jobctl::verb::retry: controller_.retry(noon, one); break;
        default:
          controller_.take(noon, one);
          controller_.given_back(noon, id, jobctl::errand_outcome::finished, o.verb);
      }
    }
    controller_.take_actions();
    done(outcome);
  }
  void run_channel(jobctl::channel_no c) override {
    controller_.run_channel(noon, c);
    controller_.take_actions();
  }
  jobctl::stop_change impose(const jobctl::standing_stop& s) override {
    const jobctl::stop_change done{controller_.impose(noon, s), stops_are_written};
    controller_.take_actions();
    return done;
  }
  jobctl::stop_change lift(const jobctl::standing_stop& s) override {
    const jobctl::stop_change done{controller_.lift(noon, s.channel, s.host), stops_are_written};
    controller_.take_actions();
    return done;
  }
  jobctl::reload_report reload() override { return next_reload; }
  void stop(std::string_view why) override {
    stops.emplace_back(why);
    if (on_stop) on_stop();
  }
  void leave(std::string_view why) override {
    leaves.emplace_back(why);
    if (on_stop) on_stop();
  }
  queue::store& store() override { return store_; }
  void in_pool(std::function<void()> work, std::function<void()> then) override {
    work();
    post(std::move(then));
  }

 private:
  temporary_directory directory_;
  mta::config::settings settings_;
  queue::store store_;
  jobctl::controller controller_;
  jobctl::event_log events_{1000};
  std::uint64_t files_ = 0;
};

/// The fake server behind a real socket, on a thread of its own.
class listening_server {
 public:
  listening_server() {
    server.post = [this](std::function<void()> f) { boost::asio::post(io_, std::move(f)); };
    http_.emplace(io_, server);
    http_->listen(server.settings().api_socket());
    thread_ = std::thread([this] { io_.run(); });
  }
  ~listening_server() {
    on_loop([this] { http_->close(); });
    work_.reset();
    io_.stop();
    thread_.join();
  }

  /// Runs `f` where the API's handlers run, and waits for it.
  template <class F>
  void on_loop(F f) {
    std::promise<void> done;
    boost::asio::post(io_, [&] {
      f();
      done.set_value();
    });
    done.get_future().get();
  }

  template <class... Arguments>
  void add_messages(const Arguments&... arguments) {
    on_loop([&] { server.add_messages(arguments...); });
  }
  std::size_t stops() {
    std::size_t count = 0;
    on_loop([&] { count = server.stops.size(); });
    return count;
  }
  void close() {
    on_loop([this] { http_->close(); });
  }
  template <class F>
  void post(F f) {
    boost::asio::post(io_, std::move(f));
  }

  const std::string& root() const { return server.settings().root; }
  std::string socket() const { return server.settings().api_socket(); }

  fake_server server;  ///< to be changed in on_loop()

 private:
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_.get_executor()};
  std::optional<jobctl::admin::http_server> http_;
  std::thread thread_;
};

}  // namespace test
