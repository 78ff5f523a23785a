// A site without a controller: messages are put into channel `x`, and processed as a channel program does it;
// what is sent to senders ends up in channel `back`, what is sent to the postmaster in `post`.
#pragma once

#include "dequeue/claims.hpp"
#include "dequeue/context.hpp"
#include "rfc3464.hpp"
#include "temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace test {

namespace queue = mta::queue;
namespace wire = mta::wire;
namespace enqueue = mta::enqueue;

struct queued_message {
  queue::message_id id;
  queue::envelope envelope;
  queue::entry entry;
  queue::message_state state;
  std::string content;
};

class notify_site {
 public:
  explicit notify_site(const std::string& channel = {}, const std::string& more = {}) {
    std::ofstream(root() + "/jobctl.conf")
        << "[jobctl]\nhost = mta.example\nbuiltin = no\n[queue]\nreserve = 0\n[channel x]\nbackoff = 1h\n"
        << channel << "[channel back]\n[channel post]\n"
        << more << "[routes]\nx.example = x\nsender.example = back\nmta.example = post\n";
    auto found = mta::config::find_site({}, root());
    BOOST_REQUIRE_MESSAGE(found, found.error().text());
    settings = std::make_shared<const mta::config::settings>(std::move(*found));
    store.emplace(queue::real_file_io(), settings->queue_root());
    enqueuer = make_enqueuer(queue::real_file_io());
    notifier.emplace(
        [this] { return mta::result<std::unique_ptr<enqueue::enqueuer>>(make_enqueuer(*notifier_files)); });
  }

  const std::string& root() const { return directory_.path(); }

  std::unique_ptr<enqueue::enqueuer> make_enqueuer(queue::file_io& files) const {
    enqueue::enqueuer_options o;
    o.one_shot = true;
    o.announce = [](std::string_view, const queue::committed&) {};
    return enqueue::enqueuer::open(settings, o, files).value();
  }

  struct recipient {
    std::string address;
    std::uint32_t flags = 0;  // 0: those of the message
    std::string original{};
  };
  struct message {
    std::string sender = "ann@sender.example";
    std::vector<recipient> to{{"bob@x.example"}};
    std::string content =
        "From: Ann <ann@sender.example>\nSubject: hello\nMessage-ID: <1@sender.example>\n\nHello.\n";
    std::uint32_t flags = 0;
    std::string envelope_id{};
  };
  queue::message_id submit(const message& m) {
    enqueue::submission_options o;
    o.envelope_id = m.envelope_id;
    o.notify_flags = m.flags;
    o.sort_recipients = false;
    auto s = enqueuer->start(m.sender, o).value();
    for (const recipient& r : m.to) {
      enqueue::recipient_options about;
      about.original = r.original;
      about.notify_flags = r.flags;
      s.add_recipient(r.address, about).value();
    }
    s.write(m.content).value();
    return s.commit().value().at(0).id;
  }

  /// What a processing thread does with a lease.
  wire::message_result process(const queue::message_id& id, const std::function<void(mta::message&)>& how,
                               const std::string& channel = "x") {
    mta::dequeueing::claims claims(*store, channel);
    std::vector<mta::dequeueing::claimed> ours;
    std::vector<wire::message_result> not_ours;
    const wire::leased_message lease{id, 0, queue::priority::normal};
    claims.claim(std::span(&lease, 1), ours, not_ours);
    if (ours.empty()) return not_ours.at(0);
    auto context =
        mta::dequeueing::context::open(std::move(ours.at(0)), *notifier, *settings->find_channel(channel), 1)
            .value();
    mta::message m(*context);
    how(m);
    if (!m.finished()) (void)m.defer("not finished");
    return context->outcome();
  }
  wire::message_result finish(const queue::message_id& id, mta::disposition d, std::string_view reason = {}) {
    return process(id, [&](mta::message& m) { (void)m.finish(d, reason); });
  }

  /// Everything live in a channel, in the order of commits.
  std::vector<queued_message> queued(const std::string& channel) {
    std::vector<queued_message> all;
    const auto files = store->files(channel);
    if (!files) return all;
    for (const auto number : *files) {
      const auto f = store->open(channel, number).value();
      for (const auto& m : store->scan(*f, channel).value().messages)
        all.push_back({f->id(m.entry.slot), f->read_envelope(m.entry).value(), m.entry, m.state,
                       f->read_content(m.entry).value()});
    }
    return all;
  }
  queue::message_state state(const queue::message_id& id, const std::string& channel = "x") {
    return store->open(channel, id.file).value()->read_entry(id.slot).value().state;
  }
  std::string history(const queue::message_id& id) {
    std::string all;
    for (const auto& line : store->open("x", id.file).value()->read_history(id.slot).value())
      all += line + '\n';
    return all;
  }
  /// The one notification to the sender, read strictly.
  rfc3464::notification notification(const std::string& channel = "back") {
    const auto all = queued(channel);
    BOOST_REQUIRE_EQUAL(all.size(), 1u);
    return rfc3464::read(all[0].content);
  }

 private:
  temporary_directory directory_;

 public:
  std::shared_ptr<const mta::config::settings> settings;
  std::optional<queue::store> store;
  std::unique_ptr<enqueue::enqueuer> enqueuer;
  queue::file_io* notifier_files = &queue::real_file_io();
  std::optional<mta::dequeueing::notifier> notifier;
};

}  // namespace test
