// mta::submission: the public face of enqueue::submission, for programs that may have a message in hand.
#include "enqueue/submission.hpp"

#include "base/identity.hpp"
#include "dequeue/context.hpp"
#include "dequeue/site.hpp"
#include "enqueue/header.hpp"

#include <mta/enqueue.hpp>
#include <mta/program.hpp>

#include <chrono>

namespace mta {

struct submission::impl {
  enqueue::submission inner;
  std::string to, cc;        // for the header lines
  std::size_t envelope = 0;  // recipients in the envelope
  bool header_begun = false;
  queue::priority priority = queue::priority::normal;
  queue::time_point not_before{};
  std::string source, host;

  result<> begin_header() {
    if (header_begun) return {};
    if (envelope == 0)
      return error(std::make_error_code(std::errc::operation_not_permitted),
                   "write a message that has no recipient yet");
    header_begun = true;
    enqueue::header_completion c;
    c.host = host;
    c.received_from = source;
    c.now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    const std::string unique = unique_name();
    c.id = unique;
    std::string received = enqueue::received_line(c);
    std::size_t at = 0;
    while (at < received.size()) {
      const auto end = std::min(received.find('\n', at), received.size());
      if (auto added = inner.add_header_line(std::string_view(received).substr(at, end - at)); !added)
        return added;
      at = end + 1;
    }
    for (const auto& [name, list] : {std::pair("To: ", &to), std::pair("Cc: ", &cc)})
      if (!list->empty())
        if (auto added = inner.add_header_line(name + *list); !added) return added;
    return {};
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
  if (options.notify) o.notify_flags = static_cast<std::uint32_t>(*options.notify);
  o.fragment_blocks = options.fragment_blocks;
  o.fragment_lines = options.fragment_lines;
  o.sort_recipients = options.sort_recipients;
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
  auto made = std::make_unique<impl>(impl{std::move(*inner),
                                          {},
                                          {},
                                          0,
                                          false,
                                          priority,
                                          options.not_before,
                                          source,
                                          (*enqueuer)->settings()->host});
  return submission(std::move(made));
}

result<> submission::add(std::string_view address, const recipient_options& options) {
  if (!impl_)
    return error(std::make_error_code(std::errc::operation_not_permitted),
                 "add a recipient to a finished message");
  const bool in_envelope = options.role == recipient_role::envelope || options.role == recipient_role::to ||
                           options.role == recipient_role::cc || options.role == recipient_role::bcc;
  if (impl_->header_begun)
    return error(std::make_error_code(std::errc::operation_not_permitted),
                 "add a recipient after the first write");
  if (in_envelope) {
    enqueue::recipient_options o;
    o.original = options.original;
    o.delivery_flags = options.delivery_flags;
    if (options.notify) o.notify_flags = static_cast<std::uint32_t>(*options.notify);
    if (options.like != nullptr) {
      if (o.original.empty()) o.original = options.like->original;
      if (options.like->intermediate != options.like->address) o.intermediate = options.like->intermediate;
      o.delivery_flags |= options.like->delivery_flags;
      if (o.notify_flags == 0) o.notify_flags = static_cast<std::uint32_t>(options.like->notify);
    }
    if (auto added = impl_->inner.add_recipient(address, o); !added) return added.error();
    ++impl_->envelope;
  }
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
  if (!impl_)
    return error(std::make_error_code(std::errc::operation_not_permitted), "write to a finished message");
  if (auto begun = impl_->begin_header(); !begun) return begun;
  return impl_->inner.write(bytes);
}

result<> submission::write_line(std::string_view line) {
  if (!impl_)
    return error(std::make_error_code(std::errc::operation_not_permitted), "write to a finished message");
  if (auto begun = impl_->begin_header(); !begun) return begun;
  return impl_->inner.write_line(line);
}

result<> submission::copy(message& from, bool from_start) {
  if (!impl_)
    return error(std::make_error_code(std::errc::operation_not_permitted), "write to a finished message");
  if (auto begun = impl_->begin_header(); !begun) return begun;
  if (from_start) from.rewind();
  return from.internal().rest([this](std::string_view part) { return impl_->inner.write(part); });
}

result<std::vector<std::string>> submission::finish() {
  if (!impl_)
    return error(std::make_error_code(std::errc::operation_not_permitted), "finish a message twice");
  const std::unique_ptr<impl> mine = std::move(impl_);
  if (mine->envelope == 0 || !mine->header_begun)
    return error(errc::out_of_range, mine->envelope == 0 ? "submit a message without recipients"
                                                         : "submit a message without content");
  auto accepted = mine->inner.commit(mine->priority, mine->not_before);
  if (!accepted) return accepted.error();
  std::vector<std::string> ids;
  for (const auto& a : *accepted) ids.push_back(to_string(a.id));
  return ids;
}

void submission::abandon() noexcept { impl_.reset(); }

std::string unique_string() { return unique_name(); }

}  // namespace mta
