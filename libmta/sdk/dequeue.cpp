// mtaDequeue*: the C interface onto mta::dequeue() and mta::message.
#include "dequeue/context.hpp"
#include "dequeue/site.hpp"
#include "sdk/contexts.hpp"
#include "sdk/debug.hpp"
#include "sdk/items.hpp"

#include <mta/program.hpp>

#include <climits>
#include <fmt/format.h>
#include <memory>
#include <new>

namespace {

using mta::sdk::argument;
using mta::sdk::dequeue_context;
using mta::sdk::diagnose;
using mta::sdk::diagnosing;
using mta::sdk::diagnostics;
using mta::sdk::item;
using mta::sdk::status;
using dequeue_use = mta::sdk::use<dequeue_context>;

/// The two callbacks as a handler.
class callbacks final : public mta::dequeue_handler {
 public:
  callbacks(void* ctx1, mta_dq_process_message_t* routine, mta_dq_process_done_t* done)
      : ctx1_(ctx1), process_(routine), done_(done) {}

  mta::next_step process(void*& thread_state, mta::message& m) override {
    dequeue_context* const c = mta::sdk::dequeue_contexts().acquire();
    c->message = &m;
    c->next = 0;
    c->end_seen = c->finished = false;
    struct releaser {
      dequeue_context* context;
      ~releaser() { mta::sdk::dequeue_contexts().release(context); }
    } release_at_end{c};
    const std::string_view from = m.sender();
    if (diagnosing(diagnostics::dequeue))
      diagnose(diagnostics::dequeue,
               fmt::format("message {} of channel {}: from <{}>, {} recipients, attempt {}", m.id(),
                           m.channel(), from, m.recipients().size(), m.attempts() + 1));
    const int answer = process_(&thread_state, ctx1_, c, from.data(), from.size());
    if (diagnosing(diagnostics::dequeue))
      diagnose(diagnostics::dequeue,
               fmt::format("message {}: {}", m.id(), m.finished() ? "finished" : "not finished, deferred"));
    return answer == MTA_ABORT ? mta::next_step::end_thread : mta::next_step::go_on;
  }
  void thread_done(void* thread_state) noexcept override {
    if (done_ != nullptr) done_(thread_state, ctx1_);
  }

 private:
  void* ctx1_;
  mta_dq_process_message_t* process_;
  mta_dq_process_done_t* done_;
};

constexpr std::initializer_list<mta::sdk::item_kind> info_items = {
    {MTA_CHANNEL, argument::text_out},          {MTA_DOMAIN, argument::text_out},
    {MTA_ENV_ID, argument::text_out},           {MTA_IRCPT_TO, argument::text_out},
    {MTA_MSG_ID, argument::text_out},           {MTA_ORCPT_TO, argument::text_out},
    {MTA_DELIVERY_FLAGS, argument::number_out}, {MTA_NOTIFY_FLAGS, argument::number_out},
    {MTA_THREAD_ID, argument::int_out}};

int give_info(dequeue_context& c, int code, mta::sdk::arguments& args) {
  mta::message& m = *c.message;
  const auto all = m.recipients();
  const mta::recipient* const latest = c.next == 0 ? nullptr : &all[c.next - 1];
  return mta::sdk::read_items(info_items, code, args, [&](const item& i) {
    switch (i.code) {
      case MTA_CHANNEL: i.give(m.channel()); break;
      case MTA_DOMAIN: i.give(m.host()); break;
      case MTA_ENV_ID: i.give(m.envelope_id()); break;
      case MTA_MSG_ID: i.give(m.header_id()); break;
      case MTA_THREAD_ID: *i.int_out = m.thread_id(); break;
      case MTA_DELIVERY_FLAGS:
        *i.number_out = latest != nullptr ? latest->delivery_flags : m.delivery_flags();
        break;
      case MTA_NOTIFY_FLAGS:
        *i.number_out = static_cast<std::size_t>(latest != nullptr ? latest->notify : m.notify());
        break;
      case MTA_IRCPT_TO:
        if (latest == nullptr) return MTA_NO;
        i.give(latest->intermediate);
        break;
      case MTA_ORCPT_TO:
        if (latest == nullptr) return MTA_NO;
        i.give(latest->original.empty() ? latest->address : latest->original);
        break;
      default: return MTA_NOSUCHITEM;
    }
    return MTA_OK;
  });
}

}  // namespace

extern "C" {

int mtaDequeueStart(void* ctx1, mta_dq_process_message_t* process_message,
                    mta_dq_process_done_t* process_done, int item_code, ...) try {
  if (process_message == nullptr) return status(MTA_BADARGS);
  const auto site = mta::dequeueing::site();
  if (!site) return status(mta::sdk::initialisation_status(site.error()));
  mta::dequeue_options o;  // what the items do not say, the configuration does
  const auto seconds = [](std::size_t n) { return std::chrono::seconds(n); };
  const auto count = [](std::size_t n) {
    return static_cast<std::uint32_t>(std::min<std::size_t>(n, INT_MAX));
  };
  mta::sdk::arguments args;
  va_start(args.list, item_code);
  const int read = mta::sdk::read_items({{MTA_CHANNEL, argument::text},
                                         {MTA_JBC_MAX_ATTEMPTS, argument::number},
                                         {MTA_JBC_RETRY_INTERVAL, argument::number},
                                         {MTA_JBC_TIMEOUT, argument::number},
                                         {MTA_THREAD_MAX_MESSAGES, argument::number},
                                         {MTA_THREAD_MAX_THREADS, argument::number},
                                         {MTA_THREAD_STACK_SIZE, argument::number},
                                         {MTA_THREAD_WAIT_TIMEOUT, argument::number}},
                                        item_code, args, [&](const item& i) {
                                          switch (i.code) {
                                            case MTA_CHANNEL:
                                              if (i.text.size() > CHANLENGTH) return MTA_STRTRUERR;
                                              o.channel = i.text;
                                              break;
                                            case MTA_JBC_MAX_ATTEMPTS:
                                              o.max_attempts = count(i.number);
                                              break;
                                            case MTA_JBC_RETRY_INTERVAL:
                                              o.retry_interval = seconds(i.number);
                                              break;
                                            case MTA_JBC_TIMEOUT:
                                              o.controller_timeout =
                                                  seconds(std::max<std::size_t>(i.number, 1));
                                              break;
                                            case MTA_THREAD_MAX_MESSAGES:
                                              o.messages_per_thread = count(i.number);
                                              break;
                                            case MTA_THREAD_MAX_THREADS:
                                              o.max_threads = std::max(count(i.number), 1u);
                                              break;
                                            case MTA_THREAD_STACK_SIZE: o.stack_size = i.number; break;
                                            case MTA_THREAD_WAIT_TIMEOUT:
                                              o.wait_timeout = seconds(i.number);
                                              break;
                                            default: return MTA_NOSUCHITEM;
                                          }
                                          return MTA_OK;
                                        });
  va_end(args.list);
  if (read != MTA_OK) return status(read);
  if (o.channel.empty())
    if (const auto own = mta::channel_name(); !own)
      return status(own.error().code == mta::errc::out_of_range ? MTA_STRTRUERR : MTA_NO);
  const auto done = mta::dequeue(o, std::shared_ptr<mta::dequeue_handler>(
                                        std::make_shared<callbacks>(ctx1, process_message, process_done)));
  if (done) return MTA_OK;
  mta::log_line(done.error().message());
  return status(mta::sdk::status_of(done.error(), MTA_NETWORK));
} catch (const std::bad_alloc&) {
  return status(MTA_NOMEM);
}

int mtaDequeueRecipientNext(mta_dq_t* dq_ctx, const char** env_to, size_t* env_to_len, int item_code, ...) {
  const dequeue_use c(dq_ctx);
  if (!c) return status(c.code());
  if (c->finished) return status(MTA_ORDER);
  const auto all = c->message->recipients();
  if (c->next >= all.size()) {
    c->end_seen = true;
    if (env_to != nullptr) *env_to = "";
    if (env_to_len != nullptr) *env_to_len = 0;
    return MTA_EOF;
  }
  const mta::recipient& r = all[c->next++];
  mta::sdk::arguments args;
  va_start(args.list, item_code);
  const int read = give_info(*c, item_code, args);
  va_end(args.list);
  if (read != MTA_OK) {
    --c->next;  // it is not passed over
    return status(read);
  }
  if (env_to != nullptr) *env_to = r.address.data();
  if (env_to_len != nullptr) *env_to_len = r.address.size();
  return MTA_OK;
}

int mtaDequeueInfo(mta_dq_t* dq_ctx, int item_code, ...) {
  const dequeue_use c(dq_ctx);
  if (!c) return status(c.code());
  if (c->finished) return status(MTA_BADARGS);
  mta::sdk::arguments args;
  va_start(args.list, item_code);
  const int read = give_info(*c, item_code, args);
  va_end(args.list);
  return status(read);
}

int mtaDequeueLineNext(mta_dq_t* dq_ctx, const char** line, size_t* len) {
  const dequeue_use c(dq_ctx);
  if (!c) return status(c.code());
  if (!c->end_seen || c->finished) return status(MTA_ORDER);
  const auto next = c->message->next_line();
  if (!next) return status(MTA_FIO);
  if (!*next) return MTA_EOF;
  if (line != nullptr) *line = (*next)->data();
  if (len != nullptr) *len = (*next)->size();
  return MTA_OK;
}

int mtaDequeueRewind(mta_dq_t* dq_ctx) {
  const dequeue_use c(dq_ctx);
  if (!c) return status(c.code());
  if (!c->end_seen || c->finished) return status(MTA_ORDER);
  c->message->rewind();
  return MTA_OK;
}

int mtaDequeueRecipientDisposition(mta_dq_t* dq_ctx, const char* env_to, size_t env_to_len,
                                   size_t disposition, int item_code, ...) {
  const dequeue_use c(dq_ctx);
  if (!c) return status(c.code());
  disposition &= 0xFFFF'FFFF;
  if (env_to == nullptr || disposition > MTA_DISP_TIMEDOUT || c->finished) return status(MTA_BADARGS);
  std::string_view reason;
  mta::sdk::arguments args;
  va_start(args.list, item_code);
  const int read = mta::sdk::read_items({{MTA_REASON, argument::text}}, item_code, args, [&](const item& i) {
    reason = i.text;
    return MTA_OK;
  });
  va_end(args.list);
  if (read != MTA_OK) return status(read);
  const std::string_view address = mta::sdk::text_of(env_to, env_to_len);
  // An address may be there twice, with different flags. The string that was returned says which one is
  // meant; a copy of it means both.
  bool found = false;
  for (const mta::recipient& r : c->message->recipients()) {
    if (r.address != address) continue;
    found = true;
    if (r.address.data() != env_to && c->is_returned_string(env_to)) continue;
    c->message->dispose(r, static_cast<mta::disposition>(disposition), reason);
  }
  return found ? MTA_OK : status(MTA_NO);
}

int mtaDequeueMessageFinish(mta_dq_t* dq_ctx, int item_code, ...) {
  const dequeue_use c(dq_ctx);
  if (!c) return status(c.code());
  if (c->finished) return status(MTA_ORDER);
  c->finished = true;  // whatever the result
  bool abort = false, for_all = false;
  auto disposition = mta::disposition::deferred;
  std::string_view reason;
  mta::sdk::arguments args;
  va_start(args.list, item_code);
  const int read = mta::sdk::read_items(
      {{MTA_ABORT, argument::none}, {MTA_DISP, argument::number}, {MTA_REASON, argument::text}}, item_code,
      args, [&](const item& i) {
        if (i.code == MTA_ABORT) {
          abort = true;
        } else if (i.code == MTA_REASON) {
          reason = i.text;
        } else {
          if (i.number > MTA_DISP_TIMEDOUT) return MTA_BADARGS;
          for_all = true;
          disposition = static_cast<mta::disposition>(i.number);
        }
        return MTA_OK;
      });
  va_end(args.list);
  mta::message& m = *c->message;
  const auto refuse = [&](int code) {
    (void)m.defer(reason.empty() ? std::string_view(mtaStrError(code, 0)) : reason);
    return status(code);
  };
  if (read != MTA_OK) return refuse(read);
  if (!c->end_seen && !abort) return refuse(MTA_ORDER);
  if (abort) {
    const auto deferred = m.defer(reason);
    return deferred ? MTA_OK : status(MTA_NO);
  }
  if (for_all) m.dispose(disposition, reason);
  const auto finished = m.finish();
  return finished ? MTA_OK : status(MTA_NO);
}

int mtaDequeueThreadId(mta_dq_t* dq_ctx) {
  const dequeue_use c(dq_ctx);
  if (!c) return status(c.code()), -1;
  return c->message->thread_id();
}

int mtaReportStress(const char* why, size_t why_len) try {
  const auto reported =
      mta::report_stress(why == nullptr ? std::string_view() : mta::sdk::text_of(why, why_len));
  return reported ? MTA_OK : status(mta::sdk::status_of(reported.error(), MTA_NETWORK));
} catch (const std::bad_alloc&) {
  return status(MTA_NOMEM);
}

void mtaDequeueDefaults(size_t* stack_size, size_t* messages_per_thread, size_t* threads_max,
                        size_t* jbc_timeout, size_t* die_by_delay, size_t* max_patience,
                        size_t* sleep_interval) {
  mta::config::dequeue_settings d;
  if (const auto site = mta::dequeueing::site()) d = (*site)->dequeue;
  const auto put = [](size_t* to, auto value) {
    if (to != nullptr) *to = static_cast<size_t>(value);
  };
  put(stack_size, d.stack_size);
  put(messages_per_thread, d.max_messages);
  put(threads_max, d.max_threads);
  put(jbc_timeout, d.reply_timeout.count());
  put(die_by_delay, d.wait_timeout.count());
  put(max_patience, d.max_attempts);
  put(sleep_interval, d.retry_interval.count());
}

}  // extern "C"
