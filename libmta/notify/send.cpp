#include "notify/send.hpp"

#include "base/text.hpp"
#include "enqueue/header.hpp"
#include "notify/compose.hpp"

#include <mta/dequeue.hpp>

#include <algorithm>

namespace mta::notify {
namespace {

/// NOTIFY=NEVER, as RFC 3461 6.2 wants it for notifications.
constexpr auto never = static_cast<std::uint32_t>(notify_flags::content_full);

bool has_mark(std::string_view header) {
  for (const enqueue::header_field& f : enqueue::header_fields(header))
    if (equal_ignoring_case(f.name, postmaster_mark)) return true;
  return false;
}

/// The site's rule about copies for the postmaster of reports like these; nullptr rules: none.
config::post_copy rule_for(const config::settings& site, const subject& s, bool failure) {
  const config::channel* c = site.find_channel(s.channel);
  if (c == nullptr) return config::post_copy::never;
  return failure ? c->send_post : c->warn_post;
}

/// Is the postmaster to be told, given that the sender can, or cannot, be?
bool wants_copy(config::post_copy rule, bool sender_empty, bool sender_reached) {
  switch (rule) {
    case config::post_copy::never: return false;
    case config::post_copy::errors: return !sender_reached;
    case config::post_copy::unless_empty: return !sender_empty;
    case config::post_copy::always: return true;
  }
  return false;
}

}  // namespace

bool is_lasting(const error& e) noexcept {
  return e.code == errc::rejected || e.code == errc::syntax || e.code == errc::out_of_range ||
         e.code == errc::not_configured;
}

result<told> send(enqueue::enqueuer& queue, const subject& s, std::span<const recipient_report> all) {
  told done;
  const auto site = queue.settings();
  const std::string& sender = s.envelope.from;

  // What the sender wants to know, and what the postmaster may.
  std::vector<recipient_report> asked, troubles;
  bool failure = false;
  for (const recipient_report& r : all) {
    if (!sender.empty() && asked_for(r.what, effective_flags(s.envelope, s.envelope.recipients.at(r.place))))
      asked.push_back(r);
    if (is_failure(r.what) || r.what == kind::delayed) troubles.push_back(r);
    failure = failure || is_failure(r.what);
  }
  const auto by_kind = [](const recipient_report& a, const recipient_report& b) { return a.what < b.what; };
  std::ranges::stable_sort(asked, by_kind);
  std::ranges::stable_sort(troubles, by_kind);

  enqueue::submission_options options;
  options.notify_flags = never;
  options.limits = enqueue::backlog_limits::none;
  enqueue::recipient_options quietly;
  quietly.notify_flags = never;
  auto message = queue.start({}, options);
  if (!message) return message.error();
  error unreachable;
  bool reached = false;
  if (!asked.empty()) {
    const auto added = message->add_recipient(sender, quietly);
    reached = added.has_value();
    if (!added && !is_lasting(added.error())) return added.error();  // he can be told later
    if (!added) unreachable = added.error();
  }

  bool copied = false;
  const auto rule = troubles.empty() ? config::post_copy::never : rule_for(*site, s, failure);
  if (wants_copy(rule, sender.empty(), reached || (!sender.empty() && asked.empty()))) {
    const bool about_him = std::ranges::any_of(troubles, [&](const recipient_report& r) {
      return equal_ignoring_case(s.envelope.recipients.at(r.place).address, site->postmaster);
    });
    auto header = about_him ? result<std::string>(std::string()) : header_of(s);
    if (!header) return header.error();
    if (!about_him && !has_mark(*header)) {
      const auto added = message->add_recipient(site->postmaster, quietly);
      copied = added.has_value();
      if (!added) {
        done.remarks.push_back("the postmaster cannot be told: " + added.error().message());
        unreachable = added.error();
      }
    }
  }

  if (!reached && !copied) {
    if (unreachable.code) return unreachable;
    return done;
  }
  auto text = compose(*site, s, reached ? asked : troubles,
                      reached ? std::string_view(sender) : site->postmaster, copied);
  if (!text) return text.error();
  for (std::string& problem : text->problems) done.remarks.push_back(std::move(problem));
  if (auto written = message->write(text->text); !written) return written.error();
  auto queued = message->commit(s.entry.priority);
  if (!queued) return queued.error();
  for (const enqueue::accepted& a : *queued) done.ids.push_back(to_string(a.id));
  return done;
}

}  // namespace mta::notify
