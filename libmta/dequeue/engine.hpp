// The dequeue loop of the Developer's Reference, chapter 4: one calling thread that creates processing
// threads as the job controller advises, and these threads. See README.md of this folder.
//
// Thread safety: run() from one thread, once. The processing threads keep the engine alive until they have
// ended.
#pragma once

#include "config/settings.hpp"
#include "dequeue/claims.hpp"
#include "dequeue/connect.hpp"
#include "dequeue/context.hpp"
#include "wire/session.hpp"

#include <mta/dequeue.hpp>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>

namespace mta::dequeueing {

/// Is this thread in a program's process function, with a message in hand?
bool processing_here() noexcept;

class engine : public std::enable_shared_from_this<engine> {
 public:
  engine(std::shared_ptr<const config::settings>, const config::channel&, const dequeue_options&,
         std::shared_ptr<dequeue_handler>);

  /// Connects, works, returns when there is no more to do; the errors are those of mta::dequeue().
  result<> run();

 private:
  enum class ending : std::uint8_t { nothing_left, aborted };

  // --- the calling thread
  void thread_creation_loop();
  result<> wait_for_threads();
  bool reserve_thread(std::uint32_t wanted);
  bool start_thread();
  void start_replacement() noexcept;
  result<wire::backlog> ask_for_backlog();

  // --- processing threads
  static void* thread_main(void* self) noexcept;
  void processing_thread() noexcept;
  ending process_messages(int thread_id) noexcept;
  bool park();
  bool next_message(claimed&);
  bool take_ready(claimed&);
  void claim_some(const wire::leased_message& first);
  bool process_one(claimed, void*& state, int thread_id);
  void report(const wire::message_result&);
  void give_back_ready();
  void refill_credit();

  const std::shared_ptr<const config::settings> settings_;
  const config::channel& channel_;
  const working_limits limits_;
  std::shared_ptr<dequeue_handler> handler_;  // given up in run() when every thread has ended
  queue::store store_;
  claims claims_;
  std::unique_ptr<wire::session> session_;
  const std::shared_ptr<accounting::log> accounts_;
  notifier notifier_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint32_t running_ = 0;     // processing threads, as the documented loop counts them
  std::uint32_t os_threads_ = 0;  // including one that is parked
  bool parked_ = false;
  bool done_ = false;  // the loop has ended: nothing new is begun
  int last_thread_id_ = 0;
  std::deque<claimed> ready_;  // claimed and not yet processed
  std::atomic<std::uint64_t> processed_{0};
  std::atomic<std::uint64_t> average_ns_{5'000'000};  // of one message's processing; slow until known
};

}  // namespace mta::dequeueing
