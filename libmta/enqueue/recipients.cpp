// Who gets a submission: addresses, what aliases make of them, where each goes.

#include "base/text.hpp"
#include "enqueue/address.hpp"
#include "enqueue/submission_impl.hpp"

#include <algorithm>

namespace mta::enqueue {
namespace {

constexpr std::string_view reprocess_channel = "reprocess";

/// A text of the envelope: at most 256 bytes, nothing that a person or a protocol line could trip over.
result<> check_text(std::string_view text, std::string_view what) {
  if (text.size() > config::max_address)
    return error(errc::out_of_range, std::string(what) + " \"" + printable(text) + "\" has more than " +
                                         std::to_string(config::max_address) + " bytes");
  if (std::any_of(text.begin(), text.end(), is_control))
    return error(errc::rejected, std::string(what) + " \"" + printable(text) + "\" has a control character");
  return {};
}

}  // namespace

result<routed> submission::add_recipient(std::string_view address, const recipient_options& o) {
  impl& i = *impl_;
  if (i.phase != impl::open)
    return error(std::make_error_code(std::errc::operation_not_permitted),
                 "add recipient " + printable(address) + " after the content");
  auto added = i.add(address, o);
  if (!added) i.account_refused(address, o, added.error());
  return added;
}

result<routed> submission::impl::add(std::string_view address, const recipient_options& o) {
  if (const auto fine = check_text(o.original, "original address"); !fine) return fine.error();
  if (const auto fine = check_text(o.intermediate, "intermediate address"); !fine) return fine.error();
  if (options.expand_aliases && !o.expanded) {
    const auto expansion = stands_for(address);
    if (!expansion) return expansion.error();
    if (!expansion->empty()) return add_expanded(address, *expansion, o);
  }
  auto way = route(*site, address, routes_of);
  if (!way) return way.error();
  if (const auto room = check_room(address, *way); !room) return room.error();

  // Somebody who is also behind an alias gets one copy.
  if (o.original.empty() && expanded.contains(way->address)) return way;
  std::string identity = way->address;
  for (const std::string_view part : {o.original, o.intermediate}) identity.append(1, '\0').append(part);
  identity += '\0' + std::to_string(o.delivery_flags) + ' ' + std::to_string(o.notify_flags) +
              (o.replaces_delivery_flags ? " replace" : "");
  if (!known.insert(std::move(identity)).second) return way;
  enter(*way, o, {});
  return way;
}

result<> submission::impl::check_room(std::string_view address, const routed& way) {
  auto room = owner.backlog().check(way.channel, options.limits);
  if (!room) return error(errc::try_later, "address \"" + printable(address) + "\": " + room.error().context);
  return room;
}

void submission::impl::enter(const routed& way, const recipient_options& o, std::string own_sender) {
  queue::recipient r;
  r.address = way.address;
  r.original = std::string(o.original);
  if (o.intermediate != way.address) r.intermediate = std::string(o.intermediate);
  r.delivery_flags = o.delivery_flags;
  r.notify_flags = o.notify_flags;
  r.replaces_delivery_flags = o.replaces_delivery_flags;
  recipients.push_back({way, std::move(r), std::move(own_sender)});
}

/// Only addresses of this host can be aliases. The postmaster is reached whatever the aliases are like (RFC
/// 5321 4.5.1): by his alias, else at the configured address.
result<std::vector<expanded_address>> submission::impl::stands_for(std::string_view address) {
  const std::string own_postmaster = "postmaster@" + site->host;
  const bool other_postmaster = site->postmaster != own_postmaster;
  if (site->aliases.empty() && !other_postmaster) return std::vector<expanded_address>{};
  const auto canonical = canonical_address(address, site->host);
  if (!canonical) return std::vector<expanded_address>{};  // route() says what is wrong with it
  const address_parts parts = split_address(*canonical);
  if (!equal_ignoring_case(parts.domain, site->host)) return std::vector<expanded_address>{};
  const std::string name = local_name(parts.local);
  const bool postmaster = equal_ignoring_case(name, "postmaster");
  const std::vector<expanded_address> configured{{site->postmaster, {}}};

  if (!alias_names && !site->aliases.empty()) {
    auto table = owner.aliases_of(*site);
    if (!table && postmaster) return configured;
    if (!table)
      return error(errc::try_later, "address \"" + printable(address) + "\": " + table.error().context);
    alias_names = std::move(*table);
  }
  if (alias_names && alias_names->contains(name)) {
    auto found = alias_names->expand(name, *site);
    if (!found && postmaster) return configured;
    if (!found)
      return error(errc::try_later, "address \"" + printable(address) + "\": " + found.error().context);
    return found;
  }
  if (!postmaster || !other_postmaster) return std::vector<expanded_address>{};
  // He may be an alias in turn.
  const address_parts his = split_address(site->postmaster);
  const std::string his_name = local_name(his.local);
  if (alias_names && equal_ignoring_case(his.domain, site->host) && alias_names->contains(his_name))
    if (auto found = alias_names->expand(his_name, *site)) return found;
  return configured;
}

/// All that the alias stands for, or nobody.
result<routed> submission::impl::add_expanded(std::string_view alias,
                                              const std::vector<expanded_address>& all,
                                              const recipient_options& given) {
  std::vector<routed> ways;
  for (const expanded_address& one : all) {
    auto way = route(*site, one.address, routes_of);
    if (!way)
      return error(errc::try_later,
                   "address \"" + printable(alias) +
                       "\" stands for an address that mail cannot go to: " + way.error().context);
    if (const auto room = check_room(alias, *way); !room) return room.error();
    ways.push_back(std::move(*way));
  }
  recipient_options o = given;
  const auto name = canonical_address(alias, site->host);
  if (o.original.empty() && name) o.original = *name;
  std::unordered_set<std::string> there;
  for (const pending& p : recipients) there.insert(p.way.address);
  for (std::size_t n = 0; n < all.size(); ++n) {
    if (!expanded.insert(ways[n].address).second || there.contains(ways[n].address)) continue;
    // Reports about mail that nobody sent go to nobody, not to an owner.
    enter(ways[n], o, sender.empty() ? std::string() : all[n].sender);
  }
  return ways.front();
}

void submission::impl::put_off_beyond_limit() {
  if (!options.expand_limit || recipients.size() <= *options.expand_limit) return;
  if (source_channel == reprocess_channel || site->find_channel(reprocess_channel) == nullptr) return;
  for (std::size_t n = *options.expand_limit; n < recipients.size(); ++n) {
    recipients[n].way.channel = std::string(reprocess_channel);
    recipients[n].way.host.clear();
  }
}

// --- the accounting log
// ------------------------------------------------------------------------------------------------------

namespace {

bool logs(const config::settings& site, std::string_view channel) {
  const config::channel* const c = site.find_channel(channel);
  return c == nullptr || c->logging;
}

}  // namespace

void submission::impl::account_refused(std::string_view address, const recipient_options& o,
                                       const error& why) {
  accounting::log& log = owner.accounts();
  if (!log.enabled() || !logs(*site, source_channel)) return;
  accounting::entry e;
  e.code = accounting::action::refused;
  e.source = source_channel;
  e.from = sender;
  e.original = o.original;
  e.to = address;
  e.envelope_id = envelope_id;
  e.reason = why.context;
  log.record(e);
  log.flush();
}

void submission::impl::account_enqueued(const std::vector<record>& records) {
  accounting::log& log = owner.accounts();
  if (!log.enabled()) return;
  bool any = false;
  for (const record& r : records) {
    if (!r.queued || !logs(*site, r.channel)) continue;
    const std::string id = to_string(r.committed.id);
    accounting::entry e;
    e.source = source_channel;
    e.destination = r.channel;
    e.size = r.committed.entry.content_length;
    e.from = r.envelope.from;
    e.id = id;
    e.envelope_id = r.envelope.envelope_id;
    e.message_id = r.envelope.header_id;
    e.time = r.committed.entry.committed;
    for (const queue::recipient& to : r.envelope.recipients) {
      e.original = to.original;
      e.to = to.address;
      log.record(e);
    }
    any = true;
  }
  if (any) log.flush();
}

/// What a commit that failed did not queue.
void submission::impl::account_failed(const std::vector<record>& records, const error& why) {
  accounting::log& log = owner.accounts();
  if (!log.enabled() || !logs(*site, source_channel)) return;
  const std::string reason = why.message();
  for (const record& r : records) {
    if (r.queued) continue;
    accounting::entry e;
    e.code = accounting::action::refused;
    e.source = source_channel;
    e.destination = r.channel;
    e.size = content.length();
    e.from = r.envelope.from;
    e.envelope_id = r.envelope.envelope_id;
    e.message_id = r.envelope.header_id;
    e.reason = reason;
    for (const queue::recipient& to : r.envelope.recipients) {
      e.original = to.original;
      e.to = to.address;
      log.record(e);
    }
  }
  log.flush();
}

error submission::impl::refuse_everybody(error why) {
  accounting::log& log = owner.accounts();
  if (!log.enabled() || !logs(*site, source_channel)) return why;
  const std::string reason = why.message();
  accounting::entry e;
  e.code = accounting::action::refused;
  e.source = source_channel;
  e.size = content.length();
  e.envelope_id = envelope_id;
  e.message_id = content.message_id();
  e.reason = reason;
  for (const pending& p : recipients) {
    e.destination = p.way.channel;
    e.from = p.sender.empty() ? sender : p.sender;
    e.original = p.recipient.original;
    e.to = p.recipient.address;
    log.record(e);
  }
  log.flush();
  return why;
}

}  // namespace mta::enqueue
