// mta::submission: the public face of enqueue::submission, for programs that may have a message in hand.
#include "enqueue/submission.hpp"

#include "base/identity.hpp"
#include "base/text.hpp"
#include "dequeue/context.hpp"
#include "dequeue/engine.hpp"
#include "dequeue/site.hpp"
#include "enqueue/address.hpp"
#include "enqueue/header.hpp"

#include <mta/enqueue.hpp>
#include <mta/program.hpp>

#include <algorithm>
#include <chrono>
#include <initializer_list>

namespace mta {

namespace {

constexpr std::size_t longest_header = 4u
                                       << 20;  // bytes, of originated mail: all of it is kept until its end

error too_late(const char* what) { return {std::make_error_code(std::errc::operation_not_permitted), what}; }

/// Flags as they are stored, where 0 stands for none given: a request for no notification is not that.
std::uint32_t stored(notify_flags flags) {
  const auto bits = static_cast<std::uint32_t>(flags);
  return bits != 0 ? bits : static_cast<std::uint32_t>(notify_flags::content_full);
}

/// What goes into a Received: line: on one line, without control characters.
std::string trace_text(std::string_view text) {
  std::string out(text.substr(0, 256));
  for (char& c : out)
    if (is_control(c)) c = ' ';
  return out;
}

}  // namespace

struct submission::impl {
  enqueue::submission inner;
  std::string to, cc;        // for the header lines
  std::size_t envelope = 0;  // recipients in the envelope
  bool originates = false;   // some recipient belongs into the header: so does what else a header must have
  bool header_begun = false;
  bool in_header = false;  // of originated mail: it is kept in `header` until its end has come
  std::string header;
  std::size_t line_start = 0;            // in it: of the line that has not ended
  std::uint32_t own_delivery_flags = 0;  // of the message, without those of a message in hand
  queue::priority priority = queue::priority::normal;
  queue::time_point not_before{};
  std::string source, host, received_from, protocol;

  result<> begin_header() {
    if (header_begun) return {};
    if (envelope == 0) return too_late("write a message that has no recipient yet");
    header_begun = true;
    in_header = originates;
    if (originates) inner.label_8bit();
    enqueue::header_completion c = completion();
    const std::string unique = unique_name();
    c.id = unique;
    return add_lines(enqueue::received_line(c));
  }
  enqueue::header_completion completion() const {
    enqueue::header_completion c;
    c.host = host;
    c.sender = inner.sender();
    c.received_from = received_from.empty() ? source : received_from;
    c.received_with = protocol;
    c.now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    return c;
  }
  result<> add_lines(std::string_view lines) {
    while (!lines.empty()) {
      const auto end = lines.find('\n');
      if (auto added = inner.add_header_line(lines.substr(0, end)); !added) return added;
      lines.remove_prefix(end + 1);
    }
    return {};
  }

  result<> write(std::string_view bytes) {
    if (auto begun = begin_header(); !begun) return begun;
    if (!in_header) return inner.write(bytes);
    return keep({bytes});
  }
  result<> write_line(std::string_view line) {
    if (auto begun = begin_header(); !begun) return begun;
    if (!in_header) return inner.write_line(line);
    return keep({line, "\n"});
  }

  /// Adds to the header, and completes and writes it once its end is there.
  result<> keep(std::initializer_list<std::string_view> pieces) {
    if (header.size() > longest_header) return too_long();
    std::size_t unsearched = header.size();
    for (const std::string_view piece : pieces) header += piece;
    bool ends = false;
    for (auto end = header.find('\n', unsearched); end != header.npos; end = header.find('\n', line_start)) {
      ends = ends || may_end(std::string_view(header).substr(line_start, end - line_start));
      line_start = end + 1;
    }
    if (ends || header.size() > longest_header) return end_header(false);
    return {};
  }
  /// Only such a line is worth a look at the whole header, which would take too long for each line.
  static bool may_end(std::string_view line) {
    if (line.empty() || line == "\r") return true;
    if (line.front() == ' ' || line.front() == '\t') return false;
    const auto name = line.substr(0, line.find(':'));
    return name.size() == line.size() ||
           std::any_of(name.begin(), name.end(), [](char c) { return c <= ' ' || c > '~'; });
  }
  static error too_long() {
    return error(errc::rejected, "the header is over " + std::to_string(longest_header >> 20) + " MiB");
  }

  /// Completes and writes the header if its end is there; `complete`: nothing more will come.
  result<> end_header(bool complete) {
    const auto split = enqueue::split_header(header, complete);
    // It cannot be passed on as it is: what is blind in it would be seen.
    if ((split ? split->header.size() : header.size()) > longest_header) return too_long();
    if (!split) return {};
    in_header = false;
    const std::string_view own = split->header;
    for (const std::string& lines : {destinations(own), enqueue::missing_fields(own, completion())})
      if (auto added = add_lines(lines); !added) return added;
    if (auto written = inner.write(enqueue::without_bcc(own)); !written) return written;
    if (split->has_blank_line || !split->body.empty()) {
      if (auto written = inner.write("\n"); !written) return written;
      if (auto written = inner.write(split->body); !written) return written;
    }
    header.clear();
    return {};
  }
  /// To: and Cc:, or, for mail that has such lines, the same as resent fields, which go in front of all
  /// others (RFC 5322 3.6.6).
  std::string destinations(std::string_view own_header) const {
    bool resent = false;
    for (const enqueue::header_field& f : enqueue::header_fields(own_header))
      for (const std::string_view name : {"to", "cc", "bcc"}) resent |= equal_ignoring_case(f.name, name);
    const std::string prefix = resent ? "Resent-" : "";
    std::string out;
    if (resent) {
      const std::string basics = enqueue::missing_fields({}, completion());
      for (const enqueue::header_field& f : enqueue::header_fields(basics))
        out.append(prefix).append(f.whole);
    }
    for (const auto& [name, list] : {std::pair("To: ", &to), std::pair("Cc: ", &cc)})
      if (!list->empty()) out += prefix + name + *list + '\n';
    return out;
  }
};

submission::submission(std::unique_ptr<impl> i) noexcept : impl_(std::move(i)) {}
submission::submission(submission&&) noexcept = default;
submission& submission::operator=(submission&&) noexcept = default;
submission::~submission() = default;

result<submission> submission::start(std::string_view from, const submission_options& options) {
  auto enqueuer = dequeueing::site_enqueuer();
  if (!enqueuer) return enqueuer.error();
  std::string source(options.channel);
  if (source.empty()) {
    if (auto own = dequeueing::own_channel())
      source = *own;
    else if (options.like != nullptr)
      source = options.like->channel();
    else
      return own.error();
  }
  enqueue::submission_options o;
  o.source_channel = source;
  o.envelope_id = options.envelope_id;
  o.delivery_flags = options.delivery_flags;
  if (options.notify) o.notify_flags = stored(*options.notify);
  o.fragment_blocks = options.fragment_blocks;
  o.fragment_lines = options.fragment_lines;
  o.sort_recipients = options.sort_recipients;
  o.expand_aliases = options.expand_aliases;
  o.expand_limit = options.expand_limit;
  o.routes_of = options.routes_of;
  if (options.like != nullptr || dequeueing::processing_here())
    o.limits = enqueue::backlog_limits::of_channels;
  auto priority = static_cast<queue::priority>(options.priority);
  if (options.like != nullptr) {
    const queue::envelope& like = options.like->internal().envelope();
    if (!like.envelope_id.empty()) o.envelope_id = like.envelope_id;
    o.delivery_flags |= options.like->delivery_flags();
    if (o.notify_flags == 0) o.notify_flags = like.notify_flags;
    if (o.fragment_blocks == 0) o.fragment_blocks = like.fragment_blocks;
    if (o.fragment_lines == 0) o.fragment_lines = like.fragment_lines;
    if (options.priority == message_priority::normal) priority = options.like->internal().entry().priority;
  }
  auto inner = (*enqueuer)->start(from, o);
  if (!inner) return inner.error();
  auto made = std::make_unique<impl>(impl{.inner = std::move(*inner),
                                          .to = {},
                                          .cc = {},
                                          .header = {},
                                          .own_delivery_flags = options.delivery_flags,
                                          .priority = priority,
                                          .not_before = options.not_before,
                                          .source = source,
                                          .host = (*enqueuer)->settings()->host,
                                          .received_from = trace_text(options.received_from),
                                          .protocol = trace_text(options.protocol)});
  return submission(std::move(made));
}

result<> submission::add(std::string_view address, const recipient_options& options) {
  if (!impl_) return too_late("add a recipient to a finished message");
  const bool in_envelope = options.role == recipient_role::envelope || options.role == recipient_role::to ||
                           options.role == recipient_role::cc || options.role == recipient_role::bcc;
  if (impl_->header_begun) return too_late("add a recipient after the first write");
  // It may become part of a header line.
  if (std::any_of(address.begin(), address.end(), is_control))
    return error(errc::rejected, "address \"" + enqueue::printable(address) + "\" has a control character");
  if (in_envelope) {
    enqueue::recipient_options o;
    o.original = options.original;
    o.delivery_flags = options.delivery_flags;
    o.replaces_delivery_flags = options.replace_delivery_flags;
    if (options.notify) o.notify_flags = stored(*options.notify);
    if (options.like != nullptr) {
      o.expanded = true;
      if (o.original.empty()) o.original = options.like->original;
      if (options.like->intermediate != options.like->address) o.intermediate = options.like->intermediate;
      if (!options.replace_delivery_flags) {  // those of `like` have been added to its message's, or replaced
                                              // them
        o.delivery_flags |= options.like->delivery_flags | impl_->own_delivery_flags;
        o.replaces_delivery_flags = true;
      }
      if (o.notify_flags == 0) o.notify_flags = static_cast<std::uint32_t>(options.like->notify);
    }
    if (auto added = impl_->inner.add_recipient(address, o); !added) return added.error();
    ++impl_->envelope;
  }
  impl_->originates |= options.role != recipient_role::envelope;
  std::string* line = nullptr;
  if (options.role == recipient_role::to || options.role == recipient_role::header_to) line = &impl_->to;
  if (options.role == recipient_role::cc || options.role == recipient_role::header_cc) line = &impl_->cc;
  if (line != nullptr) {
    if (!line->empty()) *line += ",\n ";
    *line += address;
  }
  return {};
}

result<> submission::write(std::string_view bytes) {
  if (!impl_) return too_late("write to a finished message");
  return impl_->write(bytes);
}

result<> submission::write_line(std::string_view line) {
  if (!impl_) return too_late("write to a finished message");
  return impl_->write_line(line);
}

result<> submission::copy(message& from, bool from_start) {
  if (!impl_) return too_late("write to a finished message");
  if (auto begun = impl_->begin_header(); !begun) return begun;
  if (from_start) from.rewind();
  return from.internal().rest([this](std::string_view part) { return impl_->write(part); });
}

result<std::vector<std::string>> submission::finish() {
  if (!impl_) return too_late("finish a message twice");
  const std::unique_ptr<impl> mine = std::move(impl_);
  if (mine->envelope == 0 || !mine->header_begun)
    return error(errc::out_of_range, mine->envelope == 0 ? "submit a message without recipients"
                                                         : "submit a message without content");
  if (mine->in_header)
    if (auto ended = mine->end_header(true); !ended) return ended.error();
  auto accepted = mine->inner.commit(mine->priority, mine->not_before);
  if (!accepted) return accepted.error();
  std::vector<std::string> ids;
  for (const auto& a : *accepted) ids.push_back(to_string(a.id));
  return ids;
}

void submission::abandon() noexcept { impl_.reset(); }

std::string unique_string() { return unique_name(); }

}  // namespace mta
