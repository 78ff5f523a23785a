// Item codes and item lists (Developer's Reference ch. 1): one reader for arguments that follow inline and
// for arrays. Thread safety: pure, on the caller's arguments.
#pragma once

#include <mtasdk.h>

#include <cstdarg>
#include <functional>
#include <initializer_list>
#include <string_view>

namespace mta::sdk {

/// What follows an item code.
enum class argument : unsigned char {
  none,
  text,        ///< const char *, size_t (0: NUL-terminated)
  number,      ///< size_t; plain int constants are understood
  pointer,     ///< void *, not NULL
  text_out,    ///< const char **, size_t * (may be NULL)
  number_out,  ///< size_t *
  int_out,     ///< int *
};
struct item_kind {
  int code;
  sdk::argument argument;
};
struct item {
  int code = 0;
  std::string_view text;
  std::size_t number = 0;
  void* pointer = nullptr;
  const char** text_out = nullptr;
  std::size_t* length_out = nullptr;
  std::size_t* number_out = nullptr;
  int* int_out = nullptr;

  void give(std::string_view value) const {
    if (text_out != nullptr) *text_out = value.data() != nullptr ? value.data() : "";
    if (length_out != nullptr) *length_out = value.size();
  }
};

struct arguments {
  va_list list;
};

/// Calls `take` for every item up to the closing 0; it returns a status, and anything but MTA_OK ends the
/// reading. Errors: MTA_NOSUCHITEM, MTA_BADARGS (NULL where an item needs a pointer).
int read_items(std::initializer_list<item_kind> known, int first_code, arguments&,
               const std::function<int(const item&)>& take);

/// A string argument: `length` 0 means NUL-terminated.
std::string_view text_of(const char* text, std::size_t length);

}  // namespace mta::sdk
