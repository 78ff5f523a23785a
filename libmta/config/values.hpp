// Types of settings' values, each with its own rule of reading it: Boost.Program_options finds the validate()
// functions by argument-dependent lookup. Internal to libmta/config; includes Program_options.
//
// Thread safety: values.
#pragma once

#include "config/settings.hpp"

#include <boost/any.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mta::config {

/// Thrown by validate(): what the key expects. Caught where the line is known.
struct bad_value {
  std::string expected;
};

/// A whole number from Least to Most.
template <std::uint64_t Least, std::uint64_t Most>
struct number {
  std::uint64_t value = 0;
};
/// Bytes: "4096", "64K", "10M", "2G".
template <std::uint64_t Least, std::uint64_t Most>
struct byte_count {
  std::uint64_t value = 0;
};
/// A duration of Least to Most milliseconds, in multiples of Step.
template <std::int64_t Least, std::int64_t Most, std::int64_t Step = 1000>
struct duration {
  std::chrono::milliseconds value{};
};
struct yes_or_no {
  bool value = false;
};
struct backoff_list {
  backoff_schedule value;
};
struct notice_list {
  notice_schedule value;
};
struct window_value {
  delivery_window value;
};
struct times_value {
  std::vector<std::chrono::minutes> value;
};
/// What becomes of a run that was missed: true: made up for.
struct missed_value {
  bool value = false;
};
/// "10%" or "10", up to 50.
struct percentage {
  std::uint32_t value = 0;
};
struct post_copy_value {
  post_copy value{};
};
struct display_name {
  std::string value;
};
struct rate_value {
  rate value;
};
struct reserve_value {
  free_reserve value;
};
struct command_line {
  std::vector<std::string> value;
};
struct absolute_path {
  std::string value;
};
struct domain_name {
  std::string value;
};
struct mail_address {
  std::string value;
};
struct pool_name {
  std::string value;
};
struct user_name {
  std::string value;
};
struct group_value {
  grouping value{};
};
struct log_level_value {
  std::string value;
};
struct accounting_value {
  accounting_form value{};
};
struct listen_address {
  std::string value;
};
struct charset_value {
  std::string value;
};
struct target_value {
  route_target value;
};

/// Reading rules, on the text of the value; they throw bad_value.
std::uint64_t read_number(std::string_view text, std::uint64_t least, std::uint64_t most);
std::uint64_t read_bytes(std::string_view text, std::uint64_t least, std::uint64_t most);
std::chrono::milliseconds read_duration(std::string_view text, std::int64_t least, std::int64_t most,
                                        std::int64_t step);
void read(std::string_view text, yes_or_no&);
void read(std::string_view text, backoff_list&);
void read(std::string_view text, notice_list&);
void read(std::string_view text, window_value&);
void read(std::string_view text, times_value&);
void read(std::string_view text, missed_value&);
void read(std::string_view text, percentage&);
void read(std::string_view text, post_copy_value&);
void read(std::string_view text, display_name&);
void read(std::string_view text, rate_value&);
void read(std::string_view text, reserve_value&);
void read(std::string_view text, command_line&);
void read(std::string_view text, absolute_path&);
void read(std::string_view text, domain_name&);
void read(std::string_view text, mail_address&);
void read(std::string_view text, pool_name&);
void read(std::string_view text, user_name&);
void read(std::string_view text, group_value&);
void read(std::string_view text, log_level_value&);
void read(std::string_view text, accounting_value&);
void read(std::string_view text, listen_address&);
void read(std::string_view text, charset_value&);
void read(std::string_view text, target_value&);
template <std::uint64_t Least, std::uint64_t Most>
void read(std::string_view text, number<Least, Most>& into) {
  into.value = read_number(text, Least, Most);
}
template <std::uint64_t Least, std::uint64_t Most>
void read(std::string_view text, byte_count<Least, Most>& into) {
  into.value = read_bytes(text, Least, Most);
}
template <std::int64_t Least, std::int64_t Most, std::int64_t Step>
void read(std::string_view text, duration<Least, Most, Step>& into) {
  into.value = read_duration(text, Least, Most, Step);
}

template <class T>
concept readable = requires(std::string_view text, T& value) {
  read(text, value);
};

/// What Program_options calls.
template <readable T>
void validate(boost::any& out, const std::vector<std::string>& tokens, T*, int) {
  T value;
  read(tokens.empty() ? std::string_view{} : std::string_view(tokens.front()), value);
  out = std::move(value);
}

/// The word for it, as read() understands it.
std::string_view to_text(accounting_form) noexcept;

/// Words of a command as they are written in a file: in double quotes where they need them.
std::string quote_command(const std::vector<std::string>& words);
/// Splits it again. Error: errc::syntax, a quote that is not closed.
result<std::vector<std::string>> split_command(std::string_view text);

}  // namespace mta::config
