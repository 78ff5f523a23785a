// mtaOption*: option files, lines of NAME=value (docs/mta-sdk.md).
#include "dequeue/site.hpp"
#include "sdk/items.hpp"
#include "sdk/option_values.hpp"
#include "sdk/status.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <new>
#include <string>
#include <tuple>
#include <utility>

namespace {

using option_file = mta::sdk::option_values;
using mta::sdk::status;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

/// A program started by hand has no PMDF_CHANNEL_OPTION; its channel's section says what it would be given:
/// the path of an option file, or options.
std::pair<std::string, mta_opt_t*> own_options() {
  const auto site = mta::dequeueing::site();
  const auto name = mta::dequeueing::own_channel();
  const auto* channel = site && name ? (*site)->find_channel(*name) : nullptr;
  if (channel == nullptr || !channel->option_file.empty())
    return {channel == nullptr ? std::string() : channel->option_file, nullptr};
  auto file = std::make_unique<option_file>();
  for (const auto& [option, value] : channel->options) file->values[lower(option)] = value;
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
  const auto& values = reinterpret_cast<const option_file*>(context)->values;
  const auto found = values.find(lower(key));
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
  errno = 0;
  std::ifstream in(name);
  if (!in) return errno == ENOENT ? MTA_OK : status(MTA_FOPEN);
  auto file = std::make_unique<option_file>();
  for (std::string line; std::getline(in, line);) {
    const std::string_view text = trim(line);
    if (text.empty() || text.front() == '!' || text.front() == '#') continue;
    const auto equals = text.find('=');
    if (equals == std::string_view::npos || equals == 0) return status(MTA_NO);
    file->values[lower(trim(text.substr(0, equals)))] = trim(text.substr(equals + 1));
  }
  if (in.bad()) return status(MTA_NO);
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
  auto* const file = reinterpret_cast<option_file*>(opt_ctx);
  if (file != nullptr && !file->borrowed) delete file;
}

}  // extern "C"
