#include "dequeue/pump.hpp"

#include "dequeue/log.hpp"
#include "dequeue/site.hpp"
#include "dequeue/stress.hpp"

#include <algorithm>

namespace mta::dequeueing {
namespace {

using std::chrono::steady_clock;

constexpr std::uint32_t claimed_together = 64;
constexpr unsigned writing_threads = 2;  // a notification waits for the disk; others go on meanwhile

}  // namespace

pump::pump(workplace place, const channel_options& options, concurrent_program& program)
    : place_(std::move(place)),
      limits_(options, place_.settings->dequeue),
      most_in_hand_(std::clamp<std::uint32_t>(options.in_hand, 1, wire::max_in_hand)),
      most_to_a_host_(options.per_host == 0 ? most_in_hand_ : options.per_host),
      cancel_timeout_(options.cancel_timeout),
      program_(program),
      store_(queue::real_file_io(), place_.settings->queue_root()),
      claims_(store_, place_.channel->name),
      accounts_(site_accounts(*place_.settings)),
      notifier_(place_.settings, accounts_) {}

result<> pump::run() {
  auto connected = connect(*place_.settings, *place_.channel, limits_, most_in_hand_);
  if (!connected) return connected.error();
  session_ = std::move(*connected);
  const stoppable registration(*session_);
  const stress_line line(*session_);
  for (unsigned i = 0; i < writing_threads; ++i) writers_.emplace_back([this] { write_outcomes(); });
  take_messages();
  auto ended = wait_for_the_rest();
  {
    const std::scoped_lock guard(mutex_);
    closing_ = true;
    to_write_.notify_all();
  }
  for (std::thread& t : writers_) t.join();
  const error why = session_->why();  // of a connection that was lost; none if we leave by ourselves
  session_->close();
  accounts_->flush();
  if (ended && why.code) return why;
  return ended;
}

// --- the calling thread
// -----------------------------------------------------------------------------------------------

void pump::take_messages() {
  std::uint32_t attempts = limits_.max_attempts;
  refill_credit();
  while (!session_->stop_requested()) {
    const auto got = session_->take(steady_clock::now() + limits_.retry_interval);
    if (got) {
      attempts = limits_.max_attempts;
      claim_some(*got);
      continue;
    }
    if (got.error().code != errc::timed_out) return;
    claims_.close_unused();
    if (!idle_for_good()) {
      attempts = limits_.max_attempts;
    } else {
      if (attempts == 0) return;
      --attempts;
    }
  }
}

/// Nothing is at work, and the controller knows of nothing.
bool pump::idle_for_good() {
  std::uint32_t at_work = 0;
  {
    const std::scoped_lock guard(mutex_);
    at_work = at_work_;
  }
  if (at_work > 0) return false;
  const auto backlog = session_->poll(at_work, limits_.controller_timeout);
  return !backlog || backlog->pending + session_->buffered() == 0;
}

/// Claims the message, and with it those that have come with it.
void pump::claim_some(const wire::leased_message& first) {
  std::vector<wire::leased_message> leases{first};
  while (leases.size() < claimed_together && session_->buffered() > 0) {
    const auto more = session_->take(steady_clock::time_point{});
    if (!more) break;
    leases.push_back(*more);
  }
  std::vector<claimed> ours;
  std::vector<wire::message_result> not_ours;
  ours.reserve(leases.size());
  claims_.claim(leases, ours, not_ours);
  for (const auto& r : not_ours) session_->report(r);
  for (claimed& c : ours) {
    {
      const std::scoped_lock guard(mutex_);
      ++at_work_;
      destination& d = destinations_[c.listed.entry.host];
      if (d.at_work >= most_to_a_host_) {
        d.waiting.push_back(std::move(c));
        continue;
      }
      ++d.at_work;
    }
    begin(std::move(c));
  }
  refill_credit();
}

/// Hands a message to the program. It counts as at work, and for its destination.
void pump::begin(claimed c) noexcept {
  const auto lock = c.lock;
  const auto id = c.id;
  const std::string host = c.listed.entry.host;
  auto outcome = wire::outcome::locked;  // later
  try {
    const int thread = program_.next_thread();
    auto opened = context::open(std::move(c), notifier_, *place_.channel, thread);
    if (opened) {
      (*opened)->account_in(*accounts_);
      std::list<std::unique_ptr<held>> one;
      one.push_back(std::make_unique<held>(*this, std::move(*opened)));
      held& message = *one.front();
      message.place = one.begin();
      {
        const std::scoped_lock guard(mutex_);
        at_program_.splice(at_program_.end(), one);
      }
      try {
        return program_.begin(message, message.message);
      } catch (...) {
        const std::scoped_lock guard(mutex_);
        one.splice(one.end(), at_program_, message.place);
        throw;
      }
    }
    log_problem(opened.error());
    if (opened.error().code == errc::damaged) outcome = wire::outcome::bad;
  } catch (const std::exception& e) {
    write_log_line(std::string("begin a message: ") + e.what());
  }
  lock->unlock(id.slot);
  session_->report({id, outcome, {}});
  leave_destination(host);
}

result<> pump::wait_for_the_rest() {
  session_->request_stop();  // nothing more is taken; what nobody took goes back
  {
    const std::scoped_lock guard(mutex_);
    stopping_ = true;
  }
  give_back_waiting();
  (void)session_->flush();
  std::unique_lock guard(mutex_);
  const auto nothing_left = [this] { return at_work_ == 0; };
  if (written_.wait_for(guard, limits_.wait_timeout, nothing_left)) return {};
  guard.unlock();
  program_.cancel();
  guard.lock();
  if (written_.wait_for(guard, cancel_timeout_, nothing_left)) return {};
  const std::uint32_t left = at_work_;
  guard.unlock();
  program_.abandon();
  return error(errc::timed_out, "wait for " + std::to_string(left) + " messages of channel " +
                                    place_.channel->name + " that are worked on");
}

void pump::give_back_waiting() {
  std::vector<claimed> rest;
  {
    const std::scoped_lock guard(mutex_);
    for (auto& [host, d] : destinations_) {
      for (claimed& c : d.waiting) rest.push_back(std::move(c));
      d.waiting.clear();
    }
    at_work_ -= static_cast<std::uint32_t>(rest.size());
  }
  for (const claimed& c : rest) {
    c.lock->unlock(c.id.slot);
    session_->report({c.id, wire::outcome::released, {}});
  }
}

// --- the end of a message
// ---------------------------------------------------------------------------------------------

void pump::ended(held& h) noexcept {
  const std::scoped_lock guard(mutex_);
  ended_.splice(ended_.end(), at_program_, h.place);
  to_write_.notify_one();
}

void pump::write_outcomes() noexcept {
  std::unique_lock guard(mutex_);
  while (true) {
    to_write_.wait(guard, [this] { return closing_ || !ended_.empty(); });
    if (ended_.empty()) return;
    const auto next = std::move(ended_.front());
    ended_.pop_front();
    guard.unlock();
    write_outcome(*next);
    guard.lock();
    if (!ended_.empty()) continue;
    guard.unlock();  // nothing more at the moment: what has been collected goes out
    accounts_->flush();
    refill_credit();
    (void)session_->flush();
    guard.lock();
  }
}

void pump::write_outcome(held& h) noexcept {
  context& c = *h.context;
  const std::string host = c.entry().host;
  try {
    if (!c.finished()) {
      c.dispose_rest(h.outcome.value_or(disposition::deferred), h.outcome ? "" : "not finished");
      const auto written = h.deferred ? c.defer(*h.deferred) : c.finish();
      if (!written) log_problem(written.error());
    }
    session_->report(c.outcome());
  } catch (const std::bad_alloc&) {
    c.claim().lock->unlock(c.claim().id.slot);
    session_->report({c.claim().id, wire::outcome::locked, {}});
  }
  leave_destination(host);
}

/// A message to this host is no longer at work; the next that waited for it begins.
void pump::leave_destination(const std::string& host) noexcept {
  std::optional<claimed> next;
  {
    const std::scoped_lock guard(mutex_);
    const auto d = destinations_.find(host);
    if (!d->second.waiting.empty() && !stopping_) {
      next = std::move(d->second.waiting.front());
      d->second.waiting.pop_front();
    } else if (--d->second.at_work == 0 && d->second.waiting.empty()) {
      destinations_.erase(d);
    }
    --at_work_;
    written_.notify_all();
  }
  if (next) begin(std::move(*next));
}

/// What may be in hand and is not, is asked for: in pieces, so that a busy program asks seldom.
void pump::refill_credit() {
  const std::uint32_t have = session_->credit() + session_->buffered() + session_->in_hand();
  if (have + most_in_hand_ / 4 < most_in_hand_ || have == 0)
    session_->give_credit(most_in_hand_ - std::min(have, most_in_hand_));
}

}  // namespace mta::dequeueing

namespace mta {

concurrent_program::~concurrent_program() = default;

result<> work(const channel_options& options, concurrent_program& program) {
  auto place = dequeueing::find_workplace(options.channel);
  if (!place) return place.error();
  dequeueing::handle_termination();
  return dequeueing::pump(std::move(*place), options, program).run();
}

void done(dequeueing::held& h, std::optional<disposition> outcome) noexcept {
  h.outcome = outcome;
  h.owner.ended(h);
}

void defer(dequeueing::held& h, std::string_view reason) noexcept {
  try {
    h.deferred.emplace(reason);
  } catch (const std::bad_alloc&) {
    h.deferred.emplace();
  }
  h.owner.ended(h);
}

}  // namespace mta
