#include "dequeue/engine.hpp"

#include "dequeue/connect.hpp"
#include "dequeue/log.hpp"
#include "dequeue/site.hpp"
#include "dequeue/stress.hpp"

#include <algorithm>
#include <pthread.h>

namespace mta::dequeueing {
namespace {

using std::chrono::steady_clock;
thread_local bool processing = false;
constexpr std::uint32_t batch = 64;            // messages claimed together when they take little time
constexpr std::uint32_t most_credit = 512;     // messages leased to us ahead of need
constexpr std::uint64_t quick_ns = 500'000;    // below this per message, batches are worth it
constexpr std::uint64_t ahead_ns = 5'000'000;  // so much work is leased ahead for each thread
constexpr auto between_polls = std::chrono::milliseconds(20);  // while threads run and more leases come in
constexpr steady_clock::duration for_ever = std::chrono::hours(24 * 365);

std::size_t stack_size(std::size_t wanted) {
  return (std::max(wanted, std::size_t{256} * 1024) + 4095) & ~std::size_t{4095};
}

}  // namespace

engine::engine(std::shared_ptr<const config::settings> settings, const config::channel& channel,
               const dequeue_options& options, std::shared_ptr<dequeue_handler> handler)
    : settings_(std::move(settings)),
      channel_(channel),
      limits_(options, settings_->dequeue),
      handler_(std::move(handler)),
      store_(queue::real_file_io(), settings_->queue_root()),
      claims_(store_, channel.name),
      accounts_(site_accounts(*settings_)),
      notifier_(settings_, accounts_) {}

result<> engine::run() {
  auto connected = connect(*settings_, channel_, limits_, limits_.max_threads);
  if (!connected) return connected.error();
  session_ = std::move(*connected);
  const stoppable registration(*session_);
  const stress_line line(*session_);
  thread_creation_loop();
  auto waited = wait_for_threads();
  if (waited) {
    handler_.reset();                   // here, and not whenever the last thread lets go of us
    const error why = session_->why();  // of a connection that was lost; none if we leave by ourselves
    session_->close();
    if (why.code) return why;
  }
  return waited;
}

// The documented loop. Two things differ, neither of which a program can see but by its speed: where the
// original would ask again and again while enough threads run, we sleep; and the sleep ends early when
// messages arrive.
void engine::thread_creation_loop() {
  std::uint32_t attempts = limits_.max_attempts;
  std::uint64_t processed_before = 0;
  refill_credit();
  while (true) {
    bool enough = false;
    while (true) {
      std::uint32_t running = 0;
      {
        const std::scoped_lock guard(mutex_);
        running = running_;
      }
      if (running >= limits_.max_threads) {
        enough = true;
        break;
      }
      if (session_->stop_requested()) return;
      const auto backlog = ask_for_backlog();
      if (!backlog) {
        if (session_->why().code) return;
        break;  // no answer in time: sleep and ask again; how long without a connection, the session knows
      }
      const std::uint64_t processed = processed_.load();
      const std::uint64_t pending = backlog->pending + session_->buffered() + session_->in_hand();
      if (pending == 0) {
        if (processed != processed_before) attempts = limits_.max_attempts;  // there was work since
        processed_before = processed;
        if (attempts == 0) return;
        --attempts;
        break;
      }
      attempts = limits_.max_attempts;
      processed_before = processed;
      const std::uint32_t wanted = std::min(std::max(backlog->threads, 1u), limits_.max_threads);
      if (wanted <= running) {
        enough = true;
        break;
      }
      // So many and no more for one answer: when others were faster, ours end at once, and the controller is
      // to be asked again before more are created.
      bool started = true;
      for (std::uint32_t n = running; n < wanted && started && reserve_thread(wanted); ++n)
        started = start_thread();
      if (!started) break;
    }
    // SLEEP. While threads run, arriving leases are theirs; look again soon whether more of them are needed.
    const auto deadline = steady_clock::now() + limits_.retry_interval;
    if (enough) {
      const auto soon = std::min(deadline, steady_clock::now() + between_polls);
      if (session_->sleep_until(soon, false) == wire::session::woken::stop) return;
    }
    const auto woken = session_->sleep_until(deadline, true);
    if (woken == wire::session::woken::stop || woken == wire::session::woken::failed) return;
    claims_.close_unused();
  }
}

result<wire::backlog> engine::ask_for_backlog() {
  std::uint32_t running = 0;
  {
    const std::scoped_lock guard(mutex_);
    running = running_;
  }
  return session_->poll(running, limits_.controller_timeout);
}

/// Counts one more thread, unless so many run as are wanted: a parked one may have begun to work meanwhile.
bool engine::reserve_thread(std::uint32_t wanted) {
  const std::scoped_lock guard(mutex_);
  if (running_ >= wanted) return false;
  ++running_;
  ++os_threads_;
  return true;
}

/// Starts the thread that has been reserved.
bool engine::start_thread() {
  auto* keeps_alive = new std::shared_ptr<engine>(shared_from_this());
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  ::pthread_attr_setstacksize(&attributes, stack_size(limits_.stack_size));
  pthread_t thread{};
  const int failure = ::pthread_create(&thread, &attributes, &engine::thread_main, keeps_alive);
  ::pthread_attr_destroy(&attributes);
  if (failure == 0) return true;
  delete keeps_alive;
  log_problem(os_error("create a processing thread", failure));
  const std::scoped_lock guard(mutex_);
  --running_;
  --os_threads_;
  return false;
}

/// Starts the thread that takes over from one that has to end.
void engine::start_replacement() noexcept {
  try {
    (void)start_thread();
  } catch (const std::bad_alloc&) {  // the loop makes up for it in its next round
    const std::scoped_lock guard(mutex_);
    --running_;
    --os_threads_;
  }
}

result<> engine::wait_for_threads() {
  session_->request_stop();  // nothing more is taken; what nobody took goes back
  {
    const std::scoped_lock guard(mutex_);
    done_ = true;
  }
  give_back_ready();
  (void)session_->flush();
  std::unique_lock guard(mutex_);
  const bool ended = changed_.wait_for(guard, limits_.wait_timeout, [this] { return os_threads_ == 0; });
  if (ended) {
    guard.unlock();
    give_back_ready();
    return {};
  }
  return error(errc::timed_out,
               "wait for " + std::to_string(os_threads_) + " processing threads of channel " + channel_.name);
}

// --- processing threads
// ------------------------------------------------------------------------------------------------

void* engine::thread_main(void* self) noexcept {
  const std::unique_ptr<std::shared_ptr<engine>> owner(static_cast<std::shared_ptr<engine>*>(self));
  (*owner)->processing_thread();
  return nullptr;
}

void engine::processing_thread() noexcept {
  // One life after another: each is a processing thread of the book, and between them this thread is parked.
  while (true) {
    int id = 0;
    {
      const std::scoped_lock guard(mutex_);
      id = ++last_thread_id_;
    }
    const ending how = process_messages(id);
    bool left_some = false;
    {
      const std::scoped_lock guard(mutex_);
      // Claimed by a parked thread while as many ran as may, or by this one before it had to end.
      left_some = !ready_.empty() && !session_->stop_requested();
      if (!left_some)
        --running_;
      else if (how == ending::aborted)
        ++os_threads_;
      changed_.notify_all();
    }
    if (how == ending::aborted) {
      if (left_some) {
        start_replacement();
      } else {
        refill_credit();  // what comes wakes the loop, which creates a thread for it
        (void)session_->flush();
      }
      break;
    }
    if (!left_some && !park()) break;
  }
  const std::scoped_lock guard(mutex_);
  --os_threads_;
  changed_.notify_all();
}

engine::ending engine::process_messages(int thread_id) noexcept {
  void* state = nullptr;  // *ctx2 == NULL, once for each thread
  ending how = ending::nothing_left;
  claimed next;
  while (next_message(next)) {
    if (!process_one(std::move(next), state, thread_id)) {
      how = ending::aborted;
      break;
    }
  }
  handler_->thread_done(state);
  accounts_->flush();
  return how;
}

/// Waits for a message as the one thread that may; true: there is one, and this thread's next life begins.
bool engine::park() {
  while (true) {
    {
      const std::scoped_lock guard(mutex_);
      if (parked_ || done_ || session_->stop_requested()) return false;
      parked_ = true;
    }
    refill_credit();
    (void)session_->flush();
    const auto got = session_->take(steady_clock::now() + for_ever);
    bool may_run = false;
    {
      // Counted before the message is claimed: the loop must not take us for idle meanwhile.
      const std::scoped_lock guard(mutex_);
      parked_ = false;
      may_run = got && !done_ && running_ < limits_.max_threads;
      if (may_run) ++running_;
    }
    if (!got) return false;
    claim_some(*got);
    if (may_run) return true;
    // As many ran as may: one of them takes it when it has nothing else, or has ended meanwhile.
    const std::scoped_lock guard(mutex_);
    if (!ready_.empty() && !done_ && running_ < limits_.max_threads) {
      ++running_;
      return true;
    }
  }
}

bool engine::take_ready(claimed& out) {
  const std::scoped_lock guard(mutex_);
  if (ready_.empty()) return false;
  out = std::move(ready_.front());
  ready_.pop_front();
  return true;
}

bool engine::next_message(claimed& out) {
  while (true) {
    if (session_->stop_requested()) {
      give_back_ready();
      return false;
    }
    if (take_ready(out)) return true;
    accounts_->flush();  // of the messages that were claimed together
    refill_credit();
    const auto got = session_->take(steady_clock::time_point{});
    if (got) {
      claim_some(*got);
      continue;
    }
    return take_ready(out);  // another thread may have claimed some for all
  }
}

/// Claims the message, and with it those behind it when they will be processed in no time.
void engine::claim_some(const wire::leased_message& first) {
  std::vector<wire::leased_message> leases{first};
  if (average_ns_.load(std::memory_order_relaxed) < quick_ns)
    while (leases.size() < batch && session_->buffered() > 0) {
      const auto more = session_->take(steady_clock::time_point{});
      if (!more) break;
      leases.push_back(*more);
    }
  std::vector<claimed> ours;
  std::vector<wire::message_result> not_ours;
  ours.reserve(leases.size());
  claims_.claim(leases, ours, not_ours);
  for (const auto& r : not_ours) report(r);
  bool too_late = false;
  {
    const std::scoped_lock guard(mutex_);
    for (claimed& c : ours) ready_.push_back(std::move(c));
    too_late = done_;
  }
  if (too_late) give_back_ready();  // the loop has ended meanwhile, and has given back what was there then
}

bool processing_here() noexcept { return processing; }

bool engine::process_one(claimed c, void*& state, int thread_id) {
  const auto started = steady_clock::now();
  const wire::message_result damaged{c.id, wire::outcome::bad, {}}, later{c.id, wire::outcome::locked, {}};
  const auto lock = c.lock;
  bool go_on = true;
  try {
    auto opened = context::open(std::move(c), notifier_, channel_, thread_id);
    if (!opened) {
      log_problem(opened.error());
      lock->unlock(damaged.id.slot);
      report(opened.error().code == errc::damaged ? damaged : later);
      return true;
    }
    context& in_hand = **opened;
    in_hand.account_in(*accounts_);
    message m(in_hand);
    std::string why = "not finished";
    try {
      processing = true;
      go_on = handler_->process(state, m) == next_step::go_on;
    } catch (const std::exception& e) {
      go_on = false;
      why = e.what();
      write_log_line("message " + in_hand.id() + ": " + why);
    } catch (...) {
      go_on = false;
      why = "unknown exception";
      write_log_line("message " + in_hand.id() + ": " + why);
    }
    processing = false;
    if (!in_hand.finished())
      if (const auto deferred = in_hand.defer(why); !deferred) log_problem(deferred.error());
    processed_.fetch_add(1,
                         std::memory_order_relaxed);  // first: the loop looks at it after the result is out
    report(in_hand.outcome());
  } catch (const std::bad_alloc&) {
    lock->unlock(damaged.id.slot);
    report(later);
    go_on = false;
  }
  const auto ns = static_cast<std::uint64_t>((steady_clock::now() - started).count());
  const std::uint64_t average = average_ns_.load(std::memory_order_relaxed);
  average_ns_.store(average - average / 8 + ns / 8, std::memory_order_relaxed);
  return go_on;
}

void engine::report(const wire::message_result& r) { session_->report(r); }

void engine::give_back_ready() {
  std::deque<claimed> rest;
  {
    const std::scoped_lock guard(mutex_);
    rest.swap(ready_);
  }
  for (const claimed& c : rest) {
    c.lock->unlock(c.id.slot);
    report({c.id, wire::outcome::released, {}});
  }
  if (!rest.empty()) (void)session_->flush();  // at once: what other threads have in hand may take long
}

/// Keeps so many messages leased ahead that no thread waits for the controller, and no more: other programs
/// want some.
void engine::refill_credit() {
  const std::uint64_t average = std::max<std::uint64_t>(average_ns_.load(std::memory_order_relaxed), 1);
  const std::uint64_t per_thread = std::clamp<std::uint64_t>(ahead_ns / average, 1, most_credit);
  const auto window =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(per_thread * limits_.max_threads, most_credit));
  const std::uint32_t have = session_->credit() + session_->buffered() + session_->in_hand();
  if (have + window / 4 < window || have == 0) session_->give_credit(window - std::min(have, window));
}

}  // namespace mta::dequeueing

namespace mta {

result<> dequeue(const dequeue_options& options, dequeue_handler& handler) {
  return dequeue(options, std::shared_ptr<dequeue_handler>(std::shared_ptr<void>(), &handler));
}

result<> dequeue(const dequeue_options& options, std::shared_ptr<dequeue_handler> handler) {
  const auto place = dequeueing::find_workplace(options.channel);
  if (!place) return place.error();
  dequeueing::handle_termination();
  return std::make_shared<dequeueing::engine>(place->settings, *place->channel, options, std::move(handler))
      ->run();
}

}  // namespace mta
