// The two forms of a line: docs/accounting.md.

#include "accounting/log.hpp"
#include "base/json_text.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>

namespace mta::accounting {
namespace {

constexpr char hex_digits[] = "0123456789abcdef";

void append_number(std::string& out, std::uint64_t value, int base = 10) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value, base).ptr;
  out.append(digits, end);
}

void append_two(std::string& out, int value) {
  out += static_cast<char>('0' + value / 10 % 10);
  out += static_cast<char>('0' + value % 10);
}

void append_escaped(std::string& out, std::string_view text, bool blanks_too) {
  const auto plain = [&](char c) { return !is_control(c) && c != '\\' && !(blanks_too && c == ' '); };
  if (std::all_of(text.begin(), text.end(), plain)) {
    out += text;
    return;
  }
  for (const char c : text) {
    if (plain(c)) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += "\\x";
    out += hex_digits[byte >> 4];
    out += hex_digits[byte & 15];
  }
}

void append_field(std::string& out, std::string_view text, std::string_view prefix = {}) {
  out += ' ';
  if (text.empty()) {
    out += "<>";
    return;
  }
  out += prefix;
  append_escaped(out, text, true);
}

/// Seconds with three decimals.
void append_seconds(std::string& out, std::chrono::milliseconds time) {
  const auto ms = static_cast<std::uint64_t>(std::max<std::int64_t>(time.count(), 0));
  append_number(out, ms / 1000);
  out += '.';
  out += static_cast<char>('0' + ms / 100 % 10);
  append_two(out, static_cast<int>(ms % 100));
}

void append_json_field(std::string& out, std::string_view name, std::string_view text) {
  if (text.empty()) return;
  out += ",\"";
  out += name;
  out += "\":";
  append_json_string(out, text);
}

std::string_view word(action code) {
  switch (code) {
    case action::enqueued: return "enqueue";
    case action::dequeued: return "dequeue";
    case action::deferred: return "defer";
    case action::rejected: return "reject";
    case action::unreported: return "reject_unreported";
    case action::warned: return "warn";
    case action::refused: return "refuse";
  }
  return "";
}

}  // namespace

// Under mutex_.
void log::append_text(std::string& out, const entry& e) {
  const std::int64_t ms = e.time.time_since_epoch().count();
  const std::int64_t second = ms / 1000;
  if (second != stamp_second_) {
    static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto time = static_cast<std::time_t>(second);
    std::tm local{};
    ::localtime_r(&time, &local);
    stamp_.clear();
    append_two(stamp_, local.tm_mday);
    stamp_.append("-").append(months[local.tm_mon]).append("-");
    append_number(stamp_, static_cast<std::uint64_t>(local.tm_year + 1900));
    stamp_ += ' ';
    append_two(stamp_, local.tm_hour);
    stamp_ += ':';
    append_two(stamp_, local.tm_min);
    stamp_ += ':';
    append_two(stamp_, local.tm_sec);
    stamp_second_ = second;
  }
  out += stamp_;
  out += '.';
  append_two(out, static_cast<int>(ms % 1000 / 10));
  out += ' ';
  out += process_;
  append_field(out, e.source);
  append_field(out, e.destination);
  out += ' ';
  out += static_cast<char>(e.code);
  append_escaped(out, e.modifiers, true);
  out += ' ';
  const std::uint64_t block = block_size_.load(std::memory_order_relaxed);
  append_number(out, (e.size + block - 1) / block);
  append_field(out, e.from);
  append_field(out, e.original.empty() ? e.to : e.original, "rfc822;");
  append_field(out, e.to);
  append_field(out, e.id);
  append_field(out, e.envelope_id);
  append_field(out, e.message_id);
  out += ' ';
  if (e.queue_time.count() < 0)
    out += "<>";
  else
    append_seconds(out, e.queue_time);
  if (!e.reason.empty()) {
    out += ' ';
    append_escaped(out, e.reason, false);
  }
  out += '\n';
}

void log::append_json(std::string& out, const entry& e) {
  const auto day = std::chrono::floor<std::chrono::days>(e.time);
  const std::chrono::year_month_day date(day);
  const std::int64_t ms = (e.time - day).count();
  out += "{\"time\":\"";
  append_number(out, static_cast<std::uint64_t>(static_cast<int>(date.year())));
  out += '-';
  append_two(out, static_cast<int>(static_cast<unsigned>(date.month())));
  out += '-';
  append_two(out, static_cast<int>(static_cast<unsigned>(date.day())));
  out += 'T';
  append_two(out, static_cast<int>(ms / 3'600'000));
  out += ':';
  append_two(out, static_cast<int>(ms / 60'000 % 60));
  out += ':';
  append_two(out, static_cast<int>(ms / 1000 % 60));
  out += '.';
  out += static_cast<char>('0' + ms / 100 % 10);
  append_two(out, static_cast<int>(ms % 100));
  out += "Z\",\"process\":\"";
  out += process_;
  out += "\",\"code\":\"";
  out += static_cast<char>(e.code);
  out += "\",\"action\":\"";
  out += word(e.code);
  out += '"';
  append_json_field(out, "modifiers", e.modifiers);
  append_json_field(out, "source", e.source);
  append_json_field(out, "destination", e.destination);
  out += ",\"size\":";
  append_number(out, e.size);
  out += ",\"from\":";
  append_json_string(out, e.from);
  append_json_field(out, "original", e.original.empty() ? e.to : e.original);
  append_json_field(out, "to", e.to);
  append_json_field(out, "id", e.id);
  append_json_field(out, "envelope_id", e.envelope_id);
  append_json_field(out, "message_id", e.message_id);
  append_json_field(out, "disposition", e.disposition);
  if (e.attempt > 0) {
    out += ",\"attempt\":";
    append_number(out, e.attempt);
  }
  if (e.queue_time.count() >= 0) {
    out += ",\"queue_time\":";
    append_seconds(out, e.queue_time);
  }
  append_json_field(out, "reason", e.reason);
  out += "}\n";
}

}  // namespace mta::accounting
