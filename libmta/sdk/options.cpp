// mtaOption*: option files, lines of NAME=value (docs/mta-sdk.md).
#include "base/text.hpp"
#include "config/option_file.hpp"
#include "dequeue/site.hpp"
#include "sdk/items.hpp"
#include "sdk/option_values.hpp"
#include "sdk/status.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <tuple>
#include <utility>

namespace {

using mta::sdk::option_values;
using mta::sdk::status;

/// A program started by hand has no PMDF_CHANNEL_OPTION; its channel's section says what it would be given:
/// the path of an option file, or options.
std::pair<std::string, mta_opt_t*> own_options() {
  const auto site = mta::dequeueing::site();
  const auto name = mta::dequeueing::own_channel();
  const auto* channel = site && name ? (*site)->find_channel(*name) : nullptr;
  if (channel == nullptr || !channel->option_file.empty())
    return {channel == nullptr ? std::string() : channel->option_file, nullptr};
  auto file = std::make_unique<option_values>();
  for (const auto& [option, value] : channel->options) file->values[mta::lower_case(option)] = value;
  return {{}, reinterpret_cast<mta_opt_t*>(file.release())};
}

/// The value, or nullptr; `code` receives an error.
const std::string* look_up(mta_opt_t* context, const char* name, size_t length, int& code) {
  code = MTA_OK;
  if (context == nullptr) return nullptr;
  const std::string_view key = mta::sdk::text_of(name, length);
  if (name == nullptr || key.size() > ALFA_SIZE) {
    code = name == nullptr ? MTA_BADARGS : MTA_STRTRUERR;
    return nullptr;
  }
  const auto& values = reinterpret_cast<const option_values*>(context)->values;
  const auto found = values.find(mta::lower_case(key));
  return found == values.end() ? nullptr : &found->second;
}

}  // namespace

extern "C" {

int mtaOptionStart(mta_opt_t** opt_ctx, const char* path, size_t len, int) try {
  if (opt_ctx == nullptr) return status(MTA_BADARGS);
  *opt_ctx = nullptr;
  std::string name;
  if (path != nullptr)
    name = mta::sdk::text_of(path, len);
  else if (const char* own = std::getenv("PMDF_CHANNEL_OPTION"))
    name = own;
  else
    std::tie(name, *opt_ctx) = own_options();
  if (name.empty()) return MTA_OK;
  if (name.size() > ALFA_SIZE) return status(MTA_STRTRUERR);
  auto found = mta::config::read_option_file(name);
  if (!found && found.error().code == std::errc::no_such_file_or_directory) return MTA_OK;
  if (!found) return status(found.error().code == std::errc::io_error ? MTA_NO : MTA_FOPEN);
  if (!found->well_formed) return status(MTA_NO);
  auto file = std::make_unique<option_values>();
  file->values = std::move(found->values);
  *opt_ctx = reinterpret_cast<mta_opt_t*>(file.release());
  return MTA_OK;
} catch (const std::bad_alloc&) {
  return status(MTA_NOMEM);
}

int mtaOptionInt(mta_opt_t* opt_ctx, const char* name, size_t len, int* val) {
  int code = MTA_OK;
  const std::string* const value = look_up(opt_ctx, name, len, code);
  int number = 0;
  if (value != nullptr && val != nullptr) {
    const auto [end, failure] = std::from_chars(value->data(), value->data() + value->size(), number);
    if (failure == std::errc() && end == value->data() + value->size()) *val = number;
  }
  return status(code);
}

int mtaOptionFloat(mta_opt_t* opt_ctx, const char* name, size_t len, double* val) {
  int code = MTA_OK;
  const std::string* const value = look_up(opt_ctx, name, len, code);
  double number = 0;
  if (value != nullptr && val != nullptr) {
    const auto [end, failure] = std::from_chars(value->data(), value->data() + value->size(), number);
    if (failure == std::errc() && end == value->data() + value->size()) *val = number;
  }
  return status(code);
}

int mtaOptionString(mta_opt_t* opt_ctx, const char* name, size_t len, char* str, size_t* str_len,
                    size_t str_len_max) {
  int code = MTA_OK;
  const std::string* const value = look_up(opt_ctx, name, len, code);
  if (value == nullptr || str == nullptr || str_len_max == 0) return status(code);
  const std::size_t length = std::min(value->size(), str_len_max - 1);
  std::memcpy(str, value->data(), length);
  str[length] = '\0';
  if (str_len != nullptr) *str_len = length;
  return status(length < value->size() ? MTA_STRTRU : MTA_OK);
}

void mtaOptionFinish(mta_opt_t* opt_ctx) {
  auto* const file = reinterpret_cast<option_values*>(opt_ctx);
  if (file != nullptr && !file->borrowed) delete file;
}

}  // extern "C"
