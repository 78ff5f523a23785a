// A site in a directory of its own, found by the environment as a real program finds it, and, where a test
// wants one, its job controller: the real server, on a thread of its own.
//
// The process function given to dequeue() runs on the SDK's thread: BOOST_CHECK and BOOST_TEST only, since a
// BOOST_REQUIRE would leave it by an exception.
#pragma once

#include "jobctl/server/log.hpp"
#include "jobctl/server/server.hpp"
#include "queue/store.hpp"
#include "temporary_directory.hpp"

#include <mtasdk.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace test {

/// Sets or unsets a variable of the environment, and puts the old state back.
class environment_variable {
 public:
  environment_variable(std::string name, const char* value) : name_(std::move(name)) {
    if (const char* old = std::getenv(name_.c_str())) before_ = old;
    set(value);
  }
  ~environment_variable() { set(before_ ? before_->c_str() : nullptr); }
  environment_variable(const environment_variable&) = delete;
  environment_variable& operator=(const environment_variable&) = delete;

 private:
  void set(const char* value) const {
    if (value == nullptr)
      ::unsetenv(name_.c_str());
    else
      ::setenv(name_.c_str(), value, 1);
  }
  std::string name_;
  std::optional<std::string> before_;
};

/// A site without a controller, forgotten by the SDK before and afterwards.
struct site {
  static constexpr const char* channels =
      "[channel x]\nbackoff = 1h\n[channel y]\nbackoff = 1h\n[channel far]\ngroup = host\n"
      "[routes]\nexample.org = x\nother.example = y\nhost1.example = far\nhost2.example = far\n";

  explicit site(const std::string& configuration = channels) {
    mtaDone();
    configure(configuration);
  }
  ~site() { mtaDone(); }
  site(const site&) = delete;
  site& operator=(const site&) = delete;

  void configure(const std::string& text) const {
    std::ofstream(root() + "/jobctl.conf")
        << "[jobctl]\nbuiltin = no\nhost = mta.example\nblock_size = 2048\n"
        << (text.find("reserve") == text.npos ? "[queue]\nreserve = 0\n" : "") << text;
  }
  const std::string& root() const { return directory.path(); }

  temporary_directory directory;
  environment_variable root_variable{"JOBCTL_ROOT", directory.path().c_str()};
  environment_variable config_variable{"JOBCTL_CONFIG", nullptr};
  environment_variable channel_variable{"PMDF_CHANNEL", "x"};
  environment_variable option_variable{"PMDF_CHANNEL_OPTION", nullptr};
};

/// The site with its controller running.
struct running_site : site {
  explicit running_site(const std::string& configuration = channels) : site(configuration) {
    jobctl::set_log_level("error", false);
    auto settings = mta::config::find_site({}, root());
    BOOST_REQUIRE_MESSAGE(settings, settings.error().text());
    jobctl::server_options options;
    options.explicit_root = root();
    options.on_stopped = [] {};
    server = std::make_unique<jobctl::server>(loop, *settings, options);
    const auto opened = server->open();
    BOOST_REQUIRE_MESSAGE(opened, opened.error().message());
    thread = std::thread([this] { loop.run(); });
  }
  ~running_site() {
    mtaDone();  // what the SDK has open is told to the controller, or dropped, while it still listens
    boost::asio::post(loop, [this] {
      server.reset();
      loop.stop();
    });
    thread.join();
  }

  /// Asks the controller.
  jobctl::channel_figures figures(const std::string& channel = "x") {
    std::promise<jobctl::channel_figures> answer;
    boost::asio::post(loop, [&] {
      jobctl::channel_no number{};
      answer.set_value(server->find_channel(channel, number) ? server->state().figures(number)
                                                             : jobctl::channel_figures{});
    });
    return answer.get_future().get();
  }
  /// What the controller hears arrives after the call that caused it has returned.
  template <class Condition>
  void until(Condition happened, const char* what) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!happened(figures())) {
      BOOST_REQUIRE_MESSAGE(std::chrono::steady_clock::now() < limit, "waited in vain for: " << what);
      std::this_thread::yield();
    }
  }

  boost::asio::io_context loop;
  std::unique_ptr<jobctl::server> server;
  std::thread thread;
};

using process_function = std::function<int(void** ctx2, mta_dq_t*, std::string_view env_from)>;

inline int call_process_function(void** ctx2, void* ctx1, mta_dq_t* dq, const char* env_from, size_t length) {
  return (*static_cast<process_function*>(ctx1))(ctx2, dq, std::string_view(env_from, length));
}

/// Runs the dequeue loop until nothing is left to do; one thread.
inline int dequeue(process_function process) {
  return mtaDequeueStart(&process, call_process_function, nullptr, MTA_THREAD_MAX_THREADS, 1,
                         MTA_JBC_MAX_ATTEMPTS, 0, MTA_JBC_RETRY_INTERVAL, 0, 0);
}

inline std::string next_recipient(mta_dq_t* dq) {
  const char* address = nullptr;
  size_t length = 0;
  return mtaDequeueRecipientNext(dq, &address, &length, 0) == MTA_OK ? std::string(address, length)
                                                                     : std::string();
}
inline std::vector<std::string> all_recipients(mta_dq_t* dq) {
  std::vector<std::string> all;
  for (std::string r = next_recipient(dq); !r.empty(); r = next_recipient(dq)) all.push_back(r);
  return all;
}
/// The lines from the read point to the end, each ended by '\n'.
inline std::string rest_of_lines(mta_dq_t* dq) {
  std::string text;
  const char* line = nullptr;
  size_t length = 0;
  while (mtaDequeueLineNext(dq, &line, &length) == MTA_OK) text.append(line, length).append("\n");
  return text;
}
inline int deliver(mta_dq_t* dq) {
  return mtaDequeueMessageFinish(dq, MTA_DISP, static_cast<size_t>(MTA_DISP_DELIVERED), 0);
}

/// Begins a message from ann@example.org; fails the test if that is not possible.
inline mta_nq_t* begin(const char* from = "ann@example.org") {
  mta_nq_t* nq = nullptr;
  BOOST_REQUIRE_EQUAL(mtaEnqueueStart(&nq, from, 0, 0), MTA_OK);
  BOOST_REQUIRE(nq != nullptr);
  return nq;
}
/// Writes a small text and submits it.
inline int write_and_finish(mta_nq_t* nq) {
  BOOST_TEST(mtaEnqueueWriteLine(nq, "Subject: test", 0, nullptr) == MTA_OK);
  BOOST_TEST(mtaEnqueueWriteLine(nq, "", 0, nullptr) == MTA_OK);
  BOOST_TEST(mtaEnqueueWriteLine(nq, "Hello.", 0, nullptr) == MTA_OK);
  return mtaEnqueueFinish(nq, 0);
}
/// A message to each, in the envelope only.
inline void enqueue(const std::vector<std::string>& recipients) {
  mta_nq_t* const nq = begin();
  for (const std::string& r : recipients)
    BOOST_REQUIRE_EQUAL(mtaEnqueueTo(nq, r.c_str(), r.size(), MTA_ENV_TO, 0), MTA_OK);
  BOOST_REQUIRE_EQUAL(write_and_finish(nq), MTA_OK);
}

/// An array of items, ended.
class item_array {
 public:
  item_array& add(int code, const void* address = nullptr, int length = 0) {
    mta_item_list_t entry{};
    entry.item_code = code;
    entry.item_address = address;
    entry.item_length = length;
    entries_.back() = entry;
    entries_.push_back(mta_item_list_t{});
    return *this;
  }
  mta_item_list_t* get() { return entries_.data(); }

 private:
  std::vector<mta_item_list_t> entries_{mta_item_list_t{}};
};

}  // namespace test
