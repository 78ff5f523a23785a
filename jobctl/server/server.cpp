#include "jobctl/server/server.hpp"

#include "jobctl/launcher/control_groups.hpp"
#include "jobctl/launcher/program_user.hpp"
#include "jobctl/server/backlog_file.hpp"
#include "jobctl/server/channel_users.hpp"
#include "jobctl/server/jobs.hpp"
#include "jobctl/server/kept_totals.hpp"
#include "jobctl/server/limits.hpp"
#include "jobctl/server/listener.hpp"
#include "jobctl/server/log.hpp"
#include "jobctl/server/notices.hpp"
#include "jobctl/server/orders.hpp"
#include "jobctl/server/pending_orders.hpp"
#include "jobctl/server/periodic_runner.hpp"
#include "jobctl/server/programs.hpp"
#include "jobctl/server/queue_watch.hpp"
#include "jobctl/server/reload.hpp"
#include "jobctl/server/site.hpp"
#include "jobctl/server/stops.hpp"
#include "jobctl/server/upkeep.hpp"
#include "jobctl/server/work_pool.hpp"
#include "queue/file_io.hpp"
#include "queue/store.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <optional>
#include <set>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

namespace jobctl {

namespace asio = boost::asio;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds longest_wait{1000};   // of the clock's timer: the wall clock may be set meanwhile
constexpr milliseconds kill_patience{5000};  // from SIGTERM to SIGKILL
constexpr milliseconds hurried_patience{1000};
constexpr milliseconds flush_patience{5000};  // for the last flushes before the end

template <class... Handlers>
struct overloaded : Handlers... {
  using Handlers::operator()...;
};

log_level level_of(action::severity s) {
  switch (s) {
    case action::severity::info: return log_level::info;
    case action::severity::warning: return log_level::warning;
    case action::severity::problem: return log_level::error;
  }
  return log_level::error;
}

event_kind event_of(action::subject about) {
  switch (about) {
    case action::subject::destination_blocked: return event_kind::destination_blocked;
    case action::subject::destination_unblocked: return event_kind::destination_unblocked;
    case action::subject::backlog_full: return event_kind::backlog_full;
    case action::subject::backlog_relieved: return event_kind::backlog_relieved;
    case action::subject::channel_stressed: return event_kind::channel_stressed;
    case action::subject::channel_relaxed: return event_kind::channel_relaxed;
    case action::subject::other: break;
  }
  return event_kind::report;
}

}  // namespace

struct server::impl {
  enum class stage { running, stopping, hurried, flushing, stopped };

  impl(asio::io_context& i, mta::config::settings s, server_options o)
      : io(i),
        settings(std::move(s)),
        options(std::move(o)),
        core(limits_of(settings)),
        store(mta::queue::real_file_io(), settings.queue_root()),
        clock_timer(io),
        stop_timer(io),
        pool(options.pool_threads),
        totals(io, pool, core),
        jobs_(jobctl::jobs::surroundings{
            io, core, counters, groups, settings, [this] { return stage_ == stage::running; },
            [this](event_kind kind, channel_no c, std::string text) { happened(kind, c, std::move(text)); },
            [this] { after_events(); }}),
        periodic(
            io, [this] { after_events(); },
            [this](command& what, const std::string& channel) { groups.confine(what, channel); }),
        backlogs(io, core, settings.backlog_file()),
        pending(settings.run_directory() + "/orders"),
        upkeep_(upkeep::surroundings{io, pool, store, mta::queue::real_file_io(), core, counters,
                                     [this] { return std::size_t{settings.queue.keep_spare_files}; },
                                     [this] { return settings.queue.reserve.bytes; },
                                     [this](channel_no c, file_key k) { watch.was_reset(c, k); },
                                     [this](channel_no c, file_key k) { watch.was_removed(c, k); },
                                     [this](channel_no c, file_key k) { watch.named(c, k, false); },
                                     [this] { return progress.complete; }, [this] { after_events(); },
                                     [this](const message_id& id) { pending.over(id); },
                                     [this](const action::write_state& what, const order_note& note) {
                                       keep_until_written(what, note);
                                     }}),
        notices_(notices::surroundings{
            io, pool, store, core, counters,
            [this] { return std::make_shared<const mta::config::settings>(settings); },
            [this](std::string_view name) { return find_channel(name); },
            [this](channel_no c, file_key k) { watch.named(c, k, true); },
            [this](channel_no c, file_key k) { upkeep_.changed(c, k); },
            [this](channel_no c, const message_id& id) {
              upkeep_.set_aside(c, id, mta::queue::reason::damaged_record, "its record was found damaged");
            },
            [this] { after_events(); }}),
        orders_(orders::surroundings{io, pool, store, core, upkeep_, pending,
                                     [this, site = std::make_shared<const mta::config::settings>(settings)] {
                                       return notices_.enqueuer(site);
                                     },
                                     [this](channel_no c, const message_id& id) {
                                       upkeep_.set_aside(c, id, mta::queue::reason::damaged_record,
                                                         "its record was found damaged");
                                     },
                                     [this] { after_events(); }}),
        stops_(stops::surroundings{core, events, counters,
                                   [this] { return settings.run_directory() + "/stopped"; },
                                   [this](std::string_view name) { return find_channel(name); },
                                   [this] { take_transitions(); }, [this] { after_events(); }}),
        watch(queue_watch::surroundings{
            io, pool, store, core, counters, progress, upkeep_.moves(), 2 * options.pool_threads,
            [this](channel_no c, const message_id& id) {
              upkeep_.set_aside(c, id, mta::queue::reason::damaged_entry, "its entry fails its check");
            },
            [this] { index_complete(); }, [this] { after_events(); }}),
        clients(programs::surroundings{
            io, core, counters, users, [this](std::string_view name) { return find_channel(name); },
            [this](std::uint64_t wire_job) { return jobs_.connected(wire_job); },
            [this](pid_t pid, channel_no c) { jobs_.adopt_output(pid, c); },
            [this](channel_no c, file_key k, bool look) { watch.named(c, k, look); },
            [this](channel_no c, file_key k) { upkeep_.changed(c, k); }, [this] { after_events(); },
            [this](const worker_info& w, bool survivor) { jobs_.overdue(w, survivor); },
            [this](event_kind kind, channel_no c, std::string text) { happened(kind, c, std::move(text)); }}),
        door(io, [this](listener::socket s2, const mta::wire::peer& who) {
          clients.accepted(std::move(s2), who);
        }) {
    if (!options.on_stopped) options.on_stopped = [this] { io.stop(); };
    if (!options.notify) options.notify = [](const char*) {};
    if (!options.reopen_logs) options.reopen_logs = [](const mta::config::settings&) {};
  }

  // --- events and actions
  // ----------------------------------------------------------------------------------------------

  // For those who watch: what the controller has recorded until now goes before it.
  void happened(event_kind kind, channel_no channel, std::string text) {
    take_transitions();
    events.append(now(), kind, channel, std::move(text));
  }

  void take_transitions() {
    core.take_transitions(transitions);
    if (transitions.empty()) return;
    events.append(now(), transitions);
    transitions.clear();
  }

  // Carries out what the controller wants after one or several events, then sends what has come together for
  // each program in one go. What is done here makes events itself (a launch that fails, a connection that
  // turns out to be closed); they are taken in by the same loop.
  void after_events() {
    if (in_events) {
      more_events = true;
      return;
    }
    in_events = true;
    do {
      more_events = false;
      for (auto actions = core.take_actions(); !actions.empty(); actions = core.take_actions()) {
        for (const auto& each : actions) carry_out(each);
      }
      clients.flush();
    } while (more_events);
    in_events = false;
    take_transitions();
    totals.keep();
    arm_clock();
    if (stage_ == stage::stopping || stage_ == stage::hurried) finish_if_all_left();
  }

  void carry_out(const action_list::value_type& any) {
    std::visit(
        overloaded{
            [&](const action::lease& a) {
              if (progress.first_lease == time_point{}) progress.first_lease = now();
              clients.lease(a);
            },
            [&](const action::launch& a) { jobs_.carry_out(a); },
            [&](const action::stop_worker& a) {
              clients.stop_worker(a.worker, a.why, settings.controller.stop_timeout);
            },
            [&](const action::recycle& a) { upkeep_.carry_out(a); },
            [&](const action::compact& a) { upkeep_.carry_out(a); },
            [&](const action::write_state& a) { upkeep_.carry_out(a); },
            [&](const action::notice& a) { notices_.carry_out(a); },
            [&](const action::stop_ended& a) { stops_.carry_out(a, now()); },
            [&](const action::set_aside& a) { upkeep_.carry_out(a); },
            [&](const action::report& a) {
              write_log(level_of(a.severity), a.text);
              if (a.about != action::subject::other) happened(event_of(a.about), a.channel, a.text);
              if (a.about == action::subject::backlog_full || a.about == action::subject::backlog_relieved)
                backlogs.changed();
              if (a.about == action::subject::other && a.severity != action::severity::info)
                happened(event_kind::report, event_log::no_channel, a.text);
            },
        },
        any);
  }

  void arm_clock() {
    const auto deadline = core.next_deadline();
    if (deadline == time_point::max()) return;
    const auto wait =
        std::clamp(std::chrono::duration_cast<milliseconds>(deadline - now()), milliseconds(1), longest_wait);
    const auto at = std::chrono::steady_clock::now() + wait;
    if (clock_armed && clock_at <= at) return;
    clock_armed = true;
    clock_at = at;
    clock_timer.expires_at(at);
    clock_timer.async_wait([this](const boost::system::error_code& cancelled) {
      if (cancelled) return;
      clock_armed = false;
      core.clock(now());
      after_events();
    });
  }

  void index_complete() {
    core.index_is_complete();
    const auto took = progress.completed - progress.started;
    log(log_level::info, "the index is complete: {} messages in {} files, after {} ms", core.message_count(),
        progress.files, took.count());
    options.notify(fmt::format("STATUS={} messages in the queue at the start", core.message_count()).c_str());
    carry_out_what_waited();
  }

  // The program that has it locked is done soon; so may be this controller.
  void keep_until_written(const action::write_state& what, const order_note& note) {
    const auto order = what.phase == phase::held
                           ? pending_order{verb::hold, what.hold_ends ? what.due : time_point{}, note}
                           : pending_order{verb::release, {}, note};
    if (const auto kept = pending.add(std::span(&what.id, 1), order); !kept)
      log(log_level::warning, "{} message {}: {}; a kill of the controller would undo that",
          name_of(order.verb), to_string(what.id), kept.error().message());
  }

  // Orders that an earlier controller was given, and did not live to see through.
  void carry_out_what_waited() {
    const auto left = pending.all();
    for (const auto& [id, order] : left) {
      const effect what = core.would(order.verb, id, order.until);
      const bool is_over = order.until != time_point{} && order.until <= now();
      if (is_over || what == effect::not_found || what == effect::unchanged) {
        pending.over(id);
        continue;
      }
      upkeep_.note(id, std::make_shared<const order_note>(order.note));
      if (order.verb == verb::hold)
        core.hold(now(), std::span(&id, 1), order.until);
      else
        core.release(now(), std::span(&id, 1));
    }
    after_events();
  }

  // --- channels
  // ----------------------------------------------------------------------------------------------------------

  std::optional<channel_no> find_channel(std::string_view name) {
    if (const auto found = channels.find(name); found != channels.end()) return found->second;
    if (name.empty() || name.front() == '.' || name.find('/') != name.npos || name.find('\0') != name.npos)
      return {};
    if (!settings.find_channel(name)) {
      struct stat s {};
      if (::stat(store.channel_directory(name).c_str(), &s) != 0 || !S_ISDIR(s.st_mode)) return {};
    }
    const auto number = core.channel(name);
    channels.emplace(name, number);
    return number;
  }

  // Users of channels: who may talk to us, and whether their programs can be started and reach the queue.
  // Returns what is to be said about it.
  std::vector<std::string> take_users() {
    users.configure(settings);
    std::vector<std::string> notes = problems_of_users(settings);
    const bool needed = std::ranges::any_of(settings.channels, [](const mta::config::channel& c) {
      const auto user = c.user.empty() ? mta::error(mta::errc::not_configured, "") : find_user(c.user);
      return user && user->uid != ::geteuid();
    });
    if (!needed) return notes;
    if (const auto may = may_change_users(); !may) notes.push_back(may.error().message());
    if (std::exchange(open_to_users, true)) return notes;
    if (const auto opened = open_to_group(settings); !opened) {
      notes.push_back(opened.error().message());
      open_to_users = false;
    }
    return notes;
  }

  // --- the end
  // -----------------------------------------------------------------------------------------------------------

  void stop(std::string_view why) {
    if (stage_ == stage::running) {
      stage_ = stage::stopping;
      log(log_level::info, "stopping: {}; programs get up to {} s to finish", why,
          settings.controller.stop_timeout.count());
      happened(event_kind::stopping, event_log::no_channel, std::string(why));
      options.notify("STOPPING=1\nSTATUS=waiting for programs to finish");
      clients.refuse_all();
      core.shut_down(now());
      periodic.stop(settings.controller.stop_timeout);
      std::set<job_no> connected;
      for (const auto& w : clients.workers()) connected.insert(w.job);
      jobs_.stop_all_but(connected, settings.controller.stop_timeout);
      arm_stop(settings.controller.stop_timeout, [this] { terminate(kill_patience); });
      after_events();
    } else if (stage_ == stage::stopping) {
      stage_ = stage::hurried;
      log(log_level::info, "stopping at once: {}", why);
      terminate(hurried_patience);
    }
  }

  void leave(std::string_view why) {
    if (stage_ != stage::running) return;
    log(log_level::info, "stopping: {}; {} connected programs are left to the next controller", why,
        clients.worker_count());
    periodic.leave();
    options.notify("STOPPING=1\nSTATUS=leaving the programs to the next controller");
    flush_and_end();
  }

  void terminate(milliseconds patience) {
    jobs_.stop_all_but({}, patience);
    periodic.stop(patience);
    for (const auto& w : clients.workers()) {
      if (w.job == job_no{} && w.pid > 1 && clients.survivor(w.worker)) ::kill(w.pid, SIGTERM);
    }
    arm_stop(patience + milliseconds(1000), [this] {
      log(log_level::warning, "not waiting any longer: {} processes and {} connected programs are left",
          jobs_.count(), clients.worker_count());
      flush_and_end();
    });
  }

  void finish_if_all_left() {
    if (jobs_.empty() && clients.worker_count() == 0 && !periodic.busy()) flush_and_end();
  }

  void flush_and_end() {
    if (stage_ == stage::flushing || stage_ == stage::stopped) return;
    stage_ = stage::flushing;
    arm_stop(flush_patience, [this] { end(); });
    upkeep_.flush_all([this] { end(); });
  }

  void end() {
    if (stage_ == stage::stopped) return;
    stage_ = stage::stopped;
    stop_timer.cancel();
    clock_timer.cancel();
    totals.stop();
    clients.close_all();
    door.close();
    backlogs.remove();
    log(log_level::info, "stopped");
    options.on_stopped();
  }

  template <class F>
  void arm_stop(milliseconds after, F then) {
    stop_timer.expires_after(after);
    stop_timer.async_wait([this, then](const boost::system::error_code& cancelled) {
      if (!cancelled && stage_ != stage::stopped) then();
    });
  }

  // --- configuration
  // -------------------------------------------------------------------------------------------------------

  reload_report reload() {
    jobs_.reopen_logs();
    periodic.reopen_logs();
    std::optional<mta::config::settings> next;
    reload_report report = read_again(settings, options, next);
    if (next) {
      settings = std::move(*next);
      for (auto& note : take_users()) report.notes.push_back(std::move(note));
      for (auto& note : groups.configure(settings)) report.notes.push_back(std::move(note));
    }
    options.reopen_logs(settings);
    log_reload(report);
    if (!next) return report;
    core.configure(now(), limits_of(settings));
    notices_.settings_changed();
    periodic.configure(settings);
    watch.set_interval(settings.queue.sync_interval);
    happened(event_kind::reloaded, event_log::no_channel, summary_of(report));
    after_events();
    return report;
  }

  asio::io_context& io;
  mta::config::settings settings;
  server_options options;
  controller core;
  mta::queue::store store;
  scan_progress progress;
  server_counters counters;
  event_log events;
  std::vector<transition> transitions;  // reused from turn to turn

  stage stage_ = stage::running;
  bool in_events = false, more_events = false;
  asio::steady_timer clock_timer, stop_timer;
  std::chrono::steady_clock::time_point clock_at;
  bool clock_armed = false;

  std::map<std::string, channel_no, std::less<>> channels;
  channel_users users;
  bool open_to_users = false;

  site_lock lock;
  work_pool pool;
  kept_totals totals;
  control_groups groups;
  jobctl::jobs jobs_;
  periodic_runner periodic;
  backlog_file backlogs;
  pending_orders pending;
  upkeep upkeep_;
  notices notices_;
  orders orders_;
  stops stops_;
  queue_watch watch;
  programs clients;
  listener door;
};

server::server(asio::io_context& io, mta::config::settings s, server_options o)
    : impl_(std::make_unique<impl>(io, std::move(s), std::move(o))) {}

server::~server() {
  impl_->pool.stop();
  impl_->door.close();
}

mta::result<> server::open() {
  auto& i = *impl_;
  if (auto made = make_site_directories(i.settings); !made) return made.error();
  auto lock = site_lock::take(i.settings);
  if (!lock) return lock.error();
  i.lock = std::move(*lock);

  for (const auto& note : i.take_users()) log(log_level::error, "{}", note);
  for (const auto& note : i.groups.configure(i.settings)) log(log_level::warning, "{}", note);
  i.progress.started = now();
  i.backlogs.remove();  // of one that was killed
  if (auto taken_over = i.pending.open(); !taken_over) return taken_over.error();
  if (auto restored = i.stops_.restore(i.progress.started); !restored) return restored.error();
  i.totals.open(i.settings.run_directory() + "/counters", i.progress.started,
                [&i](std::string_view name) { return i.find_channel(name); });
  i.core.observe(true);
  i.core.configure(i.progress.started, limits_of(i.settings));
  i.happened(event_kind::started, event_log::no_channel, fmt::format("process {}", ::getpid()));
  if (auto listening = i.door.listen(i.settings.program_socket()); !listening) return listening.error();
  i.watch.start(i.settings.queue.sync_interval);
  i.periodic.configure(i.settings);
  asio::post(i.io, [&i] { i.after_events(); });
  return {};
}

void server::stop(std::string_view why) { impl_->stop(why); }
void server::leave(std::string_view why) { impl_->leave(why); }
bool server::stopping() const { return impl_->stage_ != impl::stage::running; }
reload_report server::reload() { return impl_->reload(); }

const controller& server::state() const { return impl_->core; }
const mta::config::settings& server::settings() const { return impl_->settings; }

std::vector<job_info> server::jobs() const {
  std::map<job_no, worker_info> connected;
  for (const auto& w : impl_->clients.workers()) connected[w.job] = w;
  auto all = impl_->jobs_.all();
  for (job_info& job : all) {
    const auto w = connected.find(job.job);
    job.connected = w != connected.end();
    job.stopping = job.connected ? w->second.stopping : stopping();
  }
  std::ranges::sort(all, {}, &job_info::job);
  return all;
}

std::vector<ended_job> server::ended_jobs() const { return impl_->jobs_.ended(); }

std::vector<worker_info> server::workers() const {
  auto all = impl_->clients.workers();
  std::ranges::sort(all, {}, &worker_info::worker);
  return all;
}

scan_progress server::progress() const { return impl_->progress; }
server_counters server::counters() const { return impl_->counters; }
time_point server::counting_since() const { return impl_->totals.since(); }
event_log& server::events() { return impl_->events; }

std::string server::program_of(channel_no channel) const {
  const auto* configured = impl_->settings.find_channel(impl_->core.channel_name(channel));
  if (!configured) return {};
  return fmt::format("{}", fmt::join(configured->program, " "));
}

bool server::find_channel(std::string_view name, channel_no& number) {
  const auto found = impl_->find_channel(name);
  if (found) number = *found;
  return found.has_value();
}

void server::run_channel(channel_no channel) {
  impl_->core.run_channel(now(), channel);
  impl_->after_events();
}

stop_change server::impose(const standing_stop& order) { return impl_->stops_.impose(now(), order); }
stop_change server::lift(const standing_stop& place) { return impl_->stops_.lift(now(), place); }

void server::hold(std::span<const message_id> ids) {
  impl_->core.hold(now(), ids);
  impl_->after_events();
}

void server::release(std::span<const message_id> ids) {
  impl_->core.release(now(), ids);
  impl_->after_events();
}

void server::order(message_order what, std::vector<message_id> ids, std::function<void(order_outcome)> done) {
  impl_->orders_.carry_out(std::move(what), std::move(ids), std::move(done));
}
const std::vector<periodic_status>& server::periodic() const { return impl_->periodic.status(); }
mta::result<> server::run_periodic(std::string_view name) { return impl_->periodic.run_now(name); }

void server::sync() { impl_->watch.sync(); }

asio::io_context& server::io() { return impl_->io; }
mta::queue::store& server::store() { return impl_->store; }
void server::background(std::function<void()> work) { impl_->pool.submit(std::move(work)); }
time_point server::now() { return std::chrono::floor<milliseconds>(std::chrono::system_clock::now()); }

}  // namespace jobctl
