// mtaAddress*: address lists and their elements, and where an address's mail goes (Developer's Reference ch.
// 6).
#include "enqueue/address.hpp"

#include "dequeue/site.hpp"
#include "sdk/items.hpp"
#include "sdk/status.hpp"

#include <mta/enqueue.hpp>

#include <algorithm>
#include <cstring>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace mta::sdk {
namespace {

struct address_context {
  static constexpr unsigned live = 0xADD25EA1;
  unsigned magic = 0;
  std::mutex in_use;
  std::vector<enqueue::mailbox> addresses;
  std::string shown;  // what mtaAddressGetN() returned last
};

context_pool<address_context>& address_contexts() {
  static auto* const pool = new context_pool<address_context>;
  return *pool;
}

/// The phrase as it may stand before an address (RFC 5322 3.2.5): quoted where it is not words of atom
/// characters.
std::string quoted_phrase(const std::string& phrase) {
  const auto plain = [](char c) {
    return c == ' ' || (static_cast<unsigned char>(c) > 0x20 &&
                        std::string_view("()<>[]:;@\\,.\"").find(c) == std::string_view::npos);
  };
  if (std::all_of(phrase.begin(), phrase.end(), plain)) return phrase;
  std::string out = "\"";
  for (const char c : phrase) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

constexpr int all_elements = MTA_ADDR_PHRASE | MTA_ADDR_ROUTE | MTA_ADDR_LOCAL | MTA_ADDR_DOMAIN;

/// phrase <@route:local@domain>, without what is not wanted or not there.
std::string elements_of(const enqueue::mailbox& m, int wanted) {
  std::string address;
  if ((wanted & MTA_ADDR_LOCAL) != 0) address = m.local;
  if ((wanted & MTA_ADDR_DOMAIN) != 0 && !m.domain.empty()) {
    if ((wanted & MTA_ADDR_LOCAL) != 0) address += '@';
    address += m.domain;
  }
  if ((wanted & MTA_ADDR_ROUTE) != 0 && !m.route.empty())
    address = address.empty() ? m.route : m.route + ':' + address;
  if ((wanted & MTA_ADDR_PHRASE) == 0 || m.phrase.empty()) return address;
  if ((wanted & ~MTA_ADDR_PHRASE) == 0) return m.phrase;
  return quoted_phrase(m.phrase) + " <" + address + '>';
}

/// Copies into an optional buffer of the caller; false: it does not fit.
bool put(std::string_view text, char* buffer, std::size_t* length, std::size_t size) {
  if (length != nullptr) *length = text.size();
  if (buffer == nullptr) return true;
  if (text.size() >= size) return false;
  std::memcpy(buffer, text.data(), text.size());
  buffer[text.size()] = '\0';
  return true;
}

bool is_address_type(int type) {
  switch (type) {
    case 0:
    case MTA_BCC:
    case MTA_CC:
    case MTA_TO:
    case MTA_ENV_TO:
    case MTA_ENV_FROM:
    case MTA_HDR_BCC:
    case MTA_HDR_CC:
    case MTA_HDR_TO:
    case MTA_HDR_FROM: return true;
    default: return false;
  }
}

}  // namespace
}  // namespace mta::sdk

using mta::sdk::address_context;
using mta::sdk::address_contexts;
using mta::sdk::argument;
using mta::sdk::status;

extern "C" {

int mtaAddressParse(mta_adr_t** adr_ctx, size_t* address_count, const char* address_list,
                    size_t address_list_len, int item_code, ...) try {
  if (adr_ctx != nullptr) *adr_ctx = nullptr;
  if (address_count != nullptr) *address_count = 0;
  if (address_list == nullptr) return status(MTA_BADARGS);
  std::string domain;
  mta::sdk::arguments args;
  va_start(args.list, item_code);
  const int read =
      mta::sdk::read_items({{MTA_DOMAIN, argument::text}}, item_code, args, [&](const mta::sdk::item& i) {
        if (i.text.size() > ALFA_SIZE) return MTA_STRTRUERR;
        domain = i.text;
        return MTA_OK;
      });
  va_end(args.list);
  if (read != MTA_OK) return status(read);

  auto list = mta::enqueue::parse_address_list(mta::sdk::text_of(address_list, address_list_len));
  if (!list.problems.empty()) return status(MTA_NO);
  for (auto& mailbox : list.mailboxes)
    if (mailbox.domain.empty()) mailbox.domain = domain;
  if (address_count != nullptr) *address_count = list.mailboxes.size();
  if (adr_ctx == nullptr || list.mailboxes.empty()) return MTA_OK;
  auto* const made = address_contexts().acquire();
  made->addresses = std::move(list.mailboxes);
  *adr_ctx = reinterpret_cast<mta_adr_t*>(made);
  return MTA_OK;
} catch (const std::bad_alloc&) {
  return status(MTA_NOMEM);
}

int mtaAddressGetN(mta_adr_t* adr_ctx, size_t address_index, const char** address, size_t* address_len,
                   int elements) {
  const mta::sdk::use<address_context> context(adr_ctx);
  if (!context) return status(context.code());
  if ((elements & ~mta::sdk::all_elements) != 0) return status(MTA_BADARGS);
  if (address_index >= context->addresses.size()) return status(MTA_EOF);
  if (elements == 0) elements = MTA_ADDR_ROUTE | MTA_ADDR_LOCAL | MTA_ADDR_DOMAIN;
  context->shown = mta::sdk::elements_of(context->addresses[address_index], elements);
  if (address != nullptr) *address = context->shown.c_str();
  if (address_len != nullptr) *address_len = context->shown.size();
  return MTA_OK;
}

void mtaAddressFinish(mta_adr_t* adr_ctx) {
  if (adr_ctx == nullptr) return;
  address_context* released = nullptr;
  {
    const mta::sdk::use<address_context> context(adr_ctx);
    if (!context) return void(status(context.code()));
    context->addresses = {};
    released = &*context;
  }
  address_contexts().release(released);
}

int mtaAddressParts(const char* adr, size_t len, char* phrase, size_t* plen, size_t plenmax, char* route,
                    size_t* rlen, size_t rlenmax, char* local, size_t* llen, size_t llenmax, char* domain,
                    size_t* dlen, size_t dlenmax) {
  if (adr == nullptr) return status(MTA_BADARGS);
  const auto list = mta::enqueue::parse_address_list(mta::sdk::text_of(adr, len));
  if (!list.problems.empty() || list.mailboxes.size() != 1) return status(MTA_NO);
  const auto& m = list.mailboxes.front();
  const bool all_fit =
      mta::sdk::put(m.phrase, phrase, plen, plenmax) & mta::sdk::put(m.route, route, rlen, rlenmax) &
      mta::sdk::put(m.local, local, llen, llenmax) & mta::sdk::put(m.domain, domain, dlen, dlenmax);
  return status(all_fit ? MTA_OK : MTA_STRTRUERR);
}

const char* mtaAddressToChannel(char* channel, size_t* channel_len, size_t channel_len_max,
                                const char* address, size_t address_len, int address_type, int item_code,
                                ...) {
  if (channel == nullptr || address == nullptr || !mta::sdk::is_address_type(address_type))
    return status(MTA_BADARGS), nullptr;
  if (item_code != 0) return status(MTA_NOSUCHITEM), nullptr;
  const auto text = mta::sdk::text_of(address, address_len);
  if (text.size() > ALFA_SIZE) return status(MTA_STRTRUERR), nullptr;
  const auto site = mta::dequeueing::site();
  if (!site) return status(mta::sdk::initialisation_status(site.error())), nullptr;
  const auto found = mta::channel_for(text);
  if (!found) return status(MTA_NO), nullptr;
  if (!mta::sdk::put(*found, channel, channel_len, channel_len_max)) return status(MTA_STRTRUERR), nullptr;
  return channel;
}

}  // extern "C"
