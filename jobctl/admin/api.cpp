#include "jobctl/admin/api.hpp"

#include "jobctl/admin/http_server.hpp"
#include "jobctl/admin/token.hpp"
#include "jobctl/server/server.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

namespace jobctl {
namespace {

class server_backend final : public admin::backend {
 public:
  explicit server_backend(server& s) : server_(s), started_(server::now()) {}

  const controller& state() const override { return server_.state(); }
  const mta::config::settings& settings() const override { return server_.settings(); }
  time_point now() const override { return server::now(); }
  time_point started() const override { return started_; }
  bool stopping() const override { return server_.stopping(); }
  std::vector<job_info> jobs() const override { return server_.jobs(); }
  std::vector<ended_job> ended_jobs() const override { return server_.ended_jobs(); }
  std::vector<worker_info> workers() const override { return server_.workers(); }
  const std::vector<periodic_status>& periodic() const override { return server_.periodic(); }
  mta::result<> run_periodic(std::string_view name) override { return server_.run_periodic(name); }
  scan_progress progress() const override { return server_.progress(); }
  server_counters counters() const override { return server_.counters(); }
  time_point counting_since() const override { return server_.counting_since(); }
  event_log& events() override { return server_.events(); }
  std::string program_of(channel_no c) const override { return server_.program_of(c); }
  void order(message_order o, std::vector<message_id> ids, std::function<void(order_outcome)> done) override {
    server_.order(std::move(o), std::move(ids), std::move(done));
  }
  void run_channel(channel_no c) override { server_.run_channel(c); }
  stop_change impose(const standing_stop& s) override { return server_.impose(s); }
  stop_change lift(const standing_stop& s) override { return server_.lift(s); }
  reload_report reload() override { return server_.reload(); }
  void stop(std::string_view why) override { server_.stop(why); }
  void leave(std::string_view why) override { server_.leave(why); }
  mta::queue::store& store() override { return server_.store(); }
  void in_pool(std::function<void()> work, std::function<void()> then) override {
    boost::asio::io_context& io = server_.io();
    server_.background([&io, work = std::move(work), then = std::move(then)]() mutable {
      work();
      boost::asio::post(io, std::move(then));
    });
  }

 private:
  server& server_;
  time_point started_;
};

}  // namespace

struct api::impl {
  impl(boost::asio::io_context& io, server& s) : backend(s), http(io, backend) {}
  server_backend backend;
  admin::http_server http;
  std::string address;  // listened on at present
};

api::api(boost::asio::io_context& io, server& s) : impl_(std::make_unique<impl>(io, s)) {}
api::~api() = default;
void api::listen(const std::string& socket_path) { impl_->http.listen(socket_path); }

mta::result<std::string> api::listen_tcp(const mta::config::http_settings& wanted) {
  impl_->address.clear();
  std::string token;
  if (!wanted.listen.empty()) {
    auto read = admin::read_token(wanted.token_file);
    if (!read) {
      (void)impl_->http.listen_tcp({}, {});
      return read.error();
    }
    token = std::move(*read);
  }
  if (auto listening = impl_->http.listen_tcp(wanted.listen, token); !listening) return listening.error();
  return impl_->address = wanted.listen;
}

void api::close() { impl_->http.close(); }

}  // namespace jobctl
