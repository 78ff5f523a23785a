#include "enqueue/enqueuer.hpp"

#include "base/text.hpp"
#include "enqueue/address.hpp"
#include "enqueue/submission_impl.hpp"
#include "wire/announcer.hpp"

#include <algorithm>
#include <sys/statvfs.h>

namespace mta::enqueue {
namespace {

/// The site's reserve in bytes: the percentage needs the size of the file system, which is looked at once.
std::uint64_t reserve_bytes(const config::settings& site) {
  const config::free_reserve& reserve = site.queue.reserve;
  if (reserve.percent == 0) return reserve.bytes;
  struct statvfs figures {};
  if (::statvfs(site.queue_root().c_str(), &figures) != 0) return reserve.bytes;
  return std::max<std::uint64_t>(reserve.bytes,
                                 figures.f_frsize * (figures.f_blocks / 100) * reserve.percent);
}

queue::writer_options options_for(const config::settings& site, const enqueuer_options& options) {
  queue::writer_options w;
  w.reserve_bytes = reserve_bytes(site);
  w.one_shot = options.one_shot;
  return w;
}

/// Tells the site's controller.
announce_function announce_to_controller(const config::settings& site) {
  wire::announcer_options options;
  options.socket_path = site.program_socket();
  auto line = std::make_shared<wire::announcer>(std::move(options));
  return [line](std::string_view channel, const queue::committed& done) {
    const queue::entry& e = done.entry;
    wire::new_message m;
    m.slot = e.slot;
    m.priority = e.priority;
    m.phase = done.phase;
    m.recipients = e.recipients;
    m.size = e.content_length;
    m.committed = e.committed;
    m.due = e.not_before;
    m.host = e.host;
    line->announce(channel, done.id.key(), done.capacity, done.last_slot, m);
  };
}

}  // namespace

enqueuer::enqueuer(std::shared_ptr<const config::settings> site, enqueuer_options options, queue::file_io& io)
    : io_(io),
      options_(std::move(options)),
      settings_(std::move(site)),
      writer_(io_, settings_->queue_root(), options_for(*settings_, options_)),
      backlog_(settings_->backlog_file()) {
  if (!options_.announce) options_.announce = announce_to_controller(*settings_);
  if (!options_.accounts)
    options_.accounts = std::make_shared<accounting::log>(accounting::options_for(*settings_));
}

enqueuer::~enqueuer() = default;

result<std::unique_ptr<enqueuer>> enqueuer::open(std::shared_ptr<const config::settings> site,
                                                 enqueuer_options options, queue::file_io& io) {
  for (const std::string& directory : {site->root, site->queue_root()})
    if (const auto made = io.make_directory(directory); !made) return made.error();
  return std::unique_ptr<enqueuer>(new enqueuer(std::move(site), std::move(options), io));
}

result<submission> enqueuer::start(std::string_view from, const submission_options& options) {
  const auto site = settings();
  if (!options.source_channel.empty() && site->find_channel(options.source_channel) == nullptr)
    return error(errc::not_configured, "source channel \"" + printable(options.source_channel) + '"');
  if (options.envelope_id.size() > config::max_address)
    return error(errc::out_of_range, "envelope id \"" + printable(options.envelope_id) + "\" has more than " +
                                         std::to_string(config::max_address) + " bytes");
  if (std::any_of(options.envelope_id.begin(), options.envelope_id.end(), is_control))
    return error(errc::syntax,
                 "envelope id \"" + printable(options.envelope_id) + "\" has a control character");
  std::string sender;
  if (!from.empty() && trim(from) != "<>") {
    auto canonical = canonical_address(from, site->host);
    if (!canonical) return canonical.error();
    sender = std::move(*canonical);
  }
  return submission(std::make_unique<submission::impl>(*this, site, io_, options_.memory_limit,
                                                       std::move(sender), options));
}

void enqueuer::announce(std::string_view channel, const queue::committed& done) const {
  options_.announce(channel, done);
}

result<std::shared_ptr<const alias_table>> enqueuer::aliases_of(const config::settings& site) {
  if (site.aliases.empty()) return std::shared_ptr<const alias_table>();
  std::shared_ptr<aliases> file;
  {
    const std::lock_guard lock(mutex_);
    if (!aliases_ || aliases_->path() != site.aliases) aliases_ = std::make_shared<aliases>(site.aliases);
    file = aliases_;
  }
  return file->current();
}

void enqueuer::update(std::shared_ptr<const config::settings> site) {
  options_.accounts->configure(*site);
  const std::lock_guard lock(mutex_);
  settings_ = std::move(site);
}

std::shared_ptr<const config::settings> enqueuer::settings() const {
  const std::lock_guard lock(mutex_);
  return settings_;
}

}  // namespace mta::enqueue
