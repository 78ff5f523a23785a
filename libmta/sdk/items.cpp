#include "sdk/items.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace mta::sdk {
namespace {

constexpr int deepest_nesting = 16;

const item_kind* find(std::initializer_list<item_kind> known, int code) {
  const auto at =
      std::find_if(known.begin(), known.end(), [&](const item_kind& k) { return k.code == code; });
  return at == known.end() ? nullptr : &*at;
}

/// The argument of an item in an array.
int from_array(const item_kind& kind, const mta_item_list_t& entry, item& out) {
  void* const address = const_cast<void*>(entry.item_address);
  switch (kind.argument) {
    case argument::none: return MTA_OK;
    case argument::number:
      out.number = static_cast<std::size_t>(static_cast<unsigned>(entry.item_length));
      return MTA_OK;
    default: break;
  }
  if (address == nullptr) return MTA_BADARGS;
  switch (kind.argument) {
    case argument::text:
      out.text = text_of(static_cast<const char*>(address),
                         static_cast<std::size_t>(std::max(entry.item_length, 0)));
      break;
    case argument::pointer: out.pointer = address; break;
    case argument::text_out: out.text_out = static_cast<const char**>(address); break;
    case argument::number_out: out.number_out = static_cast<std::size_t*>(address); break;
    case argument::int_out: out.int_out = static_cast<int*>(address); break;
    default: break;
  }
  return MTA_OK;
}

int read_array(std::initializer_list<item_kind> known, const mta_item_list_t* entries,
               const std::function<int(const item&)>& take, int depth) {
  if (entries == nullptr || depth > deepest_nesting) return MTA_BADARGS;
  for (; entries->item_code != MTA_END_LIST; ++entries) {
    int status = MTA_OK;
    if (entries->item_code == MTA_ITEM_LIST) {
      status = read_array(known, static_cast<const mta_item_list_t*>(entries->item_address), take, depth + 1);
    } else {
      const item_kind* kind = find(known, entries->item_code);
      if (kind == nullptr) return MTA_NOSUCHITEM;
      item i;
      i.code = entries->item_code;
      status = from_array(*kind, *entries, i);
      if (status == MTA_OK) status = take(i);
    }
    if (status != MTA_OK) return status;
  }
  return MTA_OK;
}

}  // namespace

std::string_view text_of(const char* text, std::size_t length) {
  if (text == nullptr) return {};
  return {text, length == 0 ? std::strlen(text) : length};
}

int read_items(std::initializer_list<item_kind> known, int code, arguments& args,
               const std::function<int(const item&)>& take) {
  for (; code != MTA_END_LIST; code = va_arg(args.list, int)) {
    int status = MTA_OK;
    if (code == MTA_ITEM_LIST) {
      status = read_array(known, va_arg(args.list, const mta_item_list_t*), take, 0);
      if (status != MTA_OK) return status;
      continue;
    }
    const item_kind* kind = find(known, code);
    if (kind == nullptr) return MTA_NOSUCHITEM;
    item i;
    i.code = code;
    bool missing = false;
    switch (kind->argument) {
      case argument::none: break;
      case argument::text: {
        const char* const text = va_arg(args.list, const char*);
        const std::size_t length = va_arg(args.list, std::size_t);
        missing = text == nullptr;
        i.text = text_of(text, length & 0x7FFF'FFFF);
        break;
      }
      // The book's own samples pass plain int constants, whose upper half is undefined: only the lower
      // counts.
      case argument::number: i.number = va_arg(args.list, std::size_t) & 0xFFFF'FFFF; break;
      case argument::pointer:
        i.pointer = va_arg(args.list, void*);
        missing = i.pointer == nullptr;
        break;
      case argument::text_out:
        i.text_out = va_arg(args.list, const char**);
        i.length_out = va_arg(args.list, std::size_t*);
        missing = i.text_out == nullptr;
        break;
      case argument::number_out:
        i.number_out = va_arg(args.list, std::size_t*);
        missing = i.number_out == nullptr;
        break;
      case argument::int_out:
        i.int_out = va_arg(args.list, int*);
        missing = i.int_out == nullptr;
        break;
    }
    status = missing ? MTA_BADARGS : take(i);
    if (status != MTA_OK) return status;
  }
  return MTA_OK;
}

}  // namespace mta::sdk

namespace {

/// Entries before the closing one.
std::size_t length_of(const mta_item_list_t* items) {
  std::size_t n = 0;
  while (items != nullptr && items[n].item_code != MTA_END_LIST) ++n;
  return n;
}

mta_item_list_t* append(mta_item_list_t* items, const mta_item_list_t& entry) {
  const std::size_t n = length_of(items);
  auto* const longer = static_cast<mta_item_list_t*>(std::realloc(items, (n + 2) * sizeof *items));
  if (longer == nullptr) {
    std::free(items);
    return nullptr;
  }
  longer[n] = entry;
  longer[n + 1] = mta_item_list_t{};
  return longer;
}

}  // namespace

extern "C" {

mta_item_list_t* mtaItemListInt(mta_item_list_t* items, int item_code, size_t value) {
  mta_item_list_t entry{};
  entry.item_code = item_code;
  entry.item_length = static_cast<int>(value);
  return append(items, entry);
}

mta_item_list_t* mtaItemListStr(mta_item_list_t* items, int item_code, const char* str, size_t len) {
  mta_item_list_t entry{};
  entry.item_code = item_code;
  entry.item_address = str;
  entry.item_length = static_cast<int>(len);
  return append(items, entry);
}

mta_item_list_t* mtaItemListCopy(const mta_item_list_t* items) {
  const std::size_t n = length_of(items);
  auto* const copy = static_cast<mta_item_list_t*>(std::malloc((n + 1) * sizeof *items));
  if (copy == nullptr) return nullptr;
  if (n > 0) std::memcpy(copy, items, n * sizeof *items);
  copy[n] = mta_item_list_t{};
  return copy;
}

void mtaItemListDispose(mta_item_list_t* items) { std::free(items); }

}  // extern "C"
