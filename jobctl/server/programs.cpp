#include "jobctl/server/programs.hpp"

#include "base/utf8.hpp"
#include "jobctl/server/log.hpp"
#include "wire/messages.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <fmt/format.h>
#include <string>
#include <unistd.h>
#include <unordered_map>

namespace jobctl {

namespace wire = mta::wire;

namespace {

constexpr std::chrono::seconds hello_patience{10};  // from the connection to HELLO

outcome outcome_of(wire::outcome o) {
  switch (o) {
    case wire::outcome::finished: return outcome::finished;
    case wire::outcome::deferred: return outcome::deferred;
    case wire::outcome::released: return outcome::released;
    case wire::outcome::locked: return outcome::locked;
    case wire::outcome::gone: return outcome::gone;
    case wire::outcome::bad: return outcome::bad;
    case wire::outcome::held: return outcome::held;
  }
  return outcome::locked;  // decoding lets no other value through
}

/// What a program says to people, so that it can stand in a line.
std::string words_of(std::string_view text) {
  constexpr std::size_t most = 200;
  std::string words = mta::as_utf8(std::string(text.substr(0, most)));
  std::ranges::replace_if(
      words, [](unsigned char c) { return c < 0x20 || c == 0x7F; }, ' ');
  return words;
}

bool writes_state(wire::outcome o) {
  return o == wire::outcome::finished || o == wire::outcome::deferred || o == wire::outcome::held;
}

}  // namespace

struct programs::session {
  session(boost::asio::io_context& io, std::shared_ptr<connection> l) : link(std::move(l)), timer(io) {}

  std::shared_ptr<connection> link;
  boost::asio::steady_timer timer;  // for HELLO, then for leaving after STOP
  bool greeted = false;
  bool is_worker = false;
  bool survivor = false;  // launched by an earlier controller
  worker_info worker;
  std::string channel_text;                // worker: its channel's name
  std::string announced_name;              // channel of the last QUEUED
  std::optional<channel_no> announced_no;  // empty: unknown
  std::optional<file_key> last_named;      // file of the last QUEUED
};

struct programs::impl {
  std::unordered_map<const connection*, std::unique_ptr<session>> sessions;
  std::unordered_map<std::uint64_t, session*> workers;
  std::vector<std::shared_ptr<connection>> to_flush;
  std::uint64_t last_number = 0;

  // Reused from frame to frame.
  wire::results results;
  wire::queued queued;
  std::vector<message_result> controller_results;
  std::vector<new_message> controller_messages;
  std::vector<wire::leased_message> leased;
  std::vector<std::shared_ptr<connection>> flushing;
};

programs::programs(surroundings s) : around_(std::move(s)), impl_(std::make_unique<impl>()) {}

programs::~programs() { close_all(); }

void programs::close_all() {
  for (auto& [link, s] : impl_->sessions) s->link->close();
  impl_->workers.clear();
  impl_->sessions.clear();
}

void programs::accepted(connection::socket socket, const wire::peer& who) {
  ++around_.counters.connections;
  auto link = std::make_shared<connection>(std::move(socket), who, static_cast<connection_owner&>(*this));
  auto made = std::make_unique<session>(around_.io, link);
  session& s = *made;
  impl_->sessions[link.get()] = std::move(made);
  if (!around_.users.may_connect(who.uid)) {
    refuse(s, static_cast<int>(wire::refusal::not_allowed),
           fmt::format("user id {} may not talk to this controller, which runs as user id {}, and is no "
                       "channel's `user`",
                       who.uid, ::geteuid()));
    return on_turn_end();
  }
  s.timer.expires_after(hello_patience);
  s.timer.async_wait([this, weak = std::weak_ptr(link)](const boost::system::error_code& cancelled) {
    const auto still = weak.lock();
    if (cancelled || !still) return;
    if (session* waiting = find(*still); waiting && !waiting->greeted) {
      violation(*waiting, "no HELLO within 10 s");
      on_turn_end();
    }
  });
  link->start();
}

programs::session* programs::find(const connection& link) {
  const auto found = impl_->sessions.find(&link);
  return found == impl_->sessions.end() ? nullptr : found->second.get();
}

void programs::on_frame(connection& link, const wire::frame& f) {
  session* s = find(link);
  if (!s) return;
  ++around_.counters.frames_received;
  if (!s->greeted) {
    if (f.type == wire::frame_type::hello) return on_hello(*s, f);
    return violation(*s, fmt::format("{} before HELLO", wire::name_of(f.type)));
  }
  switch (f.type) {
    case wire::frame_type::results: return on_results(*s, f);
    case wire::frame_type::queued: return on_queued(*s, f);
    case wire::frame_type::ask:
    case wire::frame_type::poll:
    case wire::frame_type::stress:
    case wire::frame_type::stopping: return on_worker_frame(*s, f);
    case wire::frame_type::sync: {
      wire::sync m;
      if (const auto read = wire::decode(f, m); !read) return violation(*s, read.error().message());
      ++around_.counters.frames_sent;
      return wire::append(s->link->output(), wire::synced{m.token});
    }
    case wire::frame_type::bye: {
      wire::bye m;
      if (const auto read = wire::decode(f, m); !read) return violation(*s, read.error().message());
      s->link->close_after_output();
      return end(*s);
    }
    default:
      return violation(
          *s, fmt::format("unexpected frame {} (type {})", wire::name_of(f.type), static_cast<int>(f.type)));
  }
}

void programs::on_hello(session& s, const wire::frame& f) {
  wire::hello m;
  if (const auto read = wire::decode(f, m); !read) {
    if (read.error().code == mta::errc::wrong_version) {
      return refuse(s, static_cast<int>(wire::refusal::version), read.error().context);
    }
    return violation(s, read.error().message());
  }
  const auto now = server::now();
  s.worker.worker = worker_no{++impl_->last_number};
  s.worker.pid = s.link->peer().pid;
  s.worker.connected = now;
  const wire::welcome answer{wire::protocol_version, impl_->last_number};

  if (m.role == wire::role::channel_program) {
    if (refusing_)
      return refuse(s, static_cast<int>(wire::refusal::stopping), "the job controller is stopping");
    const auto channel = around_.find_channel(m.channel);
    if (!channel) {
      return refuse(s, static_cast<int>(wire::refusal::unknown_channel),
                    fmt::format("channel '{}' is not configured and has no queue", m.channel));
    }
    if (!around_.users.may_take(s.link->peer().uid, m.channel)) {
      return refuse(
          s, static_cast<int>(wire::refusal::not_allowed),
          fmt::format("user id {} is not the `user` of channel '{}'", s.link->peer().uid, m.channel));
    }
    s.is_worker = true;
    s.channel_text = m.channel;
    s.worker.channel = *channel;
    s.worker.max_threads = m.max_threads;
    s.worker.job = around_.job_connected(m.job);
    s.survivor = m.job != 0 && s.worker.job == job_no{};
    impl_->workers[impl_->last_number] = &s;
    around_.controller.worker_connected(now, s.worker.worker, *channel, s.worker.job, m.max_threads,
                                        m.holding);
    if (s.survivor) around_.survivor_connected(s.worker.pid, *channel);
    around_.happened(event_kind::connected, *channel,
                     fmt::format("{}, connection {}", s.link->peer_name(), impl_->last_number));
    log(log_level::info, "channel {}: program connected ({}, session {}, up to {} threads{}{})", m.channel,
        s.link->peer_name(), impl_->last_number, m.max_threads,
        m.holding.empty() ? std::string() : fmt::format(", with {} messages in hand", m.holding.size()),
        s.survivor ? ", launched by an earlier controller" : "");
  }
  s.greeted = true;
  s.timer.cancel();
  ++around_.counters.frames_sent;
  wire::append(s.link->output(), answer);
}

void programs::on_queued(session& s, const wire::frame& f) {
  auto& m = impl_->queued;
  if (const auto read = wire::decode(f, m); !read) return violation(s, read.error().message());
  if (!s.announced_no || s.announced_name != m.channel) {
    s.announced_no = around_.find_channel(m.channel);
    s.announced_name = m.channel;
    s.last_named.reset();
    if (!s.announced_no) {
      log(log_level::warning, "{} announces messages of channel '{}', which has no queue: ignored",
          s.link->peer_name(), m.channel);
    }
  }
  if (!s.announced_no) return;
  around_.counters.announced += m.messages.size();
  if (s.last_named != m.file || m.messages.empty()) {
    around_.file_named(*s.announced_no, m.file, m.messages.empty());
    s.last_named = m.file;
  }
  if (m.messages.empty()) return;

  auto& converted = impl_->controller_messages;
  converted.clear();
  for (const auto& each : m.messages) {
    converted.push_back({each.slot,
                         each.priority,
                         each.phase,
                         each.attempts,
                         each.recipients,
                         each.size,
                         each.committed,
                         each.due,
                         {},
                         0,
                         false,
                         each.host});
  }
  around_.controller.messages_found(server::now(), *s.announced_no, m.file, m.capacity, m.complete, converted,
                                    sighting::announced);
}

void programs::on_results(session& s, const wire::frame& f) {
  if (!s.is_worker) return violation(s, "RESULTS of a program that takes no messages");
  auto& m = impl_->results;
  if (const auto read = wire::decode(f, m); !read) return violation(s, read.error().message());
  auto& converted = impl_->controller_results;
  converted.clear();
  const file_key* last = nullptr;
  file_key key;
  for (const auto& each : m.messages) {
    converted.push_back({each.id, outcome_of(each.outcome), each.next_attempt});
    if (!writes_state(each.outcome)) continue;
    if (!last || key != each.id.key()) {
      key = each.id.key();
      last = &key;
      around_.file_changed(s.worker.channel, key);
    }
  }
  s.worker.results += converted.size();
  around_.counters.results += converted.size();
  around_.controller.results(server::now(), s.worker.worker, converted);
}

void programs::on_worker_frame(session& s, const wire::frame& f) {
  if (!s.is_worker)
    return violation(s, fmt::format("{} of a program that takes no messages", wire::name_of(f.type)));
  if (f.type == wire::frame_type::ask) {
    wire::ask m;
    if (const auto read = wire::decode(f, m); !read) return violation(s, read.error().message());
    return around_.controller.worker_asks(server::now(), s.worker.worker, m.more);
  }
  if (f.type == wire::frame_type::poll) {
    wire::poll m;
    if (const auto read = wire::decode(f, m); !read) return violation(s, read.error().message());
    wire::polled answer;
    answer.token = m.token;
    answer.pending = around_.controller.pending(s.worker.worker);
    answer.threads = around_.controller.threads_needed(s.worker.worker);
    ++around_.counters.frames_sent;
    return wire::append(s.link->output(), answer);
  }
  if (f.type == wire::frame_type::stress) {
    wire::stress m;
    if (const auto read = wire::decode(f, m); !read) return violation(s, read.error().message());
    return around_.controller.worker_stressed(server::now(), s.worker.worker, words_of(m.why));
  }
  wire::stopping m;
  if (const auto read = wire::decode(f, m); !read) return violation(s, read.error().message());
  s.worker.stopping = true;
  around_.controller.worker_stopping(server::now(), s.worker.worker);
}

void programs::refuse(session& s, int code, std::string_view why) {
  ++around_.counters.refused;
  log(log_level::warning, "connection of {} refused: {}", s.link->peer_name(), why);
  wire::refused answer;
  answer.code = static_cast<wire::refusal>(code);
  answer.why = why;
  ++around_.counters.frames_sent;
  wire::append(s.link->output(), answer);
  s.link->close_after_output();
  end(s);
}

void programs::violation(session& s, std::string_view what) {
  ++around_.counters.protocol_errors;
  refuse(s, static_cast<int>(wire::refusal::protocol), what);
}

void programs::on_turn_end() { around_.after_events(); }

void programs::on_output(connection& link) { impl_->to_flush.push_back(link.shared_from_this()); }

void programs::on_lost(connection& link, std::string_view why) {
  session* s = find(link);
  if (!s) return;
  if (!why.empty()) {
    ++around_.counters.protocol_errors;
    log(log_level::warning, "connection of {} closed: {}", link.peer_name(), why);
  }
  end(*s);
  around_.after_events();
}

// The connection is closed, or only waits to send its last words.
void programs::end(session& s) {
  if (s.is_worker) {
    log(log_level::info, "channel {}: program disconnected ({}, session {})", s.channel_text,
        s.link->peer_name(), static_cast<std::uint64_t>(s.worker.worker));
    impl_->workers.erase(static_cast<std::uint64_t>(s.worker.worker));
    around_.happened(
        event_kind::disconnected, s.worker.channel,
        fmt::format("{}, connection {}", s.link->peer_name(), static_cast<std::uint64_t>(s.worker.worker)));
    around_.controller.worker_gone(server::now(), s.worker.worker);
  }
  const auto link = s.link;  // until the caller is done with it
  impl_->sessions.erase(link.get());
}

void programs::lease(const action::lease& a) {
  const auto found = impl_->workers.find(static_cast<std::uint64_t>(a.worker));
  if (found == impl_->workers.end()) return;  // its worker_gone gives them back
  session& s = *found->second;
  auto& list = impl_->leased;
  list.clear();
  for (const auto& each : a.messages) list.push_back({each.id, each.attempts, each.priority});
  s.worker.leased += list.size();
  around_.counters.leased += list.size();
  ++around_.counters.frames_sent;
  wire::append_lease(s.link->output(), s.channel_text, list);
}

void programs::stop_worker(worker_no worker, std::string_view why, std::chrono::milliseconds patience) {
  const auto found = impl_->workers.find(static_cast<std::uint64_t>(worker));
  if (found == impl_->workers.end()) return;
  session& s = *found->second;
  s.worker.stopping = true;
  ++around_.counters.frames_sent;
  wire::append(s.link->output(), wire::stop{why});
  s.timer.expires_after(patience);
  s.timer.async_wait([this, worker](const boost::system::error_code& cancelled) {
    const auto still = impl_->workers.find(static_cast<std::uint64_t>(worker));
    if (cancelled || still == impl_->workers.end()) return;
    around_.overdue(still->second->worker, still->second->survivor);
  });
}

void programs::flush() {
  // A connection that is lost while it is flushed makes events, and they more output; so until there is none.
  while (!impl_->to_flush.empty()) {
    impl_->flushing.swap(impl_->to_flush);
    for (const auto& link : impl_->flushing) link->flush();
    impl_->flushing.clear();
  }
}

std::vector<worker_info> programs::workers() const {
  std::vector<worker_info> all;
  all.reserve(impl_->workers.size());
  for (const auto& [number, s] : impl_->workers) all.push_back(s->worker);
  return all;
}

bool programs::survivor(worker_no worker) const {
  const auto found = impl_->workers.find(static_cast<std::uint64_t>(worker));
  return found != impl_->workers.end() && found->second->survivor;
}

std::size_t programs::worker_count() const { return impl_->workers.size(); }

}  // namespace jobctl
