// Channel programs that never block: C++20 coroutines on Boost.Asio, thousands of messages in hand on a few
// threads.
//
//   int main() {
//     auto done = mta::channel().run([](mta::message& m) -> mta::awaitable<mta::disposition> {
//       auto loop = co_await boost::asio::this_coro::executor;
//       tcp::socket socket(loop);
//       co_await socket.async_connect(target, boost::asio::use_awaitable);
//       …
//       co_return mta::disposition::delivered;
//     });
//     if (!done) { mta::log_line(done.error().message()); return 75; }
//   }
//
// The same leases, dispositions and deferral as mta::dequeue(): a message whose coroutine returns what it is
// to be returned with is finished; one whose coroutine throws, is cancelled or dies with the process is
// deferred.
//
// Each worker thread runs one event loop. A message belongs to one loop from its first instruction to its
// last; no two coroutines of a loop run at the same time, so what only they use needs no lock. A coroutine
// must not block: all others of its loop would wait with it. Dispositions are written by threads of the
// library.
//
// Links: libmta and, for Asio, pthread; the coroutines are compiled into the program, so it chooses its Boost
// (1.81 or later).
#pragma once

#include <mta/concurrent.hpp>
#include <mta/dequeue.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <exception>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace mta {

template <class T>
using awaitable = boost::asio::awaitable<T>;

namespace detail {

/// One worker thread, its loop, and the messages that are on it.
class worker {
 public:
  explicit worker(const channel_options& options) : deadline_(options.deadline) {
    thread_ = std::thread([this, begin = options.thread_begin, end = options.thread_done] {
      if (begin) begin();
      loop_->run();
      if (end) end();
    });
  }
  ~worker() {
    work_.reset();
    if (thread_.joinable()) thread_.join();
  }
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;

  std::uint32_t load() const noexcept { return load_.load(std::memory_order_relaxed); }

  /// `process(m)` is called on the loop; it must outlive the worker.
  template <class Process>
  void begin(dequeueing::held& handle, message& m, Process& process) {
    boost::asio::post(*loop_, [this, &handle, &m, &process] { start(handle, m, process); });
    load_.fetch_add(1, std::memory_order_relaxed);
  }
  void cancel_all() {
    boost::asio::post(*loop_, [this] {
      const std::vector<std::shared_ptr<task>> all(tasks_.begin(), tasks_.end());
      for (const auto& t : all) t->cancel("cancelled: the program is stopping");
    });
  }
  /// Nothing runs any more; coroutines that have not ended are destroyed where they wait.
  void abandon() {
    work_.reset();
    loop_->stop();
    thread_.join();
    tasks_.clear();
    loop_.reset();
  }

 private:
  struct task {
    explicit task(boost::asio::io_context& loop) : timer(loop) {}
    void cancel(std::string_view reason) {
      if (why.empty()) why = reason;
      signal.emit(boost::asio::cancellation_type::terminal);
    }
    boost::asio::cancellation_signal signal{};
    boost::asio::steady_timer timer;
    std::string why{};  // it was cancelled
  };

  template <class Process>
  void start(dequeueing::held& handle, message& m, Process& process) {
    const auto t = std::make_shared<task>(*loop_);
    const auto place = tasks_.insert(tasks_.end(), t);
    if (deadline_.count() > 0) {
      t->timer.expires_after(deadline_);
      t->timer.async_wait([weak = std::weak_ptr<task>(t)](const boost::system::error_code& ended) {
        if (const auto late = weak.lock(); late && !ended) late->cancel("cancelled: its time is over");
      });
    }
    const auto end = [this, t, place, &handle](std::exception_ptr failure,
                                               std::optional<disposition> outcome) {
      if (failure)
        defer(handle, t->why.empty() ? words_of(failure) : t->why);
      else
        done(handle, outcome);
      t->timer.cancel();
      tasks_.erase(place);
      load_.fetch_sub(1, std::memory_order_relaxed);
    };
    try {
      boost::asio::co_spawn(*loop_, outcome_of(process(m)),
                            boost::asio::bind_cancellation_slot(t->signal.slot(), end));
    } catch (...) {  // it did not even begin
      end(std::current_exception(), std::nullopt);
    }
  }

  // Templates of the result alone: GCC 12 warns of coroutines that depend on types without linkage.
  template <class T>
  static awaitable<std::optional<disposition>> outcome_of(awaitable<T> work) {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(work);
      co_return std::nullopt;
    } else {
      co_return co_await std::move(work);
    }
  }
  static std::string words_of(const std::exception_ptr& failure) {
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& e) {
      return e.what();
    } catch (...) {
      return "unknown exception";
    }
  }

  const std::chrono::milliseconds deadline_;
  std::optional<boost::asio::io_context> loop_{std::in_place, 1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_ =
      boost::asio::make_work_guard(*loop_);
  std::list<std::shared_ptr<task>> tasks_;  // the loop's thread
  std::atomic<std::uint32_t> load_{0};
  std::thread thread_;
};

/// A message goes to the worker that has the fewest.
template <class Process>
class coroutine_program final : public concurrent_program {
 public:
  coroutine_program(const channel_options& options, Process process) : process_(std::move(process)) {
    for (unsigned i = 0; i < std::max(options.threads, 1u); ++i)
      workers_.push_back(std::make_unique<worker>(options));
  }
  int next_thread() noexcept override {
    const auto least = std::min_element(workers_.begin(), workers_.end(),
                                        [](const auto& a, const auto& b) { return a->load() < b->load(); });
    return static_cast<int>(least - workers_.begin()) + 1;
  }
  void begin(dequeueing::held& handle, message& m) override {
    workers_[static_cast<std::size_t>(m.thread_id() - 1)]->begin(handle, m, process_);
  }
  void cancel() noexcept override {
    for (const auto& w : workers_) w->cancel_all();
  }
  void abandon() noexcept override {
    for (const auto& w : workers_) w->abandon();
  }

 private:
  Process process_;
  std::vector<std::unique_ptr<worker>> workers_;
};

template <class Process>
concept coroutine_of_message = std::invocable<Process&, message&> &&
    (std::same_as<std::invoke_result_t<Process&, message&>, awaitable<void>> ||
     std::same_as<std::invoke_result_t<Process&, message&>, awaitable<disposition>> ||
     std::same_as<std::invoke_result_t<Process&, message&>, awaitable<std::optional<disposition>>>);

}  // namespace detail

/// A channel that is worked by coroutines.
class channel {
 public:
  channel() = default;
  explicit channel(channel_options options) : options_(std::move(options)) {}

  /// Calls `process(message&)` for each message, on one of the loops; it is a coroutine that returns
  ///   awaitable<disposition>   what became of all recipients for which message::dispose() was not called,
  ///   awaitable<void>          they are deferred then,
  ///   awaitable<std::optional<disposition>>   either.
  /// message::finish() and defer() may be called in it, and wait for the disk then. Returns when there has
  /// been nothing to do for max_attempts * retry_interval, or after a request to stop (SIGTERM, the job
  /// controller, request_stop()) when all messages in hand have ended: after wait_timeout they are cancelled
  /// (boost::asio::cancellation_type::terminal), and after cancel_timeout what has not ended is destroyed,
  /// and its messages are left to the job controller. Errors: errc::disconnected (no job controller),
  /// errc::not_configured (no channel given, or unknown), errc::timed_out (coroutines had to be destroyed),
  /// the system's.
  template <class Process>
  requires detail::coroutine_of_message<Process> result<> run(Process process)
  const {
    detail::coroutine_program<Process> program(options_, std::move(process));
    return work(options_, program);
  }

 private:
  channel_options options_{};
};

}  // namespace mta
