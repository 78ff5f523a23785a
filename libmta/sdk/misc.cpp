// Initialisation, errors, and the small routines (Developer's Reference ch. 6).
#include "base/identity.hpp"
#include "base/time.hpp"
#include "config/settings.hpp"
#include "dequeue/site.hpp"
#include "sdk/contexts.hpp"
#include "sdk/debug.hpp"
#include "sdk/items.hpp"

#include <mta/program.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <optional>
#include <string>

namespace mta::sdk {
namespace {

thread_local int last_error = MTA_OK;

/// Copies into a caller's buffer with its NUL; false: it does not fit.
bool copy_out(std::string_view text, char* buffer, size_t* length, size_t size) {
  if (text.size() + 1 > size) return false;
  std::memcpy(buffer, text.data(), text.size());
  buffer[text.size()] = '\0';
  if (length != nullptr) *length = text.size();
  return true;
}

}  // namespace

int status(int code, const char* routine) noexcept {
  if (code == MTA_OK) return code;
  last_error = code;
  if (code != MTA_EOF && diagnosing(diagnostics::sdk))
    diagnose(diagnostics::sdk, std::string(routine) + ": " + mtaStrError(code, 0));
  return code;
}

int status_of(const error& e, int otherwise) noexcept {
  if (e.code.category() == mta_category()) {
    switch (static_cast<errc>(e.code.value())) {
      case errc::not_configured: return MTA_NOSUCHCHAN;
      case errc::out_of_range: return MTA_STRTRUERR;
      case errc::no_space: return MTA_FCREATE;
      case errc::rejected:
      case errc::syntax: return MTA_NO;
      case errc::damaged: return MTA_FIO;
      case errc::disconnected:
      case errc::protocol: return MTA_NETWORK;
      case errc::timed_out: return MTA_TIMEDOUT;
      case errc::try_later: return MTA_AGAIN;
      default: return otherwise;
    }
  }
  if (e.code == std::errc::not_enough_memory) return MTA_NOMEM;
  // Ours; the system's EPERM is something else.
  if (e.code == std::make_error_code(std::errc::operation_not_permitted)) return MTA_ORDER;
  return otherwise;
}

int initialisation_status(const error& e) noexcept {
  return e.code.category() == std::system_category() || e.code == errc::not_configured ? MTA_FOPEN : MTA_NO;
}

int file_status(const error& e) noexcept {
  if (e.code.category() == std::system_category()) switch (e.code.value()) {
      case ENOENT:
      case ENOTDIR:
      case EACCES:
      case EPERM:
      case EROFS:
      case EMFILE:
      case ENFILE:
      case ENOSPC:
      case EDQUOT: return MTA_FCREATE;
      default: break;
    }
  return status_of(e, MTA_FIO);
}

context_pool<dequeue_context>& dequeue_contexts() {
  static auto* const pool =
      new context_pool<dequeue_context>;  // stays: threads may outlive static destruction
  return *pool;
}
context_pool<enqueue_context>& enqueue_contexts() {
  static auto* const pool = new context_pool<enqueue_context>;
  return *pool;
}

}  // namespace mta::sdk

using mta::sdk::argument;
using mta::sdk::status;

extern "C" {

int mtaInit(int item_code, ...) {
  std::optional<bool> interactive;
  mta::sdk::arguments args;
  va_start(args.list, item_code);
  const int read = mta::sdk::read_items({{MTA_CHANNEL, argument::none},
                                         {MTA_INTERACTIVE, argument::none},
                                         {MTA_DEBUG_DECODE, argument::none},
                                         {MTA_DEBUG_DEQUEUE, argument::none},
                                         {MTA_DEBUG_ENQUEUE, argument::none},
                                         {MTA_DEBUG_MM, argument::number},
                                         {MTA_DEBUG_OS, argument::none},
                                         {MTA_DEBUG_SDK, argument::none},
                                         {MTA_DEBUG_NODECODE, argument::none},
                                         {MTA_DEBUG_NODEQUEUE, argument::none},
                                         {MTA_DEBUG_NOENQUEUE, argument::none},
                                         {MTA_DEBUG_NOMM, argument::none},
                                         {MTA_DEBUG_NOOS, argument::none},
                                         {MTA_DEBUG_NOSDK, argument::none}},
                                        item_code, args, [&](const mta::sdk::item& i) {
                                          if (i.code == MTA_INTERACTIVE) interactive = true;
                                          if (i.code == MTA_CHANNEL) interactive = false;
                                          mta::sdk::switch_diagnostics(i);
                                          return MTA_OK;
                                        });
  va_end(args.list);
  if (read != MTA_OK) return status(read);
  if (const auto ready = mta::init(); !ready) return status(mta::sdk::initialisation_status(ready.error()));
  if (interactive) mta::dequeueing::close_accounts_each_time(*interactive);
  return MTA_OK;
}

void mtaDone(void) {
  // They hold on to what is let go of below. Messages in hand do not: their dequeue loop goes on.
  mta::sdk::enqueue_contexts().release_all([](mta::sdk::enqueue_context& c) { c.submission.reset(); });
  mta::dequeueing::forget_site();
  mta::sdk::switch_all_diagnostics_off();
}

int mtaErrno(void) { return mta::sdk::last_error; }

const char* mtaStrError(int code, int) {
  switch (code) {
    case MTA_OK: return "Success";
    case MTA_ACCESS: return "Access denied: an access rule refused it permanently";
    case MTA_AGAIN: return "Temporary failure; try again later";
    case MTA_BADARGS: return "Bad arguments: an invalid context, or NULL where that is not allowed";
    case MTA_EOF: return "End of data";
    case MTA_FCREATE: return "A file cannot be created";
    case MTA_FIO: return "A file cannot be read or written";
    case MTA_FOPEN: return "A file cannot be opened";
    case MTA_NETWORK: return "The job controller cannot be reached";
    case MTA_NO: return "Permanent failure";
    case MTA_NOMEM: return "Out of memory";
    case MTA_NOOP: return "Nothing to do";
    case MTA_NOSUCHCHAN: return "No such channel is configured";
    case MTA_NOSUCHHOST: return "No such host or domain";
    case MTA_NOSUCHITEM: return "Unknown item code for this routine";
    case MTA_ORDER: return "Routine called out of order";
    case MTA_SIZE: return "A configured size limit is exceeded";
    case MTA_STRTRU: return "A string was truncated to fit";
    case MTA_STRTRUERR: return "A string is too long";
    case MTA_THREAD: return "The context is in use by another thread";
    case MTA_TIMEDOUT: return "Timed out";
    default: return "Unknown status code";
  }
}

const char* mtaChannelGetName(char* channel, size_t* channel_len, size_t channel_len_max) {
  if (channel == nullptr) return status(MTA_BADARGS), nullptr;
  const auto name = mta::channel_name();
  if (!name) return status(MTA_NO), nullptr;
  if (!mta::sdk::copy_out(*name, channel, channel_len, channel_len_max))
    return status(MTA_STRTRUERR), nullptr;
  return channel;
}

const char* mtaUniqueString(char* buf, size_t* len, size_t max_len) {
  if (buf == nullptr) return status(MTA_BADARGS), nullptr;
  if (!mta::sdk::copy_out(mta::unique_name(), buf, len, max_len)) return status(MTA_STRTRUERR), nullptr;
  return buf;
}

const char* mtaDateTime(char* date, size_t* date_len, size_t date_len_max, time_t time) {
  if (date == nullptr || date_len_max == 0) return status(MTA_BADARGS), nullptr;
  const auto when = std::chrono::sys_seconds(std::chrono::seconds(time != 0 ? time : ::time(nullptr)));
  const std::string text = mta::rfc5322_date(when);
  if (mta::sdk::copy_out(text, date, date_len, date_len_max)) return date;
  mta::sdk::copy_out(std::string_view(text).substr(0, date_len_max - 1), date, date_len, date_len_max);
  return status(MTA_STRTRU), nullptr;
}

const char* mtaChannelToHost(char** host, size_t* host_len, int item_code, ...) {
  std::string name;
  bool given = false;
  mta::sdk::arguments args;
  va_start(args.list, item_code);
  const int read = mta::sdk::read_items({{MTA_CHANNEL, argument::text}, {MTA_DQ_CONTEXT, argument::pointer}},
                                        item_code, args, [&](const mta::sdk::item& i) {
                                          given = true;
                                          if (i.code == MTA_CHANNEL) {
                                            name = i.text;
                                            return MTA_OK;
                                          }
                                          const mta::sdk::use<mta::sdk::dequeue_context> in_hand(i.pointer);
                                          if (!in_hand) return in_hand.code();
                                          name = in_hand->message->channel();
                                          return MTA_OK;
                                        });
  va_end(args.list);
  if (read != MTA_OK) return status(read), nullptr;
  const auto site = mta::dequeueing::site();
  if (!site) return status(mta::sdk::initialisation_status(site.error())), nullptr;
  if (!given) {
    auto own = mta::dequeueing::own_channel();
    if (!own) return status(MTA_NO), nullptr;
    name = std::move(*own);
  }
  const auto* const channel = (*site)->find_channel(name);
  if (channel == nullptr) return status(MTA_NOSUCHCHAN), nullptr;
  // The manual's signature: the caller does not write to it.
  if (host != nullptr) *host = const_cast<char*>(channel->host.c_str());
  if (host_len != nullptr) *host_len = channel->host.size();
  return channel->host.c_str();
}

const char* mtaPostmasterAddress(const char** address, size_t* len, int item_code, ...) {
  if (item_code != 0) return status(MTA_NOSUCHITEM), nullptr;
  const auto site = mta::dequeueing::site();
  if (!site) return status(mta::sdk::initialisation_status(site.error())), nullptr;
  const std::string& postmaster = (*site)->postmaster;
  if (address != nullptr) *address = postmaster.c_str();
  if (len != nullptr) *len = postmaster.size();
  return postmaster.c_str();
}

void mtaAccountingLogClose(void) { mta::close_accounting_log(); }

size_t mtaBlockSize(void) {
  const auto site = mta::dequeueing::site();
  if (site) return (*site)->block_size;
  status(mta::sdk::initialisation_status(site.error()));
  return 0;
}

size_t mtaStackSize(void) { return 256u * 1024; }

int mtaVersionMajor(void) { return 1; }
int mtaVersionMinor(void) { return 0; }
int mtaVersionRevision(void) { return 0; }

void mtaLogv(const char* fmt, va_list ap) {
  if (fmt == nullptr) return;
  va_list again;
  va_copy(again, ap);
  const int length = std::vsnprintf(nullptr, 0, fmt, again);
  va_end(again);
  if (length < 0) return;
  std::string line(static_cast<std::size_t>(length) + 1, '\0');
  std::vsnprintf(line.data(), line.size(), fmt, ap);
  line.pop_back();
  while (!line.empty() && line.back() == '\n') line.pop_back();
  mta::log_line(line);
}

void mtaLog(const char* fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  mtaLogv(fmt, ap);
  va_end(ap);
}

}  // extern "C"
