// mtaEnqueue*: the C interface onto mta::submission.
#include "dequeue/context.hpp"
#include "dequeue/site.hpp"
#include "sdk/contexts.hpp"
#include "sdk/debug.hpp"
#include "sdk/items.hpp"

#include <mta/program.hpp>

#include <climits>
#include <cstdint>
#include <fmt/format.h>
#include <new>

namespace {

using mta::sdk::argument;
using mta::sdk::diagnose;
using mta::sdk::diagnosing;
using mta::sdk::diagnostics;
using mta::sdk::enqueue_context;
using mta::sdk::item;
using mta::sdk::status;
using enqueue_use = mta::sdk::use<enqueue_context>;
using dequeue_use = mta::sdk::use<mta::sdk::dequeue_context>;

thread_local std::string reason_text;  // MTA_REASON of mtaEnqueueFinish, whose context is gone

int check_notify(std::size_t flags) { return flags > 0x3F ? MTA_BADARGS : MTA_OK; }

/// Pairs of string and length, up to a NULL string; the first length and the second string are named
/// parameters.
template <class Take>
int read_pairs(const char* first, size_t first_length, const char* second, mta::sdk::arguments& args,
               Take take) {
  const char* text = first;
  size_t length = first_length;
  bool initial = true;
  while (text != nullptr) {
    if (const auto taken = take(mta::sdk::text_of(text, length)); !taken)
      return mta::sdk::file_status(taken.error());
    if (initial) {
      text = second;
      initial = false;
    } else {
      text = va_arg(args.list, const char*);
      // Programs end the list with a plain 0, whose upper half is undefined. No string begins at a multiple
      // of 4 GiB.
      if ((reinterpret_cast<std::uintptr_t>(text) & 0xFFFF'FFFF) == 0) text = nullptr;
    }
    if (text != nullptr) length = va_arg(args.list, size_t) & 0xFFFF'FFFF;  // likewise
  }
  return MTA_OK;
}

}  // namespace

extern "C" {

int mtaEnqueueStart(mta_nq_t** nq_ctx, const char* env_from, size_t env_from_len, int item_code, ...) try {
  if (nq_ctx == nullptr) return status(MTA_BADARGS);
  *nq_ctx = nullptr;
  mta::submission_options o;
  mta::sdk::enqueue_context settings;
  mta::sdk::dequeue_context* like = nullptr;
  mta::sdk::arguments args;
  va_start(args.list, item_code);
  const int read = mta::sdk::read_items({{MTA_ADR_NOSORT, argument::none},
                                         {MTA_ADR_SORT, argument::none},
                                         {MTA_ALIAS_EXPAND, argument::none},
                                         {MTA_ALIAS_NOEXPAND, argument::none},
                                         {MTA_CHANNEL, argument::text},
                                         {MTA_DELIVERY_FLAGS, argument::number},
                                         {MTA_DQ_CONTEXT, argument::pointer},
                                         {MTA_ENV_ID, argument::text},
                                         {MTA_EXPAND_LIMIT, argument::number},
                                         {MTA_FRAGMENT_BLOCKS, argument::number},
                                         {MTA_FRAGMENT_LINES, argument::number},
                                         {MTA_NOTIFY_FLAGS, argument::number}},
                                        item_code, args, [&](const item& i) {
                                          switch (i.code) {
                                            case MTA_ADR_NOSORT: settings.sort = false; break;
                                            case MTA_ADR_SORT: settings.sort = true; break;
                                            case MTA_ALIAS_EXPAND: settings.expand_aliases = true; break;
                                            case MTA_ALIAS_NOEXPAND: settings.expand_aliases = false; break;
                                            case MTA_CHANNEL:
                                              if (i.text.size() > CHANLENGTH) return MTA_STRTRUERR;
                                              settings.channel = i.text;
                                              break;
                                            case MTA_DELIVERY_FLAGS:
                                              settings.delivery_flags = i.number;
                                              break;
                                            case MTA_DQ_CONTEXT:
                                              like = static_cast<mta::sdk::dequeue_context*>(i.pointer);
                                              break;
                                            case MTA_ENV_ID:
                                              if (i.text.size() > ALFA_SIZE) return MTA_STRTRUERR;
                                              settings.envelope_id = i.text;
                                              break;
                                            case MTA_EXPAND_LIMIT:
                                              settings.expand_limit = i.number;
                                              o.expand_limit = static_cast<std::uint32_t>(i.number);
                                              break;
                                            case MTA_FRAGMENT_BLOCKS:
                                              settings.fragment_blocks = i.number;
                                              break;
                                            case MTA_FRAGMENT_LINES:
                                              settings.fragment_lines = i.number;
                                              break;
                                            case MTA_NOTIFY_FLAGS:
                                              if (const int bad = check_notify(i.number); bad != MTA_OK)
                                                return bad;
                                              settings.notify_flags = i.number;
                                              o.notify = static_cast<mta::notify_flags>(i.number);
                                              break;
                                            default: return MTA_NOSUCHITEM;
                                          }
                                          return MTA_OK;
                                        });
  va_end(args.list);
  if (read != MTA_OK) return status(read);
  const std::string_view from = mta::sdk::text_of(env_from, env_from == nullptr ? 0 : env_from_len);
  if (from.size() > ALFA_SIZE) return status(MTA_STRTRUERR);
  std::optional<dequeue_use> in_use;
  if (like != nullptr) {
    in_use.emplace(like);
    if (!*in_use) return status(in_use->code());
    o.like = like->message;
  }
  if (const auto ready = mta::init(); !ready) return status(mta::sdk::initialisation_status(ready.error()));
  if (settings.channel.empty()) {
    if (const auto own = mta::channel_name())
      settings.channel = *own;
    else if (like != nullptr)
      settings.channel = like->message->channel();
    else
      return status(MTA_NO);
  }
  o.channel = settings.channel;
  o.envelope_id = settings.envelope_id;
  o.delivery_flags = static_cast<std::uint32_t>(settings.delivery_flags);
  o.fragment_blocks = settings.fragment_blocks;
  o.fragment_lines = settings.fragment_lines;
  o.sort_recipients = settings.sort;
  o.expand_aliases = settings.expand_aliases;
  auto begun = mta::submission::start(from, o);
  if (!begun) return status(mta::sdk::status_of(begun.error(), MTA_NO));
  enqueue_context* const c = mta::sdk::enqueue_contexts().acquire();
  c->submission.emplace(std::move(*begun));
  c->channel = settings.channel;
  c->from = from;
  c->envelope_id = settings.envelope_id;
  c->error_text.clear();
  c->delivery_flags = settings.delivery_flags;
  c->notify_flags = o.notify ? settings.notify_flags : std::size_t{MTA_NOTIFY_DEFAULT};
  c->fragment_blocks = settings.fragment_blocks;
  c->fragment_lines = settings.fragment_lines;
  c->expand_limit = settings.expand_limit;
  if (like != nullptr) {  // what the message in hand adds, as in submission::start()
    const mta::queue::envelope& from_hand = like->message->internal().envelope();
    if (!from_hand.envelope_id.empty()) c->envelope_id = from_hand.envelope_id;
    c->delivery_flags |= like->message->delivery_flags();
    if (!o.notify) c->notify_flags = static_cast<std::size_t>(like->message->notify());
    if (c->fragment_blocks == 0) c->fragment_blocks = from_hand.fragment_blocks;
    if (c->fragment_lines == 0) c->fragment_lines = from_hand.fragment_lines;
  }
  c->sort = settings.sort;
  c->expand_aliases = settings.expand_aliases;
  c->recipients = 0;
  c->written = false;
  *nq_ctx = c;
  return MTA_OK;
} catch (const std::bad_alloc&) {
  return status(MTA_NOMEM);
}

int mtaEnqueueTo(mta_nq_t* nq_ctx, const char* to_adr, size_t to_adr_len, int item_code, ...) {
  const enqueue_use c(nq_ctx);
  if (!c) return status(c.code());
  if (to_adr == nullptr) return status(MTA_BADARGS);
  mta::recipient_options o;
  o.role = mta::recipient_role::to;
  std::string original;
  item reason;
  mta::sdk::dequeue_context* like = nullptr;
  mta::sdk::arguments args;
  va_start(args.list, item_code);
  const int read = mta::sdk::read_items({{MTA_TO, argument::none},
                                         {MTA_CC, argument::none},
                                         {MTA_BCC, argument::none},
                                         {MTA_ENV_TO, argument::none},
                                         {MTA_HDR_TO, argument::none},
                                         {MTA_HDR_CC, argument::none},
                                         {MTA_HDR_BCC, argument::none},
                                         {MTA_DELIVERY_FLAGS, argument::number},
                                         {MTA_DELIVERY_FLAGS_ABS, argument::number},
                                         {MTA_DQ_CONTEXT, argument::pointer},
                                         {MTA_NOTIFY_FLAGS, argument::number},
                                         {MTA_ORCPT_TO, argument::text},
                                         {MTA_REASON, argument::text_out}},
                                        item_code, args, [&](const item& i) {
                                          switch (i.code) {
                                            case MTA_TO: o.role = mta::recipient_role::to; break;
                                            case MTA_CC: o.role = mta::recipient_role::cc; break;
                                            case MTA_BCC: o.role = mta::recipient_role::bcc; break;
                                            case MTA_ENV_TO: o.role = mta::recipient_role::envelope; break;
                                            case MTA_HDR_TO: o.role = mta::recipient_role::header_to; break;
                                            case MTA_HDR_CC: o.role = mta::recipient_role::header_cc; break;
                                            case MTA_HDR_BCC: o.role = mta::recipient_role::header_bcc; break;
                                            case MTA_DELIVERY_FLAGS:
                                            case MTA_DELIVERY_FLAGS_ABS:
                                              o.delivery_flags = static_cast<std::uint32_t>(i.number);
                                              o.replace_delivery_flags = i.code == MTA_DELIVERY_FLAGS_ABS;
                                              break;
                                            case MTA_DQ_CONTEXT:
                                              like = static_cast<mta::sdk::dequeue_context*>(i.pointer);
                                              break;
                                            case MTA_NOTIFY_FLAGS:
                                              if (const int bad = check_notify(i.number); bad != MTA_OK)
                                                return bad;
                                              o.notify = static_cast<mta::notify_flags>(i.number);
                                              break;
                                            case MTA_ORCPT_TO:
                                              if (i.text.size() > ALFA_SIZE) return MTA_STRTRUERR;
                                              original = i.text;
                                              break;
                                            case MTA_REASON: reason = i; break;
                                            default: return MTA_NOSUCHITEM;
                                          }
                                          return MTA_OK;
                                        });
  va_end(args.list);
  const auto refuse = [&](int code) {
    if (code != MTA_NO) c->error_text = mtaStrError(code, 0);
    reason.give(c->error_text);
    return status(code);
  };
  if (read != MTA_OK) return refuse(read);
  if (c->written) return refuse(MTA_ORDER);
  const std::string_view address = mta::sdk::text_of(to_adr, to_adr_len);
  if (address.size() > ALFA_SIZE) return refuse(MTA_STRTRUERR);
  std::optional<dequeue_use> in_use;
  if (like != nullptr) {
    in_use.emplace(like);
    if (!*in_use) return refuse(in_use->code());
    for (const mta::recipient& r :
         like->message->recipients())  // the one meant, if an address is there twice
      if (r.address == address && (o.like == nullptr || r.address.data() == to_adr)) o.like = &r;
    if (o.like == nullptr) {
      c->error_text = "not a recipient of the dequeued message: " + std::string(address);
      return refuse(MTA_NO);
    }
  }
  o.original = original;
  const auto added = c->submission->add(address, o);
  if (diagnosing(diagnostics::enqueue))
    diagnose(diagnostics::enqueue,
             fmt::format("to {}: {}", address, added ? "accepted" : added.error().message()));
  if (!added) {
    c->error_text = added.error().message();
    reason.give(c->error_text);
    return status(mta::sdk::status_of(added.error(), MTA_NO));
  }
  reason.give("");
  if (o.role <= mta::recipient_role::bcc) ++c->recipients;
  return MTA_OK;
}

int mtaEnqueueWrite(mta_nq_t* nq_ctx, const char* str1, size_t len1, const char* str2, ...) {
  const enqueue_use c(nq_ctx);
  if (!c) return status(c.code());
  if (c->recipients == 0) return status(MTA_ORDER);
  if (str1 != nullptr) c->written = true;
  mta::sdk::arguments args;
  va_start(args.list, str2);
  const int code =
      read_pairs(str1, len1, str2, args, [&](std::string_view text) { return c->submission->write(text); });
  va_end(args.list);
  return status(code);
}

int mtaEnqueueWriteLine(mta_nq_t* nq_ctx, const char* str1, size_t len1, const char* str2, ...) {
  const enqueue_use c(nq_ctx);
  if (!c) return status(c.code());
  if (c->recipients == 0) return status(MTA_ORDER);
  c->written = true;
  std::string line;
  mta::sdk::arguments args;
  va_start(args.list, str2);
  int code = read_pairs(str1, len1, str2, args, [&](std::string_view text) {
    line += text;
    return mta::result<>();
  });
  va_end(args.list);
  if (const auto written = c->submission->write_line(line); !written)
    code = mta::sdk::file_status(written.error());
  return status(code);
}

int mtaEnqueueCopyMessage(mta_nq_t* nq_ctx, mta_dq_t* dq_ctx, int rewind) {
  const enqueue_use c(nq_ctx);
  if (!c) return status(c.code());
  const dequeue_use from(dq_ctx);
  if (!from) return status(from.code());
  if (c->recipients == 0 || !from->end_seen || from->finished) return status(MTA_ORDER);
  c->written = true;
  const auto copied = c->submission->copy(*from->message, rewind != 0);
  return copied ? MTA_OK : status(mta::sdk::file_status(copied.error()));
}

int mtaEnqueueInfo(mta_nq_t* nq_ctx, int item_code, ...) {
  const enqueue_use c(nq_ctx);
  if (!c) return status(c.code());
  mta::sdk::arguments args;
  va_start(args.list, item_code);
  const int read = mta::sdk::read_items({{MTA_ADR_SORT, argument::number_out},
                                         {MTA_ALIAS_EXPAND, argument::number_out},
                                         {MTA_CHANNEL, argument::text_out},
                                         {MTA_DELIVERY_FLAGS, argument::number_out},
                                         {MTA_ENV_FROM, argument::text_out},
                                         {MTA_ENV_ID, argument::text_out},
                                         {MTA_EXPAND_LIMIT, argument::number_out},
                                         {MTA_FRAGMENT_BLOCKS, argument::number_out},
                                         {MTA_FRAGMENT_LINES, argument::number_out},
                                         {MTA_NOTIFY_FLAGS, argument::number_out}},
                                        item_code, args, [&](const item& i) {
                                          switch (i.code) {
                                            case MTA_ADR_SORT: *i.number_out = c->sort ? 1 : 0; break;
                                            case MTA_ALIAS_EXPAND:
                                              *i.number_out = c->expand_aliases ? 1 : 0;
                                              break;
                                            case MTA_CHANNEL: i.give(c->channel); break;
                                            case MTA_DELIVERY_FLAGS: *i.number_out = c->delivery_flags; break;
                                            case MTA_ENV_FROM: i.give(c->from); break;
                                            case MTA_ENV_ID: i.give(c->envelope_id); break;
                                            case MTA_EXPAND_LIMIT: *i.number_out = c->expand_limit; break;
                                            case MTA_FRAGMENT_BLOCKS:
                                              *i.number_out = c->fragment_blocks;
                                              break;
                                            case MTA_FRAGMENT_LINES: *i.number_out = c->fragment_lines; break;
                                            case MTA_NOTIFY_FLAGS: *i.number_out = c->notify_flags; break;
                                            default: return MTA_NOSUCHITEM;
                                          }
                                          return MTA_OK;
                                        });
  va_end(args.list);
  return status(read);
}

const char* mtaEnqueueError(mta_nq_t* nq_ctx, const char** message, size_t* message_len, int) {
  const enqueue_use c(nq_ctx);
  if (!c) return status(c.code()), nullptr;
  if (message != nullptr) *message = c->error_text.c_str();
  if (message_len != nullptr) *message_len = c->error_text.size();
  return c->error_text.c_str();
}

int mtaEnqueueFinish(mta_nq_t* nq_ctx, int item_code, ...) {
  bool abort = false;
  item reason;
  int code = MTA_OK;
  {
    const enqueue_use c(nq_ctx);
    if (!c) return status(c.code());
    reason_text.clear();
    mta::sdk::arguments args;
    va_start(args.list, item_code);
    code = mta::sdk::read_items({{MTA_ABORT, argument::none}, {MTA_REASON, argument::text_out}}, item_code,
                                args, [&](const item& i) {
                                  if (i.code == MTA_ABORT) abort = true;
                                  if (i.code == MTA_REASON) reason = i;
                                  return MTA_OK;
                                });
    va_end(args.list);
    if (code == MTA_OK && !abort) {
      if (c->recipients == 0 || !c->written) {
        code = MTA_ORDER;
      } else if (const auto committed = c->submission->finish(); !committed) {
        reason_text = committed.error().message();
        code = mta::sdk::file_status(committed.error());
      }
    }
    c->submission.reset();
    if (code != MTA_OK && reason_text.empty()) reason_text = mtaStrError(code, 0);
    reason.give(reason_text);
  }
  mta::sdk::enqueue_contexts().release(static_cast<enqueue_context*>(nq_ctx));  // whatever the result
  return status(code);
}

}  // extern "C"
