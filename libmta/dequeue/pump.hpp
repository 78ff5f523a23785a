// The way of messages to programs that work on many at once: one thread takes them from the job controller
// and hands them over, others write down what became of them. See README.md of this folder.
//
// Thread safety: run() from one thread, once; ended() from any. Lifetime: the program outlives run().
#pragma once

#include "dequeue/claims.hpp"
#include "dequeue/connect.hpp"
#include "dequeue/context.hpp"
#include "dequeue/notifier.hpp"
#include "wire/session.hpp"

#include <mta/concurrent.hpp>

#include <condition_variable>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace mta::dequeueing {

class pump;

/// A message that the program works on.
struct held {
  held(pump& p, std::unique_ptr<dequeueing::context> c)
      : owner(p), context(std::move(c)), message(*context) {}

  pump& owner;
  const std::unique_ptr<dequeueing::context> context;
  mta::message message;
  std::list<std::unique_ptr<held>>::iterator place;
  // As done() and defer() were told:
  std::optional<disposition> outcome;
  std::optional<std::string> deferred;
};

class pump {
 public:
  pump(workplace, const channel_options&, concurrent_program&);

  /// Connects, works, returns when there is no more to do; the errors are those of mta::channel::run().
  result<> run();
  /// The program is done with a message. Any thread.
  void ended(held&) noexcept;

 private:
  struct destination {
    std::uint32_t at_work = 0;
    std::deque<claimed> waiting;  // for their turn
  };

  // --- the calling thread
  void take_messages();
  bool idle_for_good();
  result<> wait_for_the_rest();
  void claim_some(const wire::leased_message& first);
  void begin(claimed) noexcept;
  void give_back_waiting();

  // --- the threads that write
  void write_outcomes() noexcept;
  void write_outcome(held&) noexcept;
  void leave_destination(const std::string& host) noexcept;

  void refill_credit();

  const workplace place_;
  const working_limits limits_;
  const std::uint32_t most_in_hand_, most_to_a_host_;
  const std::chrono::milliseconds cancel_timeout_;
  concurrent_program& program_;
  queue::store store_;
  claims claims_;
  std::unique_ptr<wire::session> session_;
  const std::shared_ptr<accounting::log> accounts_;
  notifier notifier_;

  std::mutex mutex_;
  std::condition_variable to_write_, written_;
  std::map<std::string, destination, std::less<>> destinations_;  // with a message at work
  std::list<std::unique_ptr<held>> at_program_, ended_;           // ended: to be written
  std::uint32_t at_work_ = 0;                                     // with the program, or to be written
  bool stopping_ = false, closing_ = false;
  std::vector<std::thread> writers_;
};

}  // namespace mta::dequeueing
