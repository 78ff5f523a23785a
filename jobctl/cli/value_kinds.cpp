#include "jobctl/cli/value_kinds.hpp"

#include "jobctl/server/event_log.hpp"

#include <algorithm>

namespace jobctl::cli {
namespace {

using enum value_source;

constexpr std::string_view states[] = {"ready", "in-hand", "deferred", "held"};
constexpr std::string_view priorities[] = {"urgent", "normal", "nonurgent"};
constexpr std::string_view notify_conditions[] = {"never", "success", "failure", "delay"};
constexpr std::string_view returned_parts[] = {"full", "hdrs"};

constexpr value_kind kinds[] = {
    {"CHANNEL", channel},
    {"HOST", host},
    {"ID", id},
    {"COMMAND", command},
    {"FILE", file},
    {"DIR", directory},
    {"STATE", words, states},
    {"PRIORITY", words, priorities},
    {"EVENT", words, event_names},
    {"WHEN", words, notify_conditions},
    {"WHAT", words, returned_parts},
    {"ADDRESS"},
    {"AGE"},
    {"CURSOR"},
    {"ENVID"},
    {"M"},
    {"N"},
    {"NAME"},
    {"SIZE"},
    {"TEXT"},
    {"TIME"},
    {"TYPE"},
    {"X"},
};

}  // namespace

const value_kind* find_value_kind(std::string_view placeholder) {
  const auto at = std::ranges::find(kinds, placeholder, &value_kind::placeholder);
  return at == std::end(kinds) ? nullptr : &*at;
}

}  // namespace jobctl::cli
