// mtaDecode*: the C interface onto mta::mime.
#include "base/text.hpp"
#include "dequeue/context.hpp"
#include "sdk/contexts.hpp"
#include "sdk/debug.hpp"
#include "sdk/items.hpp"

#include <mta/mime.hpp>

#include <fmt/format.h>
#include <new>
#include <optional>
#include <string>

namespace {

using mta::error;
using mta::result;
using mta::mime::piece;
using mta::mime::piece_kind;
using mta::sdk::argument;
using mta::sdk::decode_context;
using mta::sdk::dequeue_context;
using mta::sdk::enqueue_context;
using mta::sdk::item;
using mta::sdk::option_values;
using mta::sdk::status;
using decode_use = mta::sdk::use<decode_context>;

mta::sdk::context_pool<decode_context>& decode_contexts() {
  static auto* const pool = new mta::sdk::context_pool<decode_context>;
  return *pool;
}

mta_decode_t* handle(decode_context* c) { return reinterpret_cast<mta_decode_t*>(c); }

int data_type(piece_kind kind) {
  switch (kind) {
    case piece_kind::header: return MTA_DATA_HEADER;
    case piece_kind::text: return MTA_DATA_TEXT;
    case piece_kind::binary: return MTA_DATA_BINARY;
    default: return MTA_DATA_NONE;
  }
}

void set(option_values& to, const std::vector<mta::mime::parameter>& from) {
  to.borrowed = true;
  to.values.clear();
  for (const auto& p : from) to.values.try_emplace(mta::lower_case(p.name), p.value);
}

/// One mtaDecodeMessage(). No context is locked while a callback runs: it may ask about all of them.
class decode_call final : public mta::mime::visitor {
 public:
  decode_call(void* ctx, mta_decode_inspect_t* inspect)
      : ctx_(ctx), inspect_(inspect), context_(decode_contexts().acquire()) {
    context_->part = nullptr;
    context_->data_type = MTA_DATA_NONE;
    context_->in_output_routine = false;
    set(context_->type_parameters, {});
    set(context_->disposition_parameters, {});
  }
  ~decode_call() override { decode_contexts().release(context_); }
  decode_call(const decode_call&) = delete;
  decode_call& operator=(const decode_call&) = delete;

  /// Ends the decode with this status.
  error stop(int code) {
    code_ = code;
    return {mta::errc::cancelled, "decode a message"};
  }
  int code() const noexcept { return code_; }

  result<> visit(mta::mime::part& p, const piece& x) override {
    if (context_->part == nullptr || number_ != p.number()) {
      number_ = p.number();
      context_->part = &p;
      set(context_->type_parameters, p.type_parameters());
      set(context_->disposition_parameters, p.disposition_parameters());
      if (mta::sdk::diagnosing(mta::sdk::diagnostics::decode))
        mta::sdk::diagnose(mta::sdk::diagnostics::decode,
                           fmt::format("part {}: {}/{}{}{}{}", number_, p.type(), p.subtype(),
                                       p.filename().empty() ? "" : ", file ", p.filename(),
                                       p.unparsed() ? ", not opened" : ""));
    }
    context_->data_type = data_type(x.kind);
    const int code = inspect_(ctx_, handle(context_), context_->data_type,
                              x.data.data() != nullptr ? x.data.data() : "", x.data.size());
    if (code != MTA_OK) return stop(code);
    return {};
  }

  result<std::optional<std::string_view>> read_from(dequeue_context* dq) {
    const mta::sdk::use<dequeue_context> c(dq);
    if (!c) return stop(c.code());
    if (c->finished) return stop(MTA_ORDER);
    auto block = c->message->internal().next_block(block_, std::size_t{256} << 10);
    if (!block) return stop(MTA_NO);
    return block;
  }
  result<std::optional<std::string_view>> read_from(mta_decode_read_t* routine) {
    const char* line = nullptr;
    size_t length = 0;
    const int code = routine(ctx_, &line, &length);
    if (code == MTA_EOF) return std::optional<std::string_view>();
    if (code != MTA_OK) return stop(code);
    if (line == nullptr && length > 0) return stop(MTA_BADARGS);
    return std::optional(std::string_view(line == nullptr ? "" : line, length));
  }
  result<> write_to(enqueue_context* nq, std::string_view bytes) {
    const mta::sdk::use<enqueue_context> c(nq);
    if (!c) return stop(c.code());
    const auto written = c->submission->write(bytes);
    return written ? written : stop(mta::sdk::file_status(written.error()));
  }
  result<> write_to(mta_decode_write_t* routine, std::string_view text) {
    const char* line = text.data();
    size_t length = text.size();
    context_->in_output_routine = true;
    const int code = routine(ctx_, handle(context_), &line, &length);
    context_->in_output_routine = false;
    if (code != MTA_OK) return stop(code);
    return {};
  }

 private:
  void* ctx_;
  mta_decode_inspect_t* inspect_;
  decode_context* context_;
  std::size_t number_ = 0;
  std::string block_;
  int code_ = MTA_OK;
};

int read_decode_items(int item_code, mta::sdk::arguments& args, mta::mime::options& o,
                      mta::mime::line_ends& ends) {
  using mta::mime::line_ends;
  return mta::sdk::read_items({{MTA_DECODE_LEVELS_MAX, argument::number},
                               {MTA_DECODE_PARTS_MAX, argument::number},
                               {MTA_DECODE_THURMAN, argument::none},
                               {MTA_TERM_NONE, argument::none},
                               {MTA_TERM_CR, argument::none},
                               {MTA_TERM_CRLF, argument::none},
                               {MTA_TERM_LF, argument::none},
                               {MTA_TERM_LFCR, argument::none}},
                              item_code, args, [&](const item& i) {
                                switch (i.code) {
                                  case MTA_DECODE_LEVELS_MAX: o.levels_max = i.number; break;
                                  case MTA_DECODE_PARTS_MAX: o.parts_max = i.number; break;
                                  case MTA_DECODE_THURMAN: o.convert_non_mime = true; break;
                                  case MTA_TERM_NONE: ends = line_ends::none; break;
                                  case MTA_TERM_CR: ends = line_ends::cr; break;
                                  case MTA_TERM_CRLF: ends = line_ends::crlf; break;
                                  case MTA_TERM_LF: ends = line_ends::lf; break;
                                  case MTA_TERM_LFCR: ends = line_ends::lfcr; break;
                                  default: return MTA_NOSUCHITEM;
                                }
                                return MTA_OK;
                              });
}

/// Whether a dequeue context can be decoded, an enqueue context decoded into.
int check_input(void* input) {
  const mta::sdk::use<dequeue_context> c(input);
  if (!c) return c.code();
  if (!c->end_seen || c->finished) return MTA_ORDER;
  return c->message->size() > 0 && c->message->internal().at_end() ? MTA_ORDER : MTA_OK;
}
int check_output(void* output) {
  const mta::sdk::use<enqueue_context> c(output);
  if (!c) return c.code();
  if (c->recipients == 0) return MTA_ORDER;
  c->written = true;
  return MTA_OK;
}

int decode_message(void* ctx, int input_type, void* input, int output_type, void* output,
                   mta_decode_inspect_t* inspect, const mta::mime::options& o, mta::mime::line_ends ends) {
  decode_call call(ctx, inspect);
  const auto source = [&] {
    if (input_type == MTA_DECODE_DQ)
      return mta::mime::input([&] { return call.read_from(static_cast<dequeue_context*>(input)); });
    return mta::mime::input([&] { return call.read_from(reinterpret_cast<mta_decode_read_t*>(input)); },
                            ends);
  }();
  const auto destination = [&] {
    if (output_type == MTA_DECODE_PROC)
      return mta::mime::output::to_lines(
          [&](std::string_view line) {
            return call.write_to(reinterpret_cast<mta_decode_write_t*>(output), line);
          },
          BIGALFA_SIZE);
    return mta::mime::output::to_bytes(
        [&](std::string_view bytes) { return call.write_to(static_cast<enqueue_context*>(output), bytes); });
  };
  const auto done = output_type == 0 ? mta::mime::decode(source, call, o)
                                     : mta::mime::rewrite(source, destination(), call, o);
  if (done) return MTA_OK;
  if (call.code() != MTA_OK) return call.code();
  return done.error().code.category() == std::system_category() ? MTA_FOPEN : MTA_NO;  // temporary file
}

/// Whether the part may be decided about.
int check_decision(const decode_context& c) {
  return c.part == nullptr || c.in_output_routine ? MTA_NO : MTA_OK;
}

}  // namespace

extern "C" {

int mtaDecodeMessage(void* ctx, int input_type, void* input, int output_type, void* output,
                     mta_decode_inspect_t* inspect, int item_code, ...) {
  mta::mime::options o;
  o.piece_size = BIGALFA_SIZE;
  auto ends = mta::mime::line_ends::none;
  mta::sdk::arguments args;
  va_start(args.list, item_code);
  const int read = read_decode_items(item_code, args, o, ends);
  va_end(args.list);
  if (read != MTA_OK) return status(read);
  if (input == nullptr || inspect == nullptr ||
      (input_type != MTA_DECODE_DQ && input_type != MTA_DECODE_PROC))
    return status(MTA_BADARGS);
  if (output_type != 0 &&
      (output == nullptr || (output_type != MTA_DECODE_NQ && output_type != MTA_DECODE_PROC)))
    return status(MTA_BADARGS);
  if (input_type == MTA_DECODE_DQ)
    if (const int code = check_input(input); code != MTA_OK) return status(code);
  if (output_type == MTA_DECODE_NQ)
    if (const int code = check_output(output); code != MTA_OK) return status(code);
  try {
    return status(decode_message(ctx, input_type, input, output_type, output, inspect, o, ends));
  } catch (const std::bad_alloc&) {
    return status(MTA_NOMEM);
  }
}

int mtaDecodeMessageInfoInt(mta_decode_t* dctx, int item) {
  const decode_use c(dctx);
  if (!c) return status(c.code()), -1;
  switch (item) {
    case MTA_DECODE_DTYPE: return c->data_type;
    case MTA_DECODE_PART_NUMBER: return c->part == nullptr ? 0 : static_cast<int>(c->part->number());
    default: return status(MTA_NOSUCHITEM), -1;
  }
}

mta_opt_t* mtaDecodeMessageInfoParams(mta_decode_t* dctx, int item, mta_opt_t** params) {
  if (params != nullptr) *params = nullptr;
  const decode_use c(dctx);
  if (!c) return status(c.code()), nullptr;
  option_values* found = nullptr;
  switch (item) {
    case MTA_DECODE_CTYPE_PARAMS: found = &c->type_parameters; break;
    case MTA_DECODE_CDISP_PARAMS: found = &c->disposition_parameters; break;
    default: return status(MTA_NOSUCHITEM), nullptr;
  }
  auto* const options = reinterpret_cast<mta_opt_t*>(found);
  if (params != nullptr) *params = options;
  return options;
}

const char* mtaDecodeMessageInfoString(mta_decode_t* dctx, int item, const char** str, size_t* len) {
  const decode_use c(dctx);
  if (!c) return status(c.code()), nullptr;
  std::string_view text;  // of whole std::strings, so NUL-terminated
  const mta::mime::part* const p = c->part;
  switch (item) {
    case MTA_DECODE_CCHARSET: text = p != nullptr ? p->charset() : "us-ascii"; break;
    case MTA_DECODE_CDISP: text = p != nullptr ? p->disposition() : ""; break;
    case MTA_DECODE_CSUBTYPE: text = p != nullptr ? p->subtype() : "plain"; break;
    case MTA_DECODE_CTYPE: text = p != nullptr ? p->type() : "text"; break;
    default: return status(MTA_NOSUCHITEM), nullptr;
  }
  if (str != nullptr) *str = text.data();
  if (len != nullptr) *len = text.size();
  return text.data();
}

int mtaDecodeMessagePartCopy(mta_decode_t* dctx, int item_code, ...) {
  const decode_use c(dctx);
  if (!c) return status(c.code());
  if (item_code != 0) return status(MTA_BADARGS);
  if (const int code = check_decision(*c); code != MTA_OK) return status(code);
  return c->part->keep() ? MTA_OK : status(MTA_NO);
}

int mtaDecodeMessagePartDelete(mta_decode_t* dctx, int item_code, ...) {
  const decode_use c(dctx);
  if (!c) return status(c.code());
  mta::mime::replacement r;
  bool replace = false;
  mta::sdk::arguments args;
  va_start(args.list, item_code);
  const int read = mta::sdk::read_items({{MTA_DECODE_CCHARSET, argument::text},
                                         {MTA_DECODE_CDISP, argument::text},
                                         {MTA_DECODE_CLANG, argument::text},
                                         {MTA_DECODE_CSUBTYPE, argument::text},
                                         {MTA_DECODE_CTYPE, argument::text},
                                         {MTA_REASON, argument::text}},
                                        item_code, args, [&](const item& i) {
                                          if (i.code != MTA_REASON && i.text.size() > BIGALFA_SIZE)
                                            return MTA_STRTRUERR;
                                          replace = true;
                                          switch (i.code) {
                                            case MTA_DECODE_CCHARSET: r.charset = i.text; break;
                                            case MTA_DECODE_CDISP: r.disposition = i.text; break;
                                            case MTA_DECODE_CLANG: r.language = i.text; break;
                                            case MTA_DECODE_CSUBTYPE: r.subtype = i.text; break;
                                            case MTA_DECODE_CTYPE: r.type = i.text; break;
                                            case MTA_REASON: r.text = i.text; break;
                                            default: return MTA_NOSUCHITEM;
                                          }
                                          return MTA_OK;
                                        });
  va_end(args.list);
  if (read != MTA_OK) return status(read);
  if (const int code = check_decision(*c); code != MTA_OK) return status(code);
  if (!replace) return c->part->remove() ? MTA_OK : status(MTA_NO);
  if (const auto done = c->part->replace(r); !done)
    return status(c->part->decidable() ? MTA_BADARGS : MTA_NO);  // the strings, or the part
  return MTA_OK;
}

}  // extern "C"
